/* SPDX-License-Identifier: MIT */
/* Execution ids; other values are tested with the kinds of body that have them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading.h"

static const struct body_rules rules = {.kind = BODY_WORKFLOW_RESULT, .depth_max = 128};

static void assert_id_refused(const char *value, const char *why)
{
    char text[256];
    char message[ERROR_MESSAGE_BYTES];
    snprintf(text, sizeof text, "{\"workflow_version_execution_id\":%s,\"final_output\":1}", value);
    snprintf(
        message, sizeof message,
        "workflow_version_execution_id must be an integer of at most 64 bits, and is %s", why);
    struct reading reading = read_whole(&rules, bytes_of_text(text));
    assert_int_equal(reading.result, -1);
    assert_int_equal(reading.error.code, ERROR_INVALID);
    assert_string_equal(reading.error.message, message);
    assert_true(reads_alike_in_pieces(&rules, bytes_of_text(text)));
}

static void assert_id(const char *value, int64_t expected)
{
    char text[256];
    snprintf(text, sizeof text, "{\"workflow_version_execution_id\":%s,\"final_output\":1}", value);
    struct reading reading = read_whole(&rules, bytes_of_text(text));
    assert_int_equal(reading.result, 0);
    assert_true(reads_alike_in_pieces(&rules, bytes_of_text(text)));
    assert_true(reading.summary.has_execution_id);
    assert_true(reading.summary.execution_id == expected);
}

static void ids_are_exact_over_the_whole_range(void **state)
{
    (void)state;
    assert_id("0", 0);
    assert_id("-0", 0);
    assert_id("-5", -5);
    assert_id("9007199254740993", 9007199254740993);
    assert_id("9223372036854775807", INT64_MAX);
    assert_id("-9223372036854775808", INT64_MIN);
}

static void a_decimal_string_is_an_id_too(void **state)
{
    (void)state;
    assert_id("\"12\"", 12);
    assert_id("\"\\u0031\\u0032\"", 12);
    assert_id("\"-12\"", -12);
    assert_id("\"0\"", 0);
    assert_id("\"9223372036854775807\"", INT64_MAX);
    assert_id("\"-9223372036854775808\"", INT64_MIN);
}

static void what_is_no_integer_of_64_bits_is_refused(void **state)
{
    (void)state;
    static const char *const strings[] = {
        "\"\"",
        "\"x\"",
        "\"12x\"",
        "\" 12\"",
        "\"12 \"",
        "\"+12\"",
        "\"012\"",
        "\"-012\"",
        "\"-\"",
        "\"00\"",
        "\"1.0\"",
        "\"1e3\"",
        "\"0x1\"",
        "\"9223372036854775808\"",
        "\"12\\u0000\"",
        "\"-9223372036854775809\"",
        "\"100000000000000000000000000000000000000\""};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        assert_id_refused(strings[i], "a string that is not one");
    assert_id_refused("1.0", "a number with a fraction or an exponent");
    assert_id_refused("1e3", "a number with a fraction or an exponent");
    assert_id_refused("1E3", "a number with a fraction or an exponent");
    assert_id_refused("9223372036854775808", "a number out of that range");
    assert_id_refused("-9223372036854775809", "a number out of that range");
    assert_id_refused("true", "true or false");
    assert_id_refused("{}", "an object");
    assert_id_refused("[1]", "an array");
    /* Of duplicates the last counts, also to the worse. */
    assert_id_refused("1,\"workflow_version_execution_id\":{\"a\":[1]}", "an object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_exact_over_the_whole_range),
        cmocka_unit_test(a_decimal_string_is_an_id_too),
        cmocka_unit_test(what_is_no_integer_of_64_bits_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
