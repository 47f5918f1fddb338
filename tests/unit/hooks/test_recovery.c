/* SPDX-License-Identifier: MIT */
/* After kill -9: nothing of a job is alive twice, none is lost, and its id stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/wait.h>

#include "engine_fixture.h"

/* The other process: an engine of its own until it is killed or all is done. */
static pid_t fork_engine(struct fixture *f, int jobs)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    fixture_open_store(f);
    fixture_start(f);
    for (int i = 0; i < jobs; i++)
        fixture_post(f, "{}");
    fixture_run(f, all_ended);
    _exit(0);
}

static void kill_engine(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void wait_for_file(struct fixture *f, const char *name)
{
    int64_t give_up_ms = clock_monotonic_ms() + WAIT_MAX_MS;
    while (!has_file(f, name)) {
        assert_true(clock_monotonic_ms() < give_up_ms);
        poll(NULL, 0, 5);
    }
}

static void what_was_running_is_killed_and_runs_again_under_its_id(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct config_hook *hook = fixture_hook(f, "hook");
    hook->shell = "echo $CALLBACK_JOB_ID >>ids; test -e ready && exit 0;"
                  "trap '' TERM; echo $$ >>pids;"
                  "sh -c 'echo $$ >>pids; while :; do sleep 1; done' &"
                  "(setsid sh -c 'echo $$ >>pids; while :; do sleep 1; done' &);"
                  "(setsid env -i sh -c 'echo $$ >>pids; while :; do sleep 1; done' &"
                  " while [ \"$(wc -l <pids)\" -lt 4 ]; do sleep 0.01; done; touch ready;"
                  " while :; do sleep 1; done)";
    hook->retry.attempts = 1;
    pid_t engine = fork_engine(f, 1);
    wait_for_file(f, "ready");
    kill_engine(engine);
    fixture_open_store(f);
    fixture_start(f);
    pid_t pids[4];
    assert_int_equal(read_pids(f, "pids", pids, 4), 4);
    for (int i = 0; i < 4; i++)
        assert_true(is_dead(pids[i]));
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_WAITING);
    assert_int_equal(seen.attempt_count, 1);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_INTERRUPTED);
    assert_true(seen.attempts[0].ended_at_ms >= seen.attempts[0].started_at_ms);
    fixture_run(f, all_ended);
    seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_SUCCEEDED);
    assert_int_equal(seen.attempts_made, 2);
    char id[ID_TEXT_BYTES];
    id_format(&seen.id, id);
    CLEANUP_FREE char *expected = text_format("%s\n%s\n", id, id);
    struct buffer ids = read_out(f, "ids");
    assert_string_equal(buffer_text(&ids), expected);
    buffer_fini(&ids);
    fixture_free(f);
}

static void request_cancel(struct job_record *job)
{
    job->cancel_requested = true;
}

static void a_job_to_be_cancelled_is_not_run_again(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    fixture_hook(f, "hook")->shell = "touch ready; while :; do sleep 1; done";
    pid_t engine = fork_engine(f, 1);
    wait_for_file(f, "ready");
    kill_engine(engine);
    fixture_open_store(f);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_RUNNING);
    fixture_change(f, &seen.id, request_cancel);
    fixture_start(f);
    assert_int_equal(fixture_see(f, "hook").state, JOB_CANCELLED);
    fixture_free(f);
}

static void old_body_files_are_cleared_and_nothing_else(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct error error;
    CLEANUP_FREE char *stale = os_path_join(f->runtime, "01234567-89ab-7def-8123-456789abcdef");
    CLEANUP_FREE char *foreign = os_path_join(f->runtime, "notes.txt");
    must(os_write_file_atomic(stale, bytes_of_text("x"), 0400, &error), &error);
    must(os_write_file_atomic(foreign, bytes_of_text("x"), 0400, &error), &error);
    fixture_open_store(f);
    fixture_start(f);
    assert_int_equal(access(stale, F_OK), -1);
    assert_int_equal(access(foreign, F_OK), 0);
    fixture_free(f);
}

static int64_t random_pause_ms(void)
{
    unsigned char byte;
    os_random(&byte, 1);
    return 20 + byte;
}

static void every_job_ends_well_however_often_the_engine_is_killed(void **state)
{
    (void)state;
    enum { ROUNDS = 8, JOBS_A_ROUND = 10 };
    struct fixture *f = fixture_new();
    struct config_hook *hook = fixture_hook(f, "hook");
    /* The kernel frees the lock with its process, so it tells of two that are alive at once. */
    hook->shell = "exec 9>lock.$CALLBACK_JOB_ID; flock -n 9 || echo $CALLBACK_JOB_ID >>overlaps;"
                  "sleep 0.05; echo $CALLBACK_JOB_ID >>ran";
    hook->concurrency = 8;
    hook->retry.attempts = 1;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t engine = fork_engine(f, JOBS_A_ROUND);
        poll(NULL, 0, (int)random_pause_ms());
        kill_engine(engine);
    }
    fixture_open_store(f);
    fixture_start(f);
    for (int i = 0; i < JOBS_A_ROUND; i++)
        fixture_post(f, "{}");
    fixture_run(f, all_ended);
    struct hook_counts counts = fixture_counts(f, "hook");
    assert_int_equal(counts.dead, 0);
    assert_true(counts.succeeded >= JOBS_A_ROUND);
    assert_false(has_file(f, "overlaps"));
    struct buffer ran = read_out(f, "ran");
    int lines = 0;
    for (size_t i = 0; i < ran.length; i++)
        lines += ran.data[i] == '\n';
    assert_true(lines >= counts.succeeded);
    buffer_fini(&ran);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_running_is_killed_and_runs_again_under_its_id),
        cmocka_unit_test(a_job_to_be_cancelled_is_not_run_again),
        cmocka_unit_test(old_body_files_are_cleared_and_nothing_else),
        cmocka_unit_test(every_job_ends_well_however_often_the_engine_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
