/* SPDX-License-Identifier: MIT */
/*
 * The two replacements of PromptLayer's sample in JavaScript, over the whole text and so inside of
 * its strings as well:
 *
 *   a quote, one or more other characters, a quote, white space, a colon: the colon follows the
 *   quote at once, and a blank follows it
 *   a comma, followed by white space and one of { " [: a blank follows the comma
 */
#include "canonical_private.h"

#include <string.h>

/* The length of the white space of JavaScript's regular expressions at `at`; 0: it is none. */
static size_t blank_length(struct bytes text, size_t at)
{
    static const char *const wide[] = {
        "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82",
        "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87",
        "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9",
        "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80", "\xEF\xBB\xBF"};
    unsigned char c = text.data[at];
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r');
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        size_t length = strlen(wide[i]);
        if (text.length - at >= length && memcmp(text.data + at, wide[i], length) == 0)
            return length;
    }
    return 0;
}

static size_t skip_blanks(struct bytes text, size_t at)
{
    while (at < text.length) {
        size_t length = blank_length(text, at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

/* At a quote: the place after the colon, and where the second quote ends. 0: no match. */
static size_t match_key(struct bytes text, size_t at, size_t *quote_end_out)
{
    const unsigned char *start = text.data + at + 1;
    const unsigned char *quote = memchr(start, '"', text.length - at - 1);
    if (!quote || quote == start)
        return 0;
    *quote_end_out = (size_t)(quote - text.data) + 1;
    size_t colon = skip_blanks(text, *quote_end_out);
    return colon < text.length && text.data[colon] == ':' ? colon + 1 : 0;
}

static int space_colons(struct bytes text, struct buffer *out)
{
    for (size_t at = 0; at < text.length;) {
        size_t quote_end;
        size_t end = text.data[at] == '"' ? match_key(text, at, &quote_end) : 0;
        if (end == 0) {
            buffer_append_char(out, (char)text.data[at++]);
            continue;
        }
        buffer_append(out, text.data + at, quote_end - at);
        buffer_append_text(out, ": ");
        at = end;
    }
    return buffer_failed(out) ? -1 : 0;
}

static int space_commas(struct bytes text, struct buffer *out)
{
    for (size_t at = 0; at < text.length; at++) {
        buffer_append_char(out, (char)text.data[at]);
        if (text.data[at] != ',')
            continue;
        size_t next = skip_blanks(text, at + 1);
        unsigned char c = next < text.length ? text.data[next] : 0;
        if (c == '{' || c == '"' || c == '[')
            buffer_append_char(out, ' ');
    }
    return buffer_failed(out) ? -1 : 0;
}

int canonical_append_blanks(struct bytes text, struct buffer *out)
{
    struct buffer spaced;
    buffer_init(&spaced, 2 * text.length + 2);
    int result = space_colons(text, &spaced);
    if (result == 0)
        result = space_commas(buffer_bytes(&spaced), out);
    buffer_fini(&spaced);
    return result;
}
