/* SPDX-License-Identifier: MIT */
/* The encodings of text.h: hex, base64, percent. */
#include <string.h>

#include "callbackd/text.h"

static const char hex_digits[] = "0123456789abcdef";
static const char hex_digits_upper[] = "0123456789ABCDEF";

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

void text_hex_encode(struct bytes data, char *out)
{
    for (size_t i = 0; i < data.length; i++) {
        *out++ = hex_digits[data.data[i] >> 4];
        *out++ = hex_digits[data.data[i] & 15];
    }
    *out = '\0';
}

bool text_hex_decode(struct bytes text, unsigned char *out, size_t out_length)
{
    if (text.length % 2 != 0 || text.length / 2 != out_length)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        if (hex_value(text.data[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < out_length; i++) {
        int high = hex_value(text.data[2 * i]);
        int low = hex_value(text.data[2 * i + 1]);
        out[i] = (unsigned char)((unsigned)high << 4 | (unsigned)low);
    }
    return true;
}

struct base64 {
    char digit_62;
    char digit_63;
    bool padded;
};

static const struct base64 base64_plain = {'+', '/', true};
static const struct base64 base64_url = {'-', '_', false};

static char base64_digit(const struct base64 *kind, uint32_t value)
{
    if (value < 26)
        return (char)('A' + value);
    if (value < 52)
        return (char)('a' + (value - 26));
    if (value < 62)
        return (char)('0' + (value - 52));
    return value == 62 ? kind->digit_62 : kind->digit_63;
}

/* One more than the value of a digit that both kinds have; 0: it is none. */
static const unsigned char base64_values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,  ['H'] = 8,
    ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16,
    ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28, ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32,
    ['g'] = 33, ['h'] = 34, ['i'] = 35, ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40,
    ['o'] = 41, ['p'] = 42, ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48,
    ['w'] = 49, ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62,
};

static int base64_value(const struct base64 *kind, unsigned char c)
{
    if (base64_values[c] != 0)
        return base64_values[c] - 1;
    if (c == (unsigned char)kind->digit_62)
        return 62;
    return c == (unsigned char)kind->digit_63 ? 63 : -1;
}

/* `count` of 1 to 3 bytes become count + 1 digits. Returns the digits and padding written. */
static size_t base64_encode_group(
    const struct base64 *kind, const unsigned char *data, size_t count, unsigned char *out)
{
    uint32_t group = (uint32_t)data[0] << 16;
    if (count > 1)
        group |= (uint32_t)data[1] << 8;
    if (count > 2)
        group |= data[2];
    for (size_t i = 0; i <= count; i++)
        out[i] = (unsigned char)base64_digit(kind, group >> (18 - 6 * i) & 63);
    if (!kind->padded)
        return count + 1;
    for (size_t i = count + 1; i < 4; i++)
        out[i] = '=';
    return 4;
}

static int base64_encode(const struct base64 *kind, struct bytes data, struct buffer *out)
{
    size_t rest = data.length % 3;
    size_t tail = rest == 0 ? 0 : kind->padded ? 4 : rest + 1;
    size_t length = 0;
    if (__builtin_mul_overflow(data.length / 3, 4, &length) ||
        __builtin_add_overflow(length, tail, &length))
        length = SIZE_MAX; /* the reservation refuses it */
    if (buffer_reserve(out, length) != 0)
        return -1;
    unsigned char *to = out->data + out->length;
    for (size_t i = 0; i < data.length; i += 3) {
        size_t left = data.length - i;
        to += base64_encode_group(kind, data.data + i, left < 3 ? left : 3, to);
    }
    *to = '\0';
    out->length += length;
    return 0;
}

/* `count` of 2 to 4 digits become count - 1 bytes. */
static bool base64_decode_group(
    const struct base64 *kind, const unsigned char *text, size_t count, unsigned char *out)
{
    uint32_t group = 0;
    for (size_t i = 0; i < count; i++) {
        int value = base64_value(kind, text[i]);
        if (value < 0)
            return false;
        group |= (uint32_t)value << (18 - 6 * i);
    }
    uint32_t slack = count == 2 ? 0xffff : count == 3 ? 0xff : 0;
    if ((group & slack) != 0)
        return false;
    for (size_t i = 0; i + 1 < count; i++)
        out[i] = (unsigned char)(group >> (16 - 8 * i));
    return true;
}

/* Takes the '=' off the end of padded text; false when they are not as they must be. */
static bool base64_strip_padding(struct bytes *text)
{
    if (text->length % 4 != 0)
        return false;
    for (int i = 0; i < 2 && text->length > 0 && text->data[text->length - 1] == '='; i++)
        text->length--;
    return true;
}

static bool base64_decode(const struct base64 *kind, struct bytes text, struct buffer *out)
{
    if (kind->padded && !base64_strip_padding(&text))
        return false;
    size_t rest = text.length % 4;
    if (rest == 1)
        return false;
    size_t length = text.length / 4 * 3 + (rest > 0 ? rest - 1 : 0);
    if (buffer_reserve(out, length) != 0)
        return false;
    unsigned char *to = out->data + out->length;
    for (size_t i = 0; i < text.length; i += 4) {
        size_t left = text.length - i;
        size_t count = left < 4 ? left : 4;
        if (!base64_decode_group(kind, text.data + i, count, to)) {
            out->data[out->length] = '\0';
            return false;
        }
        to += count - 1;
    }
    *to = '\0';
    out->length += length;
    return true;
}

int text_base64url_encode(struct bytes data, struct buffer *out)
{
    return base64_encode(&base64_url, data, out);
}

bool text_base64url_decode(struct bytes text, struct buffer *out)
{
    return base64_decode(&base64_url, text, out);
}

int text_base64_encode(struct bytes data, struct buffer *out)
{
    return base64_encode(&base64_plain, data, out);
}

bool text_base64_decode(struct bytes text, struct buffer *out)
{
    return base64_decode(&base64_plain, text, out);
}

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

int text_percent_encode(struct bytes data, struct buffer *out)
{
    size_t start = out->length;
    for (size_t i = 0; i < data.length; i++) {
        unsigned char c = data.data[i];
        char escape[3] = {'%', hex_digits_upper[c >> 4], hex_digits_upper[c & 15]};
        int status = is_unreserved(c) ? buffer_append_char(out, (char)c)
                                      : buffer_append(out, escape, sizeof(escape));
        if (status != 0) {
            buffer_truncate(out, start);
            return -1;
        }
    }
    return buffer_failed(out) ? -1 : 0;
}

/* Decodes the unit at text.data[*at] and moves on; -1 on a bad escape. */
static int percent_take(struct bytes text, bool plus_is_space, size_t *at)
{
    unsigned char c = text.data[(*at)++];
    if (c == '+' && plus_is_space)
        return ' ';
    if (c != '%')
        return c;
    if (text.length - *at < 2)
        return -1;
    int high = hex_value(text.data[*at]);
    int low = hex_value(text.data[*at + 1]);
    *at += 2;
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool text_percent_decode(struct bytes text, bool plus_is_space, struct buffer *out)
{
    size_t start = out->length;
    for (size_t at = 0; at < text.length;) {
        int c = percent_take(text, plus_is_space, &at);
        if (c < 0 || buffer_append_char(out, (char)c) != 0) {
            buffer_truncate(out, start);
            return false;
        }
    }
    return !buffer_failed(out);
}
