/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "http_message.h"

#define KEY "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

struct fixture {
    struct config_hook hook;
    struct result_record result;
    struct hook_values values;
    struct http_message message;
    struct error error;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->hook = (struct config_hook){
        .name = "post-on",
        .http = {.enabled = true, .url = "https://jobs.example.com/in"},
    };
    f->result = (struct result_record){
        .endpoint = "results",
        .kind = BODY_JSON,
        .workflow = "support-eu",
        .event = "",
        .status = STATUS_SUCCESS,
        .content_type = "application/json; charset=utf-8",
        .has_execution_id = true,
        .execution_id = 42,
    };
    f->values = (struct hook_values){
        .hook = &f->hook,
        .result = &f->result,
        .job_id = "job-1",
        .attempt = 2,
        .body = bytes_of_text("{\"a\":\"x y\",\"b\":\"1\\r\\nEvil: 1\",\"c\":\"\"}"),
    };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    http_message_fini(&f->message);
    free(f);
    return 0;
}

static void make(struct fixture *f)
{
    http_message_fini(&f->message);
    if (http_message_make(&f->values, 1614265330, &f->message, &f->error) != 0)
        fail_msg("%s", f->error.message);
}

static void expect_fault(struct fixture *f, const char *said)
{
    http_message_fini(&f->message);
    assert_int_equal(http_message_make(&f->values, 1, &f->message, &f->error), -1);
    assert_int_equal(f->error.code, ERROR_INVALID);
    assert_non_null(strstr(f->error.message, said));
}

static const char *find(const struct string_list *headers, const char *name)
{
    for (size_t i = 0; i < headers->count; i++) {
        size_t length = strcspn(headers->items[i], ":");
        if (length == strlen(name) && strncasecmp(headers->items[i], name, length) == 0)
            return headers->items[i] + length + 2;
    }
    return NULL;
}

static void expect_header(struct fixture *f, const char *name, const char *value)
{
    const char *found = find(&f->message.headers, name);
    if (value && !found)
        fail_msg("no header %s", name);
    if (value)
        assert_string_equal(found, value);
    else
        assert_null(found);
}

static void what_a_command_finds_in_variables_stands_in_headers(void **state)
{
    struct fixture *f = *state;
    make(f);
    assert_string_equal(f->message.method, "POST");
    assert_string_equal(f->message.url, "https://jobs.example.com/in");
    expect_header(f, "Callback-Hook", "post-on");
    expect_header(f, "Callback-Endpoint", "results");
    expect_header(f, "Callback-Execution-Id", "42");
    expect_header(f, "Callback-Workflow", "support-eu");
    expect_header(f, "Callback-Status", "success");
    expect_header(f, "Callback-Attempt", "2");
    expect_header(f, "Callback-Job-Id", "job-1");
    expect_header(f, "Callback-Received-At", "1970-01-01T00:00:00.000Z");
    assert_non_null(find(&f->message.headers, "Callback-Result-Id"));
    /* Absent. */
    expect_header(f, "Callback-Run-Id", NULL);
    expect_header(f, "Callback-Replay", NULL);
    expect_header(f, "Callback-Body-File", NULL);
    expect_header(f, "Callback-Dead-Hook", NULL);
    f->values.replay = true;
    f->hook.takes = TAKES_DEAD;
    f->values.death = (struct job_death){"job-0", "charge", "exit 3"};
    make(f);
    expect_header(f, "Callback-Replay", "1");
    expect_header(f, "Callback-Dead-Hook", "charge");
    expect_header(f, "Callback-Dead-Job-Id", "job-0");
    expect_header(f, "Callback-Dead-Reason", "exit 3");
}

static void nothing_of_a_stranger_makes_a_header(void **state)
{
    struct fixture *f = *state;
    f->result.workflow = "a\r\nEvil: 1\x7f 100% \xC3\xA9";
    f->result.content_type = "text/plain\r\nEvil: 1";
    make(f);
    expect_header(f, "Callback-Workflow", "a%0D%0AEvil: 1%7F 100%25 %C3%A9");
    expect_header(f, "Content-Type", "application/json");
    struct config_variable headers[] = {{"X-Value", "{/b}"}};
    f->hook.http.headers = headers;
    f->hook.http.header_count = 1;
    expect_fault(f, "X-Value would have a control character");
}

static void the_type_of_the_body_goes_with_it(void **state)
{
    struct fixture *f = *state;
    make(f);
    expect_header(f, "Content-Type", "application/json; charset=utf-8");
    f->result.content_type = "";
    f->result.kind = BODY_FORM;
    make(f);
    expect_header(f, "Content-Type", "application/x-www-form-urlencoded");
    struct config_variable headers[] = {{"content-type", "text/plain"}};
    f->hook.http.headers = headers;
    f->hook.http.header_count = 1;
    make(f);
    expect_header(f, "Content-Type", "text/plain");
    assert_int_equal(f->message.own_headers.count, 0);
}

static void headers_of_the_hook_are_templates(void **state)
{
    struct fixture *f = *state;
    struct config_variable headers[] = {
        {"X-Value", "{/a}-{execution_id}-{{"}, {"X-None", "{/none}"}, {"X-Empty", "{/c}"}};
    f->hook.http.headers = headers;
    f->hook.http.header_count = 3;
    f->hook.http.method = HTTP_METHOD_PUT;
    make(f);
    assert_string_equal(f->message.method, "PUT");
    assert_string_equal(find(&f->message.own_headers, "X-Value"), "x y-42-{");
    assert_int_equal(f->message.own_headers.count, 1); /* those without a value are left out */
    assert_null(find(&f->message.headers, "X-Value"));
    char *long_body = calloc(1, 10000);
    assert_non_null(long_body);
    memset(long_body, 'a', 9999);
    memcpy(long_body, "{\"a\":\"", 6);
    memcpy(long_body + 9997, "\"}", 2);
    f->values.body = bytes_of_text(long_body);
    expect_fault(f, "X-Value would be longer than 8 KiB");
    free(long_body);
}

static void secrets_are_sent_and_not_shown(void **state)
{
    struct fixture *f = *state;
    char text[] = "# ours\nAuthorization: Bearer hush\n\nX-Key: hush\n";
    char url[] = "https://chat.example.com/in/hush";
    struct config_secret file = {(unsigned char *)text, strlen(text)};
    struct config_secret url_file = {(unsigned char *)url, strlen(url)};
    struct config_variable headers[] = {{"X-Open", "1"}};
    char **lines = NULL;
    f->hook.http.headers = headers;
    f->hook.http.header_count = 1;
    f->hook.http.headers_file = (struct config_secrets){&file, 1};
    f->hook.http.url_file = (struct config_secrets){&url_file, 1};
    f->hook.http.url = NULL;
    make(f);
    assert_string_equal(f->message.url, url);
    assert_string_equal(find(&f->message.own_headers, "Authorization"), "Bearer hush");
    assert_string_equal(find(&f->message.own_headers, "X-Key"), "hush");
    assert_int_equal(http_message_show(&f->message, &f->hook.http, &lines, &f->error), 0);
    assert_string_equal(lines[0], "POST [from url_file]");
    size_t count = 0;
    for (; lines[count]; count++)
        assert_null(strstr(lines[count], "hush"));
    assert_string_equal(lines[count - 3], "X-Open: 1");
    assert_string_equal(lines[count - 2], "Authorization: [from headers_file]");
    assert_string_equal(lines[count - 1], "X-Key: [from headers_file]");
    hook_strings_free(lines);
}

static void it_is_signed_for_the_job_and_the_time(void **state)
{
    struct fixture *f = *state;
    struct config_secret key = {(unsigned char *)KEY, strlen(KEY)};
    make(f);
    expect_header(f, "webhook-id", "job-1");
    expect_header(f, "webhook-timestamp", "1614265330");
    expect_header(f, "webhook-signature", NULL);
    f->hook.http.secret = (struct config_secrets){&key, 1};
    f->values.job_id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    f->values.body = bytes_of_text("{\"test\": 2432232314}");
    make(f);
    expect_header(f, "webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
    expect_header(f, "webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(what_a_command_finds_in_variables_stands_in_headers),
        WITH_FIXTURE(nothing_of_a_stranger_makes_a_header),
        WITH_FIXTURE(the_type_of_the_body_goes_with_it),
        WITH_FIXTURE(headers_of_the_hook_are_templates),
        WITH_FIXTURE(secrets_are_sent_and_not_shown),
        WITH_FIXTURE(it_is_signed_for_the_job_and_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
