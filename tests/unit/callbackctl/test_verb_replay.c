/* SPDX-License-Identifier: MIT */
/* Replays of many results, against a daemon that says what it is told to. */
#include "support.h"

#include "../outgoing/loopback.h"

#define ID "0192f0c1-2a3b-7c4d-8e5f-0123456789ab"
#define SLICE(results, jobs, next)                                                                 \
    JSON_ANSWER(                                                                                   \
        "200 OK",                                                                                  \
        "{\"results\":" results ",\"jobs\":" jobs ",\"dry_run\":true,\"next_cursor\":" next "}")

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

static void slices_are_counted_then_replayed_within_the_same_time(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {.text = SLICE("50", "40", "\"" ID "\"")},
        {.text = SLICE("3", "2", "null")},
        {.text = SLICE("50", "40", "\"" ID "\"")},
        {.text = SLICE("3", "2", "null")},
    };
    start(replies, 4);
    struct caught caught =
        RUN("replay", "--since", "2026-11-23T18:00:00Z", "--until", "2026-11-23T19:00:00Z",
            "--hook", "a b", "--yes", "--json");
    assert_int_equal(caught.status, 0);
    assert_out(&caught, "{\"results\":53,\"jobs\":42,\"replayed\":true}\n");
#define FILTER                                                                                     \
    "POST /api/v1/results/replay?since=2026-11-23T18%3A00%3A00Z&until=2026-11-23T19%3A00%3A00Z"    \
    "&hook=a%20b"
    assert_holds(loopback_request(server, 0), FILTER "&dry_run=true HTTP/1.1");
    assert_holds(loopback_request(server, 1), FILTER "&dry_run=true&cursor=" ID " HTTP/1.1");
    assert_holds(loopback_request(server, 2), FILTER " HTTP/1.1");
    assert_holds(loopback_request(server, 3), FILTER "&cursor=" ID " HTTP/1.1");
    caught_fini(&caught);
}

static void a_failure_in_between_says_how_far_it_came(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {.text = SLICE("53", "42", "null")},
        {.text = SLICE("50", "40", "\"" ID "\"")},
        {.text = JSON_ANSWER("503 Service Unavailable", "{\"detail\":\"The disk is full.\"}")},
    };
    start(replies, 3);
    struct caught caught = RUN("replay", "--since", "2h", "--yes");
    assert_int_not_equal(caught.status, 0);
    assert_err(&caught, "40 jobs were queued before that");
    assert_err(&caught, "The disk is full.");
    caught_fini(&caught);
}

static void without_a_terminal_only_yes_replays(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {{.text = SLICE("1", "1", "null")}};
    start(replies, 1);
    struct caught caught = RUN("replay", "--since", "2h");
    assert_int_equal(caught.status, 2);
    assert_err(&caught, "1 result found, for which hooks would get 1 job\n");
    assert_err(&caught, "--yes");
    assert_int_equal(loopback_requests(server), 1);
    caught_fini(&caught);
}

static void a_time_of_its_own_ends_what_is_replayed(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {{.text = SLICE("0", "0", "null")}};
    start(replies, 1);
    struct caught caught = RUN("replay", "--status", "failed", "--yes");
    assert_int_equal(caught.status, 0);
    assert_holds(loopback_request(server, 0), "?status=failed&until=20");
    caught_fini(&caught);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(slices_are_counted_then_replayed_within_the_same_time, stop),
        cmocka_unit_test_teardown(a_failure_in_between_says_how_far_it_came, stop),
        cmocka_unit_test_teardown(without_a_terminal_only_yes_replays, stop),
        cmocka_unit_test_teardown(a_time_of_its_own_ends_what_is_replayed, stop),
    };
    clear_environment();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
