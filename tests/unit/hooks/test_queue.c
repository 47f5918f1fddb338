/* SPDX-License-Identifier: MIT */
/* Which jobs run when: limits, order, delays, pauses, and a store that refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/resource.h>

#include "engine_fixture.h"

struct bulk {
    struct fixture *fixture;
    const struct result_record *result;
    const char *hook;
    int count;
};

static int bulk_work(struct state_tx *tx, void *context, struct error *error)
{
    struct bulk *bulk = context;
    for (int i = 0; i < bulk->count; i++) {
        int jobs;
        if (hook_engine_queue(
                bulk->fixture->engine, tx, bulk->result, bulk->hook, false, &jobs, error) != 0)
            return -1;
    }
    return 0;
}

/* Many jobs of one hook in one transaction. */
static void queue_many(
    struct fixture *f, const struct result_record *result, const char *hook, int count)
{
    struct error error;
    struct bulk bulk = {f, result, hook, count};
    must(state_write(f->state, bulk_work, &bulk, &error), &error);
}

static void touch(struct fixture *f, const char *name)
{
    CLEANUP_FREE char *path = os_path_join(f->out, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a file, sorted; views into the buffer, whose newlines become NULs. */
static size_t sorted_lines(struct buffer *content, char **lines, size_t max)
{
    size_t count = 0;
    char *at = (char *)content->data;
    for (char *end; at && (end = strchr(at, '\n')) && count < max; at = end + 1) {
        *end = '\0';
        lines[count++] = at;
    }
    qsort(lines, count, sizeof *lines, by_text);
    return count;
}

static void a_thousand_jobs_each_run_exactly_once(void **state)
{
    (void)state;
    enum { JOBS = 1000 };
    struct fixture *f = fixture_with_shell("echo $CALLBACK_JOB_ID >>ran");
    f->hooks[0].concurrency = 16;
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    queue_many(f, &result, "hook", JOBS);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, JOBS);
    struct buffer content = read_out(f, "ran");
    static char *lines[JOBS + 1];
    assert_int_equal(sorted_lines(&content, lines, JOBS + 1), JOBS);
    for (int i = 1; i < JOBS; i++)
        assert_string_not_equal(lines[i - 1], lines[i]);
    buffer_fini(&content);
    fixture_free(f);
}

static char wait_for_go[] = "while [ ! -e go ]; do sleep 0.01; done";

static bool three_run(struct fixture *f)
{
    return hook_engine_running(f->engine) >= 3;
}

static bool two_run(struct fixture *f)
{
    return hook_engine_running(f->engine) >= 2;
}

static bool three_succeeded(struct fixture *f)
{
    return fixture_counts(f, "hook").succeeded >= 3 && hook_engine_running(f->engine) == 0;
}

static void neither_limit_is_passed(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    f->config.hook_concurrency = 3;
    struct config_hook *a = fixture_hook(f, "a");
    struct config_hook *b = fixture_hook(f, "b");
    a->shell = wait_for_go;
    b->shell = wait_for_go;
    a->concurrency = 1;
    b->concurrency = 10;
    fixture_open_store(f);
    fixture_start(f);
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    queue_many(f, &result, "a", 10);
    queue_many(f, &result, "b", 10);
    fixture_run(f, three_run);
    for (int i = 0; i < 20; i++)
        fixture_turn(f, 1);
    assert_int_equal(hook_engine_running(f->engine), 3);
    assert_int_equal(fixture_counts(f, "a").running, 1);
    assert_int_equal(fixture_counts(f, "b").running, 2);
    touch(f, "go");
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "a").succeeded, 10);
    assert_int_equal(fixture_counts(f, "b").succeeded, 10);
    fixture_free(f);
}

/* Two hooks that write their name, one at a time; the first is queued first. */
static struct buffer order_of_two(int priority_of_second, int first_jobs, int second_jobs)
{
    struct fixture *f = fixture_new();
    f->config.hook_concurrency = 1;
    struct config_hook *first = fixture_hook(f, "1");
    struct config_hook *second = fixture_hook(f, "2");
    first->shell = second->shell = "printf %s $CALLBACK_HOOK >>order";
    second->priority = priority_of_second;
    fixture_open_store(f);
    fixture_start(f);
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    queue_many(f, &result, "1", first_jobs);
    queue_many(f, &result, "2", second_jobs);
    fixture_run(f, all_ended);
    struct buffer order = read_out(f, "order");
    fixture_free(f);
    return order;
}

static void higher_priority_goes_first(void **state)
{
    (void)state;
    struct buffer order = order_of_two(5, 4, 4);
    assert_string_equal(buffer_text(&order), "22221111");
    buffer_fini(&order);
}

static void equals_take_turns(void **state)
{
    (void)state;
    struct buffer order = order_of_two(0, 12, 4);
    assert_string_equal(buffer_text(&order), "1212121211111111");
    buffer_fini(&order);
}

static void a_paused_hook_queues(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 0");
    fixture_pause(f, "hook", true);
    fixture_post(f, "{}");
    for (int i = 0; i < 20; i++)
        fixture_turn(f, 1);
    assert_int_equal(fixture_counts(f, "hook").waiting, 1);
    fixture_pause(f, "hook", false);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 1);
    fixture_free(f);
}

static void a_delay_is_waited_for(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 0");
    f->hooks[0].delay_ms = 300;
    /* By the clock that it goes by: the wall's is rounded elsewhere. */
    int64_t posted_ms = state_clock_ms(f->state);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_true(state_clock_ms(f->state) - posted_ms >= 300);
    fixture_free(f);
}

static void the_owner_is_told_when_to_come_back(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 0");
    fixture_turn(f, 0);
    assert_int_equal(hook_engine_next_ms(f->engine), -1);
    f->hooks[0].delay_ms = 3600000;
    fixture_post(f, "{}");
    assert_int_equal(hook_engine_next_ms(f->engine), 0);
    fixture_turn(f, 0);
    int64_t next_ms = hook_engine_next_ms(f->engine);
    assert_true(next_ms > 3500000 && next_ms <= 3600000);
    fixture_free(f);
}

static int insert_job(struct state_tx *tx, void *context, struct error *error)
{
    return state_job_insert(tx, context, error);
}

/* As if it had been queued so long ago. */
static void queue_before(struct fixture *f, const struct result_record *result, int64_t age_ms)
{
    struct error error;
    int64_t then_ms = state_clock_ms(f->state) - age_ms;
    struct job_record job = {
        .id = id_new(),
        .hook = "hook",
        .result_seq = result->seq,
        .result = result->id,
        .next_at_ms = then_ms,
        .queued_at_ms = then_ms,
        .created_at_ms = then_ms,
    };
    must(state_write(f->state, insert_job, &job, &error), &error);
}

static void a_job_too_old_is_dead_without_being_started_and_may_be_put_back(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("touch ran");
    f->hooks[0].give_up_after_ms = 3600000;
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    queue_before(f, &result, 7200000);
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempts_made, 0);
    assert_int_equal(seen.attempt_count, 0);
    assert_string_equal(seen.reason, "not started within give_up_after (1h)");
    assert_false(has_file(f, "ran"));
    fixture_change(f, &seen.id, put_back);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_see(f, "hook").state, JOB_SUCCEEDED);
    fixture_free(f);
}

/* ---- order ---- */

static struct result_record result_of(struct fixture *f, char *workflow)
{
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    result.workflow = workflow;
    return result;
}

static struct fixture *with_order(char *shell)
{
    struct fixture *f = fixture_new();
    struct config_hook *hook = fixture_hook(f, "hook");
    hook->shell = shell;
    hook->order = ORDER_WORKFLOW;
    hook->retry.attempts = 2;
    fixture_open_store(f);
    fixture_start(f);
    return f;
}

static void one_at_a_time_of_a_workflow_in_order_and_others_beside_it(void **state)
{
    (void)state;
    struct fixture *f = with_order("while [ ! -e go ]; do sleep 0.01; done; "
                                   "printf '%s ' $CALLBACK_JOB_ID >>order");
    struct result_record results[] = {
        result_of(f, "a"), result_of(f, "b"), result_of(f, "a"), result_of(f, "a")};
    struct id jobs[4];
    for (int i = 0; i < 4; i++) {
        fixture_queue(f, &results[i]);
        jobs[i] = fixture_see(f, "hook").id;
    }
    fixture_run(f, two_run);
    for (int i = 0; i < 20; i++)
        fixture_turn(f, 1);
    assert_int_equal(hook_engine_running(f->engine), 2);
    touch(f, "go");
    fixture_run(f, all_ended);
    struct buffer order = read_out(f, "order");
    char ids[4][ID_TEXT_BYTES];
    for (int i = 0; i < 4; i++)
        id_format(&jobs[i], ids[i]);
    assert_int_equal(order.length, 4 * ID_TEXT_BYTES);
    const char *at = buffer_text(&order);
    assert_true(strstr(at, ids[0]) < strstr(at, ids[2]));
    assert_true(strstr(at, ids[2]) < strstr(at, ids[3]));
    buffer_fini(&order);
    fixture_free(f);
}

static void those_behind_wait_while_one_is_retried_and_go_on_when_it_is_dead(void **state)
{
    (void)state;
    struct fixture *f = with_order("printf %s $CALLBACK_ATTEMPT >>order; test -e mended");
    f->hooks[0].retry.first_delay_ms = 50;
    f->hooks[0].retry.max_delay_ms = 50;
    struct result_record result = result_of(f, "a");
    for (int i = 0; i < 3; i++)
        fixture_queue(f, &result);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").dead, 3);
    struct buffer order = read_out(f, "order");
    assert_string_equal(buffer_text(&order), "121212");
    buffer_fini(&order);
    fixture_free(f);
}

static void what_lacks_the_key_waits_for_no_other(void **state)
{
    (void)state;
    struct fixture *f = with_order("while [ ! -e go ]; do sleep 0.01; done");
    f->hooks[0].order = ORDER_EXECUTION;
    struct result_record result = result_of(f, "a");
    fixture_queue(f, &result);
    fixture_queue(f, &result);
    fixture_run(f, two_run);
    touch(f, "go");
    fixture_run(f, all_ended);
    fixture_free(f);
}

/* ---- rate ---- */

static void a_rate_holds_across_rounds_and_a_restart(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 0");
    struct error error;
    f->hooks[0].rate = (struct config_rate){3, 3600000};
    must(hook_engine_reload(f->engine, &f->config, &error), &error);
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    queue_many(f, &result, "hook", 10);
    fixture_run(f, three_succeeded);
    for (int restarts = 0; restarts < 2; restarts++) {
        for (int i = 0; i < 20; i++)
            fixture_turn(f, 1);
        assert_int_equal(fixture_counts(f, "hook").succeeded, 3);
        assert_int_equal(fixture_counts(f, "hook").waiting, 7);
        int64_t next_ms = hook_engine_next_ms(f->engine);
        assert_true(next_ms > 3500000 && next_ms <= 3700000);
        hook_engine_stop(f->engine, 0);
        fixture_start(f);
        fixture_turn(f, 0);
    }
    f->hooks[0].rate = (struct config_rate){0};
    must(hook_engine_reload(f->engine, &f->config, &error), &error);
    fixture_run(f, all_ended);
    fixture_free(f);
}

static void many_expired_jobs_are_dropped(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 0");
    f->hooks[0].delay_ms = 1;
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    queue_many(f, &result, "hook", 1200);
    f->hooks[0].give_up_after_ms = 1;
    while (clock_wall_ms() <= fixture_see(f, "hook").next_at_ms + 2)
        ;
    fixture_run(f, all_ended);
    assert_true(fixture_counts(f, "hook").dead >= 1199);
    fixture_free(f);
}

static void put_back_with_all_attempts(struct job_record *job)
{
    put_back(job);
    job->attempts_made = 0;
}

static void a_dead_job_that_is_put_back_goes_on_counting(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 1");
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    fixture_change(f, &seen.id, put_back);
    fixture_run(f, all_ended);
    seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempt_count, 4);
    fixture_change(f, &seen.id, put_back_with_all_attempts);
    fixture_run(f, all_ended);
    seen = fixture_see(f, "hook");
    assert_int_equal(seen.attempts_made, 3);
    assert_int_equal(seen.attempt_count, 7);
    assert_int_equal(seen.attempts[6].number, 7);
    fixture_free(f);
}

static void a_job_whose_result_left_the_log_is_dead_with_the_reason(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 0");
    struct result_record result = fixture_post(f, "{}");
    struct error error;
    int removed = 0;
    must(
        result_log_remove(f->log, INT64_MAX, result.seq, 10, NULL, NULL, &removed, &error), &error);
    assert_int_equal(removed, 1);
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_non_null(strstr(seen.reason, "cannot load the result's body"));
    fixture_free(f);
}

static void nothing_is_lost_nor_run_twice_when_the_store_refuses(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("echo x >>ran; while [ ! -e go ]; do sleep 0.01; done");
    f->hooks[0].concurrency = 1;
    fixture_post(f, "{}");
    fixture_post(f, "{}");
    while (!has_file(f, "ran"))
        fixture_turn(f, 20);
    touch(f, "go");
    /* No file may grow now, so no commit succeeds. */
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    struct error error;
    int failures = 0;
    while (failures < 3) {
        struct pollfd ready = {.fd = hook_engine_fd(f->engine), .events = POLLIN};
        poll(&ready, 1, 10);
        if (hook_engine_run(f->engine, &error) != 0)
            failures++;
    }
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(hook_engine_running(f->engine), 0);
    assert_true(hook_engine_next_ms(f->engine) >= 0);
    for (int64_t end_ms = clock_monotonic_ms() + WAIT_MAX_MS;
         !all_ended(f) && clock_monotonic_ms() < end_ms;) {
        struct pollfd ready = {.fd = hook_engine_fd(f->engine), .events = POLLIN};
        poll(&ready, 1, 10);
        hook_engine_run(f->engine, &error);
    }
    assert_int_equal(fixture_counts(f, "hook").succeeded, 2);
    struct buffer ran = read_out(f, "ran");
    assert_string_equal(buffer_text(&ran), "x\nx\n");
    buffer_fini(&ran);
    fixture_free(f);
}

static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    int count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void no_descriptor_is_left_open(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("test $CALLBACK_ATTEMPT = 2");
    char *command[] = {"/does/not/exist", NULL};
    fixture_hook(f, "missing")->command = command;
    struct error error;
    must(hook_engine_reload(f->engine, &f->config, &error), &error);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    int before = count_descriptors();
    for (int i = 0; i < 20; i++)
        fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(count_descriptors(), before);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_jobs_each_run_exactly_once),
        cmocka_unit_test(neither_limit_is_passed),
        cmocka_unit_test(higher_priority_goes_first),
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(a_paused_hook_queues),
        cmocka_unit_test(a_delay_is_waited_for),
        cmocka_unit_test(the_owner_is_told_when_to_come_back),
        cmocka_unit_test(a_job_too_old_is_dead_without_being_started_and_may_be_put_back),
        cmocka_unit_test(one_at_a_time_of_a_workflow_in_order_and_others_beside_it),
        cmocka_unit_test(those_behind_wait_while_one_is_retried_and_go_on_when_it_is_dead),
        cmocka_unit_test(what_lacks_the_key_waits_for_no_other),
        cmocka_unit_test(a_rate_holds_across_rounds_and_a_restart),
        cmocka_unit_test(many_expired_jobs_are_dropped),
        cmocka_unit_test(a_dead_job_that_is_put_back_goes_on_counting),
        cmocka_unit_test(a_job_whose_result_left_the_log_is_dead_with_the_reason),
        cmocka_unit_test(nothing_is_lost_nor_run_twice_when_the_store_refuses),
        cmocka_unit_test(no_descriptor_is_left_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
