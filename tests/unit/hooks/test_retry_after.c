/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "retry_after.h"

/* Tue, 24 Nov 2026 03:30:00 GMT */
static const int64_t now_ms = INT64_C(1795491000000);

static int64_t found(const char *output)
{
    return retry_after_find(bytes_of_text(output), now_ms);
}

static void seconds_durations_and_dates_are_read(void **state)
{
    (void)state;
    assert_int_equal(found("Retry-After: 120\n"), 120000);
    assert_int_equal(found("retry-after:0"), 0);
    assert_int_equal(found("RETRY-AFTER:\t5m \r\n"), 300000);
    assert_int_equal(found("Retry-After: 250ms\n"), 250);
    assert_int_equal(found("Retry-After: Tue, 24 Nov 2026 03:31:30 GMT\r\n"), 90000);
    assert_int_equal(found("Retry-After: Tue, 24 Nov 2026 03:00:00 GMT\n"), 0);
    assert_int_equal(found("Retry-After: Tuesday, 24-Nov-26 03:31:30 GMT\r\n"), 90000);
    assert_int_equal(found("Retry-After: Tue Nov 24 03:31:30 2026\r\n"), 90000);
    assert_int_equal(found("Retry-After: Wed Dec  2 03:30:00 2026\r\n"), 691200000);
}

static void the_last_line_that_can_be_read_counts(void **state)
{
    (void)state;
    assert_int_equal(found("Retry-After: 1\nx\nRetry-After: 2\ny\n"), 2000);
    assert_int_equal(found("Retry-After: 1\nRetry-After: soon\n"), 1000);
}

static void nothing_is_read_from_anything_else(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "\n\n",
        "Retry-After:",
        "Retry-After: \n",
        "Retry-After 5",
        "x Retry-After: 5",
        " Retry-After: 5",
        "Retry-After: -5",
        "Retry-After: 1.5",
        "Retry-After: 5 s",
        "Retry-After: 99999999999999999999",
        "Retry-After: Tue, 24 Nov 2026",
        "Retry-After: Tue, 24 Nov 2026 03:31:30 GMT and then some more than fits into a value",
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(found(others[i]), -1);
    assert_int_equal(retry_after_find(bytes_of("Retry-After: 1\0x", 16), now_ms), -1);
    assert_int_equal(retry_after_find(bytes_of(NULL, 0), now_ms), -1);
}

static void no_pause_is_longer_than_a_month(void **state)
{
    (void)state;
    const int64_t month_ms = INT64_C(30) * 24 * 3600 * 1000;
    assert_int_equal(found("Retry-After: 9223372036854775807\n"), month_ms);
    assert_int_equal(found("Retry-After: 365d\n"), month_ms);
    assert_int_equal(found("Retry-After: Tue, 24 Nov 2099 03:30:00 GMT\n"), month_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_durations_and_dates_are_read),
        cmocka_unit_test(the_last_line_that_can_be_read_counts),
        cmocka_unit_test(nothing_is_read_from_anything_else),
        cmocka_unit_test(no_pause_is_longer_than_a_month),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
