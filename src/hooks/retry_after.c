/* SPDX-License-Identifier: MIT */
#include "retry_after.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "callbackd/text.h"

enum { VALUE_BYTES_MAX = 64, MS_PER_S = 1000, NAME_BYTES = 12 };
static const char name[] = "Retry-After:";
static const int64_t max_ms = INT64_C(30) * 24 * 3600 * 1000;

static int64_t bounded(int64_t ms)
{
    return ms < 0 ? 0 : ms > max_ms ? max_ms : ms;
}

/* "Tue, 24 Nov 2026 03:30:00 GMT", and the two older forms that HTTP still has readers take; names
 * of days and months are those of the C locale, in which the daemon stays. */
static bool parse_date(const char *text, int64_t *wall_ms_out)
{
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT", "%a, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm utc = {0};
        const char *end = strptime(text, forms[i], &utc);
        if (!end || *end != '\0')
            continue;
        *wall_ms_out = (int64_t)timegm(&utc) * MS_PER_S;
        return true;
    }
    return false;
}

static int64_t parse_value(const char *text, int64_t wall_now_ms)
{
    int64_t number;
    if (text_parse_int64(bytes_of_text(text), &number))
        return number < 0 ? -1 : bounded(number > max_ms ? max_ms : number * MS_PER_S);
    if (text_parse_duration_ms(text, &number))
        return bounded(number);
    if (parse_date(text, &number))
        return bounded(number - wall_now_ms);
    return -1;
}

/* -1 when the line is not of that name. Blanks around the value do not count. */
static int64_t parse_line(const char *line, size_t length, int64_t wall_now_ms)
{
    char value[VALUE_BYTES_MAX];
    if (length < NAME_BYTES || strncasecmp(line, name, NAME_BYTES) != 0)
        return -1;
    line += NAME_BYTES;
    length -= NAME_BYTES;
    for (; length > 0 && isspace((unsigned char)*line); line++)
        length--;
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    if (length == 0 || length >= sizeof value || memchr(line, '\0', length))
        return -1;
    memcpy(value, line, length);
    value[length] = '\0';
    return parse_value(value, wall_now_ms);
}

int64_t retry_after_find(struct bytes output, int64_t wall_now_ms)
{
    int64_t found_ms = -1;
    const char *text = (const char *)output.data;
    for (size_t at = 0; at < output.length;) {
        const char *newline = memchr(text + at, '\n', output.length - at);
        size_t end = newline ? (size_t)(newline - text) : output.length;
        int64_t ms = parse_line(text + at, end - at, wall_now_ms);
        found_ms = ms >= 0 ? ms : found_ms;
        at = end + 1;
    }
    return found_ms;
}
