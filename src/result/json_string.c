/* SPDX-License-Identifier: MIT */
#include "json_string.h"

#include "callbackd/json_scan.h"
#include "callbackd/text.h"
#include "utf8.h"

enum { REPLACEMENT = 0xFFFD };

void json_string_open(struct json_string *string, struct bytes token)
{
    memset(string, 0, sizeof *string);
    if (token.length < 2)
        return;
    string->at = token.data + 1;
    string->end = token.data + token.length - 1;
}

static bool hex4(const struct json_string *string, const unsigned char *at, uint32_t *out)
{
    uint32_t value = 0;
    if (string->end - at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        unsigned char c = at[i];
        unsigned digit = c <= '9' ? (unsigned)c - '0' : ((c | 0x20U) - 'a' + 10);
        value = value << 4 | (digit & 0xF);
    }
    *out = value;
    return true;
}

static uint32_t second_half(const struct json_string *string)
{
    uint32_t half;
    if (string->end - string->at < 6 || string->at[0] != '\\' || string->at[1] != 'u')
        return 0;
    if (!hex4(string, string->at + 2, &half) || half < 0xDC00 || half > 0xDFFF)
        return 0;
    return half;
}

/* After "\u": the code point, one escape or a pair of them. */
static uint32_t unicode_escape(struct json_string *string)
{
    uint32_t code;
    if (!hex4(string, string->at, &code)) {
        string->at = string->end;
        return REPLACEMENT;
    }
    string->at += 4;
    if (code < 0xD800 || code > 0xDFFF)
        return code;
    uint32_t half = code < 0xDC00 ? second_half(string) : 0;
    if (half == 0) {
        string->lone_surrogate = true;
        return REPLACEMENT;
    }
    string->at += 6;
    return 0x10000 + ((code - 0xD800) << 10) + (half - 0xDC00);
}

static uint32_t escape(struct json_string *string)
{
    unsigned char c = *string->at++;
    switch (c) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'u':
        return unicode_escape(string);
    default:
        return c;
    }
}

struct bytes json_string_next(struct json_string *string)
{
    const unsigned char *start = string->at;
    if (start == string->end)
        return bytes_of(NULL, 0);
    size_t left = (size_t)(string->end - start);
    const unsigned char *backslash = memchr(start, '\\', left);
    if (backslash != start) {
        string->at = backslash ? backslash : string->end;
        return bytes_of(start, (size_t)(string->at - start));
    }
    string->at++;
    uint32_t code = string->at < string->end ? escape(string) : REPLACEMENT;
    return bytes_of(string->decoded, utf8_encode(code, string->decoded));
}

bool json_string_equals(struct bytes token, struct bytes text)
{
    /* Almost always decided here: a token is never shorter than what it says. */
    if (token.length < text.length + 2)
        return false;
    if (!memchr(token.data, '\\', token.length))
        return bytes_equal(bytes_of(token.data + 1, token.length - 2), text);
    struct json_string string;
    json_string_open(&string, token);
    for (;;) {
        struct bytes piece = json_string_next(&string);
        if (piece.length == 0)
            return text.length == 0;
        if (piece.length > text.length || memcmp(piece.data, text.data, piece.length) != 0)
            return false;
        text.data += piece.length;
        text.length -= piece.length;
    }
}

void json_string_oddities(struct bytes token, bool *nul_out, bool *lone_surrogate_out)
{
    struct json_string string;
    json_string_open(&string, token);
    *nul_out = false;
    for (;;) {
        struct bytes piece = json_string_next(&string);
        if (piece.length == 0)
            break;
        if (piece.data[0] == 0)
            *nul_out = true;
    }
    *lone_surrogate_out = string.lone_surrogate;
}

int json_decode_string(struct bytes token, struct buffer *out)
{
    size_t before = out->length;
    struct json_string string;
    json_string_open(&string, token);
    for (;;) {
        struct bytes piece = json_string_next(&string);
        if (piece.length == 0)
            return 0;
        if (buffer_append_bytes(out, piece) == 0)
            continue;
        out->length = before;
        if (out->data)
            out->data[before] = 0;
        return -1;
    }
}

bool json_number_to_int64(struct bytes token, int64_t *value_out)
{
    return text_parse_int64(token, value_out);
}
