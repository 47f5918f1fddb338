/* SPDX-License-Identifier: MIT */
/* The verbs that look and act, against a daemon that says what it is told to. */
#include "support.h"

#include "../outgoing/loopback.h"
#include "client.h"

#define ID "0192f0c1-2a3b-7c4d-8e5f-0123456789ab"

static struct loopback *server;

static void start(const struct loopback_reply *replies, int count)
{
    server = loopback_start(NULL, replies, count);
    setenv("CALLBACKD_URL", server->url, 1);
    setenv("CALLBACKD_TOKEN", "admin-secret", 1);
}

static int stop(void **state)
{
    (void)state;
    if (server)
        loopback_stop(server);
    server = NULL;
    clear_environment();
    return 0;
}

static const char results[] = JSON_ANSWER(
    "200 OK", "{\"items\":[{\"id\":\"" ID "\",\"received_at\":\"2026-11-23T18:04:05.678Z\","
              "\"endpoint\":\"results\",\"workflow\":\"evil \\u001b[2J\",\"execution_id\":null,"
              "\"status\":\"success\",\"size\":2048,\"revision\":1}],\"next_cursor\":null}");

static void test_lists_are_tables(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {{.text = results}};
    start(replies, 1);
    struct caught caught = RUN("results");
    assert_int_equal(caught.status, 0);
    assert_out(&caught, "RESULT ");
    assert_out(&caught, "2026-11-23 18:04:05 (");
    assert_out(&caught, "evil \\x1b[2J");
    assert_out(&caught, "2.0 KiB");
    assert_null(strchr(buffer_text(&caught.out), '\033'));
    assert_holds(loopback_request(server, 0), "Authorization: Bearer admin-secret\r\n");
    caught_fini(&caught);
}

static void test_json_is_the_apis_own(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {{.text = results}};
    start(replies, 1);
    struct caught caught = RUN("results", "--json");
    assert_int_equal(caught.status, 0);
    assert_memory_equal(buffer_text(&caught.out), "{\"items\":[{\"id\":", 16);
    assert_int_equal(caught.out.data[caught.out.length - 1], '\n');
    caught_fini(&caught);
}

static void test_filters_become_the_query(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {{.text = results}};
    start(replies, 1);
    struct caught caught =
        RUN("results", "--status", "failed", "--workflow", "a b&c", "--since",
            "2026-11-23T18:00:00Z", "--limit", "5", "--execution-id", "9223372036854775807");
    assert_int_equal(caught.status, 0);
    assert_holds(
        loopback_request(server, 0),
        "GET /api/v1/results?status=failed&workflow=a%20b%26c&execution_id=9223372036854775807"
        "&since=2026-11-23T18%3A00%3A00Z&limit=5 HTTP/1.1");
    caught_fini(&caught);
}

static void test_durations_since_now_become_times(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {{.text = results}};
    start(replies, 1);
    struct caught caught = RUN("results", "--since", "2h");
    assert_int_equal(caught.status, 0);
    assert_holds(loopback_request(server, 0), "?since=20");
    caught_fini(&caught);
}

static void test_wrong_filters_are_not_sent(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {{.text = results}};
    start(replies, 1);
    struct caught caught = RUN("results", "--since", "yesterday");
    assert_int_equal(caught.status, 2);
    caught_fini(&caught);
    caught = RUN("jobs", "--result", "7");
    assert_int_equal(caught.status, 2);
    assert_int_equal(loopback_requests(server), 0);
    caught_fini(&caught);
}

static void test_empty_lists_say_so_aside(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {.text = JSON_ANSWER("200 OK", "{\"items\":[],\"next_cursor\":null}")}};
    start(replies, 1);
    struct caught caught = RUN("rejected");
    assert_int_equal(caught.status, 0);
    assert_int_equal(caught.out.length, 0);
    assert_err(&caught, "nothing was rejected");
    caught_fini(&caught);
}

static void test_hooks_show_how_they_did_of_late(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {.text = JSON_ANSWER(
             "200 OK", "{\"items\":[{\"name\":\"a\",\"recent_success_rate\":0.9999,"
                       "\"recent_p50_ms\":7,\"recent_p99_ms\":60000},"
                       "{\"name\":\"b\",\"recent_success_rate\":1,\"recent_p50_ms\":0},"
                       "{\"name\":\"c\",\"recent_success_rate\":null}],\"next_cursor\":null}")}};
    start(replies, 1);
    struct caught caught = RUN("hooks");
    assert_int_equal(caught.status, 0);
    assert_out(&caught, " 99.9%  7ms   1m\n");
    assert_out(&caught, "100.0%  ");
    caught_fini(&caught);
}

static void test_job_shows_attempts_with_their_output(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {.text = JSON_ANSWER(
             "200 OK",
             "{\"id\":\"" ID "\",\"hook\":\"notify\",\"state\":\"dead\",\"attempts\":["
             "{\"n\":1,\"started_at\":\"2026-11-23T18:04:05.000Z\","
             "\"ended_at\":\"2026-11-23T18:04:06.500Z\",\"outcome\":\"exit\",\"exit_code\":2,"
             "\"signal\":null,\"output\":\"ab\",\"stdout\":\"one\\ntwo \\u0000\\u001b[1m\","
             "\"stderr\":\"oh\",\"output_truncated\":true,\"message\":null},"
             "{\"n\":2,\"started_at\":\"2026-11-23T18:05:05.000Z\",\"ended_at\":null,"
             "\"outcome\":\"timeout\",\"exit_code\":null,\"signal\":15,\"output\":\"\"}]}")}};
    start(replies, 1);
    struct caught caught = RUN("job", ID);
    assert_int_equal(caught.status, 0);
    assert_out(&caught, "attempt 1: exit 2, 1500ms, started 2026-11-23 18:04:05");
    assert_out(&caught, "  standard output:\n    one\n    two \xef\xbf\xbd\\x1b[1m\n");
    assert_out(&caught, "  standard error:\n    oh\n");
    assert_out(&caught, "only the end of the output was kept");
    assert_out(&caught, "attempt 2: timeout signal 15, not ended");
    caught_fini(&caught);
}

static void test_actions_post(void **state)
{
    (void)state;
    static const char hooks[] = JSON_ANSWER(
        "200 OK", "{\"items\":[{\"name\":\"a b\",\"state\":\"paused\"},"
                  "{\"name\":\"other\",\"state\":\"paused\"},"
                  "{\"name\":\"old\",\"state\":\"gone\"}]}");
    static const struct loopback_reply replies[] = {
        {.text =
             JSON_ANSWER("200 OK", "{\"id\":\"" ID "\",\"hook\":\"old\",\"state\":\"waiting\"}")},
        {.text = hooks},
        {.text = JSON_ANSWER("200 OK", "{\"id\":\"" ID "\",\"state\":\"cancelled\"}")},
        {.text = JSON_ANSWER("200 OK", "{\"jobs\":[{\"id\":\"" ID "\",\"hook\":\"a b\"}]}")},
        {.text = hooks},
        {.text = JSON_ANSWER("200 OK", "{\"name\":\"a b\",\"paused\":true}")},
        {.text = JSON_ANSWER("200 OK", "{\"name\":\"a b\",\"paused\":false}")}};
    start(replies, 7);
    const struct caught done[] = {
        RUN("retry", ID), RUN("cancel", ID), RUN("replay", ID, "--hook", "a b"),
        RUN("pause", "a b"), RUN("resume", "a b")};
    static const char *const requests[] = {
        "POST /api/v1/jobs/" ID "/retry ",
        "GET /api/v1/hooks ",
        "POST /api/v1/jobs/" ID "/cancel ",
        "POST /api/v1/results/" ID "/replay?hook=a%20b ",
        "GET /api/v1/hooks ",
        "POST /api/v1/hooks/a%20b/pause ",
        "POST /api/v1/hooks/a%20b/resume "};
    for (int i = 0; i < 7; i++)
        assert_holds(loopback_request(server, i), requests[i]);
    assert_err(&done[0], "the hook old is not configured: it waits until it is again");
    assert_err(&done[2], "the hook a b is paused: it waits until callbackctl resume a b");
    assert_holds_not(buffer_text(&done[2].err), "other");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(done[i].status, 0);
        caught_fini((struct caught *)(uintptr_t)&done[i]);
    }
}

static void test_refusals_are_shown(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {.text =
             JSON_ANSWER("409 Conflict", "{\"title\":\"Conflict\",\"detail\":\"It is running.\"}")},
        {.text = "HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n<html>"}};
    start(replies, 2);
    struct caught caught = RUN("retry", ID);
    assert_int_equal(caught.status, 3);
    assert_err(&caught, "It is running. (HTTP 409)");
    caught_fini(&caught);
    caught = RUN("status");
    assert_int_equal(caught.status, 3);
    assert_err(&caught, "answered HTTP 502, not as the admin API does");
    caught_fini(&caught);
}

static void test_ids_are_checked_before_they_are_sent(void **state)
{
    (void)state;
    struct caught caught = RUN("job", "../hooks", "--url", "http://127.0.0.1:1");
    assert_int_equal(caught.status, 2);
    assert_err(&caught, "is not an id");
    caught_fini(&caught);
}

static void test_body_is_exact(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {.text = JSON_ANSWER("200 OK", "{\"id\":\"" ID "\",\"kind\":\"workflow-result\"}")},
        {.text = JSON_ANSWER("200 OK", "{ \"final_output\" : \"\x7f\" }\n\n")}};
    start(replies, 2);
    struct caught caught = RUN("show", ID, "--body");
    assert_int_equal(caught.status, 0);
    assert_string_equal(buffer_text(&caught.out), "{ \"final_output\" : \"\x7f\" }\n\n");
    caught_fini(&caught);
}

static void test_show_falls_back_on_the_run(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {.text = JSON_ANSWER("404 Not Found", "{\"detail\":\"no such result\"}")},
        {.text = JSON_ANSWER(
             "200 OK",
             "{\"run_id\":\"" ID "\",\"state\":\"waiting\",\"callback_url\":\"https://s\","
             "\"tags\":{\"team\":\"x\"},\"result_id\":null}")}};
    start(replies, 2);
    struct caught caught = RUN("show", ID);
    assert_int_equal(caught.status, 0);
    assert_out(&caught, "state      waiting");
    assert_out(&caught, "tags.team  x");
    assert_holds_not(buffer_text(&caught.out), "https://s");
    caught_fini(&caught);
}

static void test_show_names_the_nodes_there_are(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {.text = JSON_ANSWER("200 OK", "{\"id\":\"" ID "\",\"kind\":\"workflow-result\"}")},
        {.text = JSON_ANSWER(
             "200 OK", "{\"final_output\":{\"A\":{\"status\":\"SUCCESS\",\"value\":1,"
                       "\"error_message\":null,\"raw_error_message\":null,"
                       "\"is_output_node\":true}}}")}};
    start(replies, 2);
    struct caught caught = RUN("show", ID, "--node", "B");
    assert_int_equal(caught.status, 3);
    assert_err(&caught, "there is no node \"B\"; there are: A");
    caught_fini(&caught);
}

static void test_nothing_listens(void **state)
{
    (void)state;
    setenv("CALLBACKD_TOKEN", "t", 1);
    struct caught caught = RUN("runs", "--url", "http://127.0.0.1:1");
    assert_int_equal(caught.status, 4);
    assert_err(&caught, "the daemon at http://127.0.0.1:1");
    caught_fini(&caught);
}

static void test_usage(void **state)
{
    (void)state;
    struct caught caught = RUN("resluts");
    assert_int_equal(caught.status, 2);
    assert_err(&caught, "did you mean results?");
    caught_fini(&caught);
    caught = RUN("job");
    assert_int_equal(caught.status, 2);
    assert_err(&caught, "usage: callbackctl job [OPTIONS] JOB");
    caught_fini(&caught);
    caught = RUN("job", "a", "b");
    assert_int_equal(caught.status, 2);
    caught_fini(&caught);
    caught = RUN("job", "--help");
    assert_int_equal(caught.status, 0);
    assert_out(&caught, "usage: callbackctl job [OPTIONS] JOB");
    caught_fini(&caught);
}

static void test_nul_in_an_answer_is_replaced(void **state)
{
    (void)state;
    struct error error = {0};
    struct json_document *document =
        admin_parse(bytes_of_text("[\"a\\u0000b\",\"c\\\\u0000\"]"), &error);
    assert_non_null(document);
    const struct json *first = json_first(json_root(document));
    assert_string_equal(
        json_get_text(first), "a\xef\xbf\xbd"
                              "b");
    assert_string_equal(json_get_text(json_next(first)), "c\\u0000");
    json_document_free(document);
}

#define CASE(test) cmocka_unit_test_teardown(test, stop)

int main(void)
{
    clear_environment();
    const struct CMUnitTest tests[] = {
        CASE(test_lists_are_tables),
        CASE(test_json_is_the_apis_own),
        CASE(test_filters_become_the_query),
        CASE(test_durations_since_now_become_times),
        CASE(test_wrong_filters_are_not_sent),
        CASE(test_empty_lists_say_so_aside),
        CASE(test_hooks_show_how_they_did_of_late),
        CASE(test_job_shows_attempts_with_their_output),
        CASE(test_actions_post),
        CASE(test_refusals_are_shown),
        CASE(test_ids_are_checked_before_they_are_sent),
        CASE(test_body_is_exact),
        CASE(test_show_falls_back_on_the_run),
        CASE(test_show_names_the_nodes_there_are),
        CASE(test_nothing_listens),
        CASE(test_usage),
        CASE(test_nul_in_an_answer_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
