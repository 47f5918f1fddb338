/* SPDX-License-Identifier: MIT */
/* What is killed when: timeouts, cancellations, stops, and what a hook leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/wait.h>

#include "engine_fixture.h"
#include "engine_private.h"
#include "job_groups.h"
#include "process_table.h"

/* Living processes that carry a job's id. */
static size_t count_alive(const struct id *job)
{
    struct process_table table;
    struct error error;
    size_t count = 0;
    must(process_table_read(&table, &error), &error);
    for (size_t i = 0; i < table.count; i++) {
        const struct id *carried = process_entry_job(&table.entries[i]);
        if (carried && id_equal(carried, job) && process_entry_is_alive(&table.entries[i]))
            count++;
    }
    process_table_fini(&table);
    return count;
}

static bool is_ready(struct fixture *f)
{
    return has_file(f, "ready");
}

/* All tests run twice: searching for processes, and with control groups. */
static bool with_groups;

static void start(struct fixture *f)
{
    f->config.hook_cgroups = with_groups;
    fixture_open_store(f);
    fixture_start(f);
    assert_int_equal(f->engine->groups != NULL, with_groups);
}

static struct fixture *start_one(char *shell, int64_t timeout_ms)
{
    struct fixture *f = fixture_new();
    struct config_hook *hook = fixture_hook(f, "hook");
    hook->shell = shell;
    hook->timeout_ms = timeout_ms;
    hook->retry.attempts = 1;
    start(f);
    fixture_post(f, "{}");
    return f;
}

static void request_cancel(struct job_record *job)
{
    job->cancel_requested = true;
}

enum { TREE = 5 };
/* Processes that ignore TERM: the main one, one in its group, one in a session of its own, one
 * whose parent is gone too, and one that also has nothing in its environment. */
static char stubborn_tree[] =
    "trap '' TERM; echo $$ >>pids;"
    "sh -c 'echo $$ >>pids; while :; do sleep 1; done' &"
    "setsid sh -c 'echo $$ >>pids; while :; do sleep 1; done' &"
    "(setsid sh -c 'echo $$ >>pids; while :; do sleep 1; done' &);"
    "(setsid env -i /bin/sh -c 'echo $$ >>pids; while :; do /bin/sleep 1; done' &);"
    "while [ \"$(wc -l <pids)\" -lt 5 ]; do sleep 0.01; done; touch ready;"
    "while :; do sleep 1; done";

static void assert_tree_is_gone(struct fixture *f)
{
    pid_t pids[8];
    assert_int_equal(read_pids(f, "pids", pids, 8), TREE);
    for (int i = 0; i < TREE; i++)
        assert_true(is_dead(pids[i]));
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(count_alive(&seen.id), 0);
}

/* Of the one that runs, which has all the time to get so far. */
static void time_out(struct fixture *f)
{
    f->engine->active->deadline_ms = clock_monotonic_ms();
}

static void a_timeout_kills_the_whole_tree(void **state)
{
    (void)state;
    struct fixture *f = start_one(stubborn_tree, 300000);
    fixture_run(f, is_ready);
    int64_t timed_out_ms = clock_wall_ms();
    time_out(f);
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_TIMEOUT);
    assert_int_equal(seen.attempts[0].signal, SIGKILL);
    assert_int_equal(seen.attempts[0].exit_code, -1);
    assert_tree_is_gone(f);
    assert_true(seen.attempts[0].ended_at_ms >= timed_out_ms + 1900);
    fixture_free(f);
}

static void a_hook_may_clean_up_after_term(void **state)
{
    (void)state;
    struct fixture *f =
        start_one("trap 'echo bye; exit 0' TERM; touch ready; while :; do sleep 1; done", 300000);
    fixture_run(f, is_ready);
    time_out(f);
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_TIMEOUT);
    assert_int_equal(seen.attempts[0].signal, 0);
    assert_string_equal(seen.attempts[0].output, "bye\n");
    assert_int_equal(seen.state, JOB_DEAD); /* it ended well, but too late */
    fixture_free(f);
}

static void a_child_may_clean_up_after_term_though_its_parent_died(void **state)
{
    (void)state;
    struct fixture *f = start_one(
        "sh -c 'trap \"sleep 0.3; echo cleaned >done; exit\" TERM; touch ready; "
        "while :; do sleep 1; done'; echo never",
        30000);
    fixture_run(f, is_ready);
    struct seen seen = fixture_see(f, "hook");
    fixture_change(f, &seen.id, request_cancel);
    fixture_run(f, all_ended);
    assert_true(has_file(f, "done"));
    assert_int_equal(fixture_see(f, "hook").attempts[0].signal, SIGTERM);
    fixture_free(f);
}

static void what_is_left_of_its_group_goes_with_the_main_process(void **state)
{
    (void)state;
    struct fixture *f = start_one("sleep 1000 & echo $! >pids; exit 0", 30000);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_see(f, "hook").state, JOB_SUCCEEDED);
    pid_t pid = 0;
    assert_int_equal(read_pids(f, "pids", &pid, 1), 1);
    /* The signal was sent before the end was recorded; its work takes a moment. */
    while (!is_dead(pid))
        fixture_turn(f, 5);
    fixture_free(f);
}

static void what_left_the_group_outlives_a_hook_that_ended_by_itself(void **state)
{
    (void)state;
    struct fixture *f = start_one(
        "setsid sh -c 'echo $$ >pids; touch ready; exec sleep 1000' &"
        "while [ ! -e ready ]; do sleep 0.01; done; exit 0",
        30000);
    fixture_run(f, all_ended); /* ends although the other one holds its stdout */
    assert_int_equal(fixture_see(f, "hook").state, JOB_SUCCEEDED);
    pid_t pid = 0;
    assert_int_equal(read_pids(f, "pids", &pid, 1), 1);
    assert_false(is_dead(pid));
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid); /* we are a subreaper */
    fixture_free(f);
}

static void adopted_processes_are_reaped(void **state)
{
    (void)state;
    struct fixture *f = start_one(
        "(setsid sh -c 'echo $$ >pids; touch ready; exec sleep 0.1' &);"
        "while [ ! -e ready ]; do sleep 0.01; done;"
        "read -r pid <pids; while kill -0 $pid; do sleep 0.01; done", /* a zombie is there, too */
        30000);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_see(f, "hook").state, JOB_SUCCEEDED);
    pid_t pid = 0;
    assert_int_equal(read_pids(f, "pids", &pid, 1), 1);
    assert_int_equal(kill(pid, 0), -1);
    fixture_free(f);
}

static void cancelling_kills_the_whole_tree(void **state)
{
    (void)state;
    struct fixture *f = start_one(stubborn_tree, 300000);
    fixture_run(f, is_ready);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_RUNNING);
    fixture_change(f, &seen.id, request_cancel);
    fixture_run(f, all_ended);
    seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_CANCELLED);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_SIGNAL);
    assert_int_equal(seen.attempts[0].signal, SIGKILL);
    assert_true(seen.ended_at_ms > 0);
    assert_tree_is_gone(f);
    fixture_free(f);
}

static void let_go(const struct fixture *f)
{
    CLEANUP_FREE char *go = os_path_join(f->out, "go");
    close(open(go, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

static void a_cancelled_job_is_not_retried(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct config_hook *hook = fixture_hook(f, "hook");
    hook->shell = "touch ready; while [ ! -e go ]; do sleep 0.01; done; exit 1";
    start(f);
    fixture_post(f, "{}");
    fixture_run(f, is_ready);
    struct seen seen = fixture_see(f, "hook");
    fixture_change(f, &seen.id, request_cancel);
    /* It fails by itself, before or after the engine sees the request. */
    let_go(f);
    fixture_run(f, all_ended);
    seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_CANCELLED);
    assert_int_equal(seen.attempt_count, 1);
    fixture_free(f);
}

/* Stops the engine; `f` has none then. */
static void stop(struct fixture *f, int64_t grace_ms)
{
    hook_engine_stop(f->engine, grace_ms);
    f->engine = NULL;
}

static void a_stop_kills_records_and_queues_again(void **state)
{
    (void)state;
    struct fixture *f = start_one(stubborn_tree, 300000);
    fixture_run(f, is_ready);
    stop(f, 0);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_WAITING);
    assert_int_equal(seen.attempts_made, 1);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_INTERRUPTED);
    assert_true(seen.attempts[0].ended_at_ms > 0);
    assert_tree_is_gone(f);
    fixture_free(f);
}

static void a_stop_lets_hooks_end_within_the_grace_and_starts_none(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct config_hook *hook = fixture_hook(f, "hook");
    hook->shell = "touch ready; while [ ! -e go ]; do sleep 0.01; done; sleep 0.3; echo done";
    hook->concurrency = 1;
    start(f);
    fixture_post(f, "{}");
    fixture_post(f, "{}");
    fixture_run(f, is_ready);
    let_go(f);
    stop(f, 30000);
    struct hook_counts counts = fixture_counts(f, "hook");
    assert_int_equal(counts.succeeded, 1);
    assert_int_equal(counts.waiting, 1);
    assert_int_equal(counts.running, 0);
    fixture_free(f);
}

static void an_interrupted_job_runs_again_even_after_its_last_attempt(void **state)
{
    (void)state;
    struct fixture *f =
        start_one("touch ready; test $CALLBACK_ATTEMPT = 2 || while :; do sleep 1; done", 300000);
    fixture_run(f, is_ready);
    struct seen before = fixture_see(f, "hook");
    stop(f, 0);
    fixture_start(f);
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_true(id_equal(&seen.id, &before.id));
    assert_int_equal(seen.state, JOB_SUCCEEDED);
    assert_int_equal(seen.attempts_made, 2);
    fixture_free(f);
}

static bool quick_has_succeeded(struct fixture *f)
{
    return fixture_counts(f, "quick").succeeded == 20;
}

static void a_flood_of_output_does_not_keep_others_waiting(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct config_hook *flood = fixture_hook(f, "flood");
    flood->shell = "yes 0123456789; exit 0";
    flood->timeout_ms = 300000;
    struct config_hook *quick = fixture_hook(f, "quick");
    quick->shell = "exit 0";
    start(f);
    for (int i = 0; i < 20; i++)
        fixture_post(f, "{}");
    fixture_run(f, quick_has_succeeded);
    assert_int_equal(fixture_counts(f, "flood").running, 4);
    stop(f, 0);
    struct seen seen = fixture_see(f, "flood");
    assert_int_equal(seen.state, JOB_WAITING);
    fixture_free(f);
}

static bool can_group(void)
{
    struct error error;
    char name[32];
    snprintf(name, sizeof name, "callbackd-test-%d", (int)getpid());
    struct job_groups *groups = job_groups_open(name, &error);
    if (!groups)
        printf("[  SKIPPED ] with control groups: %s\n", error.message);
    job_groups_close(groups);
    return groups != NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timeout_kills_the_whole_tree),
        cmocka_unit_test(a_hook_may_clean_up_after_term),
        cmocka_unit_test(a_child_may_clean_up_after_term_though_its_parent_died),
        cmocka_unit_test(what_is_left_of_its_group_goes_with_the_main_process),
        cmocka_unit_test(what_left_the_group_outlives_a_hook_that_ended_by_itself),
        cmocka_unit_test(adopted_processes_are_reaped),
        cmocka_unit_test(cancelling_kills_the_whole_tree),
        cmocka_unit_test(a_cancelled_job_is_not_retried),
        cmocka_unit_test(a_stop_kills_records_and_queues_again),
        cmocka_unit_test(a_stop_lets_hooks_end_within_the_grace_and_starts_none),
        cmocka_unit_test(an_interrupted_job_runs_again_even_after_its_last_attempt),
        cmocka_unit_test(a_flood_of_output_does_not_keep_others_waiting),
    };
    int failed = cmocka_run_group_tests_name("with a search", tests, NULL, NULL);
    with_groups = can_group();
    if (with_groups)
        failed += cmocka_run_group_tests_name("with control groups", tests, NULL, NULL);
    return failed;
}
