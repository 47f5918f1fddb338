/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../outgoing/loopback.h"
#include "callbackd/promptlayer.h"

static struct http_client *client;

static struct promptlayer_api api_at(const char *url)
{
    return (struct promptlayer_api){
        .base_url = url, .api_key = "pl_secret_key", .timeout_ms = 10000};
}

static char *body_of(const struct promptlayer_run *run)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    struct error error = {0};
    if (promptlayer_run_body(run, &out, &error) != 0)
        fail_msg("%s", error.message);
    return buffer_take(&out);
}

static void assert_body(const struct promptlayer_run *run, const char *expected)
{
    char *body = body_of(run);
    assert_string_equal(body, expected);
    free(body);
}

static void assert_run_invalid(const struct promptlayer_run *run, const char *hint)
{
    struct buffer out;
    struct error error = {0};
    buffer_init(&out, 1 << 20);
    assert_int_equal(promptlayer_run_body(run, &out, &error), -1);
    assert_int_equal(error.code, ERROR_INVALID);
    if (!strstr(error.message, hint))
        fail_msg("'%s' does not say '%s'", error.message, hint);
    buffer_fini(&out);
}

/* ---- the request ---- */

static void the_least_body_has_inputs_and_the_flag(void **state)
{
    (void)state;
    const struct promptlayer_run run = {.workflow = "w"};
    assert_body(&run, "{\"input_variables\":{},\"return_all_outputs\":false}");
}

static void the_fullest_body_has_every_documented_field(void **state)
{
    (void)state;
    struct promptlayer_run run = {
        .workflow = "w",
        .label = "prod \"1\"",
        .inputs_json = bytes_of_text("{\"n\": 9223372036854775807, \"é\":[1.50,{}]}"),
        .metadata_json = bytes_of_text("{\"k\":\"v\"}"),
        .all_outputs = true,
        .callback_url = "https://h.example/callback/TOKEN",
    };
    assert_body(
        &run, "{\"input_variables\":{\"n\": 9223372036854775807, \"é\":[1.50,{}]},"
              "\"metadata\":{\"k\":\"v\"},\"workflow_label_name\":\"prod \\\"1\\\"\","
              "\"return_all_outputs\":true,"
              "\"callback_url\":\"https://h.example/callback/TOKEN\"}");
    run = (struct promptlayer_run){.workflow = "w", .version = 9007199254740993};
    assert_body(
        &run, "{\"input_variables\":{},\"workflow_version_number\":9007199254740993,"
              "\"return_all_outputs\":false}");
}

static void what_the_api_does_not_take_is_invalid(void **state)
{
    (void)state;
    struct promptlayer_run run = {.workflow = "w", .label = "l", .version = 1};
    assert_run_invalid(&run, "exclude each other");
    run = (struct promptlayer_run){.workflow = "w", .version = -1};
    assert_run_invalid(&run, "negative");
    run = (struct promptlayer_run){.workflow = "w", .inputs_json = bytes_of_text("[1]")};
    assert_run_invalid(&run, "input variables must be a JSON object");
    run.inputs_json = bytes_of_text("{\"a\":}");
    assert_run_invalid(&run, "input variables: ");
    run = (struct promptlayer_run){.workflow = "w", .metadata_json = bytes_of_text("{\"a\":1}")};
    assert_run_invalid(&run, "metadata may hold only strings");
    run.metadata_json = bytes_of_text("\"a\"");
    assert_run_invalid(&run, "metadata must be a JSON object");
}

static void all_but_unreserved_characters_of_a_name_are_encoded(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *url;
    } rows[] = {
        {"My Flow/é+x", "http://h/workflows/My%20Flow%2F%C3%A9%2Bx/run"},
        {"123", "http://h/workflows/123/run"},
        {"a-b._~Z9", "http://h/workflows/a-b._~Z9/run"},
        {"?#%&=:@!$'()*,;[]", "http://h/workflows/"
                              "%3F%23%25%26%3D%3A%40%21%24%27%28%29%2A%2C%3B%5B%5D/run"},
    };
    const struct promptlayer_api api = api_at("http://h");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buffer out;
        buffer_init(&out, 1024);
        assert_int_equal(promptlayer_run_url(&api, rows[i].name, &out), 0);
        assert_string_equal(buffer_text(&out), rows[i].url);
        buffer_fini(&out);
    }
}

/* ---- the answer ---- */

struct outcome {
    int result;
    struct promptlayer_launch launch;
    struct error error;
};

static struct outcome launch_with(const struct loopback_reply *reply, int64_t timeout_ms)
{
    const struct promptlayer_run run = {.workflow = "My Flow", .callback_url = "http://h/cb"};
    struct outcome outcome = {0};
    struct loopback *server = loopback_one(reply);
    struct promptlayer_api api = api_at(server->url);
    api.timeout_ms = timeout_ms;
    outcome.result = promptlayer_run(client, &api, &run, &outcome.launch, &outcome.error);
    (void)loopback_request(server, 0);
    assert_int_equal(loopback_requests(server), 1);
    loopback_stop(server);
    return outcome;
}

static struct outcome launch_answered(int status, const char *body)
{
    char *text;
    assert_true(
        asprintf(
            &text, "HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(body), body) >
        0);
    const struct loopback_reply reply = {text, LOOPBACK_CLOSE};
    struct outcome outcome = launch_with(&reply, 10000);
    free(text);
    return outcome;
}

static void assert_launched(int status, const char *body, int64_t id, const char *warning)
{
    struct outcome outcome = launch_answered(status, body);
    if (outcome.result != 0)
        fail_msg("%s", outcome.error.message);
    assert_true(outcome.launch.execution_id == id);
    if (warning)
        assert_string_equal(outcome.launch.warning, warning);
    else
        assert_null(outcome.launch.warning);
    free(outcome.launch.warning);
}

static void assert_refused(int status, const char *body, enum error_code code, const char *message)
{
    struct outcome outcome = launch_answered(status, body);
    assert_int_equal(outcome.result, -1);
    if (outcome.error.code != code || !strstr(outcome.error.message, message))
        fail_msg("%d %s: '%s'", status, body, outcome.error.message);
    assert_null(strstr(outcome.error.message, "pl_secret_key"));
}

static void the_key_and_the_body_are_posted(void **state)
{
    (void)state;
    const struct loopback_reply reply = {
        "HTTP/1.1 202 X\r\nContent-Length: 54\r\n\r\n"
        "{\"success\":true,\"workflow_version_execution_id\":98765}",
        LOOPBACK_CLOSE};
    struct loopback *server = loopback_one(&reply);
    const struct promptlayer_api api = api_at(server->url);
    const struct promptlayer_run run = {.workflow = "My Flow"};
    struct promptlayer_launch launch;
    assert_int_equal(promptlayer_run(client, &api, &run, &launch, NULL), 0);
    const char *sent = loopback_request(server, 0);
    assert_ptr_equal(strstr(sent, "POST /workflows/My%20Flow/run HTTP/1.1\r\n"), sent);
    assert_non_null(strstr(sent, "\r\nX-API-KEY: pl_secret_key\r\n"));
    assert_non_null(strstr(sent, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(sent, "\r\n\r\n{\"input_variables\":{},\"return_all_outputs\":false}"));
    loopback_stop(server);
}

static void any_accepting_status_with_an_id_is_a_launch(void **state)
{
    (void)state;
    assert_launched(
        201,
        "{\"success\":true,\"message\":\"Workflow execution created successfully\","
        "\"warning\":null,\"workflow_version_execution_id\":787}\n",
        787, NULL);
    assert_launched(
        202, "{\"success\":true,\"workflow_version_execution_id\":9223372036854775807}", INT64_MAX,
        NULL);
    assert_launched(
        200, "{\"workflow_version_execution_id\":9007199254740993}", 9007199254740993, NULL);
    assert_launched(201, "{\"workflow_version_execution_id\":\"42\"}", 42, NULL);
}

static void a_warning_is_handed_on(void **state)
{
    (void)state;
    assert_launched(
        201, "{\"warning\":\"missing: \\u00e9\",\"workflow_version_execution_id\":1}", 1,
        "missing: é");
    assert_launched(
        201, "{\"warning\":[\"a\",2],\"workflow_version_execution_id\":1}", 1, "[\"a\",2]");
    assert_launched(201, "{\"warning\":\"\",\"workflow_version_execution_id\":1}", 1, NULL);
}

static void message_then_error_then_detail_is_what_it_says(void **state)
{
    (void)state;
    assert_refused(
        401, "{\"success\":false,\"message\":\"M\",\"error\":\"E\",\"detail\":\"D\"}",
        ERROR_REFUSED, "(HTTP 401): M");
    assert_refused(404, "{\"success\":false,\"error\":\"E\"}", ERROR_REFUSED, "(HTTP 404): E");
    assert_refused(
        400, "{\"message\":null,\"error\":\"\",\"detail\":\"D\"}", ERROR_REFUSED, "(HTTP 400): D");
    assert_refused(
        422,
        "{\"detail\":[{\"loc\":[\"body\",\"metadata\",0],\"msg\":\"no dict\",\"type\":\"t\"},"
        "{\"loc\":[],\"msg\":\"second\"},{\"msg\":\"third\"}]}",
        ERROR_REFUSED, "(HTTP 422): body.metadata.0: no dict; second; third");
    assert_refused(
        429, "{\"success\":false,\"message\":\"Rate limit exceeded.\"}", ERROR_REFUSED,
        "Rate limit exceeded.");
}

static void answers_of_gateways_are_shown_in_part(void **state)
{
    (void)state;
    assert_refused(
        403, "<html>\x1b[31mForbidden</html>\n", ERROR_REFUSED, "<html>\\x1b[31mForbidden</html>");
    assert_refused(400, "", ERROR_REFUSED, "no explanation was given");
    assert_refused(400, "{\"detail\":[]}", ERROR_REFUSED, "{\"detail\":[]}");
    assert_refused(301, "moved", ERROR_REFUSED, "(HTTP 301): moved");
    char long_message[3000];
    snprintf(long_message, sizeof long_message, "{\"message\":\"%02000d\"}", 7);
    assert_refused(400, long_message, ERROR_REFUSED, "(HTTP 400): 0000000000");
}

static void a_key_that_the_answer_repeats_is_not_shown(void **state)
{
    (void)state;
    assert_refused(
        401, "{\"message\":\"bad key pl_secret_key!\"}", ERROR_REFUSED, "bad key [key]!");
}

static void no_success_with_2xx_is_refused(void **state)
{
    (void)state;
    assert_refused(
        200, "{\"success\":false,\"message\":\"no\",\"workflow_version_execution_id\":1}",
        ERROR_REFUSED, "(HTTP 200): no");
    assert_refused(202, "{\"success\":false,\"error\":\"no\"}", ERROR_REFUSED, "no");
}

static void what_may_have_started_is_an_io_error(void **state)
{
    (void)state;
    assert_refused(201, "{\"success\":true}", ERROR_IO, "may have started");
    assert_refused(201, "not json", ERROR_IO, "may have started");
    assert_refused(201, "{\"workflow_version_execution_id\":1.0}", ERROR_IO, "may have started");
    assert_refused(
        201, "{\"workflow_version_execution_id\":9223372036854775808}", ERROR_IO,
        "may have started");
    assert_refused(204, "", ERROR_IO, "may have started");
    assert_refused(500, "{\"message\":\"boom\"}", ERROR_IO, "(HTTP 500): boom");
    assert_refused(503, "busy", ERROR_IO, "(HTTP 503): busy");
    assert_refused(408, "", ERROR_TIMEOUT, "(HTTP 408)");
}

static void broken_connections_are_told_apart(void **state)
{
    (void)state;
    const struct loopback_reply dropped = {
        "HTTP/1.1 202 X\r\nContent-Length: 60\r\n\r\n{\"success\":true,\"work", LOOPBACK_CLOSE};
    const struct loopback_reply slow = {"", LOOPBACK_HOLD};
    assert_int_equal(launch_with(&dropped, 10000).error.code, ERROR_IO);
    assert_int_equal(launch_with(&slow, 3000).error.code, ERROR_TIMEOUT);
    const struct promptlayer_api nobody = api_at("http://127.0.0.1:1");
    const struct promptlayer_run run = {.workflow = "w"};
    struct promptlayer_launch launch;
    struct error error = {0};
    assert_int_equal(promptlayer_run(client, &nobody, &run, &launch, &error), -1);
    assert_int_equal(error.code, ERROR_UNREACHABLE);
}

static void nothing_is_sent_for_a_wrong_run(void **state)
{
    (void)state;
    const struct promptlayer_api nobody = api_at("http://127.0.0.1:1");
    const struct promptlayer_run runs[] = {
        {.workflow = NULL}, {.workflow = ""}, {.workflow = "w", .label = "l", .version = 3}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct promptlayer_launch launch;
        struct error error = {0};
        assert_int_equal(promptlayer_run(client, &nobody, &runs[i], &launch, &error), -1);
        assert_int_equal(error.code, ERROR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_body_has_inputs_and_the_flag),
        cmocka_unit_test(the_fullest_body_has_every_documented_field),
        cmocka_unit_test(what_the_api_does_not_take_is_invalid),
        cmocka_unit_test(all_but_unreserved_characters_of_a_name_are_encoded),
        cmocka_unit_test(the_key_and_the_body_are_posted),
        cmocka_unit_test(any_accepting_status_with_an_id_is_a_launch),
        cmocka_unit_test(a_warning_is_handed_on),
        cmocka_unit_test(message_then_error_then_detail_is_what_it_says),
        cmocka_unit_test(answers_of_gateways_are_shown_in_part),
        cmocka_unit_test(a_key_that_the_answer_repeats_is_not_shown),
        cmocka_unit_test(no_success_with_2xx_is_refused),
        cmocka_unit_test(what_may_have_started_is_an_io_error),
        cmocka_unit_test(broken_connections_are_told_apart),
        cmocka_unit_test(nothing_is_sent_for_a_wrong_run),
    };
    if (http_client_init(NULL) != 0)
        return 1;
    client = http_client_new(NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_client_free(client);
    http_client_cleanup();
    return failed;
}
