/* SPDX-License-Identifier: MIT */
/*
 * Without arguments: the tests. With "python" or "javascript": a filter, which reads one JSON text
 * from each line and writes a line for it, empty where it refuses; tests/e2e/test_canonical.py
 * compares that with the programs that it imitates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/canonical.h"

static void expect(enum canonical_form form, const char *text, const char *expected)
{
    struct error error = {0};
    struct buffer out;
    buffer_init(&out, canonical_bytes_max(strlen(text)));
    if (canonical_json(bytes_of_text(text), form, &out, &error) != 0)
        fail_msg("%s: %s", text, error.message);
    assert_string_equal(buffer_text(&out), expected);
    buffer_fini(&out);
}

static void python(const char *text, const char *expected)
{
    expect(CANONICAL_PYTHON, text, expected);
}

static void javascript(const char *text, const char *expected)
{
    expect(CANONICAL_JAVASCRIPT, text, expected);
}

static enum error_code refusal(enum canonical_form form, struct bytes text)
{
    struct error error = {0};
    struct buffer out;
    buffer_init(&out, canonical_bytes_max(text.length));
    int result = canonical_json(text, form, &out, &error);
    buffer_fini(&out);
    return result == 0 ? ERROR_NONE : error.code;
}

static void python_puts_blanks_after_commas_and_colons(void **state)
{
    (void)state;
    python("[1,2 , 3]", "[1, 2, 3]");
    python(" {\"b\":[],\"a\":{}} ", "{\"a\": {}, \"b\": []}");
    python("[ true,false , null,\"\" ]", "[true, false, null, \"\"]");
}

static void python_sorts_by_code_point_and_keeps_the_last(void **state)
{
    (void)state;
    python("{\"b\":1,\"a\":2,\"\\u0061\":3}", "{\"a\": 3, \"b\": 1}");
    python(
        "{\"\\ud83d\\ude00\":1,\"\\uffee\":2,\"\\ud800\":3}",
        "{\"\\ud800\": 3, \"\\uffee\": 2, \"\\ud83d\\ude00\": 1}");
    python("{\"aa\":1,\"a\":2,\"\":3}", "{\"\": 3, \"a\": 2, \"aa\": 1}");
}

static void python_spells_strings_in_ascii(void **state)
{
    (void)state;
    python("\"\\/\\u0041\\u001F\x7f\xc3\xa9\"", "\"/A\\u001f\\u007f\\u00e9\"");
    python("\"\xf0\x9f\x9a\x80\"", "\"\\ud83d\\ude80\"");
    python("\"\\b\\f\\n\\r\\t\\\"\\\\\"", "\"\\b\\f\\n\\r\\t\\\"\\\\\"");
}

static void python_keeps_the_digits_of_integers(void **state)
{
    (void)state;
    python("9007199254740993", "9007199254740993");
    python("-12345678901234567890123", "-12345678901234567890123");
    python("-0", "0");
    char digits[CANONICAL_DIGITS_MAX + 2];
    memset(digits, '1', sizeof digits);
    struct bytes longest = bytes_of(digits, CANONICAL_DIGITS_MAX);
    struct bytes longer = bytes_of(digits, CANONICAL_DIGITS_MAX + 1);
    assert_int_equal(refusal(CANONICAL_PYTHON, longest), ERROR_NONE);
    assert_int_equal(refusal(CANONICAL_PYTHON, longer), ERROR_INVALID);
}

static void python_spells_floats_by_repr(void **state)
{
    (void)state;
    python("[1.0,1e16,1E15,1e-5,0.0001]", "[1.0, 1e+16, 1000000000000000.0, 1e-05, 0.0001]");
    python("[-0.0,1e400,-1e400,1e-400]", "[-0.0, Infinity, -Infinity, 0.0]");
    python("[5e-324,2.2250738585072014e-308]", "[5e-324, 2.2250738585072014e-308]");
    python("[1.7976931348623157e308,0.1]", "[1.7976931348623157e+308, 0.1]");
    python(
        "[9007199254740993.0,123456789012345678.0]",
        "[9007199254740992.0, 1.2345678901234568e+17]");
}

static void javascript_spells_numbers_by_tostring(void **state)
{
    (void)state;
    javascript("[1.0,1e21,1e20,1e-6,1e-7]", "[1,1e+21,100000000000000000000,0.000001,1e-7]");
    javascript("[-0.0,1e400,9007199254740993]", "[0,null,9007199254740992]");
}

static void javascript_puts_blanks_where_two_expressions_find_a_place(void **state)
{
    (void)state;
    javascript("{\"b\":1,\"a\":\"x\"}", "{\"a\": \"x\", \"b\": 1}");
    javascript("{\"\":1}", "{\"\":1}");
    javascript("[\"x,[1]\",[2],{}]", "[\"x, [1]\", [2], {}]");
    javascript("[\"end,\",1]", "[\"end, \",1]");
    javascript("\"{\\\"a\\\" :1}\"", "\"{\\\"a\\\": 1}\"");
    javascript("\"\xc3\xa9\x7f\\u2028\\ud800\"", "\"\xc3\xa9\x7f\xe2\x80\xa8\\ud800\"");
}

static void javascript_sorts_by_utf_16(void **state)
{
    (void)state;
    javascript(
        "{\"\\uffee\":1,\"\\ud83d\\ude00\":2}", "{\"\xf0\x9f\x98\x80\": 2, \"\xef\xbf\xae\": 1}");
}

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "{", "[1,]", "nul", "{\"a\"}", "\"\\x\"", "01", "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(refusal(CANONICAL_PYTHON, bytes_of_text(bad[i])), ERROR_INVALID);
        assert_int_equal(refusal(CANONICAL_JAVASCRIPT, bytes_of_text(bad[i])), ERROR_INVALID);
    }
}

static void depth_and_size_are_bounded(void **state)
{
    (void)state;
    char deep[2 * CANONICAL_DEPTH_MAX + 3];
    memset(deep, '[', CANONICAL_DEPTH_MAX);
    memset(deep + CANONICAL_DEPTH_MAX, ']', CANONICAL_DEPTH_MAX);
    assert_int_equal(
        refusal(CANONICAL_PYTHON, bytes_of(deep, (size_t)2 * CANONICAL_DEPTH_MAX)), ERROR_NONE);
    memset(deep, '[', CANONICAL_DEPTH_MAX + 1);
    memset(deep + CANONICAL_DEPTH_MAX + 1, ']', CANONICAL_DEPTH_MAX + 1);
    assert_int_equal(
        refusal(CANONICAL_PYTHON, bytes_of(deep, (size_t)2 * CANONICAL_DEPTH_MAX + 2)),
        ERROR_INVALID);
    char *large = malloc(CANONICAL_BYTES_MAX + 1);
    assert_non_null(large);
    memset(large, ' ', CANONICAL_BYTES_MAX + 1);
    large[0] = '1';
    assert_int_equal(refusal(CANONICAL_PYTHON, bytes_of(large, CANONICAL_BYTES_MAX)), ERROR_NONE);
    assert_int_equal(
        refusal(CANONICAL_PYTHON, bytes_of(large, CANONICAL_BYTES_MAX + 1)), ERROR_TOO_LARGE);
    free(large);
}

static void the_most_that_a_text_becomes_fits(void **state)
{
    (void)state;
    static const char *const worst[] = {"[\x7f]", "1e20", "1E15", "[\"\x7f\x7f\x7f\x7f\"]"};
    for (size_t i = 1; i < sizeof worst / sizeof worst[0]; i++) {
        char text[8192];
        struct error error;
        struct buffer out;
        size_t length = strlen(worst[i]);
        text[0] = '[';
        for (size_t n = 0; n < 500; n++) {
            memcpy(text + 1 + n * (length + 1), worst[i], length);
            text[(n + 1) * (length + 1)] = n < 499 ? ',' : ']';
        }
        struct bytes whole = bytes_of(text, 500 * (length + 1) + 1);
        buffer_init(&out, canonical_bytes_max(whole.length));
        assert_int_equal(canonical_json(whole, CANONICAL_PYTHON, &out, &error), 0);
        buffer_clear(&out);
        assert_int_equal(canonical_json(whole, CANONICAL_JAVASCRIPT, &out, &error), 0);
        buffer_fini(&out);
    }
}

static int filter(enum canonical_form form)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while ((length = getline(&line, &size, stdin)) > 0) {
        struct error error;
        struct buffer out;
        size_t text = (size_t)length - (line[length - 1] == '\n');
        buffer_init(&out, canonical_bytes_max(text));
        if (canonical_json(bytes_of(line, text), form, &out, &error) == 0)
            fwrite(out.data, 1, out.length, stdout);
        putchar('\n');
        buffer_fini(&out);
    }
    free(line);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(python_puts_blanks_after_commas_and_colons),
        cmocka_unit_test(python_sorts_by_code_point_and_keeps_the_last),
        cmocka_unit_test(python_spells_strings_in_ascii),
        cmocka_unit_test(python_keeps_the_digits_of_integers),
        cmocka_unit_test(python_spells_floats_by_repr),
        cmocka_unit_test(javascript_spells_numbers_by_tostring),
        cmocka_unit_test(javascript_puts_blanks_where_two_expressions_find_a_place),
        cmocka_unit_test(javascript_sorts_by_utf_16),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(the_most_that_a_text_becomes_fits),
    };
    if (argc > 1)
        return filter(strcmp(argv[1], "python") == 0 ? CANONICAL_PYTHON : CANONICAL_JAVASCRIPT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
