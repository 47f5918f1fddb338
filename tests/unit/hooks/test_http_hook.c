/* SPDX-License-Identifier: MIT */
/* Hooks that post on, in the engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../outgoing/loopback.h"
#include "callbackd/http_client.h"
#include "engine_fixture.h"
#include "engine_private.h"

static const struct loopback_reply good = {
    "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\ntaken", LOOPBACK_KEEP};
static const struct loopback_reply silent = {"", LOOPBACK_HOLD};

/* Engine started, with one hook that posts to that server. */
static struct fixture *start(struct loopback *server, void (*change)(struct config_hook *hook))
{
    struct fixture *f = fixture_new();
    struct config_hook *hook = fixture_hook(f, "hook");
    hook->http = (struct config_http){.enabled = true, .url = server->url};
    hook->http.fail_on.holds[410] = true;
    if (change)
        change(hook);
    fixture_open_store(f);
    fixture_start(f);
    return f;
}

/* What became of one job, when the server has these replies. */
static struct seen run_one(
    const struct loopback_reply *replies, int count, void (*change)(struct config_hook *hook))
{
    struct loopback *server = loopback_start(NULL, replies, count);
    struct fixture *f = start(server, change);
    fixture_post(f, "{\"a\": 1}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    fixture_free(f);
    loopback_stop(server);
    return seen;
}

static void a_good_answer_is_success(void **state)
{
    (void)state;
    struct loopback *server = loopback_one(&good);
    struct fixture *f = start(server, NULL);
    fixture_post(f, "{\"a\": 1}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_SUCCEEDED);
    assert_int_equal(seen.attempt_count, 1);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_EXIT);
    assert_int_equal(seen.attempts[0].exit_code, 0);
    assert_string_equal(seen.attempts[0].output, "taken");
    assert_string_equal(seen.attempts[0].errors, "HTTP/1.1 202 Accepted\n");
    assert_string_equal(seen.attempts[0].message, "");
    char job[ID_TEXT_BYTES];
    char header[128];
    id_format(&seen.id, job);
    const char *request = loopback_request(server, 0);
    snprintf(header, sizeof header, "\r\nwebhook-id: %s\r\n", job);
    assert_non_null(strstr(request, header));
    snprintf(header, sizeof header, "\r\nCallback-Job-Id: %s\r\n", job);
    assert_non_null(strstr(request, header));
    assert_non_null(strstr(request, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(request, "\r\n\r\n{\"a\": 1}"));
    fixture_free(f);
    loopback_stop(server);
}

static void any_other_answer_is_retried(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {"HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", LOOPBACK_KEEP},
        {"HTTP/1.1 302 On\r\nContent-Length: 0\r\nLocation: /a\r\n\r\n", LOOPBACK_KEEP},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP},
    };
    struct seen seen = run_one(replies, 3, NULL);
    assert_int_equal(seen.state, JOB_SUCCEEDED);
    assert_int_equal(seen.attempt_count, 3);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_EXIT);
    assert_int_equal(seen.attempts[0].exit_code, -1);
    assert_string_equal(seen.attempts[0].message, "answered 404");
    assert_string_equal(seen.attempts[0].output, "no");
    assert_string_equal(seen.attempts[1].message, "answered 302");
}

static void gone_is_for_ever(void **state)
{
    (void)state;
    static const struct loopback_reply gone = {
        "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP};
    struct seen seen = run_one(&gone, 1, NULL);
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempt_count, 1);
    assert_string_equal(seen.reason, "answered 410");
}

static void fail_on_400(struct config_hook *hook)
{
    hook->http.fail_on.holds[410] = false;
    hook->http.fail_on.holds[400] = true;
}

static void which_statuses_are_final_is_the_hooks_own(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP},
        {"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP},
    };
    struct seen seen = run_one(replies, 2, fail_on_400);
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempt_count, 2);
    assert_string_equal(seen.reason, "answered 400");
}

static bool is_retrying(struct fixture *f)
{
    return fixture_see(f, "hook").state == JOB_RETRYING;
}

static void a_server_says_when_it_wants_to_be_asked_again(void **state)
{
    (void)state;
    static const struct loopback_reply busy = {
        "HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nRetry-After: 7200\r\n\r\n", LOOPBACK_KEEP};
    struct loopback *server = loopback_one(&busy);
    struct fixture *f = start(server, NULL);
    fixture_post(f, "{}");
    fixture_run(f, is_retrying);
    struct seen seen = fixture_see(f, "hook");
    int64_t pause_ms = seen.next_at_ms - seen.attempts[0].ended_at_ms;
    assert_in_range(pause_ms, 7190 * 1000, 7260 * 1000);
    assert_string_equal(seen.attempts[0].errors, "HTTP/1.1 429 Slow\nRetry-After: 7200\n");
    fixture_free(f);
    loopback_stop(server);
}

static void who_cannot_be_reached_was_told_nothing(void **state)
{
    (void)state;
    struct loopback *server = loopback_one(&good);
    char url[64];
    snprintf(url, sizeof url, "%s", server->url);
    struct fixture *f = start(server, NULL);
    loopback_stop(server);
    f->hooks[0].http.url = url;
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempt_count, 3);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_SPAWN_ERROR);
    assert_non_null(strstr(seen.attempts[0].message, "onnect"));
    fixture_free(f);
}

static void an_answer_that_is_cut_off_is_a_failure(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n123", LOOPBACK_CLOSE},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP},
    };
    struct seen seen = run_one(replies, 2, NULL);
    assert_int_equal(seen.state, JOB_SUCCEEDED);
    assert_int_equal(seen.attempt_count, 2);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_EXIT);
    assert_int_equal(seen.attempts[0].exit_code, -1);
    assert_string_not_equal(seen.attempts[0].message, "");
}

static void template_header(struct config_hook *hook)
{
    static struct config_variable headers[] = {{"X-Value", "{/v}"}};
    hook->http.headers = headers;
    hook->http.header_count = 1;
}

static void a_value_that_cannot_be_a_header_is_for_ever(void **state)
{
    (void)state;
    struct loopback *server = loopback_one(&good);
    struct fixture *f = start(server, template_header);
    fixture_post(f, "{\"v\":\"a\\nb\"}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempt_count, 1);
    assert_non_null(strstr(seen.reason, "X-Value"));
    assert_int_equal(loopback_requests(server), 0);
    fixture_free(f);
    loopback_stop(server);
}

static void be_short(struct config_hook *hook)
{
    hook->timeout_ms = 50;
    hook->retry.attempts = 1;
}

static void silence_ends_with_the_timeout(void **state)
{
    (void)state;
    struct seen seen = run_one(&silent, 1, be_short);
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_TIMEOUT);
    assert_in_range(seen.attempts[0].ended_at_ms - seen.attempts[0].started_at_ms, 50, 60000);
}

/* A server that waits says that it has what was sent. */
static void run_until_sent(struct fixture *f, struct loopback *server, int count)
{
    int64_t give_up_ms = clock_monotonic_ms() + WAIT_MAX_MS;
    while (loopback_requests(server) < count) {
        assert_true(clock_monotonic_ms() < give_up_ms);
        fixture_turn(f, 10);
    }
}

static void ask_to_cancel(struct job_record *job)
{
    job->cancel_requested = true;
}

static void a_cancelled_job_is_broken_off(void **state)
{
    (void)state;
    struct loopback *server = loopback_one(&silent);
    struct fixture *f = start(server, NULL);
    fixture_post(f, "{}");
    run_until_sent(f, server, 1);
    struct seen seen = fixture_see(f, "hook");
    fixture_change(f, &seen.id, ask_to_cancel);
    fixture_run(f, all_ended);
    seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_CANCELLED);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_INTERRUPTED);
    fixture_free(f);
    loopback_stop(server);
}

static void a_stop_leaves_the_job_for_later(void **state)
{
    (void)state;
    struct loopback *server = loopback_one(&silent);
    struct fixture *f = start(server, NULL);
    fixture_post(f, "{}");
    run_until_sent(f, server, 1);
    hook_engine_stop(f->engine, 0);
    f->engine = NULL;
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_WAITING);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_INTERRUPTED);
    fixture_free(f);
    loopback_stop(server);
}

/* What is under way goes on as it began, whatever becomes of the configuration. */
static void a_reload_does_not_touch_what_runs(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n", LOOPBACK_KEEP}, /* half of it */
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP},
    };
    struct loopback *server = loopback_start(NULL, replies, 2);
    struct fixture *f = start(server, be_short);
    struct error error;
    f->hooks[0].retry.attempts = 2;
    f->hooks[0].timeout_ms = 300000;
    fixture_post(f, "{}");
    run_until_sent(f, server, 1);
    struct config empty = f->config;
    empty.hook_count = 0;
    must(hook_engine_reload(f->engine, &empty, &error), &error);
    f->hooks[0].http.url = "http://127.0.0.1:1/";
    f->engine->active->deadline_ms = clock_monotonic_ms();
    while (fixture_see(f, "hook").attempts[0].outcome == ATTEMPT_RUNNING)
        fixture_turn(f, 10);
    assert_int_equal(fixture_see(f, "hook").attempts[0].outcome, ATTEMPT_TIMEOUT);
    f->hooks[0].http.url = server->url;
    must(hook_engine_reload(f->engine, &f->config, &error), &error);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_see(f, "hook").state, JOB_SUCCEEDED);
    fixture_free(f);
    loopback_stop(server);
}

static void one_at_a_time(struct config_hook *hook)
{
    hook->concurrency = 1;
}

static void concurrency_holds(void **state)
{
    (void)state;
    struct loopback *server = loopback_one(&silent);
    struct fixture *f = start(server, one_at_a_time);
    fixture_post(f, "{}");
    fixture_post(f, "{}");
    run_until_sent(f, server, 1);
    for (int i = 0; i < 5; i++)
        fixture_turn(f, 10);
    assert_int_equal(loopback_requests(server), 1);
    assert_int_equal(hook_engine_running(f->engine), 1);
    fixture_free(f);
    loopback_stop(server);
}

static int init_all(void **state)
{
    struct error error;
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return http_client_init(&error);
}

static int cleanup_all(void **state)
{
    (void)state;
    http_client_cleanup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_answer_is_success),
        cmocka_unit_test(any_other_answer_is_retried),
        cmocka_unit_test(gone_is_for_ever),
        cmocka_unit_test(which_statuses_are_final_is_the_hooks_own),
        cmocka_unit_test(a_server_says_when_it_wants_to_be_asked_again),
        cmocka_unit_test(who_cannot_be_reached_was_told_nothing),
        cmocka_unit_test(an_answer_that_is_cut_off_is_a_failure),
        cmocka_unit_test(a_value_that_cannot_be_a_header_is_for_ever),
        cmocka_unit_test(silence_ends_with_the_timeout),
        cmocka_unit_test(a_cancelled_job_is_broken_off),
        cmocka_unit_test(a_stop_leaves_the_job_for_later),
        cmocka_unit_test(a_reload_does_not_touch_what_runs),
        cmocka_unit_test(concurrency_holds),
    };
    return cmocka_run_group_tests(tests, init_all, cleanup_all);
}
