/* SPDX-License-Identifier: MIT */
/* What holds for every kind of body. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "body_private.h"
#include "reading.h"

static void kinds_have_the_names_of_the_configuration(void **state)
{
    (void)state;
    static const char *const names[] = {"workflow-result", "workspace-event", "json", "form"};
    for (int i = 0; i < BODY_KINDS; i++) {
        enum body_kind kind = BODY_KINDS;
        assert_string_equal(body_kind_name((enum body_kind)i), names[i]);
        assert_true(body_kind_parse(names[i], &kind));
        assert_int_equal(kind, i);
    }
    enum body_kind kind = BODY_KINDS;
    assert_false(body_kind_parse("JSON", &kind));
    assert_false(body_kind_parse("", &kind));
    assert_int_equal(kind, BODY_KINDS);
}

static void statuses_have_the_names_of_the_contract(void **state)
{
    (void)state;
    static const char *const names[] = {"received", "success",   "failed",
                                        "running",  "truncated", "mismatch"};
    for (int i = 0; i < STATUS_COUNT; i++) {
        enum result_status status = STATUS_COUNT;
        assert_string_equal(result_status_name((enum result_status)i), names[i]);
        assert_true(result_status_parse(names[i], &status));
        assert_int_equal(status, i);
    }
    enum result_status status = STATUS_COUNT;
    assert_false(result_status_parse("Success", &status));
    assert_int_equal(status, STATUS_COUNT);
}

static void success_failed_and_received_are_final(void **state)
{
    (void)state;
    assert_true(result_status_is_final(STATUS_SUCCESS));
    assert_true(result_status_is_final(STATUS_FAILED));
    assert_true(result_status_is_final(STATUS_RECEIVED));
    assert_false(result_status_is_final(STATUS_RUNNING));
    assert_false(result_status_is_final(STATUS_TRUNCATED));
    assert_false(result_status_is_final(STATUS_MISMATCH));
}

static void every_json_kind_refuses_what_is_not_json(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "{",
        "not json",
        "{\"event_type\":\"x\"}}",
        "{}\x01",
        "{\"event_type\":\"\xFF\"}",
        "event_type=x"};
    for (int kind = 0; kind < BODY_FORM; kind++) {
        struct body_rules rules = {.kind = (enum body_kind)kind, .depth_max = 128};
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            struct reading reading = read_whole(&rules, bytes_of_text(texts[i]));
            assert_int_equal(reading.result, -1);
            assert_int_equal(reading.error.code, ERROR_INVALID);
            assert_true(reads_alike_in_pieces(&rules, bytes_of_text(texts[i])));
        }
    }
}

static void the_depth_of_the_rules_holds(void **state)
{
    (void)state;
    struct body_rules rules = {.kind = BODY_WORKFLOW_RESULT, .depth_max = 3};
    assert_int_equal(read_whole(&rules, bytes_of_text("[[[1]]]")).result, 0);
    struct reading reading = read_whole(&rules, bytes_of_text("[[[[1]]]]"));
    assert_int_equal(reading.result, -1);
    assert_string_equal(reading.error.message, "byte 3: nested deeper than 3 levels");
}

static void a_wrong_body_is_refused_before_it_is_complete(void **state)
{
    (void)state;
    for (int kind = 0; kind < BODY_KINDS; kind++) {
        struct body_rules rules = {.kind = (enum body_kind)kind, .depth_max = 128};
        struct body_reader *reader = body_reader_new();
        struct body_summary summary;
        struct error error = {.code = ERROR_NONE};
        struct bytes body = bytes_of_text(kind == BODY_FORM ? "a=%x" : "{\"a\" 1");
        assert_non_null(reader);
        body_reader_begin(reader, &rules);
        assert_int_equal(body_reader_feed(reader, body, &error), -1);
        assert_int_equal(error.code, ERROR_INVALID);
        assert_int_equal(body_reader_feed(reader, body, &error), -1);
        assert_int_equal(body_reader_finish(reader, body, &summary, &error), -1);
        body_reader_free(reader);
    }
}

static void the_summary_is_untouched_on_failure(void **state)
{
    (void)state;
    struct body_rules rules = {.kind = BODY_WORKFLOW_RESULT, .depth_max = 128};
    struct body_summary summary;
    struct body_summary before;
    memset(&summary, 0x5A, sizeof summary);
    before = summary;
    assert_int_equal(
        body_read(&rules, bytes_of_text("{\"workflow_version_execution_id\":1.5}"), &summary, NULL),
        -1);
    assert_memory_equal(&summary, &before, sizeof summary);
}

static void a_reader_is_small_and_freeing_none_is_allowed(void **state)
{
    (void)state;
    assert_true(sizeof(struct body_reader) <= 1280);
    body_reader_free(NULL);
}

/* ---- 16 MiB ---- */

enum { BIG = 16 << 20 };

static struct reading read_in_chunks(const struct body_rules *rules, struct bytes body)
{
    struct reading reading;
    memset(&reading, 0, sizeof reading);
    struct body_reader *reader = body_reader_new();
    assert_non_null(reader);
    body_reader_begin(reader, rules);
    for (size_t fed = 0; fed < body.length; fed += 65521)
        assert_int_equal(body_reader_feed(reader, bytes_of(body.data, fed), &reading.error), 0);
    reading.result = body_reader_finish(reader, body, &reading.summary, &reading.error);
    body_reader_free(reader);
    return reading;
}

static void assert_big_reads(
    enum body_kind kind, const char *start, const char *repeat, const char *end,
    enum result_status status)
{
    struct body_rules rules = {.kind = kind, .depth_max = 128};
    struct buffer body;
    buffer_init(&body, BIG);
    assert_int_equal(buffer_reserve(&body, BIG), 0);
    buffer_append_text(&body, start);
    while (body.length + strlen(repeat) + strlen(end) <= BIG)
        buffer_append_text(&body, repeat);
    buffer_append_text(&body, end);
    struct reading whole = read_whole(&rules, buffer_bytes(&body));
    struct reading chunks = read_in_chunks(&rules, buffer_bytes(&body));
    assert_int_equal(whole.result, 0);
    assert_int_equal(whole.summary.status, status);
    assert_true(readings_equal(&whole, &chunks));
    buffer_fini(&body);
}

static void sixteen_mebibytes_of_numbers(void **state)
{
    (void)state;
    assert_big_reads(BODY_WORKFLOW_RESULT, "[1", ",1", "]", STATUS_SUCCESS);
    assert_big_reads(BODY_JSON, "[1", ",1", "]", STATUS_RECEIVED);
}

static void sixteen_mebibytes_of_text(void **state)
{
    (void)state;
    assert_big_reads(
        BODY_WORKFLOW_RESULT, "{\"workflow_version_execution_id\":1,\"final_output\":\"",
        "all work and no play \xE2\x9C\x93\\n", "\"}", STATUS_SUCCESS);
}

static void sixteen_mebibytes_of_nodes(void **state)
{
    (void)state;
    assert_big_reads(
        BODY_WORKFLOW_RESULT, "{\"final_output\":{\"A\":{\"status\":\"FAILED\",\"value\":1}",
        ",\"B\":{\"status\":\"SUCCESS\",\"value\":[{\"status\":\"RUNNING\"}]}", "}}",
        STATUS_FAILED);
}

static void sixteen_mebibytes_of_the_same_key(void **state)
{
    (void)state;
    assert_big_reads(
        BODY_WORKFLOW_RESULT, "{\"success\":false", ",\"success\":true,\"final_output\":0",
        ",\"result_code\":\"OK\"}", STATUS_SUCCESS);
    assert_big_reads(
        BODY_WORKSPACE_EVENT, "{\"event_type\":1",
        ",\"details\":{\"agent_name\":\"x\"},\"event_type\":2", ",\"event_type\":\"x\"}",
        STATUS_RECEIVED);
}

static void sixteen_mebibytes_of_form(void **state)
{
    (void)state;
    assert_big_reads(BODY_FORM, "", "&", "", STATUS_RECEIVED);
    assert_big_reads(BODY_FORM, "a", "=%C3%A9+", "&b", STATUS_RECEIVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_have_the_names_of_the_configuration),
        cmocka_unit_test(statuses_have_the_names_of_the_contract),
        cmocka_unit_test(success_failed_and_received_are_final),
        cmocka_unit_test(every_json_kind_refuses_what_is_not_json),
        cmocka_unit_test(the_depth_of_the_rules_holds),
        cmocka_unit_test(a_wrong_body_is_refused_before_it_is_complete),
        cmocka_unit_test(the_summary_is_untouched_on_failure),
        cmocka_unit_test(a_reader_is_small_and_freeing_none_is_allowed),
        cmocka_unit_test(sixteen_mebibytes_of_numbers),
        cmocka_unit_test(sixteen_mebibytes_of_text),
        cmocka_unit_test(sixteen_mebibytes_of_nodes),
        cmocka_unit_test(sixteen_mebibytes_of_the_same_key),
        cmocka_unit_test(sixteen_mebibytes_of_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
