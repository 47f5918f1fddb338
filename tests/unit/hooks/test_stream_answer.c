/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "stream_answer.h"

#define JOB "019dd1c5-7a55-7c10-8b26-0f7a4c0d6a11"

static int parse(struct stream_answer *answer, const char *line, struct error *error)
{
    return stream_answer_parse(answer, bytes_of_text(line), error);
}

static void an_answer_has_a_job_a_status_and_perhaps_more(void **state)
{
    (void)state;
    struct stream_answer answer;
    struct error error;
    struct id job;
    stream_answer_init(&answer);
    assert_true(id_parse(bytes_of_text(JOB), &job));
    assert_int_equal(parse(&answer, "{\"job\":\"" JOB "\",\"status\":\"ok\"}", &error), 0);
    assert_true(id_equal(&answer.job, &job));
    assert_int_equal(answer.status, STREAM_OK);
    assert_int_equal(answer.message.length, 0);
    assert_int_equal(
        parse(
            &answer,
            " {\"x\":{\"status\":\"ok\",\"job\":[1]}, \"retry_after\" : \"5m\", "
            "\"status\":\"retry\","
            "\"message\":\"a\\n\\u00e9\", \"j\\u006fb\":\"" JOB "\"}\r",
            &error),
        0);
    assert_int_equal(answer.status, STREAM_RETRY);
    assert_string_equal(buffer_text(&answer.message), "a\n\xC3\xA9");
    assert_string_equal(buffer_text(&answer.retry_after), "5m");
    /* What an earlier line said is forgotten. */
    assert_int_equal(
        parse(&answer, "{\"job\":\"" JOB "\",\"status\":\"fail\",\"retry_after\":3}", &error), 0);
    assert_int_equal(answer.status, STREAM_FAIL);
    assert_int_equal(answer.message.length, 0);
    assert_string_equal(buffer_text(&answer.retry_after), "3");
    stream_answer_fini(&answer);
}

static void a_status_that_is_none_and_texts_that_are_none(void **state)
{
    (void)state;
    static const char *const members[] = {
        "",
        ",\"status\":\"OK\"",
        ",\"status\":1",
        ",\"status\":null",
        ",\"status\":[\"ok\"]",
        ",\"status\":\"ok\",\"status\":\"maybe\"",
        ",\"message\":{\"status\":\"ok\"}",
    };
    struct stream_answer answer;
    struct error error;
    stream_answer_init(&answer);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        char line[256];
        snprintf(line, sizeof line, "{\"job\":\"" JOB "\"%s}", members[i]);
        assert_int_equal(parse(&answer, line, &error), 0);
        assert_int_equal(answer.status, STREAM_OTHER);
        assert_int_equal(answer.message.length, 0);
    }
    stream_answer_fini(&answer);
}

static void anything_else_is_no_answer(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "hello",
        "",
        "null",
        "3",
        "\"" JOB "\"",
        "[{\"job\":\"" JOB "\",\"status\":\"ok\"}]",
        "{\"status\":\"ok\"}",
        "{\"job\":\"\",\"status\":\"ok\"}",
        "{\"job\":\"17\",\"status\":\"ok\"}",
        "{\"job\":17,\"status\":\"ok\"}",
        "{\"job\":{\"job\":\"" JOB "\"},\"status\":\"ok\"}",
        "{\"job\":\"" JOB "\",\"status\":\"ok\"",
        "{\"job\":\"" JOB "\",\"status\":\"ok\"} x",
        "{\"job\":\"" JOB "\",\"status\":\"ok\"}{}",
        "{\"job\":\"" JOB "\",\"message\":\"\xff\"}",
    };
    struct stream_answer answer;
    stream_answer_init(&answer);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct error error = {.code = ERROR_NONE};
        assert_int_equal(parse(&answer, lines[i], &error), -1);
        assert_int_equal(error.code, ERROR_INVALID);
    }
    stream_answer_fini(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_has_a_job_a_status_and_perhaps_more),
        cmocka_unit_test(a_status_that_is_none_and_texts_that_are_none),
        cmocka_unit_test(anything_else_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
