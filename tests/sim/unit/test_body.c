/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "body.h"
#include "callbackd/body.h"
#include "callbackd/json_scan.h"

enum { RUNS = 300, BODY_MAX = 1 << 20 };

static const struct sim_faults usual = {0};

static struct sim_subject subject_of(int64_t id, const struct sim_faults *faults)
{
    return (struct sim_subject){.seed = 7, .id = id, .faults = faults};
}

/* The caller gives it back with buffer_fini. */
static struct buffer callback_of(const struct sim_subject *subject, enum sim_variant variant)
{
    struct buffer body;
    buffer_init(&body, BODY_MAX);
    assert_int_equal(sim_body_callback(subject, variant, &body), 0);
    return body;
}

static struct buffer poll_of(const struct sim_subject *subject, bool all_outputs)
{
    struct buffer body;
    buffer_init(&body, BODY_MAX);
    assert_int_equal(sim_body_poll(subject, all_outputs, &body), 0);
    return body;
}

static struct body_summary summary_of(const struct buffer *body)
{
    const struct body_rules rules = {.kind = BODY_WORKFLOW_RESULT, .depth_max = 128};
    struct body_summary summary = {0};
    struct error error = {0};
    if (body_read(&rules, buffer_bytes(body), &summary, &error) != 0)
        fail_msg("%s: %s", error.message, buffer_text(body));
    return summary;
}

static struct body_summary callback_summary(
    int64_t id, const struct sim_faults *faults, enum sim_variant variant)
{
    struct sim_subject subject = subject_of(id, faults);
    struct buffer body = callback_of(&subject, variant);
    struct body_summary summary = summary_of(&body);
    buffer_fini(&body);
    return summary;
}

static void every_body_is_a_result_of_its_run(void **state)
{
    (void)state;
    for (int64_t id = INT64_MAX - RUNS; id < INT64_MAX; id++) {
        struct body_summary summary = callback_summary(id, &usual, SIM_FIRST);
        assert_int_equal(summary.status, STATUS_SUCCESS);
        assert_true(summary.has_execution_id && summary.execution_id == id);
    }
}

static void the_same_again_gives_the_same_bytes(void **state)
{
    (void)state;
    int same_with_other_seed = 0;
    for (int64_t id = 1; id <= RUNS; id++) {
        struct sim_subject subject = subject_of(id, &usual);
        struct buffer first = callback_of(&subject, SIM_FIRST);
        struct buffer second = callback_of(&subject, SIM_FIRST);
        assert_true(bytes_equal(buffer_bytes(&first), buffer_bytes(&second)));
        buffer_fini(&second);
        subject.seed = 8;
        second = callback_of(&subject, SIM_FIRST);
        same_with_other_seed += bytes_equal(buffer_bytes(&first), buffer_bytes(&second));
        buffer_fini(&second);
        buffer_fini(&first);
    }
    assert_true(same_with_other_seed < RUNS / 10);
}

static void spellings_vary(void **state)
{
    (void)state;
    int spaced = 0;
    int id_first = 0;
    int newline = 0;
    int escaped = 0;
    int raw = 0;
    for (int64_t id = 1; id <= RUNS; id++) {
        struct sim_subject subject = subject_of(id, &usual);
        subject.all_outputs = true;
        struct buffer body = callback_of(&subject, SIM_FIRST);
        const char *text = buffer_text(&body);
        spaced += strstr(text, "\": ") != NULL;
        id_first += strncmp(text, "{\"workflow_version", 18) == 0;
        newline += text[body.length - 1] == '\n';
        escaped += strstr(text, "\\u") != NULL;
        raw += strstr(text, "\xc3") != NULL;
        buffer_fini(&body);
    }
    const int counts[] = {spaced, id_first, newline, escaped, raw};
    for (int i = 0; i < 5; i++)
        assert_true(counts[i] > RUNS / 10 && counts[i] < RUNS * 9 / 10);
}

/* Strings by what they mean, all else by how it is spelled. */
static void assert_same_value(struct bytes a, struct bytes b)
{
    struct buffer decoded_a;
    struct buffer decoded_b;
    while (b.length > 0 && b.data[b.length - 1] == '\n')
        b.length--;
    buffer_init(&decoded_a, BODY_MAX);
    buffer_init(&decoded_b, BODY_MAX);
    bool text = a.length > 0 && a.data[0] == '"';
    assert_int_equal(
        text ? json_decode_string(a, &decoded_a) : buffer_append_bytes(&decoded_a, a), 0);
    assert_int_equal(
        text ? json_decode_string(b, &decoded_b) : buffer_append_bytes(&decoded_b, b), 0);
    assert_string_equal(buffer_text(&decoded_a), buffer_text(&decoded_b));
    buffer_fini(&decoded_a);
    buffer_fini(&decoded_b);
}

static void callback_and_poll_tell_the_same(void **state)
{
    (void)state;
    for (int64_t id = 1; id <= RUNS; id++) {
        struct sim_subject subject = subject_of(id, &usual);
        struct buffer callback = callback_of(&subject, SIM_FIRST);
        struct buffer poll = poll_of(&subject, false);
        struct bytes output;
        assert_true(body_output(buffer_bytes(&callback), &output));
        assert_same_value(output, buffer_bytes(&poll));
        buffer_fini(&poll);
        poll = poll_of(&subject, true);
        assert_true(body_output_is_nodes(buffer_bytes(&poll)));
        buffer_fini(&poll);
        buffer_fini(&callback);
    }
}

static void the_output_has_the_shape_that_was_asked_for(void **state)
{
    (void)state;
    static const struct {
        int output;
        bool all_outputs;
        bool nodes;
    } rows[] = {
        {SIM_OUTPUT_AS_ASKED, false, false},
        {SIM_OUTPUT_AS_ASKED, true, true},
        {SIM_OUTPUT_BARE, true, false},
        {SIM_OUTPUT_NODES, false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct sim_faults faults = {.output = rows[i].output};
        struct sim_subject subject = subject_of(3, &faults);
        subject.all_outputs = rows[i].all_outputs;
        struct buffer body = callback_of(&subject, SIM_FIRST);
        struct bytes output;
        assert_true(body_output(buffer_bytes(&body), &output));
        assert_int_equal(body_output_is_nodes(output), rows[i].nodes);
        buffer_fini(&body);
    }
    const struct sim_faults none = {.output = SIM_OUTPUT_NONE};
    struct sim_subject subject = subject_of(3, &none);
    struct buffer body = callback_of(&subject, SIM_FIRST);
    assert_null(strstr(buffer_text(&body), "final_output"));
    buffer_fini(&body);
}

static void faults_read_as_what_they_are(void **state)
{
    (void)state;
    static const struct {
        struct sim_faults faults;
        enum result_status first;
        enum result_status revision;
    } rows[] = {
        {{.node = SIM_NODE_FAILED}, STATUS_FAILED, STATUS_FAILED},
        {{.node = SIM_NODE_FAILURE}, STATUS_FAILED, STATUS_FAILED},
        {{.node = SIM_NODE_FAILED, .output = SIM_OUTPUT_BARE}, STATUS_FAILED, STATUS_FAILED},
        {{.node = SIM_NODE_RUNNING}, STATUS_RUNNING, STATUS_SUCCESS},
        {{.truncated = true}, STATUS_TRUNCATED, STATUS_SUCCESS},
        {{.output = SIM_OUTPUT_NONE}, STATUS_SUCCESS, STATUS_SUCCESS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int64_t id = 1; id <= 20; id++) {
            const struct sim_faults *faults = &rows[i].faults;
            assert_int_equal(callback_summary(id, faults, SIM_FIRST).status, rows[i].first);
            assert_int_equal(callback_summary(id, faults, SIM_REVISION).status, rows[i].revision);
        }
    }
}

static void a_revision_is_another_body(void **state)
{
    (void)state;
    static const struct sim_faults faults[] = {
        {0},
        {.value = (char *)"1"},
        {.output = SIM_OUTPUT_NONE},
        {.node = SIM_NODE_FAILED},
        {.size = 100}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        for (int64_t id = 1; id <= 50; id++) {
            struct sim_subject subject = subject_of(id, &faults[i]);
            struct buffer first = callback_of(&subject, SIM_FIRST);
            struct buffer revision = callback_of(&subject, SIM_REVISION);
            assert_false(bytes_equal(buffer_bytes(&first), buffer_bytes(&revision)));
            buffer_fini(&first);
            buffer_fini(&revision);
        }
    }
}

static void a_wrong_id_is_another_also_at_the_end_of_the_range(void **state)
{
    (void)state;
    const struct sim_faults faults = {.wrong_id = true};
    assert_true(callback_summary(5, &faults, SIM_FIRST).execution_id == 5 + 1000003);
    assert_true(
        callback_summary(INT64_MAX, &faults, SIM_FIRST).execution_id == INT64_MAX - 1000003);
}

static void a_value_is_spelled_exactly_and_a_size_is_kept(void **state)
{
    (void)state;
    const struct sim_faults exact = {.value = (char *)"{ \"a\" : [1.50,\"\\u00e9\"] }"};
    const struct sim_faults sized = {.size = 50000};
    struct sim_subject subject = subject_of(4, &exact);
    struct buffer body = callback_of(&subject, SIM_FIRST);
    assert_non_null(strstr(buffer_text(&body), exact.value));
    buffer_fini(&body);
    subject.faults = &sized;
    body = callback_of(&subject, SIM_FIRST);
    assert_true(body.length > 50000 && body.length < 50400);
    summary_of(&body);
    buffer_fini(&body);
}

static void a_run_without_output_says_so(void **state)
{
    (void)state;
    const struct sim_faults faults = {.node = SIM_NODE_FAILED};
    struct sim_subject subject = subject_of(4, &faults);
    struct buffer body;
    buffer_init(&body, BODY_MAX);
    assert_int_equal(sim_body_no_output(&subject, &body), 0);
    assert_int_equal(summary_of(&body).status, STATUS_FAILED);
    assert_non_null(strstr(buffer_text(&body), "no output node succeeded"));
    buffer_clear(&body);
    assert_int_equal(sim_body_running(&subject, &body), 0);
    assert_int_equal(summary_of(&body).status, STATUS_RUNNING);
    buffer_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_body_is_a_result_of_its_run),
        cmocka_unit_test(the_same_again_gives_the_same_bytes),
        cmocka_unit_test(spellings_vary),
        cmocka_unit_test(callback_and_poll_tell_the_same),
        cmocka_unit_test(the_output_has_the_shape_that_was_asked_for),
        cmocka_unit_test(faults_read_as_what_they_are),
        cmocka_unit_test(a_revision_is_another_body),
        cmocka_unit_test(a_wrong_id_is_another_also_at_the_end_of_the_range),
        cmocka_unit_test(a_value_is_spelled_exactly_and_a_size_is_kept),
        cmocka_unit_test(a_run_without_output_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
