/* SPDX-License-Identifier: MIT */
/* run and wait, against a daemon and a workflow API that say what they are told to. */
#include "support.h"

#include "../outgoing/loopback.h"

#define RUN_ID "0192f0c1-2a3b-7c4d-8e5f-0123456789ab"
#define RESULT_ID "0192f0c1-2a3b-7c4d-8e5f-0123456789ac"
#define REGISTERED                                                                                 \
    JSON_ANSWER(                                                                                   \
        "201 Created", "{\"run_id\":\"" RUN_ID "\",\"state\":\"launching\","                       \
                       "\"callback_url\":\"https://d/callback/TOKEN\"}")
#define RUN_IN(state) JSON_ANSWER("200 OK", "{\"run_id\":\"" RUN_ID "\",\"state\":\"" state "\"}")
#define RESULT(status, execution)                                                                  \
    JSON_ANSWER(                                                                                   \
        "200 OK", "{\"id\":\"" RESULT_ID "\",\"kind\":\"workflow-result\",\"status\":\"" status    \
                  "\",\"execution_id\":\"" execution "\",\"pending\":false}")
#define BODY(output)                                                                               \
    JSON_ANSWER("200 OK", "{\"workflow_version_execution_id\":7,\"final_output\":" output "}")
#define NONE_YET "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"
#define PROBLEM(status, detail)                                                                    \
    JSON_ANSWER(status, "{\"title\":\"T\",\"status\":0,\"detail\":\"" detail "\"}")
#define LAUNCHED                                                                                   \
    JSON_ANSWER(                                                                                   \
        "202 Accepted", "{\"success\":true,\"message\":\"ok\",\"warning\":null,"                   \
                        "\"workflow_version_execution_id\":9223372036854775807}")
#define LAUNCHED_7                                                                                 \
    JSON_ANSWER(                                                                                   \
        "202 Accepted", "{\"success\":true,\"message\":\"ok\",\"warning\":\"unused x\","           \
                        "\"workflow_version_execution_id\":7}")

static struct loopback *daemon_server;
static struct loopback *api_server;

static void start(
    const struct loopback_reply *daemon_replies, int daemon_count,
    const struct loopback_reply *api_replies, int api_count)
{
    daemon_server = loopback_start(NULL, daemon_replies, daemon_count);
    api_server = loopback_start(NULL, api_replies, api_count);
    setenv("CALLBACKD_URL", daemon_server->url, 1);
    setenv("CALLBACKD_TOKEN", "admin-secret", 1);
    setenv("PROMPTLAYER_BASE_URL", api_server->url, 1);
    setenv("PROMPTLAYER_API_KEY", "pl-secret", 1);
}

static int stop(void **state)
{
    (void)state;
    if (daemon_server)
        loopback_stop(daemon_server);
    if (api_server)
        loopback_stop(api_server);
    daemon_server = api_server = NULL;
    clear_environment();
    return 0;
}

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

static void assert_status(const struct caught *caught, int status)
{
    if (caught->status != status)
        fail_msg(
            "exit status %d, not %d: %s%s", caught->status, status, buffer_text(&caught->out),
            buffer_text(&caught->err));
}

static void test_registers_then_launches_then_records(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = REGISTERED}, {.text = RUN_IN("waiting")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED}};
    start(daemon_replies, 2, api_replies, 1);
    struct caught caught =
        RUN("run", "My Flow", "--input", "a=1", "--tag", "t=x", "--endpoint", "results",
            "--idempotency-key", "k");
    assert_status(&caught, 0);
    assert_out(&caught, RUN_ID);
    assert_out(&caught, "9223372036854775807");
    const char *registration = loopback_request(daemon_server, 0);
    assert_holds(registration, "POST /api/v1/runs HTTP/1.1");
    assert_holds(registration, "Authorization: Bearer admin-secret\r\n");
    assert_holds(
        registration, "{\"workflow\":\"My Flow\",\"endpoint\":\"results\",\"tags\":{\"t\":\"x\"},"
                      "\"idempotency_key\":\"k\"}");
    const char *launch = loopback_request(api_server, 0);
    assert_holds(launch, "POST /workflows/My%20Flow/run HTTP/1.1");
    assert_holds(launch, "\"callback_url\":\"https://d/callback/TOKEN\"");
    const char *record = loopback_request(daemon_server, 1);
    assert_holds(record, "PATCH /api/v1/runs/" RUN_ID " HTTP/1.1");
    assert_holds(record, "{\"execution_id\":\"9223372036854775807\"}");
    caught_fini(&caught);
}

static void test_json_is_one_object(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = REGISTERED}, {.text = RUN_IN("waiting")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 2, api_replies, 1);
    struct caught caught = RUN("--json", "run", "flow");
    assert_status(&caught, 0);
    assert_string_equal(
        buffer_text(&caught.out),
        "{\"run_id\":\"" RUN_ID "\",\"execution_id\":\"7\",\"workflow\":\"flow\"}\n");
    assert_err(&caught, "the workflow API warns: unused x");
    caught_fini(&caught);
}

static void test_deadline_is_sent_as_a_time(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = REGISTERED}, {.text = RUN_IN("waiting")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 2, api_replies, 1);
    struct caught caught = RUN("run", "flow", "--deadline", "2100-01-02T03:04:05Z");
    assert_status(&caught, 0);
    assert_holds(loopback_request(daemon_server, 0), "\"deadline\":\"2100-01-02T03:04:05.000Z\"");
    caught_fini(&caught);
}

static void test_refused_launch_is_recorded_as_failed(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = REGISTERED}, {.text = RUN_IN("launch_failed")}};
    static const struct loopback_reply api_replies[] = {
        {.text = JSON_ANSWER("404 Not Found", "{\"success\":false,\"message\":\"no such flow\"}")}};
    start(daemon_replies, 2, api_replies, 1);
    struct caught caught = RUN("run", "flow", "--wait");
    assert_status(&caught, 3);
    assert_err(&caught, "no such flow");
    assert_int_equal(caught.out.length, 0);
    assert_holds(loopback_request(daemon_server, 1), "{\"failed\":\"");
    assert_holds(loopback_request(daemon_server, 1), "no such flow");
    caught_fini(&caught);
}

static void test_unclear_launch_is_neither_repeated_nor_failed(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {{.text = REGISTERED}};
    static const struct loopback_reply api_replies[] = {{.text = "", .after = LOOPBACK_HOLD}};
    start(daemon_replies, 1, api_replies, 1);
    struct caught caught = RUN("run", "flow", "--timeout", "3s", "--wait");
    assert_status(&caught, 6);
    assert_err(&caught, "not clear whether the run was launched");
    assert_err(&caught, RUN_ID);
    (void)loopback_request(api_server, 0);
    assert_int_equal(loopback_requests(api_server), 1);
    assert_int_equal(loopback_requests(daemon_server), 1);
    caught_fini(&caught);
}

static void test_unreachable_api_is_recorded_as_failed(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = REGISTERED}, {.text = RUN_IN("launch_failed")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 2, api_replies, 1);
    setenv("PROMPTLAYER_BASE_URL", "http://127.0.0.1:1", 1);
    struct caught caught = RUN("run", "flow");
    assert_status(&caught, 4);
    assert_holds(loopback_request(daemon_server, 1), "{\"failed\":\"");
    caught_fini(&caught);
}

static void test_recording_is_tried_again_while_the_daemon_is_busy(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = REGISTERED},
        {.text = PROBLEM("503 Service Unavailable", "not now")},
        {.text = RUN_IN("waiting")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 3, api_replies, 1);
    struct caught caught = RUN("run", "flow");
    assert_status(&caught, 0);
    assert_int_equal(loopback_requests(daemon_server), 3);
    assert_int_equal(loopback_requests(api_server), 1);
    caught_fini(&caught);
}

static void test_launched_run_that_cannot_be_recorded_is_still_named(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = REGISTERED}, {.text = PROBLEM("409 Conflict", "it has another execution id")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 2, api_replies, 1);
    struct caught caught = RUN("run", "flow");
    assert_status(&caught, 3);
    assert_out(&caught, RUN_ID);
    assert_err(&caught, "Do not launch it again");
    assert_err(&caught, "it has another execution id");
    caught_fini(&caught);
}

static void test_unregistered_runs_are_never_launched(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = PROBLEM("401 Unauthorized", "wrong token")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 1, api_replies, 1);
    struct caught caught = RUN("run", "flow");
    assert_status(&caught, 3);
    assert_err(&caught, "wrong token");
    caught_fini(&caught);
    setenv("CALLBACKD_URL", "http://127.0.0.1:1", 1);
    caught = RUN("run", "flow");
    assert_status(&caught, 4);
    caught_fini(&caught);
    assert_int_equal(loopback_requests(api_server), 0);
}

static void test_a_missing_key_is_said_before_anything_is_registered(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {{.text = REGISTERED}};
    start(replies, 1, replies, 1);
    unsetenv("PROMPTLAYER_API_KEY");
    struct caught caught = RUN("run", "flow");
    assert_status(&caught, 2);
    assert_err(&caught, "PROMPTLAYER_API_KEY");
    assert_int_equal(loopback_requests(daemon_server), 0);
    caught_fini(&caught);
}

static void test_a_repeated_key_launches_nothing(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = JSON_ANSWER(
             "200 OK", "{\"run_id\":\"" RUN_ID "\",\"state\":\"waiting\",\"execution_id\":\"7\","
                       "\"callback_url\":\"https://d/callback/TOKEN\"}")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 1, api_replies, 1);
    struct caught caught = RUN("run", "flow", "--idempotency-key", "k", "--json");
    assert_status(&caught, 0);
    assert_out(&caught, "\"execution_id\":\"7\"");
    assert_err(&caught, "not launched again");
    assert_int_equal(loopback_requests(api_server), 0);
    caught_fini(&caught);
}

static void test_a_repeated_key_launches_again_what_failed_to_launch(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = JSON_ANSWER(
             "200 OK", "{\"run_id\":\"" RUN_ID "\",\"state\":\"launch_failed\","
                       "\"callback_url\":\"https://d/callback/TOKEN\"}")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 1, api_replies, 1);
    struct caught caught = RUN("run", "flow", "--idempotency-key", "k", "--json");
    assert_status(&caught, 0);
    assert_out(&caught, "\"execution_id\":\"7\"");
    assert_int_equal(loopback_requests(api_server), 1);
    caught_fini(&caught);
}

static void test_a_repeated_key_of_an_unclear_launch_is_no_success(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = JSON_ANSWER(
             "200 OK", "{\"run_id\":\"" RUN_ID "\",\"state\":\"launching\","
                       "\"callback_url\":\"https://d/callback/TOKEN\"}")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 1, api_replies, 1);
    struct caught caught = RUN("run", "flow", "--idempotency-key", "k");
    assert_status(&caught, 6);
    assert_err(&caught, "never reported");
    assert_int_equal(loopback_requests(api_server), 0);
    caught_fini(&caught);
}

static void test_dry_run_sends_nothing_and_shows_no_secret(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {{.text = REGISTERED}};
    start(replies, 1, replies, 1);
    struct caught caught = RUN("run", "flow", "--dry-run", "--input", "a=b");
    assert_status(&caught, 0);
    assert_out(&caught, "/workflows/flow/run\n");
    assert_out(&caught, "\"input_variables\":{\"a\":\"b\"}");
    assert_out(&caught, "<run-token>");
    assert_holds_not(buffer_text(&caught.out), "pl-secret");
    assert_int_equal(loopback_requests(daemon_server) + loopback_requests(api_server), 0);
    caught_fini(&caught);
}

/* ---- waiting ---- */

static void test_wait_prints_the_output_alone(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = REGISTERED},
        {.text = RUN_IN("waiting")},
        {.text = RESULT("success", "7")},
        {.text = BODY("\"done\"")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 4, api_replies, 1);
    struct caught caught = RUN("run", "flow", "--wait");
    assert_status(&caught, 0);
    assert_string_equal(buffer_text(&caught.out), "done\n");
    assert_holds(
        loopback_request(daemon_server, 2), "GET /api/v1/runs/" RUN_ID "/result?wait=30s ");
    assert_holds(loopback_request(daemon_server, 3), "GET /api/v1/results/" RESULT_ID "/body ");
    caught_fini(&caught);
}

static void test_wait_says_why_it_failed(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = RESULT("failed", "7")},
        {.text = BODY("{\"N\":{\"status\":\"FAILED\",\"value\":null,\"error_message\":"
                      "\"broken \\u001b[31m\",\"raw_error_message\":null,"
                      "\"is_output_node\":true}}")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 2, api_replies, 1);
    struct caught caught = RUN("wait", RUN_ID);
    assert_status(&caught, 1);
    assert_out(&caught, "{\"N\":{\"status\":\"FAILED\"");
    assert_err(&caught, "node \"N\": broken \\x1b[31m");
    caught_fini(&caught);
}

static void test_wait_never_prints_another_executions_output(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = RESULT("mismatch", "8")}, {.text = BODY("\"not ours\"")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 2, api_replies, 1);
    struct caught caught = RUN("wait", RUN_ID);
    assert_status(&caught, 1);
    assert_int_equal(caught.out.length, 0);
    assert_err(&caught, "of another execution (8)");
    caught_fini(&caught);
}

static void test_wait_checks_the_execution_that_it_launched(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = REGISTERED}, {.text = RUN_IN("waiting")}, {.text = RESULT("success", "8")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 3, api_replies, 1);
    struct caught caught = RUN("run", "flow", "--wait");
    assert_status(&caught, 1);
    assert_int_equal(caught.out.length, 0);
    caught_fini(&caught);
}

static void test_wait_goes_on_until_the_result_is_decided(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {{.text = NONE_YET},
                                                           {.text = RUN_IN("waiting")},
                                                           {.text = RESULT("running", "7")},
                                                           {.text = RUN_IN("waiting")},
                                                           {.text = RESULT("success", "7")},
                                                           {.text = BODY("1")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, COUNT(daemon_replies), api_replies, 1);
    struct caught caught = RUN("wait", RUN_ID);
    assert_status(&caught, 0);
    assert_string_equal(buffer_text(&caught.out), "1\n");
    caught_fini(&caught);
}

static void test_wait_ends_with_a_lost_run(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = NONE_YET},
        {.text = JSON_ANSWER("200 OK", "{\"state\":\"lost\",\"reason\":\"gave up\"}")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 2, api_replies, 1);
    struct caught caught = RUN("wait", RUN_ID);
    assert_status(&caught, 1);
    assert_err(&caught, "is lost: no result came: gave up");
    caught_fini(&caught);
}

static void test_wait_times_out(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = NONE_YET}, {.text = RUN_IN("waiting")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 2, api_replies, 1);
    struct caught caught = RUN("wait", RUN_ID, "--timeout", "0s");
    assert_status(&caught, 5);
    assert_err(&caught, "is waiting");
    caught_fini(&caught);
}

static void test_wait_outlives_a_restart_of_the_daemon(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = NONE_YET},
        {.text = RUN_IN("waiting")},
        {.text = PROBLEM("503 Service Unavailable", "stopping")},
        {.text = RESULT("success", "7")},
        {.text = BODY("true")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, COUNT(daemon_replies), api_replies, 1);
    struct caught caught = RUN("wait", RUN_ID);
    assert_status(&caught, 0);
    assert_string_equal(buffer_text(&caught.out), "true\n");
    caught_fini(&caught);
}

static void test_wait_with_json_is_result_and_output(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {
        {.text = RESULT("success", "7")}, {.text = BODY("[1, 2]")}};
    static const struct loopback_reply api_replies[] = {{.text = LAUNCHED_7}};
    start(daemon_replies, 2, api_replies, 1);
    struct caught caught = RUN("wait", RUN_ID, "--json");
    assert_status(&caught, 0);
    assert_string_equal(
        buffer_text(&caught.out),
        "{\"id\":\"" RESULT_ID "\",\"kind\":\"workflow-result\",\"status\":\"success\","
        "\"execution_id\":\"7\",\"pending\":false,\"output\":[1,2]}\n");
    caught_fini(&caught);
}

static void test_without_callback_the_api_is_asked(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {{.text = REGISTERED}};
    static const struct loopback_reply api_replies[] = {
        {.text = LAUNCHED_7}, {.text = JSON_ANSWER("200 OK", "{\"a\": 1}")}};
    start(daemon_replies, 1, api_replies, 2);
    struct caught caught = RUN("run", "flow", "--no-callback", "--wait");
    assert_status(&caught, 0);
    assert_string_equal(buffer_text(&caught.out), "{\"a\":1}\n");
    assert_holds_not(loopback_request(api_server, 0), "callback_url");
    assert_holds(loopback_request(api_server, 1), "workflow_version_execution_id=7");
    assert_int_equal(loopback_requests(daemon_server), 0);
    caught_fini(&caught);
}

static void test_without_callback_a_failure_is_told(void **state)
{
    (void)state;
    static const struct loopback_reply daemon_replies[] = {{.text = REGISTERED}};
    static const struct loopback_reply api_replies[] = {
        {.text = LAUNCHED_7},
        {.text = JSON_ANSWER(
             "500 Internal Server Error",
             "{\"success\":false,\"message\":\"Workflow completed but no output node succeeded\","
             "\"output\":{\"N\":{\"status\":\"FAILED\",\"value\":null,\"error_message\":\"oh\","
             "\"raw_error_message\":null,\"is_output_node\":true}}}")}};
    start(daemon_replies, 1, api_replies, 2);
    struct caught caught = RUN("run", "flow", "--no-callback", "--wait");
    assert_status(&caught, 1);
    assert_err(&caught, "node \"N\": oh");
    caught_fini(&caught);
}

#define CASE(test) cmocka_unit_test_teardown(test, stop)

int main(void)
{
    clear_environment();
    const struct CMUnitTest tests[] = {
        CASE(test_registers_then_launches_then_records),
        CASE(test_json_is_one_object),
        CASE(test_deadline_is_sent_as_a_time),
        CASE(test_refused_launch_is_recorded_as_failed),
        CASE(test_unclear_launch_is_neither_repeated_nor_failed),
        CASE(test_unreachable_api_is_recorded_as_failed),
        CASE(test_recording_is_tried_again_while_the_daemon_is_busy),
        CASE(test_launched_run_that_cannot_be_recorded_is_still_named),
        CASE(test_unregistered_runs_are_never_launched),
        CASE(test_a_missing_key_is_said_before_anything_is_registered),
        CASE(test_a_repeated_key_launches_nothing),
        CASE(test_a_repeated_key_launches_again_what_failed_to_launch),
        CASE(test_a_repeated_key_of_an_unclear_launch_is_no_success),
        CASE(test_dry_run_sends_nothing_and_shows_no_secret),
        CASE(test_wait_prints_the_output_alone),
        CASE(test_wait_says_why_it_failed),
        CASE(test_wait_never_prints_another_executions_output),
        CASE(test_wait_checks_the_execution_that_it_launched),
        CASE(test_wait_goes_on_until_the_result_is_decided),
        CASE(test_wait_ends_with_a_lost_run),
        CASE(test_wait_times_out),
        CASE(test_wait_outlives_a_restart_of_the_daemon),
        CASE(test_wait_with_json_is_result_and_output),
        CASE(test_without_callback_the_api_is_asked),
        CASE(test_without_callback_a_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
