/* SPDX-License-Identifier: MIT */
#include "canonical_private.h"

#include <string.h>

#include "utf8.h"

enum { HIGH_FIRST = 0xD800, LOW_FIRST = 0xDC00, SURROGATE_LAST = 0xDFFF, ASTRAL_FIRST = 0x10000 };

void code_reader_open(struct code_reader *reader, struct bytes token)
{
    reader->at = token.data + 1;
    reader->end = token.data + token.length - 1;
}

static uint32_t hex4(const unsigned char *at)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = at[i];
        value = value << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

/* After "\u": one escape, or two that are one character. */
static uint32_t unicode_escape(struct code_reader *reader)
{
    uint32_t code = hex4(reader->at);
    reader->at += 4;
    if (code < HIGH_FIRST || code >= LOW_FIRST || reader->end - reader->at < 6 ||
        reader->at[0] != '\\' || reader->at[1] != 'u')
        return code;
    uint32_t low = hex4(reader->at + 2);
    if (low < LOW_FIRST || low > SURROGATE_LAST)
        return code;
    reader->at += 6;
    return ASTRAL_FIRST + ((code - HIGH_FIRST) << 10) + (low - LOW_FIRST);
}

static uint32_t escape(struct code_reader *reader)
{
    static const char letters[] = "bfnrt";
    static const char meanings[] = "\b\f\n\r\t";
    unsigned char c = *reader->at++;
    const char *letter = strchr(letters, c);
    if (letter)
        return (uint32_t)meanings[letter - letters];
    return c == 'u' ? unicode_escape(reader) : c;
}

static uint32_t utf8_code(struct code_reader *reader, unsigned char lead)
{
    unsigned char low;
    unsigned char high;
    int more = utf8_lead(lead, &low, &high);
    uint32_t code = lead & (0x3FU >> more);
    for (; more > 0; more--)
        code = code << 6 | (*reader->at++ & 0x3FU);
    return code;
}

bool code_reader_next(struct code_reader *reader, uint32_t *code_out)
{
    if (reader->at == reader->end)
        return false;
    unsigned char c = *reader->at++;
    if (c == '\\')
        *code_out = escape(reader);
    else
        *code_out = c < 0x80 ? c : utf8_code(reader, c);
    return true;
}

/* ---- order ---- */

struct unit_reader {
    struct code_reader codes;
    uint32_t low; /* the second half of a character, still to come; 0: none */
};

static bool unit_next(struct unit_reader *reader, bool utf16, uint32_t *unit_out)
{
    uint32_t code;
    if (reader->low != 0) {
        *unit_out = reader->low;
        reader->low = 0;
        return true;
    }
    if (!code_reader_next(&reader->codes, &code))
        return false;
    if (utf16 && code >= ASTRAL_FIRST) {
        reader->low = LOW_FIRST + ((code - ASTRAL_FIRST) & 0x3FF);
        code = HIGH_FIRST + ((code - ASTRAL_FIRST) >> 10);
    }
    *unit_out = code;
    return true;
}

int canonical_compare_keys(enum canonical_form form, struct bytes a, struct bytes b)
{
    bool utf16 = form == CANONICAL_JAVASCRIPT;
    struct unit_reader left = {.low = 0};
    struct unit_reader right = {.low = 0};
    code_reader_open(&left.codes, a);
    code_reader_open(&right.codes, b);
    for (;;) {
        uint32_t x;
        uint32_t y;
        bool more_left = unit_next(&left, utf16, &x);
        bool more_right = unit_next(&right, utf16, &y);
        if (!more_left || !more_right)
            return (int)more_left - (int)more_right;
        if (x != y)
            return x < y ? -1 : 1;
    }
}

/* ---- spelling ---- */

static void append_unit(struct buffer *out, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    const char text[] = {
        '\\',
        'u',
        digits[unit >> 12 & 15],
        digits[unit >> 8 & 15],
        digits[unit >> 4 & 15],
        digits[unit & 15]};
    buffer_append(out, text, sizeof text);
}

/* The escapes that both have. false: it has none of its own. */
static bool append_short_escape(struct buffer *out, uint32_t code)
{
    static const char codes[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = code != 0 && code < 0x80 ? strchr(codes, (int)code) : NULL;
    if (!found)
        return false;
    buffer_append_char(out, '\\');
    buffer_append_char(out, letters[found - codes]);
    return true;
}

static void append_python(struct buffer *out, uint32_t code)
{
    if (code >= ' ' && code <= '~') {
        buffer_append_char(out, (char)code);
    } else if (code >= ASTRAL_FIRST) {
        append_unit(out, HIGH_FIRST + ((code - ASTRAL_FIRST) >> 10));
        append_unit(out, LOW_FIRST + ((code - ASTRAL_FIRST) & 0x3FF));
    } else {
        append_unit(out, code);
    }
}

static void append_javascript(struct buffer *out, uint32_t code)
{
    unsigned char text[4];
    if (code < ' ' || (code >= HIGH_FIRST && code <= SURROGATE_LAST))
        append_unit(out, code);
    else
        buffer_append(out, text, utf8_encode(code, text));
}

int canonical_append_string(enum canonical_form form, struct bytes token, struct buffer *out)
{
    struct code_reader reader;
    uint32_t code;
    code_reader_open(&reader, token);
    buffer_append_char(out, '"');
    while (code_reader_next(&reader, &code)) {
        if (append_short_escape(out, code))
            continue;
        if (form == CANONICAL_PYTHON)
            append_python(out, code);
        else
            append_javascript(out, code);
    }
    return buffer_append_char(out, '"');
}
