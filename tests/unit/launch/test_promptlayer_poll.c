/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../outgoing/loopback.h"
#include "callbackd/promptlayer.h"

#define NODES                                                                                      \
    "{\"Node 1\":{\"status\":\"SUCCESS\",\"value\":\"AAA\",\"error_message\":null,"                \
    "\"raw_error_message\":null,\"is_output_node\":true}}"

static struct http_client *client;

struct outcome {
    int result;
    enum promptlayer_poll poll;
    struct buffer output;
    int64_t retry_after_s;
    struct error error;
};

static struct outcome poll_with(const struct loopback_reply *reply, bool all, int64_t timeout_ms)
{
    struct outcome outcome = {.retry_after_s = -7};
    struct loopback *server = loopback_one(reply);
    const struct promptlayer_api api = {
        .base_url = server->url, .api_key = "k", .timeout_ms = timeout_ms};
    buffer_init(&outcome.output, 4096);
    outcome.result = promptlayer_poll(
        client, &api, INT64_MAX, all, 4096, &outcome.poll, &outcome.output, &outcome.retry_after_s,
        &outcome.error);
    loopback_stop(server);
    return outcome;
}

static struct outcome poll_answered(int status, const char *body, bool all)
{
    char *text;
    assert_true(
        asprintf(
            &text, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\nRetry-After: 9\r\n\r\n%s", status,
            strlen(body), body) > 0);
    const struct loopback_reply reply = {text, LOOPBACK_CLOSE};
    struct outcome outcome = poll_with(&reply, all, 10000);
    free(text);
    return outcome;
}

static void assert_poll(
    int status, const char *body, bool all, enum promptlayer_poll poll, const char *output)
{
    struct outcome outcome = poll_answered(status, body, all);
    if (outcome.result != 0)
        fail_msg("%s", outcome.error.message);
    assert_int_equal(outcome.poll, poll);
    assert_string_equal(buffer_text(&outcome.output), output);
    buffer_fini(&outcome.output);
}

static void assert_poll_fails(
    int status, const char *body, bool all, enum error_code code, const char *message)
{
    struct outcome outcome = poll_answered(status, body, all);
    assert_int_equal(outcome.result, -1);
    if (outcome.error.code != code || !strstr(outcome.error.message, message))
        fail_msg("%d %s: %d '%s'", status, body, outcome.error.code, outcome.error.message);
    assert_int_equal(outcome.retry_after_s, 9);
    assert_int_equal(outcome.output.length, 0);
    buffer_fini(&outcome.output);
}

static void the_id_is_asked_for_exactly(void **state)
{
    (void)state;
    const struct loopback_reply reply = {
        "HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP};
    struct loopback *server = loopback_one(&reply);
    const struct promptlayer_api api = {
        .base_url = server->url, .api_key = "the key", .timeout_ms = 10000};
    for (int all = 0; all < 2; all++) {
        enum promptlayer_poll poll;
        int64_t retry_after_s;
        struct buffer output;
        buffer_init(&output, 100);
        assert_int_equal(
            promptlayer_poll(
                client, &api, 9007199254740993, all, 100, &poll, &output, &retry_after_s, NULL),
            0);
        assert_int_equal(poll, POLL_RUNNING);
        assert_int_equal(retry_after_s, -1);
        char line[256];
        snprintf(
            line, sizeof line,
            "GET /workflow-version-execution-results?workflow_version_execution_id="
            "9007199254740993&return_all_outputs=%s HTTP/1.1\r\n",
            all ? "true" : "false");
        assert_non_null(strstr(loopback_request(server, all), line));
        assert_non_null(strstr(loopback_request(server, all), "\r\nX-API-KEY: the key\r\n"));
    }
    loopback_stop(server);
}

static void a_200_is_final_whatever_the_value(void **state)
{
    (void)state;
    static const char *const values[] = {
        "\"AAA\"", "false", "null", "0",
        "\"\"",    "{}",    "[]",   "{\"success\":false,\"message\":\"a value\"}"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_poll(200, values[i], false, POLL_FINAL, values[i]);
    assert_poll(200, NODES, true, POLL_FINAL, NODES);
    assert_poll(200, " \"AAA\" \n", false, POLL_FINAL, " \"AAA\"");
}

static void a_202_or_204_is_running(void **state)
{
    (void)state;
    assert_poll(202, NODES, true, POLL_RUNNING, "");
    assert_poll(202, "null", false, POLL_RUNNING, "");
    assert_poll(204, "", false, POLL_RUNNING, "");
}

static void a_run_that_ended_without_output_has_failed(void **state)
{
    (void)state;
    const char *body = "{\"success\":false,\"message\":\"Workflow completed but no output node "
                       "succeeded\",\"output\":" NODES "}\n";
    const char *kept = "{\"success\":false,\"message\":\"Workflow completed but no output node "
                       "succeeded\",\"output\":" NODES "}";
    assert_poll(500, body, true, POLL_FAILED, kept);
    assert_poll(500, body, false, POLL_FAILED, kept);
    assert_poll(200, body, true, POLL_FAILED, kept);
    const char *reworded =
        "{\"success\":false,\"message\":\"Nothing came out\",\"output\":" NODES "}";
    assert_poll(500, reworded, true, POLL_FAILED, reworded);
    const char *bare = "{\"success\":false,\"message\":\"no output node succeeded\"}";
    assert_poll(500, bare, true, POLL_FAILED, bare);
}

static void every_other_5xx_is_worth_another_try(void **state)
{
    (void)state;
    assert_poll_fails(
        500, "{\"success\":false,\"message\":\"boom\"}", true, ERROR_IO, "(HTTP 500): boom");
    assert_poll_fails(500, "{\"success\":true,\"output\":" NODES "}", true, ERROR_IO, "(HTTP 500)");
    assert_poll_fails(500, "{\"success\":false,\"output\":\"text\"}", true, ERROR_IO, "(HTTP 500)");
    assert_poll_fails(502, "<html>Bad gateway</html>", true, ERROR_IO, "Bad gateway");
    assert_poll_fails(503, "", true, ERROR_IO, "(HTTP 503)");
}

static void refusals_have_their_codes(void **state)
{
    (void)state;
    assert_poll_fails(
        404, "{\"error\":\"Execution not found\"}", true, ERROR_NOT_FOUND, "Execution not found");
    assert_poll_fails(
        429, "{\"success\":false,\"message\":\"Rate limit exceeded.\"}", true, ERROR_BUSY,
        "Rate limit exceeded.");
    assert_poll_fails(401, "{\"message\":\"no key\"}", true, ERROR_REFUSED, "no key");
    assert_poll_fails(403, "", true, ERROR_REFUSED, "(HTTP 403)");
    assert_poll_fails(400, "{}", true, ERROR_REFUSED, "(HTTP 400)");
    assert_poll_fails(
        422, "{\"detail\":[{\"loc\":[\"query\",\"id\"],\"msg\":\"not an integer\"}]}", true,
        ERROR_REFUSED, "query.id: not an integer");
    assert_poll_fails(302, "", true, ERROR_REFUSED, "(HTTP 302)");
    assert_poll_fails(408, "", true, ERROR_TIMEOUT, "(HTTP 408)");
    assert_poll_fails(200, "{\"success\":false,\"error\":\"E\"}", true, ERROR_REFUSED, "E");
}

static void broken_answers_are_io_errors(void **state)
{
    (void)state;
    assert_poll_fails(200, "not json", false, ERROR_IO, "not JSON");
    assert_poll_fails(200, "", false, ERROR_IO, "not JSON");
    assert_poll_fails(200, "{\"a\":1", true, ERROR_IO, "not JSON");
    const struct loopback_reply dropped = {
        "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n\"half of it", LOOPBACK_CLOSE};
    assert_int_equal(poll_with(&dropped, false, 10000).error.code, ERROR_IO);
    const struct loopback_reply slow = {"HTTP/1.1 200 OK\r\n", LOOPBACK_HOLD};
    assert_int_equal(poll_with(&slow, false, 150).error.code, ERROR_TIMEOUT);
}

static void an_output_beyond_the_bound_is_too_large(void **state)
{
    (void)state;
    char *body = malloc(8192);
    snprintf(body, 8192, "\"%05000d\"", 1);
    struct outcome outcome = poll_answered(200, body, false);
    assert_int_equal(outcome.error.code, ERROR_TOO_LARGE);
    buffer_fini(&outcome.output);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_id_is_asked_for_exactly),
        cmocka_unit_test(a_200_is_final_whatever_the_value),
        cmocka_unit_test(a_202_or_204_is_running),
        cmocka_unit_test(a_run_that_ended_without_output_has_failed),
        cmocka_unit_test(every_other_5xx_is_worth_another_try),
        cmocka_unit_test(refusals_have_their_codes),
        cmocka_unit_test(broken_answers_are_io_errors),
        cmocka_unit_test(an_output_beyond_the_bound_is_too_large),
    };
    if (http_client_init(NULL) != 0)
        return 1;
    client = http_client_new(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_client_free(client);
    http_client_cleanup();
    return failed;
}
