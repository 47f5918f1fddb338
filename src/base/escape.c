/* SPDX-License-Identifier: MIT */
#include "escape_private.h"

#include <string.h>

#include "callbackd/text.h"

static const char hex_digits[] = "0123456789abcdef";

static void put(struct escaped *out, const void *data, size_t length)
{
    memcpy(out->data + out->length, data, length);
    out->length += length;
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

size_t escape_plain_length(struct bytes text)
{
    size_t length = 0;
    while (length < text.length && is_plain(text.data[length]))
        length++;
    return length;
}

/* The letter of JSON's two-character escape for `c`, or 0. */
static char json_short_escape(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return 0;
    }
}

/* C0 controls and DEL are one byte; C1 controls, which terminals obey too, are C2 80 to C2 9F. */
static bool is_control(const unsigned char *data, size_t length)
{
    if (length == 1)
        return data[0] < 0x20 || data[0] == 0x7f;
    return length == 2 && data[0] == 0xc2 && data[1] < 0xa0;
}

size_t escape_json(struct bytes text, struct escaped *out)
{
    out->length = 0;
    char letter = json_short_escape(text.data[0]);
    if (letter != 0) {
        put(out, (const char[]){'\\', letter}, 2);
        return 1;
    }
    size_t length = text_utf8_sequence(text);
    if (length == 0) {
        put(out, "\xef\xbf\xbd", 3);
        return 1;
    }
    if (is_control(text.data, length)) {
        unsigned char c = text.data[length - 1];
        put(out, (const char[]){'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]}, 6);
    } else {
        put(out, text.data, length);
    }
    return length;
}

size_t escape_printable(struct bytes text, struct escaped *out)
{
    out->length = 0;
    size_t length = text_utf8_sequence(text);
    if (length > 0 && !is_control(text.data, length)) {
        put(out, text.data, length);
        return length;
    }
    size_t taken = length == 0 ? 1 : length;
    for (size_t i = 0; i < taken; i++) {
        unsigned char c = text.data[i];
        put(out, (const char[]){'\\', 'x', hex_digits[c >> 4], hex_digits[c & 15]}, 4);
    }
    return taken;
}
