/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "callbackd/clock.h"

static void wall_time_is_that_of_the_system(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL) * 1000 - 1000;
    int64_t ms = clock_wall_ms();
    int64_t ns = clock_wall_ns();
    assert_true(ms >= before && ms <= before + 60000);
    assert_true(ns / 1000000 >= ms && ns / 1000000 <= ms + 60000);
}

static void monotonic_time_never_goes_back(void **state)
{
    (void)state;
    int64_t last = clock_monotonic_ns();
    for (int i = 0; i < 10000; i++) {
        int64_t now = clock_monotonic_ns();
        assert_true(now >= last);
        last = now;
    }
    int64_t ms = clock_monotonic_ms();
    assert_true(ms >= last / 1000000 && ms <= last / 1000000 + 60000);
}

static void assert_formats(int64_t wall_ms, const char *expected)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_format_rfc3339(wall_ms, text);
    assert_string_equal(text, expected);
}

static void formats_with_milliseconds_in_utc(void **state)
{
    (void)state;
    assert_formats(0, "1970-01-01T00:00:00.000Z");
    assert_formats(INT64_C(1795457045678), "2026-11-23T18:04:05.678Z");
    assert_formats(INT64_C(1709164800000), "2024-02-29T00:00:00.000Z");
}

static void formats_times_before_1970(void **state)
{
    (void)state;
    assert_formats(-1, "1969-12-31T23:59:59.999Z");
    assert_formats(-1000, "1969-12-31T23:59:59.000Z");
    assert_formats(INT64_C(-62135596800000), "0001-01-01T00:00:00.000Z");
}

static void years_that_have_no_spelling_are_clamped(void **state)
{
    (void)state;
    assert_formats(INT64_C(253402300799999), "9999-12-31T23:59:59.999Z");
    assert_formats(INT64_C(253402300800000), "9999-12-31T23:59:59.999Z");
    assert_formats(INT64_MAX, "9999-12-31T23:59:59.999Z");
    assert_formats(INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z");
    assert_formats(INT64_MIN, "0000-01-01T00:00:00.000Z");
}

static void assert_parses(const char *text, int64_t expected)
{
    int64_t wall_ms = -7;
    assert_true(clock_parse_rfc3339(text, &wall_ms));
    assert_int_equal(wall_ms, expected);
}

static void assert_refuses(const char *text)
{
    int64_t wall_ms = -7;
    assert_false(clock_parse_rfc3339(text, &wall_ms));
    assert_int_equal(wall_ms, -7);
}

static void parses_what_it_formats(void **state)
{
    (void)state;
    int64_t step = INT64_C(7919) * 86400 * 997 + 123;
    for (int64_t ms = INT64_C(-62167219200000); ms <= INT64_C(253402300799999); ms += step) {
        char text[CLOCK_RFC3339_BYTES];
        clock_format_rfc3339(ms, text);
        assert_parses(text, ms);
    }
}

static void cuts_fractions_to_milliseconds(void **state)
{
    (void)state;
    assert_parses("1970-01-01T00:00:01Z", 1000);
    assert_parses("1970-01-01T00:00:01.5Z", 1500);
    assert_parses("1970-01-01T00:00:01.05Z", 1050);
    assert_parses("1970-01-01T00:00:01.999999999Z", 1999);
    assert_parses("1969-12-31T23:59:59.9999Z", -1);
}

static void takes_any_offset(void **state)
{
    (void)state;
    assert_parses("1970-01-01T01:00:00+01:00", 0);
    assert_parses("1969-12-31T18:30:00-05:30", 0);
    assert_parses("1970-01-01T23:59:00+23:59", 0);
    assert_parses("1970-01-01T00:00:00-00:00", 0);
}

static void letters_may_be_lower_case(void **state)
{
    (void)state;
    assert_parses("1970-01-01t00:00:00z", 0);
}

static void a_leap_second_is_the_next_second(void **state)
{
    (void)state;
    assert_parses("2016-12-31T23:59:60Z", INT64_C(1483228800000));
}

static void refuses_days_that_do_not_exist(void **state)
{
    (void)state;
    assert_parses("2000-02-29T00:00:00Z", INT64_C(951782400000));
    assert_refuses("1900-02-29T00:00:00Z");
    assert_refuses("2023-02-29T00:00:00Z");
    assert_refuses("2023-04-31T00:00:00Z");
    assert_refuses("2023-00-01T00:00:00Z");
    assert_refuses("2023-13-01T00:00:00Z");
    assert_refuses("2023-01-00T00:00:00Z");
    assert_refuses("2023-01-32T00:00:00Z");
}

static void refuses_times_that_do_not_exist(void **state)
{
    (void)state;
    assert_refuses("2023-01-01T24:00:00Z");
    assert_refuses("2023-01-01T00:60:00Z");
    assert_refuses("2023-01-01T00:00:61Z");
    assert_refuses("2023-01-01T00:00:00+24:00");
    assert_refuses("2023-01-01T00:00:00+00:60");
}

static void refuses_every_proper_prefix_and_anything_after(void **state)
{
    (void)state;
    const char *whole = "2026-11-23T18:04:05.678+01:30";
    char text[64];
    for (size_t length = 0; length < strlen(whole); length++) {
        memcpy(text, whole, length);
        text[length] = '\0';
        assert_refuses(text);
    }
    assert_refuses("2026-11-23T18:04:05.678+01:300");
    assert_refuses("2026-11-23T18:04:05Z ");
    assert_refuses(" 2026-11-23T18:04:05Z");
}

static void refuses_other_spellings(void **state)
{
    (void)state;
    assert_refuses(NULL);
    assert_refuses("2026-11-23 18:04:05Z");
    assert_refuses("2026-11-23T18:04:05,5Z");
    assert_refuses("2026-11-23T18:04:05.Z");
    assert_refuses("2026-11-23T18:04:05.1234567890Z");
    assert_refuses("2026-11-23T18:04:05+0100");
    assert_refuses("+026-11-23T18:04:05Z");
    assert_refuses("20261123T180405Z");
    assert_refuses("2026-1-23T18:04:05Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_is_that_of_the_system),
        cmocka_unit_test(monotonic_time_never_goes_back),
        cmocka_unit_test(formats_with_milliseconds_in_utc),
        cmocka_unit_test(formats_times_before_1970),
        cmocka_unit_test(years_that_have_no_spelling_are_clamped),
        cmocka_unit_test(parses_what_it_formats),
        cmocka_unit_test(cuts_fractions_to_milliseconds),
        cmocka_unit_test(takes_any_offset),
        cmocka_unit_test(letters_may_be_lower_case),
        cmocka_unit_test(a_leap_second_is_the_next_second),
        cmocka_unit_test(refuses_days_that_do_not_exist),
        cmocka_unit_test(refuses_times_that_do_not_exist),
        cmocka_unit_test(refuses_every_proper_prefix_and_anything_after),
        cmocka_unit_test(refuses_other_spellings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
