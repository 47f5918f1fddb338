/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading.h"

static const struct body_rules rules = {.kind = BODY_WORKSPACE_EVENT, .depth_max = 128};

static struct body_summary assert_event(const char *text)
{
    struct reading reading = read_whole(&rules, bytes_of_text(text));
    if (reading.result != 0)
        fail_msg("%s: %s", text, reading.error.message);
    if (!reads_alike_in_pieces(&rules, bytes_of_text(text)))
        fail_msg("%s differs in pieces", text);
    assert_int_equal(reading.summary.status, STATUS_RECEIVED);
    assert_false(reading.summary.has_id);
    return reading.summary;
}

static void assert_refused(const char *text, const char *message)
{
    struct reading reading = read_whole(&rules, bytes_of_text(text));
    assert_int_equal(reading.result, -1);
    assert_int_equal(reading.error.code, ERROR_INVALID);
    assert_string_equal(reading.error.message, message);
    assert_true(reads_alike_in_pieces(&rules, bytes_of_text(text)));
}

static void the_documented_event_is_read(void **state)
{
    (void)state;
    struct body_summary summary = assert_event(
        "{\"event_type\":\"agent_run_finished\",\"details\":{\"agent_name\":\"Customer Support "
        "Agent\",\"agent_id\":456,\"agent_execution_id\":789},\"user_id\":1,\"user_name\":null,"
        "\"user_email\":null,\"workspace_id\":1,\"timestamp\":\"2026-08-21T19:03:41.924833\"}");
    assert_string_equal(summary.event, "agent_run_finished");
    assert_string_equal(summary.name, "Customer Support Agent");
    assert_true(summary.has_execution_id);
    assert_int_equal(summary.execution_id, 789);
}

static void the_newer_names_are_read_and_preferred(void **state)
{
    (void)state;
    struct body_summary summary = assert_event(
        "{\"details\":{\"workflow_version_execution_id\":9223372036854775807,\"workflow_name\":"
        "\"W \\ud83d\\ude80\",\"agent_name\":\"A\",\"agent_execution_id\":\"5\"},"
        "\"event_type\":\"workflow_run_finished\"}");
    assert_string_equal(summary.event, "workflow_run_finished");
    assert_string_equal(summary.name, "W \xF0\x9F\x9A\x80");
    assert_true(summary.execution_id == INT64_MAX);
    summary = assert_event("{\"details\":{\"workflow_version_execution_id\":null,\"workflow_name\":"
                           "null,\"agent_name\":\"A\",\"agent_execution_id\":\"5\"},"
                           "\"event_type\":\"x\"}");
    assert_string_equal(summary.name, "A");
    assert_int_equal(summary.execution_id, 5);
}

static void details_are_optional(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"event_type\":\"prompt_created\"}",
        "{\"event_type\":\"prompt_created\",\"details\":null}",
        "{\"event_type\":\"prompt_created\",\"details\":{}}",
        "{\"event_type\":\"prompt_created\",\"details\":[{\"agent_execution_id\":1}]}",
        "{\"event_type\":\"prompt_created\",\"details\":{\"agent_execution_id\":null}}",
        "{\"event_type\":\"prompt_created\",\"details\":{\"x\":{\"agent_execution_id\":1}}}",
        "{\"event_type\":\"prompt_created\",\"agent_execution_id\":1,\"agent_name\":\"x\"}",
        "{\"event_type\":\"prompt_created\",\"x\":{\"agent_execution_id\":1.5}}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct body_summary summary = assert_event(texts[i]);
        assert_string_equal(summary.event, "prompt_created");
        assert_string_equal(summary.name, "");
        assert_false(summary.has_execution_id);
    }
}

static void an_event_must_be_an_object_with_a_type(void **state)
{
    (void)state;
    assert_refused("[]", "a workspace event is an object");
    assert_refused("null", "a workspace event is an object");
    assert_refused("\"event_type\"", "a workspace event is an object");
    assert_refused("7", "a workspace event is an object");
    static const char missing[] = "event_type must be a string that is not empty";
    assert_refused("{}", missing);
    assert_refused("{\"event_type\":null}", missing);
    assert_refused("{\"event_type\":\"\"}", missing);
    assert_refused("{\"event_type\":7}", missing);
    assert_refused("{\"event_type\":{\"event_type\":\"x\"}}", missing);
    assert_refused("{\"details\":{\"event_type\":\"x\"}}", missing);
    assert_refused("{\"event_type\":\"a\\u0000b\"}", "event_type has a NUL in it");
}

static void ids_follow_the_rule_of_workflow_results(void **state)
{
    (void)state;
    assert_refused(
        "{\"event_type\":\"x\",\"details\":{\"agent_execution_id\":1.0}}",
        "details.agent_execution_id must be an integer of at most 64 bits, and is "
        "a number with a fraction or an exponent");
    assert_refused(
        "{\"event_type\":\"x\",\"details\":{\"workflow_version_execution_id\":[]}}",
        "details.workflow_version_execution_id must be an integer of at most 64 bits, "
        "and is an array");
}

static void of_duplicate_keys_the_last_counts(void **state)
{
    (void)state;
    struct body_summary summary = assert_event(
        "{\"event_type\":1,\"event_type\":\"x\",\"details\":{\"agent_execution_id\":1,"
        "\"agent_name\":\"A\"},\"details\":{\"agent_execution_id\":2,\"agent_execution_id\":3}}");
    assert_int_equal(summary.execution_id, 3);
    assert_string_equal(summary.name, "");
    summary =
        assert_event("{\"event_type\":\"x\",\"details\":{\"agent_name\":\"A\"},\"details\":0}");
    assert_string_equal(summary.name, "");
}

static void long_texts_are_cut_or_refused(void **state)
{
    (void)state;
    char text[1024];
    char long_text[301];
    memset(long_text, 'n', sizeof long_text - 1);
    long_text[300] = '\0';
    memcpy(long_text + 254, "\xC3\xA9", 2);
    snprintf(
        text, sizeof text, "{\"event_type\":\"x\",\"details\":{\"agent_name\":\"%s\"}}", long_text);
    struct body_summary summary = assert_event(text);
    /* Not half of a character. */
    assert_int_equal(strlen(summary.name), 254);
    assert_memory_equal(summary.name, long_text, 254);
    long_text[254] = 'n';
    long_text[255] = '\0';
    snprintf(text, sizeof text, "{\"event_type\":\"%s\"}", long_text);
    assert_string_equal(assert_event(text).event, long_text);
    snprintf(text, sizeof text, "{\"event_type\":\"%sn\"}", long_text);
    assert_refused(text, "event_type is longer than 255 bytes");
    snprintf(text, sizeof text, "{\"event_type\":\"%s\\ud83d\\ude80\"}", long_text);
    assert_refused(text, "event_type is longer than 255 bytes");
}

static void a_name_with_a_nul_is_no_name(void **state)
{
    (void)state;
    struct body_summary summary =
        assert_event("{\"event_type\":\"x\",\"details\":{\"agent_name\":\"admin\\u0000-x\"}}");
    assert_string_equal(summary.name, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_event_is_read),
        cmocka_unit_test(the_newer_names_are_read_and_preferred),
        cmocka_unit_test(details_are_optional),
        cmocka_unit_test(an_event_must_be_an_object_with_a_type),
        cmocka_unit_test(ids_follow_the_rule_of_workflow_results),
        cmocka_unit_test(of_duplicate_keys_the_last_counts),
        cmocka_unit_test(long_texts_are_cut_or_refused),
        cmocka_unit_test(a_name_with_a_nul_is_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
