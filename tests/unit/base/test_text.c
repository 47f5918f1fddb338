/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/text.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void integers_parse_to_both_ends_of_the_range(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"007", 7},
        {"-12", -12},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t value = 99;
        assert_true(text_parse_int64(bytes_of_text(good[i].text), &value));
        assert_int_equal(value, good[i].value);
    }
}

static void other_integers_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "-",
        "--1",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "0x10",
        "1e3",
        "1,000",
        "9223372036854775808",
        "-9223372036854775809",
        "\xd9\xa1",
        "99999999999999999999999999999999",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t value = 99;
        assert_false(text_parse_int64(bytes_of_text(bad[i]), &value));
        assert_int_equal(value, 99);
    }
    int64_t value = 99;
    assert_false(text_parse_int64(bytes_of("1\0", 2), &value));
    assert_false(text_parse_int64(bytes_of(NULL, 0), &value));
}

static void an_integer_ends_where_its_view_ends(void **state)
{
    (void)state;
    int64_t value = 0;
    assert_true(text_parse_int64(bytes_of("123456", 3), &value));
    assert_int_equal(value, 123);
}

static void durations_parse_with_each_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"250ms", 250},
        {"30s", 30000},
        {"10m", 600000},
        {"2h", 7200000},
        {"7d", 604800000},
        {"0s", 0},
        {"0ms", 0},
        {"106751991167d", INT64_C(106751991167) * 86400000},
        {"9223372036854775807ms", INT64_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t ms = -1;
        assert_true(text_parse_duration_ms(good[i].text, &ms));
        assert_int_equal(ms, good[i].ms);
    }
}

static void other_durations_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        NULL,
        "",
        "0",
        "10",
        "s",
        "-1s",
        "+1s",
        "1.5s",
        "1 s",
        " 1s",
        "1s ",
        "1S",
        "1sec",
        "1w",
        "1h30m",
        "ms",
        "1mss",
        "106751991168d",
        "9223372036854775808ms",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t ms = -1;
        assert_false(text_parse_duration_ms(bad[i], &ms));
        assert_int_equal(ms, -1);
    }
}

static void sizes_parse_in_powers_of_1024(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } good[] = {
        {"512", 512},
        {"512B", 512},
        {"0", 0},
        {"64KiB", 65536},
        {"16MiB", 16777216},
        {"2GiB", INT64_C(2147483648)},
        {"8589934591GiB", INT64_C(8589934591) << 30},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t bytes = -1;
        assert_true(text_parse_size(good[i].text, &bytes));
        assert_int_equal(bytes, good[i].bytes);
    }
}

static void other_sizes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        NULL, "", "B", "-1", "1KB", "1kib", "1.5MiB", "1 MiB", "1TiB", "8589934592GiB", "1BB",
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t bytes = -1;
        assert_false(text_parse_size(bad[i], &bytes));
        assert_int_equal(bytes, -1);
    }
}

static void durations_format_in_their_largest_whole_unit(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {
        {0, "0s"},         {1, "1ms"},      {1500, "1500ms"},
        {90000, "90s"},    {60000, "1m"},   {5400000, "90m"},
        {604800000, "7d"}, {3600000, "1h"}, {INT64_MAX, "9223372036854775807ms"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[32];
        int64_t back = -1;
        text_format_duration(cases[i].ms, text, sizeof(text));
        assert_string_equal(text, cases[i].text);
        assert_true(text_parse_duration_ms(text, &back));
        assert_int_equal(back, cases[i].ms);
    }
}

static void a_duration_is_cut_to_the_room_there_is(void **state)
{
    (void)state;
    char text[4] = "zzz";
    text_format_duration(123456, text, sizeof(text));
    assert_string_equal(text, "123");
}

static void assert_glob(const char *pattern, const char *text, bool expected)
{
    if (text_glob_match(pattern, text) != expected)
        fail_msg("glob %s against %s: expected %d", pattern, text, expected);
}

static void globs_without_stars_match_byte_by_byte(void **state)
{
    (void)state;
    assert_glob("", "", true);
    assert_glob("", "a", false);
    assert_glob("abc", "abc", true);
    assert_glob("abc", "abcd", false);
    assert_glob("abc", "ab", false);
    assert_glob("a?c", "abc", true);
    assert_glob("a?c", "ac", false);
    assert_glob("?", "", false);
    assert_glob("?", "/", true);
    assert_glob("ABC", "abc", false);
}

static void stars_match_any_run(void **state)
{
    (void)state;
    assert_glob("*", "", true);
    assert_glob("*", "a/b", true);
    assert_glob("support-*", "support-", true);
    assert_glob("support-*", "support-eu/1", true);
    assert_glob("support-*", "suppor", false);
    assert_glob("*.json", "a.json.json", true);
    assert_glob("*a*b*c", "xxaybzzbc", true);
    assert_glob("*a*b*c", "xxaybzzb", false);
    assert_glob("a**b", "ab", true);
    assert_glob("*b", "aab", true);
}

static void sets_match_one_byte_of_them(void **state)
{
    (void)state;
    assert_glob("[a-c]x", "bx", true);
    assert_glob("[a-c]x", "dx", false);
    assert_glob("[abz0-9]", "5", true);
    assert_glob("[!a-c]", "d", true);
    assert_glob("[^a-c]", "b", false);
    assert_glob("[!a]", "", false);
    assert_glob("[]]", "]", true);
    assert_glob("[!]]", "a", true);
    assert_glob("[a-]", "-", true);
    assert_glob("[-a]", "-", true);
    assert_glob("[c-a]", "b", false);
    assert_glob("*[0-9]", "run7", true);
    assert_glob("[\\]]", "]", true);
    assert_glob("[\xc0-\xff]", "\xe9", true);
}

static void a_set_that_is_never_closed_is_a_bracket(void **state)
{
    (void)state;
    assert_glob("[abc", "[abc", true);
    assert_glob("[abc", "a", false);
    assert_glob("a[", "a[", true);
    assert_glob("[]", "[]", true);
    assert_glob("[a-", "[a-", true);
    assert_glob("[\\", "[\\", true);
}

static void a_backslash_quotes(void **state)
{
    (void)state;
    assert_glob("\\*", "*", true);
    assert_glob("\\*", "a", false);
    assert_glob("\\?", "?", true);
    assert_glob("\\[a]", "[a]", true);
    assert_glob("\\\\", "\\", true);
    assert_glob("a\\", "a\\", true);
    assert_glob("\\a", "a", true);
}

static void a_hostile_glob_takes_no_exponential_time(void **state)
{
    (void)state;
    static char text[20001];
    memset(text, 'a', sizeof(text) - 1);
    assert_glob("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text, false);
    assert_glob("*[a-z]*[a-z]*[a-z]*[a-z]*[a-z]*[0-9]", text, false);
}

static void distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(text_distance("", ""), 0);
    assert_int_equal(text_distance("abc", ""), 3);
    assert_int_equal(text_distance("", "abc"), 3);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    assert_int_equal(text_distance("listn", "listen"), 1);
    assert_int_equal(text_distance("retry", "retry"), 0);
    assert_int_equal(text_distance("ab", "ba"), 2);
}

static void distance_of_long_texts_is_far(void **state)
{
    (void)state;
    char longest[65];
    char longer[66];
    memset(longest, 'x', sizeof(longest));
    memset(longer, 'x', sizeof(longer));
    longest[64] = '\0';
    longer[65] = '\0';
    assert_int_equal(text_distance(longest, longest), 0);
    assert_int_equal(text_distance(longest, "x"), 63);
    assert_true(text_distance(longer, "x") > 64);
    assert_true(text_distance("x", longer) > 64);
    assert_true(text_distance(longer, longer) > 64);
}

static void copies_are_the_callers(void **state)
{
    (void)state;
    assert_null(text_copy(NULL));
    char *copy = text_copy("abc");
    assert_string_equal(copy, "abc");
    free(copy);
    char *made = text_format("%s-%d", "run", 7);
    assert_string_equal(made, "run-7");
    free(made);
}

static void a_copy_is_cut_to_fit(void **state)
{
    (void)state;
    char out[4];
    text_copy_cut("abc", out, sizeof(out));
    assert_string_equal(out, "abc");
    text_copy_cut("abcd", out, sizeof(out));
    assert_string_equal(out, "abc");
    text_copy_cut("", out, 1);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_cut_to_fit),
        cmocka_unit_test(integers_parse_to_both_ends_of_the_range),
        cmocka_unit_test(other_integers_are_refused),
        cmocka_unit_test(an_integer_ends_where_its_view_ends),
        cmocka_unit_test(durations_parse_with_each_unit),
        cmocka_unit_test(other_durations_are_refused),
        cmocka_unit_test(sizes_parse_in_powers_of_1024),
        cmocka_unit_test(other_sizes_are_refused),
        cmocka_unit_test(durations_format_in_their_largest_whole_unit),
        cmocka_unit_test(a_duration_is_cut_to_the_room_there_is),
        cmocka_unit_test(globs_without_stars_match_byte_by_byte),
        cmocka_unit_test(stars_match_any_run),
        cmocka_unit_test(sets_match_one_byte_of_them),
        cmocka_unit_test(a_set_that_is_never_closed_is_a_bracket),
        cmocka_unit_test(a_backslash_quotes),
        cmocka_unit_test(a_hostile_glob_takes_no_exponential_time),
        cmocka_unit_test(distance_counts_edits),
        cmocka_unit_test(distance_of_long_texts_is_far),
        cmocka_unit_test(copies_are_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
