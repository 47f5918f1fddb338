/* SPDX-License-Identifier: MIT */
#include "callbackd/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DISTANCE_MAX_BYTES = 64 };

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first: the first that divides a duration gives its shortest spelling. */
static const struct unit duration_units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"KiB", 1024},
    {"MiB", INT64_C(1024) * 1024},
    {"GiB", INT64_C(1024) * 1024 * 1024},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

bool text_parse_int64(struct bytes text, int64_t *value_out)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    size_t i = negative ? 1 : 0;
    if (i == text.length)
        return false;
    /* Counted downwards, where the range is one larger. */
    int64_t value = 0;
    for (; i < text.length; i++) {
        unsigned char c = text.data[i];
        if (c < '0' || c > '9')
            return false;
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, c - '0', &value))
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *value_out = negative ? value : -value;
    return true;
}

static bool parse_with_unit(
    const char *text, const struct unit *units, size_t unit_count, int64_t *value_out)
{
    if (!text)
        return false;
    size_t digits = strspn(text, "0123456789");
    int64_t number = 0;
    if (!text_parse_int64(bytes_of(text, digits), &number))
        return false;
    for (size_t i = 0; i < unit_count; i++) {
        int64_t value = 0;
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(number, units[i].factor, &value))
            return false;
        *value_out = value;
        return true;
    }
    return false;
}

bool text_parse_duration_ms(const char *text, int64_t *ms_out)
{
    return parse_with_unit(text, duration_units, COUNT_OF(duration_units), ms_out);
}

bool text_parse_size(const char *text, int64_t *bytes_out)
{
    return parse_with_unit(text, size_units, COUNT_OF(size_units), bytes_out);
}

void text_format_duration(int64_t ms, char *out, size_t out_bytes)
{
    if (ms == 0) {
        snprintf(out, out_bytes, "0s");
        return;
    }
    const struct unit *unit = duration_units;
    while (ms % unit->factor != 0)
        unit++;
    snprintf(out, out_bytes, "%" PRId64 "%s", ms / unit->factor, unit->name);
}

/* The character at *cursor, a quoting `\` taken off; moves past it. */
static unsigned char set_take(const char **cursor)
{
    if (**cursor == '\\' && (*cursor)[1] != '\0')
        (*cursor)++;
    return (unsigned char)*(*cursor)++;
}

/* `pattern` is after the '['. Gives what follows the ']', or NULL when there is none. */
static const char *set_match(const char *pattern, unsigned char c, bool *matches_out)
{
    const char *cursor = pattern;
    bool negated = *cursor == '!' || *cursor == '^';
    if (negated)
        cursor++;
    bool found = false;
    for (bool first = true; first || *cursor != ']'; first = false) {
        if (*cursor == '\0')
            return NULL;
        unsigned char low = set_take(&cursor);
        unsigned char high = low;
        if (cursor[0] == '-' && cursor[1] != ']' && cursor[1] != '\0') {
            cursor++;
            high = set_take(&cursor);
        }
        if (low <= c && c <= high)
            found = true;
    }
    *matches_out = found != negated;
    return cursor + 1;
}

/* Matches one byte; gives what follows in the pattern, or NULL when it does not match. */
static const char *glob_step(const char *pattern, unsigned char c)
{
    bool matches = false;
    switch (*pattern) {
    case '\0':
        return NULL;
    case '?':
        return pattern + 1;
    case '[': {
        const char *after = set_match(pattern + 1, c, &matches);
        if (after)
            return matches ? after : NULL;
        break; /* never closed: an ordinary '[' */
    }
    case '\\':
        if (pattern[1] != '\0')
            pattern++;
        break;
    default:
        break;
    }
    return (unsigned char)*pattern == c ? pattern + 1 : NULL;
}

/* Only the last `*` is ever tried again, so that no pattern takes exponential time. */
bool text_glob_match(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *star_text = NULL;
    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            star_text = text;
            continue;
        }
        const char *after = glob_step(pattern, (unsigned char)*text);
        if (after) {
            pattern = after;
            text++;
        } else if (star) {
            pattern = star;
            text = ++star_text;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

size_t text_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > DISTANCE_MAX_BYTES || b_length > DISTANCE_MAX_BYTES)
        return SIZE_MAX;
    size_t row[DISTANCE_MAX_BYTES + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t above = row[j];
            size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = smallest(above + 1, row[j - 1] + 1, change);
            diagonal = above;
        }
    }
    return row[b_length];
}

char *text_copy(const char *text)
{
    return text ? strdup(text) : NULL;
}

void text_copy_cut(const char *text, char *out, size_t size)
{
    size_t length = strnlen(text, size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

char *text_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    return length < 0 ? NULL : text;
}
