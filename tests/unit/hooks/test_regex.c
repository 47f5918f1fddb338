/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "callbackd/clock.h"
#include "regex.h"

static int match(const char *pattern, const char *text)
{
    struct error error;
    struct regex *regex = regex_new(pattern, &error);
    assert_non_null(regex);
    int answer = regex_match(regex, bytes_of_text(text));
    regex_free(regex);
    return answer;
}

static void matches_anywhere(void **state)
{
    (void)state;
    assert_int_equal(match("b+", "abbbc"), 1);
    assert_int_equal(match("^b+", "abbbc"), 0);
    assert_int_equal(match("^$", ""), 1);
    assert_int_equal(match("(?i)FAIL", "it failed"), 1);
}

static void a_dot_is_a_character_and_not_a_byte(void **state)
{
    (void)state;
    assert_int_equal(match("^.$", "\xF0\x9F\x98\x80"), 1);
    assert_int_equal(match("^\\p{Lu}", "\xC3\x84pfel"), 1);
}

static void bytes_that_are_not_utf8_match_nothing(void **state)
{
    (void)state;
    assert_int_equal(match("^.+$", "\xFF\xFE"), 0);
    assert_int_equal(
        match(
            "b", "a\xFF"
                 "b"),
        1);
}

static void a_wrong_pattern_says_where(void **state)
{
    (void)state;
    struct error error;
    assert_null(regex_new("a(b", &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_non_null(strstr(error.message, "character 3"));
}

/* A MiB of the same character, each time against what backtracks most. */
static void assert_ends_soon(const char *pattern)
{
    enum { LENGTH = 1024 * 1024 };
    char *text = malloc(LENGTH);
    assert_non_null(text);
    memset(text, 'a', LENGTH);
    struct error error;
    struct regex *regex = regex_new(pattern, &error);
    assert_non_null(regex);
    int64_t start_ms = clock_monotonic_ms();
    assert_true(regex_match(regex, bytes_of(text, LENGTH)) <= 0);
    assert_true(clock_monotonic_ms() - start_ms < 10000);
    regex_free(regex);
    free(text);
}

static void no_pattern_hangs(void **state)
{
    (void)state;
    assert_ends_soon("(a+)+$b");
    assert_ends_soon("^(a|a)*[bc]");
    assert_ends_soon("a*[bc]");
    assert_ends_soon("(a*)*(a*)*[bc]");
    assert_ends_soon("(?:.|.)*?x{3}y?[0-9]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_anywhere),
        cmocka_unit_test(a_dot_is_a_character_and_not_a_byte),
        cmocka_unit_test(bytes_that_are_not_utf8_match_nothing),
        cmocka_unit_test(a_wrong_pattern_says_where),
        cmocka_unit_test(no_pattern_hangs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
