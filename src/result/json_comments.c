/* SPDX-License-Identifier: MIT */
#include "json_comments.h"

/* After the closing quote; the end of the text when there is none, for the scanner to report. */
static size_t skip_string(const char *text, size_t length, size_t at)
{
    for (at++; at < length && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at < length ? at + 1 : length;
}

static size_t line_end(const char *text, size_t length, size_t at)
{
    const char *newline = memchr(text + at, '\n', length - at);
    return newline ? (size_t)(newline - text) : length;
}

/* After the closing mark; 0 when there is none. */
static size_t block_end(const char *text, size_t length, size_t at)
{
    for (at += 2; at + 1 < length; at++)
        if (text[at] == '*' && text[at + 1] == '/')
            return at + 2;
    return 0;
}

static void blank(char *text, size_t start, size_t end)
{
    for (size_t i = start; i < end; i++)
        if (text[i] != '\n')
            text[i] = ' ';
}

bool json_blank_comments(char *text, size_t length, size_t *open_out)
{
    size_t at = 0;
    while (at < length) {
        char next = at + 1 < length ? text[at + 1] : '\0';
        if (text[at] == '"') {
            at = skip_string(text, length, at);
        } else if (text[at] == '/' && (next == '/' || next == '*')) {
            size_t end = next == '/' ? line_end(text, length, at) : block_end(text, length, at);
            if (end == 0) {
                *open_out = at;
                return false;
            }
            blank(text, at, end);
            at = end;
        } else {
            at++;
        }
    }
    return true;
}
