/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "callbackd/json_scan.h"
#include "stream_line.h"

#define JOB "019dd1c5-7a55-7c10-8b26-0f7a4c0d6a11"

struct made {
    struct config_hook hook;
    struct result_record result;
    struct hook_values values;
    struct buffer line;
};

static struct made begin(const char *body)
{
    return (struct made){
        .hook = {.name = "index"},
        .result =
            {
                .endpoint = "results",
                .kind = BODY_JSON,
                .workflow = "",
                .event = "",
                .status = STATUS_SUCCESS,
                .received_at_ms = 1764349743214,
            },
        .values = {.job_id = JOB, .attempt = 2, .body = bytes_of_text(body)},
    };
}

static const char *make(struct made *made)
{
    made->values.hook = &made->hook;
    made->values.result = &made->result;
    buffer_init(&made->line, 1024 * 1024);
    stream_line_append(&made->values, &made->line);
    assert_false(buffer_failed(&made->line));
    /* One line, and one JSON text. */
    assert_ptr_equal(
        memchr(made->line.data, '\n', made->line.length), made->line.data + made->line.length - 1);
    assert_null(memchr(made->line.data, '\r', made->line.length));
    assert_int_equal(
        json_scan_text(buffer_bytes(&made->line), JSON_DEPTH_MAX, NULL, NULL, NULL), 0);
    return buffer_text(&made->line);
}

static void expect_body(struct made made, const char *member)
{
    const char *line = make(&made);
    if (!strstr(line, member))
        fail_msg("%s is not in %s", member, line);
    assert_true((strstr(line, "\"body\":") == NULL) != (strstr(line, "\"body_base64\":") == NULL));
    buffer_fini(&made.line);
}

static void a_line_tells_all_and_what_is_absent_is_null(void **state)
{
    (void)state;
    struct made made = begin("{}");
    assert_string_equal(
        make(&made),
        "{\"job\":\"" JOB "\",\"hook\":\"index\",\"attempt\":2,\"replay\":false,"
        "\"endpoint\":\"results\",\"result_id\":\"00000000-0000-0000-0000-000000000000\","
        "\"execution_id\":null,\"run_id\":null,\"workflow\":null,\"event\":null,"
        "\"status\":\"success\",\"received_at\":\"2025-11-28T17:09:03.214Z\",\"body\":{}}\n");
    buffer_fini(&made.line);
    made.result.has_execution_id = true;
    made.result.execution_id = -7;
    made.result.has_run = true;
    made.result.workflow = "a\"b\n";
    made.values.replay = true;
    const char *line = make(&made);
    assert_non_null(strstr(line, "\"execution_id\":\"-7\""));
    assert_non_null(strstr(line, "\"run_id\":\"00000000-0000-0000-0000-000000000000\""));
    assert_non_null(strstr(line, "\"workflow\":\"a\\\"b\\n\""));
    assert_non_null(strstr(line, "\"replay\":true"));
    assert_null(strstr(line, "dead"));
    buffer_fini(&made.line);
}

static void only_a_hook_of_dead_jobs_is_told_of_them(void **state)
{
    (void)state;
    struct made made = begin("1");
    made.hook.takes = TAKES_DEAD;
    made.values.death = (struct job_death){"j", "h", "exit 3"};
    expect_body(made, "\"dead_hook\":\"h\",\"dead_job_id\":\"j\",\"dead_reason\":\"exit 3\"");
}

static void a_json_body_is_spelled_as_it_was_but_on_one_line(void **state)
{
    (void)state;
    expect_body(
        begin("{\r\n \"a\" :\n[1.0e0,\"\\n\\u0000\\ud800\"]\n}\n"),
        "\"body\":{   \"a\" : [1.0e0,\"\\n\\u0000\\ud800\"] } }");
    expect_body(begin("null"), "\"body\":null}");
}

static void anything_else_is_base64(void **state)
{
    (void)state;
    expect_body(begin("a=1&b=2"), "\"body_base64\":\"YT0xJmI9Mg==\"");
    expect_body(begin(""), "\"body_base64\":\"\"");
    expect_body(begin("\"\xff\""), "\"body_base64\":\"Iv8i\"");
    expect_body(begin("{}}"), "\"body_base64\":\"e319\"");
    struct made form = begin("1");
    form.result.kind = BODY_FORM;
    expect_body(form, "\"body_base64\":\"MQ==\"");
    struct made exact = begin("{ }\n");
    exact.hook.body = LINE_BODY_BASE64;
    expect_body(exact, "\"body_base64\":\"eyB9Cg==\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_tells_all_and_what_is_absent_is_null),
        cmocka_unit_test(only_a_hook_of_dead_jobs_is_told_of_them),
        cmocka_unit_test(a_json_body_is_spelled_as_it_was_but_on_one_line),
        cmocka_unit_test(anything_else_is_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
