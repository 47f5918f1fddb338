/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/json_scan.h"
#include "json_string.h"

#define TEXT(literal) bytes_of(literal, sizeof literal - 1)

static void assert_decodes(struct bytes token, struct bytes expected)
{
    struct buffer out;
    buffer_init(&out, 1024);
    buffer_append_text(&out, "before ");
    assert_int_equal(json_scan_text(token, 1, NULL, NULL, NULL), 0);
    assert_int_equal(json_decode_string(token, &out), 0);
    assert_int_equal(out.length, expected.length + 7);
    assert_memory_equal(out.data + 7, expected.data, expected.length);
    assert_true(json_string_equals(token, expected));
    buffer_fini(&out);
}

static void strings_decode_to_utf8(void **state)
{
    (void)state;
    assert_decodes(TEXT("\"\""), TEXT(""));
    assert_decodes(TEXT("\"plain\""), TEXT("plain"));
    assert_decodes(TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), TEXT("\"\\/\b\f\n\r\t"));
    assert_decodes(
        TEXT("\"a\\u0041\\u00e9\\u00E9\\u20AC\""), TEXT("aA\xC3\xA9\xC3\xA9\xE2\x82\xAC"));
    assert_decodes(
        TEXT("\"\\u007f\\u0080\\u07ff\\u0800\\uffff\""),
        TEXT("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF"));
    assert_decodes(TEXT("\"x\\ud83d\\ude00y\""), TEXT("x\xF0\x9F\x98\x80y"));
    assert_decodes(
        TEXT("\"\\ud800\\udc00\\uDBFF\\uDFFF\""), TEXT("\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
    assert_decodes(TEXT("\"a\\u0000b\""), TEXT("a\0b"));
    assert_decodes(TEXT("\"caf\xC3\xA9\""), TEXT("caf\xC3\xA9"));
}

static void half_a_surrogate_pair_becomes_the_replacement_character(void **state)
{
    (void)state;
    assert_decodes(TEXT("\"\\ud800\""), TEXT("\xEF\xBF\xBD"));
    assert_decodes(TEXT("\"\\udc00\""), TEXT("\xEF\xBF\xBD"));
    assert_decodes(TEXT("\"\\ud800x\""), TEXT("\xEF\xBF\xBDx"));
    assert_decodes(
        TEXT("\"\\ud800\\u0041\""), TEXT("\xEF\xBF\xBD"
                                         "A"));
    assert_decodes(TEXT("\"\\ud800\\n\""), TEXT("\xEF\xBF\xBD\n"));
    assert_decodes(TEXT("\"\\ud800\\ud83d\\ude00\""), TEXT("\xEF\xBF\xBD\xF0\x9F\x98\x80"));
    assert_decodes(TEXT("\"\\udc00\\ud800\""), TEXT("\xEF\xBF\xBD\xEF\xBF\xBD"));
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 6);
    buffer_append_text(&out, "ab");
    assert_int_equal(json_decode_string(TEXT("\"cdefg\\n\""), &out), -1);
    assert_string_equal(buffer_text(&out), "ab");
    assert_true(buffer_failed(&out));
    buffer_clear(&out);
    assert_int_equal(json_decode_string(TEXT("\"abcde\\n\""), &out), 0);
    assert_string_equal(buffer_text(&out), "abcde\n");
    buffer_fini(&out);
    buffer_init(&out, 0);
    assert_int_equal(json_decode_string(TEXT("\"\""), &out), 0);
    assert_int_equal(json_decode_string(TEXT("\"a\""), &out), -1);
    buffer_fini(&out);
}

static void comparing_decodes_first(void **state)
{
    (void)state;
    assert_true(json_string_equals(TEXT("\"status\""), TEXT("status")));
    assert_true(json_string_equals(TEXT("\"st\\u0061tus\""), TEXT("status")));
    assert_true(json_string_equals(TEXT("\"\\u0073\\u0074\""), TEXT("st")));
    assert_true(json_string_equals(TEXT("\"\""), TEXT("")));
    assert_true(json_string_equals(TEXT("\"\""), bytes_of(NULL, 0)));
    assert_false(json_string_equals(TEXT("\"status\""), TEXT("statu")));
    assert_false(json_string_equals(TEXT("\"status\""), TEXT("statuss")));
    assert_false(json_string_equals(TEXT("\"status\""), TEXT("Status")));
    assert_false(json_string_equals(TEXT("\"\\u0000\""), TEXT("")));
    assert_false(json_string_equals(TEXT("\"a\\u0000\""), TEXT("a")));
    assert_false(json_string_equals(TEXT("\"\\\\u0061\""), TEXT("a")));
    assert_false(json_string_equals(TEXT("\"\\n\\n\""), TEXT("\n")));
}

static void oddities_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *token;
        bool nul;
        bool lone;
    } rows[] = {
        {"\"\"", false, false},
        {"\"a\\n\"", false, false},
        {"\"a\\u0000\"", true, false},
        {"\"\\\\u0000\"", false, false},
        {"\"\\ud800\"", false, true},
        {"\"\\ud83d\\ude00\"", false, false},
        {"\"\\u0000\\udfff\"", true, true},
        {"\"\\ufffd\"", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool nul, lone;
        json_string_oddities(bytes_of_text(rows[i].token), &nul, &lone);
        assert_int_equal(nul, rows[i].nul);
        assert_int_equal(lone, rows[i].lone);
    }
}

static void what_was_not_scanned_is_read_without_harm(void **state)
{
    (void)state;
    static const char *const tokens[] = {
        "",           "\"",         "\"\\\"",        "\"\\u\"",        "\"\\u1\"",
        "\"\\u12\"",  "\"\\u123\"", "\"\\ud800\\\"", "\"\\ud800\\u\"", "\"\\ud800\\ude0\"",
        "\"\\uzzzz\""};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        /* Exactly as long, so that a sanitizer sees one byte too many. */
        size_t length = strlen(tokens[i]);
        char *copy = malloc(length ? length : 1);
        struct buffer out;
        assert_non_null(copy);
        memcpy(copy, tokens[i], length);
        buffer_init(&out, 64);
        assert_int_equal(json_decode_string(bytes_of(copy, length), &out), 0);
        buffer_fini(&out);
        free(copy);
    }
}

static void integers_survive_to_the_last_digit(void **state)
{
    (void)state;
    static const struct {
        const char *token;
        int64_t value;
    } rows[] = {
        {"0", 0},
        {"-0", 0},
        {"7", 7},
        {"-7", -7},
        {"9007199254740993", 9007199254740993},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    static const char *const wrong[] = {
        "9223372036854775808",
        "-9223372036854775809",
        "1.0",
        "1e3",
        "1E0",
        "-0.0",
        "99999999999999999999999999999999"};
    int64_t value = 42;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(json_number_to_int64(bytes_of_text(wrong[i]), &value));
    assert_int_equal(value, 42);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(json_number_to_int64(bytes_of_text(rows[i].token), &value));
        assert_true(value == rows[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_decode_to_utf8),
        cmocka_unit_test(half_a_surrogate_pair_becomes_the_replacement_character),
        cmocka_unit_test(a_full_buffer_is_left_as_it_was),
        cmocka_unit_test(comparing_decodes_first),
        cmocka_unit_test(oddities_are_told_apart),
        cmocka_unit_test(what_was_not_scanned_is_read_without_harm),
        cmocka_unit_test(integers_survive_to_the_last_digit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
