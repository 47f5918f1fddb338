/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <time.h>

#include "callbackd/clock.h"
#include "display.h"

static void assert_span(int64_t ms, const char *expected)
{
    char out[32];
    display_span(ms, out, sizeof(out));
    assert_string_equal(out, expected);
}

static void test_spans_are_one_unit(void **state)
{
    (void)state;
    assert_span(0, "0s");
    assert_span(999, "0s");
    assert_span(1000, "1s");
    assert_span(119000, "119s");
    assert_span(120000, "2m");
    assert_span((int64_t)47 * 3600000, "47h");
    assert_span((int64_t)48 * 3600000, "2d");
}

static void assert_size(int64_t size, const char *expected)
{
    char out[32];
    display_size(size, out, sizeof(out));
    assert_string_equal(out, expected);
}

static void test_sizes(void **state)
{
    (void)state;
    assert_size(0, "0 B");
    assert_size(1023, "1023 B");
    assert_size(1536, "1.5 KiB");
    assert_size((int64_t)16 << 20, "16.0 MiB");
}

static void assert_time(const char *time, const char *now, const char *expected)
{
    int64_t now_ms = 0;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 1024);
    assert_true(clock_parse_rfc3339(now, &now_ms));
    display_append_time(&out, time, now_ms);
    assert_string_equal(buffer_text(&out), expected);
}

static void test_times_are_local_with_how_long_ago(void **state)
{
    (void)state;
    assert_time("2026-11-23T18:04:05.678Z", "2026-11-23T18:07:06Z", "2026-11-23 18:04:05 (3m ago)");
    assert_time("2026-11-23T18:04:05Z", "2026-11-23T18:02:00Z", "2026-11-23 18:04:05 (in 2m)");
    setenv("TZ", "XYZ-2", 1);
    tzset();
    assert_time("2026-11-23T23:04:05Z", "2026-11-23T23:04:05Z", "2026-11-24 01:04:05 (0s ago)");
    setenv("TZ", "UTC", 1);
    tzset();
}

static void test_what_is_no_time_is_shown_as_it_is(void **state)
{
    (void)state;
    assert_time("soon\033[1m", "2026-11-23T18:07:06Z", "soon\\x1b[1m");
}

static void test_lines_and_tabs_stay(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 1024);
    printable_append_lines(&out, bytes_of_text("a\tb\n\033[0mc\r\n\n"));
    assert_string_equal(buffer_text(&out), "a\tb\n\\x1b[0mc\\x0d\n\n");
}

static void test_statuses_have_colours(void **state)
{
    (void)state;
    assert_int_equal(colour_of_status("success"), COLOUR_GOOD);
    assert_int_equal(colour_of_status("launch_failed"), COLOUR_BAD);
    assert_int_equal(colour_of_status("anything"), COLOUR_NONE);
}

static void test_no_colour_without_a_terminal(void **state)
{
    (void)state;
    struct display display;
    int saved;
    CLEANUP_BUFFER struct buffer caught;
    int file = catch_begin(STDOUT_FILENO, &saved);
    display_init(&display, false);
    catch_end(STDOUT_FILENO, saved, file, &caught);
    assert_false(display.colour);
    assert_false(display.terminal);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    tzset();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_are_one_unit),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_times_are_local_with_how_long_ago),
        cmocka_unit_test(test_what_is_no_time_is_shown_as_it_is),
        cmocka_unit_test(test_lines_and_tabs_stay),
        cmocka_unit_test(test_statuses_have_colours),
        cmocka_unit_test(test_no_colour_without_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
