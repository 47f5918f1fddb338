/* SPDX-License-Identifier: MIT */
#include "store_fixture.h"

static struct rejected_post a_rejected(int number, const char *reason, struct bytes body)
{
    return (struct rejected_post){
        .received_at_ms = 1700000000000 + number,
        .endpoint = "results",
        .remote_address = "192.0.2.1",
        .status = 400,
        .reason = reason,
        .headers_json = bytes_of_text("[]"),
        .size = 77,
        .body = body,
    };
}

static void reject(struct fixture *fixture, int number, struct bytes body)
{
    char reason[32];

    snprintf(reason, sizeof reason, "reason %d", number);
    struct rejected_post post = a_rejected(number, reason, body);
    result_log_reject(fixture->log, &post);
}

struct seen {
    int count;
    char reasons[16][32];
    struct id ids[16];
    size_t body_length;
};

static int note(void *context, const struct rejected_post *post)
{
    struct seen *seen = context;

    assert_int_equal(post->status, 400);
    assert_string_equal(post->endpoint, "results");
    assert_string_equal(post->remote_address, "192.0.2.1");
    assert_int_equal(post->size, 77);
    assert_true(bytes_equal_text(post->headers_json, "[]"));
    snprintf(seen->reasons[seen->count], sizeof seen->reasons[0], "%s", post->reason);
    seen->ids[seen->count++] = post->id;
    seen->body_length = post->body.length;
    return 0;
}

/* An append that returns comes after all that was rejected before it. */
static void wait_until_written(struct fixture *fixture)
{
    (void)append_text(fixture, NULL, "{}");
}

static void list(struct fixture *fixture, const struct id *before, int limit, struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    fixture_succeeds(
        result_log_rejected(fixture->log, before, limit, note, seen, &fixture->error),
        &fixture->error);
}

static void rejected_posts_are_listed_newest_first(void **state)
{
    struct seen seen;

    for (int i = 0; i < 3; i++)
        reject(*state, i, bytes_of_text("body"));
    wait_until_written(*state);
    list(*state, NULL, 10, &seen);
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.reasons[0], "reason 2");
    assert_string_equal(seen.reasons[2], "reason 0");
    assert_int_equal(seen.body_length, 4);
}

static void a_list_goes_on_before_an_id(void **state)
{
    struct seen first;
    struct seen rest;

    for (int i = 0; i < 5; i++)
        reject(*state, i, bytes_of_text("body"));
    wait_until_written(*state);
    list(*state, NULL, 2, &first);
    list(*state, &first.ids[1], 10, &rest);
    assert_int_equal(first.count, 2);
    assert_int_equal(rest.count, 3);
    assert_string_equal(rest.reasons[0], "reason 2");
}

static void no_more_than_configured_are_kept(void **state)
{
    struct seen seen;

    for (int i = 0; i < 25; i++)
        reject(*state, i, bytes_of_text("body"));
    wait_until_written(*state);
    list(*state, NULL, 16, &seen);
    assert_int_equal(seen.count, 10);
    assert_string_equal(seen.reasons[0], "reason 24");
    assert_string_equal(seen.reasons[9], "reason 15");
}

static void a_body_is_cut_at_sixteen_mebibytes(void **state)
{
    size_t length = (16 << 20) + 100;
    char *body = calloc(1, length);
    struct seen seen;

    reject(*state, 0, bytes_of(body, length));
    free(body); /* it was copied */
    wait_until_written(*state);
    list(*state, NULL, 1, &seen);
    assert_int_equal(seen.body_length, 16 << 20);
}

static void one_that_is_waited_for_is_stored(void **state)
{
    struct fixture *fixture = *state;
    struct rejected_post post = a_rejected(1, "not JSON", bytes_of_text("whole"));
    struct seen seen;

    fixture_succeeds(
        result_log_reject_and_wait(fixture->log, &post, &fixture->error), &fixture->error);
    list(fixture, NULL, 10, &seen);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.reasons[0], "not JSON");
    assert_int_equal(seen.body_length, 5);
}

static void rejecting_does_not_disturb_the_log(void **state)
{
    reject(*state, 0, bytes_of(NULL, 0));
    assert_int_equal(append_text(*state, "k", "1").seq, 1);
    assert_int_equal(entries(*state), 1);
}

static void what_does_not_fit_the_queue_is_dropped_and_counted(void **state)
{
    struct fixture *fixture = *state;
    struct result_log_options options = fixture_log_options(fixture);
    size_t length = 16 << 20;
    char *body = calloc(1, length);
    int metrics_fd = -1;

    result_log_close(fixture->log);
    options.metrics = metrics_create(&metrics_fd, NULL);
    fixture->log = result_log_open(&options, &fixture->error);
    for (int i = 0; i < 100 && metrics_get(options.metrics, METRIC_REJECTED_DROPPED) == 0; i++)
        reject(fixture, i, bytes_of(body, length));
    assert_true(metrics_get(options.metrics, METRIC_REJECTED_DROPPED) > 0);
    result_log_close(fixture->log);
    fixture->log = NULL;
    close(metrics_fd);
    metrics_close(options.metrics);
    free(body);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_log, teardown)
    const struct CMUnitTest tests[] = {
        CASE(rejected_posts_are_listed_newest_first),
        CASE(a_list_goes_on_before_an_id),
        CASE(no_more_than_configured_are_kept),
        CASE(a_body_is_cut_at_sixteen_mebibytes),
        CASE(one_that_is_waited_for_is_stored),
        CASE(rejecting_does_not_disturb_the_log),
        CASE(what_does_not_fit_the_queue_is_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
