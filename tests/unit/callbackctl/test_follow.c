/* SPDX-License-Identifier: MIT */
/* Following a job's output, against a daemon that says what it is told to. */
#include "support.h"

#include "../outgoing/loopback.h"
#include "follow.h"

#define ID "0192f0c1-2a3b-7c4d-8e5f-0123456789ab"
#define ATTEMPT(n, out, err) "{\"n\":" n ",\"stdout\":\"" out "\",\"stderr\":\"" err "\"}"
#define JOB(state, attempts)                                                                       \
    JSON_ANSWER("200 OK", "{\"state\":\"" state "\",\"attempts\":[" attempts "]}")

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

static void what_is_new_comes_after_what_both_have(void **state)
{
    (void)state;
    assert_int_equal(follow_overlap("", "abc"), 0);
    assert_int_equal(follow_overlap("abc", "abcdef"), 3);
    assert_int_equal(follow_overlap("abcabd", "abde"), 3);
    assert_int_equal(follow_overlap("aaaa", "aaab"), 3);
    assert_int_equal(follow_overlap("xyz", "abc"), 0);
    assert_int_equal(follow_overlap("abcabc", "abc"), 3);
    assert_int_equal(follow_overlap("abc", ""), 0);
}

static void each_piece_is_shown_once_through_all_attempts(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {
        {.text = JOB("running", ATTEMPT("1", "old", "") "," ATTEMPT("2", "one\\n", "oh\\n"))},
        {.text = JOB("running", ATTEMPT("1", "old", "") "," ATTEMPT("2", "one\\ntwo\\n", "oh\\n"))},
        {.text = JOB(
             "succeeded", ATTEMPT("1", "old", "") "," ATTEMPT("2", "two\\nthree\\n", "oh\\n") "," //
             ATTEMPT("3", "again\\n", ""))},
    };
    start(replies, 3);
    struct caught caught = RUN("job", ID, "--follow");
    assert_int_equal(caught.status, 0);
    assert_string_equal(buffer_text(&caught.out), "one\ntwo\nthree\nagain\n");
    assert_err(&caught, "attempt 2\noh\n");
    assert_err(&caught, "attempt 3\n");
    assert_holds_not(buffer_text(&caught.err), "oh\noh");
    caught_fini(&caught);
}

static void a_job_that_is_dead_is_1(void **state)
{
    (void)state;
    static const struct loopback_reply replies[] = {{.text = JOB("dead", ATTEMPT("1", "x", ""))}};
    start(replies, 1);
    struct caught caught = RUN("job", ID, "--follow", "--json");
    assert_int_equal(caught.status, 1);
    assert_string_equal(
        buffer_text(&caught.out), "{\"attempt\":1,\"stream\":\"stdout\",\"text\":\"x\"}\n");
    caught_fini(&caught);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_new_comes_after_what_both_have),
        cmocka_unit_test_teardown(each_piece_is_shown_once_through_all_attempts, stop),
        cmocka_unit_test_teardown(a_job_that_is_dead_is_1, stop),
    };
    clear_environment();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
