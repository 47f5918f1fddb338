/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "workflow_output.h"

#define NODE(status, value, error, output)                                                         \
    "{\"status\":\"" status "\",\"value\":" value ",\"error_message\":" error                      \
    ",\"raw_error_message\":null,\"is_output_node\":" output "}"

#define POST(output) "{\"workflow_version_execution_id\":1,\"final_output\":" output "}"

static void assert_picked(const char *body, bool all, const char *expected)
{
    struct bytes value;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_true(workflow_output_pick(BODY_WORKFLOW_RESULT, bytes_of_text(body), all, &value));
    assert_int_equal(workflow_output_append(value, &out), 0);
    assert_string_equal(buffer_text(&out), expected);
}

static void test_bare_values_are_printed_as_they_are(void **state)
{
    (void)state;
    assert_picked(POST("\"h\\u00e9llo\\nworld\""), false, "h\xc3\xa9llo\nworld\n");
    assert_picked(POST("false"), false, "false\n");
    assert_picked(POST("\"\""), false, "\n");
    assert_picked(POST("0"), false, "0\n");
    assert_picked(POST("null"), false, "null\n");
    assert_picked(
        POST("{ \"a\" : [ 1, \"x \\\" y\" ] ,\n\"n\": 9007199254740993 }"), false,
        "{\"a\":[1,\"x \\\" y\"],\"n\":9007199254740993}\n");
}

static const char nodes[] = POST(
    "{\"In\":" NODE("SUCCESS", "\"in\"", "null", "false") ",\"Bad\":" NODE("FAILED", "null", "\"it\\nbroke\"", "true") ",\"Out\":" NODE(
        "SUCCESS", "\"out\"", "null",
        "true") ",\"Later\":" NODE("SUCCESS", "\"later\"", "null", "true") "}");

static void test_first_output_node_that_succeeded_is_the_output(void **state)
{
    (void)state;
    assert_picked(nodes, false, "out\n");
}

static void test_all_outputs_keep_the_map(void **state)
{
    (void)state;
    struct bytes value;
    assert_true(workflow_output_pick(BODY_WORKFLOW_RESULT, bytes_of_text(nodes), true, &value));
    assert_true(body_output_is_nodes(value));
}

static void test_map_is_whole_when_no_output_node_succeeded(void **state)
{
    (void)state;
    assert_picked(
        POST("{\"A\": " NODE("FAILURE", "null", "null", "true") "}"), false,
        "{\"A\":" NODE("FAILURE", "null", "null", "true") "}\n");
}

static void test_other_endpoints_put_out_their_whole_body(void **state)
{
    (void)state;
    struct bytes value;
    struct bytes body = bytes_of_text("{\"final_output\":1}");
    assert_true(workflow_output_pick(BODY_JSON, body, false, &value));
    assert_true(bytes_equal(value, body));
}

static void test_no_output_is_said(void **state)
{
    (void)state;
    struct bytes value;
    assert_false(workflow_output_pick(
        BODY_WORKFLOW_RESULT, bytes_of_text("{\"workflow_version_execution_id\":1}"), false,
        &value));
}

static void test_node_is_found_by_name(void **state)
{
    (void)state;
    struct bytes value;
    assert_true(workflow_output_node(bytes_of_text(nodes), "In", &value));
    assert_true(bytes_equal_text(value, "\"in\""));
    assert_false(workflow_output_node(bytes_of_text(nodes), "in", &value));
    assert_false(workflow_output_node(bytes_of_text(POST("\"x\"")), "In", &value));
}

static void assert_reasons(const char *body, const char *expected)
{
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 1 << 20);
    workflow_output_append_reasons(bytes_of_text(body), &out);
    assert_string_equal(buffer_text(&out), expected);
}

static void test_reasons_name_the_nodes(void **state)
{
    (void)state;
    assert_reasons(nodes, "node \"Bad\": it broke\n");
    assert_reasons(
        POST("{\"A\":" NODE("FAILURE", "null", "null", "true") "}"),
        "node \"A\": failed without a message\n");
    assert_reasons(
        POST("{\"A\":" NODE("FAILED", "null", "{\"raw\": 1}", "true") "}"),
        "node \"A\": {\"raw\":1}\n");
}

static void test_reasons_fall_back_on_the_message(void **state)
{
    (void)state;
    assert_reasons("{\"success\":false,\"message\":\"no output\"}", "no output\n");
    assert_reasons(POST("\"fine\""), "");
}

static void test_names_are_listed(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 1 << 20);
    workflow_output_append_names(bytes_of_text(nodes), &out);
    assert_string_equal(buffer_text(&out), "In, Bad, Out, Later");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bare_values_are_printed_as_they_are),
        cmocka_unit_test(test_first_output_node_that_succeeded_is_the_output),
        cmocka_unit_test(test_all_outputs_keep_the_map),
        cmocka_unit_test(test_map_is_whole_when_no_output_node_succeeded),
        cmocka_unit_test(test_other_endpoints_put_out_their_whole_body),
        cmocka_unit_test(test_no_output_is_said),
        cmocka_unit_test(test_node_is_found_by_name),
        cmocka_unit_test(test_reasons_name_the_nodes),
        cmocka_unit_test(test_reasons_fall_back_on_the_message),
        cmocka_unit_test(test_names_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
