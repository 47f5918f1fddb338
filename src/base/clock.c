/* SPDX-License-Identifier: MIT */
#include "callbackd/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { NS_PER_MS = 1000000, MS_PER_S = 1000 };

/* The years that RFC 3339 can spell: 0000 and 9999, in milliseconds since 1970. */
#define FIRST_MS INT64_C(-62167219200000)
#define LAST_MS INT64_C(253402300799999)

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    /* Fails only for a clock that the kernel does not have: nothing would work then. */
    if (clock_gettime(clock, &now) != 0)
        abort();
    return (int64_t)now.tv_sec * MS_PER_S * NS_PER_MS + now.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    return clock_wall_ns() / NS_PER_MS;
}

int64_t clock_wall_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

int64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / NS_PER_MS;
}

int64_t clock_monotonic_ns(void)
{
    return clock_ns(CLOCK_BOOTTIME);
}

void clock_format_rfc3339(int64_t wall_ms, char out[static CLOCK_RFC3339_BYTES])
{
    int64_t clamped = wall_ms < FIRST_MS ? FIRST_MS : wall_ms > LAST_MS ? LAST_MS : wall_ms;
    int64_t fraction = clamped % MS_PER_S;
    if (fraction < 0)
        fraction += MS_PER_S;
    time_t seconds = (time_t)((clamped - fraction) / MS_PER_S);
    struct tm utc = {0};
    gmtime_r(&seconds, &utc);
    size_t length = strftime(out, CLOCK_RFC3339_BYTES, "%FT%T", &utc);
    /* %F does not pad a year below 1000. */
    if (utc.tm_year + 1900 < 1000) {
        length = (size_t)snprintf(
            out, CLOCK_RFC3339_BYTES, "%04u", (unsigned)(utc.tm_year + 1900) % 10000);
        length += strftime(out + length, CLOCK_RFC3339_BYTES - length, "-%m-%dT%T", &utc);
    }
    snprintf(out + length, CLOCK_RFC3339_BYTES - length, ".%03dZ", (int)fraction);
}

/* Reads exactly `digits` digits and moves on; -1 when there are fewer. */
static int take_number(const char **cursor, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        char c = **cursor;
        if (c < '0' || c > '9')
            return -1;
        value = value * 10 + (c - '0');
        (*cursor)++;
    }
    return value;
}

static bool take_char(const char **cursor, char upper, char lower)
{
    if (**cursor != upper && **cursor != lower)
        return false;
    (*cursor)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_date(const char **cursor, struct tm *utc)
{
    int year = take_number(cursor, 4);
    if (year < 0 || !take_char(cursor, '-', '-'))
        return false;
    int month = take_number(cursor, 2);
    if (month < 1 || month > 12 || !take_char(cursor, '-', '-'))
        return false;
    int day = take_number(cursor, 2);
    if (day < 1 || day > days_in_month(year, month))
        return false;
    utc->tm_year = year - 1900;
    utc->tm_mon = month - 1;
    utc->tm_mday = day;
    return true;
}

static bool take_time(const char **cursor, struct tm *utc)
{
    utc->tm_hour = take_number(cursor, 2);
    if (utc->tm_hour < 0 || utc->tm_hour > 23 || !take_char(cursor, ':', ':'))
        return false;
    utc->tm_min = take_number(cursor, 2);
    if (utc->tm_min < 0 || utc->tm_min > 59 || !take_char(cursor, ':', ':'))
        return false;
    utc->tm_sec = take_number(cursor, 2);
    return utc->tm_sec >= 0 && utc->tm_sec <= 60; /* 60: a leap second, taken as the next */
}

static bool take_fraction(const char **cursor, int *ms_out)
{
    int ms = 0;
    if (**cursor == '.') {
        (*cursor)++;
        int digits = 0;
        for (; **cursor >= '0' && **cursor <= '9'; digits++, (*cursor)++) {
            if (digits < 3)
                ms = ms * 10 + (**cursor - '0');
        }
        if (digits < 1 || digits > 9)
            return false;
        for (; digits < 3; digits++)
            ms *= 10;
    }
    *ms_out = ms;
    return true;
}

static bool take_offset(const char **cursor, int *offset_s_out)
{
    if (take_char(cursor, 'Z', 'z')) {
        *offset_s_out = 0;
        return true;
    }
    int sign = **cursor == '-' ? -1 : 1;
    if (!take_char(cursor, '+', '-'))
        return false;
    int hours = take_number(cursor, 2);
    if (hours < 0 || hours > 23 || !take_char(cursor, ':', ':'))
        return false;
    int minutes = take_number(cursor, 2);
    if (minutes < 0 || minutes > 59)
        return false;
    *offset_s_out = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool clock_parse_rfc3339(const char *text, int64_t *wall_ms_out)
{
    struct tm utc = {0};
    int ms = 0;
    int offset_s = 0;
    const char *cursor = text;
    if (!text || !take_date(&cursor, &utc) || !take_char(&cursor, 'T', 't') ||
        !take_time(&cursor, &utc) || !take_fraction(&cursor, &ms) ||
        !take_offset(&cursor, &offset_s) || *cursor != '\0')
        return false;
    *wall_ms_out = ((int64_t)timegm(&utc) - offset_s) * MS_PER_S + ms;
    return true;
}
