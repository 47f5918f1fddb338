/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/json_scan.h"
#include "json_pointer.h"

static void assert_finds(const char *text, const char *pointer, const char *expected)
{
    struct bytes value = bytes_of(NULL, 0);
    enum json_event kind;
    if (!json_pointer_find(bytes_of_text(text), pointer, &value, &kind))
        fail_msg("%s finds nothing", pointer);
    if (!bytes_equal_text(value, expected))
        fail_msg("%s finds %.*s", pointer, (int)value.length, (const char *)value.data);
}

static void assert_finds_nothing(const char *text, const char *pointer)
{
    struct bytes value = bytes_of("untouched", 9);
    enum json_event kind = JSON_KEY;
    if (json_pointer_find(bytes_of_text(text), pointer, &value, &kind))
        fail_msg("%s finds %.*s", pointer, (int)value.length, (const char *)value.data);
    assert_true(bytes_equal_text(value, "untouched"));
    assert_int_equal(kind, JSON_KEY);
}

static void the_examples_of_rfc_6901_hold(void **state)
{
    (void)state;
    static const char text[] =
        " {\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2, \"e^f\": 3, \"g|h\": 4, "
        "\"i\\\\j\": 5, \"k\\\"l\": 6, \" \": 7, \"m~n\": 8} ";
    struct bytes whole;
    enum json_event kind;
    assert_true(json_pointer_find(bytes_of_text(text), "", &whole, &kind));
    assert_int_equal(kind, JSON_OBJECT_BEGIN);
    assert_int_equal(whole.length, sizeof text - 3);
    assert_finds(text, "/foo", "[\"bar\", \"baz\"]");
    assert_finds(text, "/foo/0", "\"bar\"");
    assert_finds(text, "/foo/1", "\"baz\"");
    assert_finds(text, "/", "0");
    assert_finds(text, "/a~1b", "1");
    assert_finds(text, "/c%d", "2");
    assert_finds(text, "/e^f", "3");
    assert_finds(text, "/g|h", "4");
    assert_finds(text, "/i\\j", "5");
    assert_finds(text, "/k\"l", "6");
    assert_finds(text, "/ ", "7");
    assert_finds(text, "/m~0n", "8");
}

static void tokens_are_unescaped_once_and_keys_are_decoded(void **state)
{
    (void)state;
    assert_finds("{\"~1\":1,\"/\":2}", "/~01", "1");
    assert_finds("{\"~1\":1,\"/\":2}", "/~1", "2");
    assert_finds("{\"N\\u006fde 1\":{\"v\":3}}", "/Node 1/v", "3");
    assert_finds("{\"\\ud83d\\ude00\":4}", "/\xF0\x9F\x98\x80", "4");
    assert_finds("{\"a\\/b\":5}", "/a~1b", "5");
    assert_finds_nothing("{\"a\\u0000\":1}", "/a");
    assert_finds_nothing("{\"ab\":1,\"\":2}", "/a");
    assert_finds_nothing("{\"a\":1}", "/ab");
}

static void array_indices_are_plain_decimals(void **state)
{
    (void)state;
    static const char text[] = "[[0,[1,2]],{\"a\":3},4,5,6,7,8,9,10,11,12]";
    assert_finds(text, "/0", "[0,[1,2]]");
    assert_finds(text, "/0/1/1", "2");
    assert_finds(text, "/1/a", "3");
    assert_finds(text, "/10", "12");
    assert_finds_nothing(text, "/11");
    assert_finds_nothing(text, "/-");
    assert_finds_nothing(text, "/01");
    assert_finds_nothing(text, "/00");
    assert_finds_nothing(text, "/-0");
    assert_finds_nothing(text, "/+1");
    assert_finds_nothing(text, "/ 1");
    assert_finds_nothing(text, "/1 ");
    assert_finds_nothing(text, "/");
    assert_finds_nothing(text, "/0/1/1/0");
    assert_finds_nothing(text, "/18446744073709551616");
    assert_finds_nothing(text, "/99999999999999999999999999999999999999");
    assert_finds("{\"0\":1,\"-\":2,\"01\":3}", "/0", "1");
    assert_finds("{\"0\":1,\"-\":2,\"01\":3}", "/-", "2");
    assert_finds("{\"0\":1,\"-\":2,\"01\":3}", "/01", "3");
}

static void of_duplicate_keys_the_last_counts_at_every_level(void **state)
{
    (void)state;
    assert_finds("{\"a\":1,\"a\":2}", "/a", "2");
    assert_finds("{\"a\":1,\"b\":0,\"\\u0061\":[3]}", "/a", "[3]");
    assert_finds("{\"a\":{\"b\":1},\"a\":{\"b\":2}}", "/a/b", "2");
    assert_finds_nothing("{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "/a/b");
    assert_finds_nothing("{\"a\":{\"b\":1},\"a\":5}", "/a/b");
    assert_finds_nothing("{\"a\":[1],\"a\":[]}", "/a/0");
    assert_finds("{\"a\":5,\"a\":[[1],2]}", "/a/1", "2");
    assert_finds("[{\"a\":1,\"a\":2},{\"a\":3}]", "/0/a", "2");
}

static void what_looks_alike_elsewhere_is_not_found(void **state)
{
    (void)state;
    static const char text[] =
        "{\"x\":{\"a\":{\"b\":1}},\"a\":{\"x\":{\"b\":2},\"c\":[{\"b\":3}]}}";
    assert_finds_nothing(text, "/a/b");
    assert_finds_nothing(text, "/b");
    assert_finds(text, "/a/c/0/b", "3");
    assert_finds(text, "/x/a/b", "1");
    assert_finds_nothing("\"text\"", "/0");
    assert_finds_nothing("5", "/");
    assert_finds("5", "", "5");
    assert_finds(" null ", "", "null");
}

static void kinds_tell_what_the_value_is(void **state)
{
    (void)state;
    static const char text[] = "[{},[],\"s\",1,true,false,null]";
    static const enum json_event kinds[] = {JSON_OBJECT_BEGIN, JSON_ARRAY_BEGIN, JSON_STRING,
                                            JSON_NUMBER,       JSON_TRUE,        JSON_FALSE,
                                            JSON_NULL};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char pointer[] = "/0";
        struct bytes value;
        enum json_event kind;
        pointer[1] = (char)('0' + i);
        assert_true(json_pointer_find(bytes_of_text(text), pointer, &value, &kind));
        assert_int_equal(kind, kinds[i]);
    }
}

static void bad_texts_and_bad_pointers_find_nothing(void **state)
{
    (void)state;
    assert_finds_nothing("{\"a\":1", "/a");
    assert_finds_nothing("{\"a\":1}x", "/a");
    assert_finds_nothing("", "");
    assert_finds_nothing("{\"a\":1}", "a");
    assert_finds_nothing("{\"a~\":1}", "/a~");
}

static void pointers_are_valid_by_the_grammar(void **state)
{
    (void)state;
    static const char *const right[] = {"",    "/",   "//",   "/a",       "/a/",
                                        "/~0", "/~1", "/~01", "/\xC3\xA9"};
    static const char *const wrong[] = {"a", " /a", "/~", "/~2", "/a~/b", "#/a", "~0"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        assert_true(json_pointer_is_valid(right[i]));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(json_pointer_is_valid(wrong[i]));
}

static void the_deepest_value_is_found(void **state)
{
    (void)state;
    char text[2 * JSON_DEPTH_MAX + 2];
    char pointer[2 * JSON_DEPTH_MAX + 1];
    memset(text, '[', JSON_DEPTH_MAX);
    text[JSON_DEPTH_MAX] = '7';
    memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX);
    text[sizeof text - 1] = '\0';
    for (size_t i = 0; i < JSON_DEPTH_MAX; i++) {
        pointer[2 * i] = '/';
        pointer[2 * i + 1] = '0';
    }
    pointer[sizeof pointer - 1] = '\0';
    assert_finds(text, pointer, "7");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_6901_hold),
        cmocka_unit_test(tokens_are_unescaped_once_and_keys_are_decoded),
        cmocka_unit_test(array_indices_are_plain_decimals),
        cmocka_unit_test(of_duplicate_keys_the_last_counts_at_every_level),
        cmocka_unit_test(what_looks_alike_elsewhere_is_not_found),
        cmocka_unit_test(kinds_tell_what_the_value_is),
        cmocka_unit_test(bad_texts_and_bad_pointers_find_nothing),
        cmocka_unit_test(pointers_are_valid_by_the_grammar),
        cmocka_unit_test(the_deepest_value_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
