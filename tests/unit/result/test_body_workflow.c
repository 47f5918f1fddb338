/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading.h"

#define ID "\"workflow_version_execution_id\":123"
#define NODE(name, status)                                                                         \
    "\"" name "\":{\"status\":\"" status "\",\"value\":\"v\",\"error_message\":null,"              \
    "\"raw_error_message\":null,\"is_output_node\":true}"

static const struct body_rules rules = {.kind = BODY_WORKFLOW_RESULT, .depth_max = 128};

/* `output` NULL: there must be none. */
static struct body_summary assert_means(
    const char *text, enum result_status status, const char *output)
{
    struct bytes body = bytes_of_text(text);
    struct reading reading = read_whole(&rules, body);
    struct bytes found = bytes_of(NULL, 0);
    if (reading.result != 0)
        fail_msg("%s: %s", text, reading.error.message);
    if (reading.summary.status != status)
        fail_msg("%s is %s", text, result_status_name(reading.summary.status));
    if (!reads_alike_in_pieces(&rules, body))
        fail_msg("%s differs in pieces", text);
    if (body_output(body, &found) != (output != NULL))
        fail_msg("%s: output %.*s", text, (int)found.length, (const char *)found.data);
    if (output && !bytes_equal_text(found, output))
        fail_msg("%s: output %.*s", text, (int)found.length, (const char *)found.data);
    assert_string_equal(reading.summary.event, "");
    assert_false(reading.summary.has_id);
    return reading.summary;
}

/* ---- the documented shapes ---- */

static void the_documented_callback_is_a_success(void **state)
{
    (void)state;
    struct body_summary summary = assert_means(
        "{\"workflow_version_execution_id\":123,\"final_output\":{\"Node Name\":{\"status\":"
        "\"SUCCESS\",\"value\":\"result\",\"error_message\":null,\"raw_error_message\":null,"
        "\"is_output_node\":true}}}",
        STATUS_SUCCESS,
        "{\"Node Name\":{\"status\":\"SUCCESS\",\"value\":\"result\",\"error_message\":null,"
        "\"raw_error_message\":null,\"is_output_node\":true}}");
    assert_true(summary.has_execution_id);
    assert_int_equal(summary.execution_id, 123);
    assert_string_equal(summary.name, "");
}

static void each_status_of_a_node_counts(void **state)
{
    (void)state;
    static const struct {
        const char *node;
        enum result_status status;
    } rows[] = {
        {NODE("A", "SUCCESS"), STATUS_SUCCESS}, {NODE("A", "SKIPPED"), STATUS_SUCCESS},
        {NODE("A", "FAILED"), STATUS_FAILED},   {NODE("A", "FAILURE"), STATUS_FAILED},
        {NODE("A", "QUEUED"), STATUS_RUNNING},  {NODE("A", "RUNNING"), STATUS_RUNNING},
        {NODE("A", "MELTED"), STATUS_SUCCESS},  {NODE("A", "failed"), STATUS_SUCCESS},
        {NODE("A", ""), STATUS_SUCCESS},        {NODE("A", "F\\u0041ILED"), STATUS_FAILED},
    };
    char output[512];
    char text[1024];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(output, sizeof output, "{%s}", rows[i].node);
        snprintf(text, sizeof text, "{" ID ",\"final_output\":%s}", output);
        assert_means(text, rows[i].status, output);
        assert_means(output, rows[i].status, output);
    }
}

static void a_running_node_outweighs_a_failed_one(void **state)
{
    (void)state;
    assert_means(
        "{\"final_output\":{" NODE("A", "SUCCESS") "," NODE("B", "FAILED") "}}", STATUS_FAILED,
        "{" NODE("A", "SUCCESS") "," NODE("B", "FAILED") "}");
    assert_means(
        "{" NODE("A", "FAILED") "," NODE("B", "RUNNING") "}", STATUS_RUNNING,
        "{" NODE("A", "FAILED") "," NODE("B", "RUNNING") "}");
    assert_means(
        "{" NODE("A", "QUEUED") "," NODE("B", "FAILURE") "}", STATUS_RUNNING,
        "{" NODE("A", "QUEUED") "," NODE("B", "FAILURE") "}");
}

static void a_bare_final_output_is_a_success_whatever_it_is(void **state)
{
    (void)state;
    static const char *const values[] = {
        "\"AAA\"",
        "false",
        "true",
        "0",
        "\"\"",
        "null",
        "-1.5e3",
        "[]",
        "{}",
        "[1,{\"a\":2}]",
        "{\"a\":1}",
        "{\"status\":\"FAILED\"}",
        "{\"status\":\"FAILED\",\"value\":1}",
        "{\"success\":false}",
        "\"FAILED\"",
        "[{\"status\":\"FAILED\",\"value\":1}]"};
    char text[256];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(text, sizeof text, "{" ID ",\"final_output\":%s}", values[i]);
        assert_int_equal(assert_means(text, STATUS_SUCCESS, values[i]).execution_id, 123);
        snprintf(text, sizeof text, " { \"final_output\" : %s , " ID " } ", values[i]);
        assert_means(text, STATUS_SUCCESS, values[i]);
    }
}

static void an_output_that_was_too_large_is_truncated(void **state)
{
    (void)state;
    struct body_summary summary = assert_means(
        "{" ID ",\"final_output\":\"Output exceeds the size limit\","
        "\"result_code\":\"EXCEEDS_SIZE_LIMIT\"}",
        STATUS_TRUNCATED, "\"Output exceeds the size limit\"");
    assert_int_equal(summary.execution_id, 123);
    assert_means("{" ID ",\"result_code\":\"EXCEEDS_SIZE_LIMIT\"}", STATUS_TRUNCATED, NULL);
    assert_means("{" ID ",\"result_code\":\"EXCEEDS_\\u0053IZE_LIMIT\"}", STATUS_TRUNCATED, NULL);
    assert_means("{" ID ",\"final_output\":\"x\",\"result_code\":\"OK\"}", STATUS_SUCCESS, "\"x\"");
    assert_means("{" ID ",\"final_output\":\"x\",\"result_code\":null}", STATUS_SUCCESS, "\"x\"");
    assert_means(
        "{" ID ",\"final_output\":{" NODE("A", "FAILED") "},\"result_code\":\"OK\"}", STATUS_FAILED,
        "{" NODE("A", "FAILED") "}");
    assert_means(
        "{" ID ",\"final_output\":{\"result_code\":\"EXCEEDS_SIZE_LIMIT\"}}", STATUS_SUCCESS,
        "{\"result_code\":\"EXCEEDS_SIZE_LIMIT\"}");
}

static void the_answer_500_with_nodes_is_a_failure(void **state)
{
    (void)state;
    assert_means(
        "{\"success\":false,\"message\":\"Workflow completed but no output node "
        "succeeded\",\"output\":{" NODE("A", "SUCCESS") "}}",
        STATUS_FAILED, "{" NODE("A", "SUCCESS") "}");
    assert_means(
        "{\"success\":false,\"output\":{" NODE("A", "RUNNING") "}}", STATUS_FAILED,
        "{" NODE("A", "RUNNING") "}");
}

static void success_false_is_a_failure_with_any_output_or_none(void **state)
{
    (void)state;
    assert_means("{\"success\":false,\"message\":\"m\"}", STATUS_FAILED, NULL);
    assert_means("{\"success\":false,\"error\":\"e\"}", STATUS_FAILED, NULL);
    assert_means("{\"success\":false}", STATUS_FAILED, NULL);
    assert_means("{\"success\":false," ID "}", STATUS_FAILED, NULL);
    assert_means("{" ID ",\"final_output\":\"fine\",\"success\":false}", STATUS_FAILED, "\"fine\"");
    assert_means(
        "{\"final_output\":{" NODE("A", "RUNNING") "},\"success\":false}", STATUS_FAILED,
        "{" NODE("A", "RUNNING") "}");
    assert_means(
        "{\"success\":false,\"result_code\":\"EXCEEDS_SIZE_LIMIT\"," ID "}", STATUS_FAILED, NULL);
    assert_means("{\"success\":null," ID "}", STATUS_SUCCESS, NULL);
    assert_means("{\"success\":\"false\"," ID "}", STATUS_SUCCESS, NULL);
    assert_means("{\"final_output\":{\"success\":false}}", STATUS_SUCCESS, "{\"success\":false}");
}

static void output_counts_beside_what_marks_an_envelope(void **state)
{
    (void)state;
    assert_means(
        "{" ID ",\"output\":{" NODE("A", "FAILED") "},\"all_outputs\":{}}", STATUS_FAILED,
        "{" NODE("A", "FAILED") "}");
    assert_means("{\"success\":true,\"output\":7}", STATUS_SUCCESS, "7");
    assert_means("{\"success\":1,\"output\":7}", STATUS_SUCCESS, "{\"success\":1,\"output\":7}");
    assert_means(
        "{\"output\":{" NODE("A", "FAILED") "}}", STATUS_SUCCESS,
        "{\"output\":{" NODE("A", "FAILED") "}}");
    assert_means("{" ID ",\"output\":1,\"final_output\":2}", STATUS_SUCCESS, "2");
    assert_means(
        "{" ID ",\"output\":{" NODE("A", "FAILED") "},\"final_output\":2}", STATUS_SUCCESS, "2");
}

static void an_envelope_without_output_goes_by_its_status(void **state)
{
    (void)state;
    assert_means("{" ID "}", STATUS_SUCCESS, NULL);
    assert_means("{" ID ",\"status\":\"SUCCESS\"}", STATUS_SUCCESS, NULL);
    assert_means("{" ID ",\"status\":\"FAILED\"}", STATUS_FAILED, NULL);
    assert_means("{" ID ",\"status\":\"FAILURE\"}", STATUS_FAILED, NULL);
    assert_means("{" ID ",\"status\":\"RUNNING\"}", STATUS_RUNNING, NULL);
    assert_means("{" ID ",\"status\":\"QUEUED\"}", STATUS_RUNNING, NULL);
    assert_means("{" ID ",\"status\":\"running\"}", STATUS_SUCCESS, NULL);
    assert_means("{" ID ",\"status\":404}", STATUS_SUCCESS, NULL);
    assert_means("{" ID ",\"status\":\"FAILED\",\"final_output\":1}", STATUS_SUCCESS, "1");
    assert_means("{" ID ",\"status\":\"FAILED\",\"output\":1}", STATUS_SUCCESS, "1");
}

static void the_answers_of_the_api_have_a_meaning_too(void **state)
{
    (void)state;
    struct body_summary summary = assert_means(
        "{\"success\":true,\"message\":\"Workflow execution accepted\",\"warning\":null,"
        "\"workflow_version_execution_id\":98765}\n",
        STATUS_SUCCESS, NULL);
    assert_int_equal(summary.execution_id, 98765);
    static const char invalid[] =
        "{\"detail\":[{\"loc\":[\"body\",\"metadata\"],\"msg\":\"m\",\"type\":\"t\"}]}";
    assert_means(invalid, STATUS_SUCCESS, invalid);
    assert_means(
        "{\"success\":false,\"message\":\"Rate limit exceeded. Please retry later.\"}",
        STATUS_FAILED, NULL);
}

/* ---- without an envelope ---- */

static void any_value_alone_is_the_output_itself(void **state)
{
    (void)state;
    static const char *const values[] = {
        "\"AAA\"",
        "false",
        "null",
        "0",
        "\"\"",
        "[1,2]",
        "[]",
        "{\"a\":{\"b\":1}}",
        "{\"data\":{\"Integration Prompt\":1}}"};
    char text[128];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct body_summary summary = assert_means(values[i], STATUS_SUCCESS, values[i]);
        assert_false(summary.has_execution_id);
        snprintf(text, sizeof text, " \n%s\t ", values[i]);
        assert_means(text, STATUS_SUCCESS, values[i]);
    }
}

static void an_empty_object_alone_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"{}", " { \n} "};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct body_summary summary;
        struct error error = {0};
        assert_int_equal(body_read(&rules, bytes_of_text(texts[i]), &summary, &error), -1);
        assert_int_equal(error.code, ERROR_INVALID);
    }
}

static void an_object_alone_goes_by_its_status(void **state)
{
    (void)state;
    assert_means("{\"status\":\"FAILED\"}", STATUS_FAILED, "{\"status\":\"FAILED\"}");
    assert_means(
        "{\"status\":\"RUNNING\",\"x\":1}", STATUS_RUNNING, "{\"status\":\"RUNNING\",\"x\":1}");
    assert_means(
        "{\"status\":\"FAILED\",\"value\":1}", STATUS_FAILED,
        "{\"status\":\"FAILED\",\"value\":1}");
    assert_means("[{\"status\":\"FAILED\"}]", STATUS_SUCCESS, "[{\"status\":\"FAILED\"}]");
}

static void nodes_may_be_named_like_an_envelope(void **state)
{
    (void)state;
    assert_means("{" NODE("status", "FAILED") "}", STATUS_FAILED, "{" NODE("status", "FAILED") "}");
    assert_means(
        "{" NODE("success", "FAILED") "," NODE("result_code", "SUCCESS") "}", STATUS_FAILED,
        "{" NODE("success", "FAILED") "," NODE("result_code", "SUCCESS") "}");
    assert_means("{" NODE("output", "FAILED") "}", STATUS_FAILED, "{" NODE("output", "FAILED") "}");
}

/* ---- the execution id ---- */

static void null_is_as_if_there_were_no_id(void **state)
{
    (void)state;
    struct body_summary summary = assert_means(
        "{\"workflow_version_execution_id\":null,\"final_output\":1}", STATUS_SUCCESS, "1");
    assert_false(summary.has_execution_id);
    assert_false(assert_means("{\"final_output\":1}", STATUS_SUCCESS, "1").has_execution_id);
    assert_means("{\"workflow_version_execution_id\":null}", STATUS_SUCCESS, NULL);
}

static void only_the_top_level_names_the_execution(void **state)
{
    (void)state;
    struct body_summary summary = assert_means(
        "{\"final_output\":{" ID ",\"workflow_name\":\"inner\"}}", STATUS_SUCCESS,
        "{" ID ",\"workflow_name\":\"inner\"}");
    assert_false(summary.has_execution_id);
    assert_string_equal(summary.name, "");
}

/* ---- duplicates, order, spelling ---- */

static void of_duplicate_keys_the_last_counts(void **state)
{
    (void)state;
    struct body_summary summary = assert_means(
        "{\"workflow_version_execution_id\":1.5,\"final_output\":1," ID ","
        "\"final_output\":2}",
        STATUS_SUCCESS, "2");
    assert_int_equal(summary.execution_id, 123);
    assert_means(
        "{\"final_output\":{" NODE("A", "FAILED") "},\"final_output\":{}}", STATUS_SUCCESS, "{}");
    assert_means(
        "{\"final_output\":{},\"final_output\":{" NODE("A", "FAILED") "}}", STATUS_FAILED,
        "{" NODE("A", "FAILED") "}");
    assert_means("{\"success\":false,\"success\":true," ID "}", STATUS_SUCCESS, NULL);
    assert_means(
        "{" ID ",\"result_code\":\"EXCEEDS_SIZE_LIMIT\",\"result_code\":\"OK\"}", STATUS_SUCCESS,
        NULL);
}

static void keys_may_be_spelled_with_escapes(void **state)
{
    (void)state;
    struct body_summary summary = assert_means(
        "{\"workflow_version_execution_i\\u0064\":5,\"final\\u005foutput\":{\"A\":"
        "{\"st\\u0061tus\":\"FAI\\u004cED\",\"valu\\u0065\":1}}}",
        STATUS_FAILED, "{\"A\":{\"st\\u0061tus\":\"FAI\\u004cED\",\"valu\\u0065\":1}}");
    assert_int_equal(summary.execution_id, 5);
}

static void a_name_is_taken_from_an_envelope_only(void **state)
{
    (void)state;
    struct body_summary summary = assert_means(
        "{" ID ",\"workflow_name\":\"support \\u00e9\",\"final_output\":1}", STATUS_SUCCESS, "1");
    assert_string_equal(summary.name, "support \xC3\xA9");
    summary = assert_means(
        "{\"workflow_name\":\"x\",\"answer\":1}", STATUS_SUCCESS,
        "{\"workflow_name\":\"x\",\"answer\":1}");
    assert_string_equal(summary.name, "");
    summary = assert_means("{" ID ",\"workflow_name\":7}", STATUS_SUCCESS, NULL);
    assert_string_equal(summary.name, "");
}

static void body_output_of_what_is_not_json_is_nothing(void **state)
{
    (void)state;
    struct bytes output = bytes_of("untouched", 9);
    assert_false(body_output(bytes_of_text("{\"final_output\":1"), &output));
    assert_false(body_output(bytes_of(NULL, 0), &output));
    assert_true(bytes_equal_text(output, "untouched"));
}

/* ---- polled ---- */

static void a_polled_output_reads_like_a_callback(void **state)
{
    (void)state;
    struct buffer body;
    struct bytes output;
    struct body_summary summary;
    buffer_init(&body, 1024);
    assert_int_equal(body_wrap_polled(INT64_MIN, bytes_of_text("\"AAA\""), &body), 0);
    assert_string_equal(
        buffer_text(&body), "{\"workflow_version_execution_id\":-9223372036854775808,"
                            "\"final_output\":\"AAA\"}");
    assert_int_equal(body_read(&rules, buffer_bytes(&body), &summary, NULL), 0);
    assert_true(summary.has_execution_id && summary.execution_id == INT64_MIN);
    assert_true(body_output(buffer_bytes(&body), &output));
    assert_true(bytes_equal_text(output, "\"AAA\""));
    buffer_clear(&body);
    assert_int_equal(body_wrap_polled(787, bytes_of_text("{" NODE("A", "RUNNING") "}"), &body), 0);
    assert_int_equal(body_read(&rules, buffer_bytes(&body), &summary, NULL), 0);
    assert_int_equal(summary.status, STATUS_RUNNING);
    buffer_fini(&body);
    buffer_init(&body, 20);
    assert_int_equal(body_wrap_polled(1, bytes_of_text("1"), &body), -1);
    assert_true(buffer_failed(&body));
    buffer_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_callback_is_a_success),
        cmocka_unit_test(each_status_of_a_node_counts),
        cmocka_unit_test(a_running_node_outweighs_a_failed_one),
        cmocka_unit_test(a_bare_final_output_is_a_success_whatever_it_is),
        cmocka_unit_test(an_output_that_was_too_large_is_truncated),
        cmocka_unit_test(the_answer_500_with_nodes_is_a_failure),
        cmocka_unit_test(success_false_is_a_failure_with_any_output_or_none),
        cmocka_unit_test(output_counts_beside_what_marks_an_envelope),
        cmocka_unit_test(an_envelope_without_output_goes_by_its_status),
        cmocka_unit_test(the_answers_of_the_api_have_a_meaning_too),
        cmocka_unit_test(any_value_alone_is_the_output_itself),
        cmocka_unit_test(an_empty_object_alone_is_refused),
        cmocka_unit_test(an_object_alone_goes_by_its_status),
        cmocka_unit_test(nodes_may_be_named_like_an_envelope),
        cmocka_unit_test(null_is_as_if_there_were_no_id),
        cmocka_unit_test(only_the_top_level_names_the_execution),
        cmocka_unit_test(of_duplicate_keys_the_last_counts),
        cmocka_unit_test(keys_may_be_spelled_with_escapes),
        cmocka_unit_test(a_name_is_taken_from_an_envelope_only),
        cmocka_unit_test(body_output_of_what_is_not_json_is_nothing),
        cmocka_unit_test(a_polled_output_reads_like_a_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
