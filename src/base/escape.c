/* SPDX-License-Identifier: MIT */
#include "escape_private.h"

#include <stdint.h>
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

/* Characters that are not shown but obeyed: C0 and C1 controls and DEL by terminals; marks,
 * embeddings, overrides and isolates of writing direction by whatever lays out text, so that a line
 * reads as another than it is; separators of lines and paragraphs by what reads lines. */
static const struct {
    uint16_t first;
    uint16_t last;
} obeyed[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0x061c, 0x061c},
    {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
};

/* Of a sequence of up to 3 bytes, which is valid; longer ones hold nothing of the kind. */
static uint32_t code_point(const unsigned char *data, size_t length)
{
    if (length == 1)
        return data[0];
    if (length == 2)
        return (data[0] & 0x1fU) << 6 | (data[1] & 0x3fU);
    return (data[0] & 0x0fU) << 12 | (data[1] & 0x3fU) << 6 | (data[2] & 0x3fU);
}

static bool is_obeyed(const unsigned char *data, size_t length)
{
    if (length > 3)
        return false;
    uint32_t point = code_point(data, length);
    for (size_t i = 0; i < sizeof(obeyed) / sizeof(obeyed[0]); i++)
        if (point >= obeyed[i].first && point <= obeyed[i].last)
            return true;
    return false;
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
    if (is_obeyed(text.data, length)) {
        uint32_t point = code_point(text.data, length);
        put(out,
            (const char[]){
                '\\', 'u', hex_digits[point >> 12], hex_digits[point >> 8 & 15],
                hex_digits[point >> 4 & 15], hex_digits[point & 15]},
            6);
    } else {
        put(out, text.data, length);
    }
    return length;
}

size_t escape_printable(struct bytes text, struct escaped *out)
{
    out->length = 0;
    size_t length = text_utf8_sequence(text);
    if (length > 0 && !is_obeyed(text.data, length)) {
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
