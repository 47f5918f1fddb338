/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "inputs.h"

static struct inputs inputs;
static struct error error;

static int begin(void **state)
{
    (void)state;
    inputs = (struct inputs){0};
    error = (struct error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    inputs_fini(&inputs);
    return 0;
}

static void assert_object(const char *expected)
{
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_int_equal(inputs_append(&inputs, &out), 0);
    assert_string_equal(buffer_text(&out), expected);
}

static void test_nothing_is_an_empty_object(void **state)
{
    (void)state;
    assert_object("{}");
}

static void test_text_is_a_string_whatever_it_looks_like(void **state)
{
    (void)state;
    assert_int_equal(inputs_add_text(&inputs, "--input", "n=1", &error), 0);
    assert_int_equal(inputs_add_text(&inputs, "--input", "q=say \"x=y\"\n", &error), 0);
    assert_int_equal(inputs_add_text(&inputs, "--input", "e=", &error), 0);
    assert_object("{\"n\":\"1\",\"q\":\"say \\\"x=y\\\"\\n\",\"e\":\"\"}");
}

static void test_json_keeps_its_spelling(void **state)
{
    (void)state;
    assert_int_equal(inputs_add_json(&inputs, "--input-json", "a=9007199254740993", &error), 0);
    assert_int_equal(inputs_add_json(&inputs, "--input-json", "b=[1, {\"c\":1e400}]", &error), 0);
    assert_object("{\"a\":9007199254740993,\"b\":[1, {\"c\":1e400}]}");
}

static void test_later_ones_take_the_place_of_earlier_ones(void **state)
{
    (void)state;
    inputs_add_text(&inputs, "--input", "a=1", &error);
    inputs_add_text(&inputs, "--input", "b=2", &error);
    struct bytes file = bytes_of_text("{ \"a\" : [ ], \"c\": {\"d\": [1]} }");
    assert_int_equal(inputs_add_object(&inputs, "file", file, &error), 0);
    inputs_add_json(&inputs, "--input-json", "c=null", &error);
    assert_object("{\"a\":[ ],\"b\":\"2\",\"c\":null}");
}

static void test_members_of_an_object_are_taken_whole(void **state)
{
    (void)state;
    struct bytes file = bytes_of_text(
        "{\"t\":true,\"n\":null,\"s\":\"x\\u0041\",\"i\":-0.5e1,\"o\":{\"k\":[[]]},\"a\":[{},1]}");
    assert_int_equal(inputs_add_object(&inputs, "file", file, &error), 0);
    assert_object(
        "{\"t\":true,\"n\":null,\"s\":\"x\\u0041\",\"i\":-0.5e1,\"o\":{\"k\":[[]]},\"a\":[{},1]}");
}

static void test_equal_names_in_any_spelling_are_one(void **state)
{
    (void)state;
    inputs_add_text(&inputs, "--input", "A=1", &error);
    assert_int_equal(
        inputs_add_object(&inputs, "file", bytes_of_text("{\"\\u0041\":2}"), &error), 0);
    assert_object("{\"A\":2}");
}

static void assert_usage(int result, const char *message)
{
    assert_int_equal(result, -1);
    assert_int_equal(error.code, ERROR_USAGE);
    assert_holds(error.message, message);
}

static void test_what_is_wrong_is_named(void **state)
{
    (void)state;
    assert_usage(inputs_add_text(&inputs, "--input", "a", &error), "--input: \"a\"");
    assert_usage(inputs_add_text(&inputs, "--input", "=a", &error), "key=value");
    assert_usage(inputs_add_text(&inputs, "--input", "a=\xff", &error), "not UTF-8");
    assert_usage(inputs_add_json(&inputs, "--input-json", "a={", &error), "not followed by JSON");
    assert_usage(inputs_add_json(&inputs, "--input-json", "a=", &error), "not followed by JSON");
    assert_usage(inputs_add_object(&inputs, "f.json", bytes_of_text("[1]"), &error), "f.json");
    assert_usage(inputs_add_object(&inputs, "f.json", bytes_of_text("7"), &error), "object");
    assert_usage(inputs_add_object(&inputs, "f.json", bytes_of_text("{"), &error), "f.json");
    assert_usage(inputs_add_object(&inputs, "f.json", bytes_of_text(""), &error), "f.json");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_nothing_is_an_empty_object),
        CASE(test_text_is_a_string_whatever_it_looks_like),
        CASE(test_json_keeps_its_spelling),
        CASE(test_later_ones_take_the_place_of_earlier_ones),
        CASE(test_members_of_an_object_are_taken_whole),
        CASE(test_equal_names_in_any_spelling_are_one),
        CASE(test_what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
