/* SPDX-License-Identifier: MIT */
/* What the store does when the disk fails: named after the file that decides it. */
#include "store_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "faulty_vfs.h"
#include "writer.h"

static int append_result(struct fixture *fixture, const char *key, struct error *error)
{
    struct result_post post = a_post(key, "{}");
    struct result_receipt receipt;

    return result_log_append(fixture->log, &post, &receipt, error);
}

static void expect_store_fails(struct fixture *fixture)
{
    struct error error = {0};

    assert_int_equal(append_result(fixture, "fails", &error), -1);
    assert_int_equal(error.code, ERROR_STORE);
}

struct searched {
    const char *key;
    int found;
};

static int search_key(void *context, const struct result_entry *entry)
{
    struct searched *searched = context;

    searched->found += strcmp(entry->key, searched->key) == 0 && entry->duplicate_of == 0;
    return 0;
}

static int times_stored(struct fixture *fixture, const char *key)
{
    struct searched searched = {.key = key};

    fixture_succeeds(
        result_log_read(fixture->log, 0, 100000, search_key, &searched, &fixture->error),
        &fixture->error);
    return searched.found;
}

/* ---- faults at every position ---- */

enum { RUN = 12 };

/* One short run with a fault in it: what was acknowledged is there once, what was refused may be
 * tried again and is there once too, and nobody had to help. Returns whether the fault struck. */
static bool run_with_fault(enum faulty_call call, int code, int64_t first, int64_t last)
{
    struct fixture fixture;
    char key[16];
    bool acknowledged[RUN];
    bool struck;

    fixture_prepare(&fixture);
    fixture_open_log(&fixture);
    faulty_fail(call, code, first, last);
    for (int i = 0; i < RUN; i++) {
        struct error error = {0};

        snprintf(key, sizeof key, "%d", i);
        acknowledged[i] = append_result(&fixture, key, &error) == 0;
        assert_true(acknowledged[i] || error.code == ERROR_STORE);
    }
    struck = atomic_load(&faulty_plan.failed) > 0;
    faulty_end();
    fixture_succeeds(result_log_check(fixture.log, &fixture.error), &fixture.error);
    for (int i = 0; i < RUN; i++) {
        snprintf(key, sizeof key, "%d", i);
        if (!acknowledged[i])
            fixture_succeeds(append_result(&fixture, key, &fixture.error), &fixture.error);
    }
    result_log_close(fixture.log);
    fixture_open_log(&fixture);
    for (int i = 0; i < RUN; i++) {
        snprintf(key, sizeof key, "%d", i);
        assert_int_equal(times_stored(&fixture, key), 1);
    }
    fixture_close(&fixture);
    return struck;
}

static void run_with_each_fault(enum faulty_call call, int code, int64_t duration)
{
    int64_t position = 1;

    atomic_store(&faulty_plan.lying, true); /* these are hundreds of runs */
    while (run_with_fault(call, code, position, position + duration - 1))
        position++;
    atomic_store(&faulty_plan.lying, false);
    assert_true(position > RUN); /* each append has at least one such call */
}

static void a_write_that_fails_is_never_acknowledged(void **state)
{
    (void)state;
    run_with_each_fault(FAULTY_WRITE, SQLITE_IOERR_WRITE, 1);
}

static void a_full_disk_is_never_acknowledged(void **state)
{
    (void)state;
    run_with_each_fault(FAULTY_WRITE, SQLITE_FULL, 20);
}

static void a_sync_that_fails_is_never_acknowledged(void **state)
{
    (void)state;
    run_with_each_fault(FAULTY_SYNC, SQLITE_IOERR_FSYNC, 1);
    run_with_each_fault(FAULTY_SYNC, SQLITE_IOERR_FSYNC, 5);
}

/* ---- health ---- */

static void a_failing_store_is_not_ready_until_a_trial_succeeds(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(result_log_check(fixture->log, &fixture->error), 0);
    faulty_fail(FAULTY_SYNC, SQLITE_IOERR_FSYNC, 1, INT64_MAX);
    expect_store_fails(fixture);
    assert_int_equal(result_log_check(fixture->log, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_STORE);
    faulty_end();
    assert_int_equal(result_log_check(fixture->log, &fixture->error), 0);
    assert_int_equal(append_result(fixture, "k", NULL), 0);
}

static void a_fault_at_the_start_is_overcome_later(void **state)
{
    struct fixture fixture;

    (void)state;
    fixture_prepare(&fixture);
    fixture_open_log(&fixture);
    (void)append_text(&fixture, "k", "1");
    result_log_close(fixture.log);
    faulty_fail(FAULTY_WRITE, SQLITE_FULL, 1, INT64_MAX);
    fixture_open_log(&fixture);
    expect_store_fails(&fixture);
    faulty_end();
    assert_int_equal(append_result(&fixture, "k2", NULL), 0);
    assert_int_equal(entries(&fixture), 2);
    fixture_close(&fixture);
}

static void errors_are_counted(void **state)
{
    struct fixture *fixture = *state;
    struct result_log_options options = fixture_log_options(fixture);
    int metrics_fd = -1;

    result_log_close(fixture->log);
    options.metrics = metrics_create(&metrics_fd, NULL);
    fixture->log = result_log_open(&options, &fixture->error);
    faulty_fail(FAULTY_SYNC, SQLITE_IOERR_FSYNC, 1, INT64_MAX);
    expect_store_fails(fixture);
    expect_store_fails(fixture);
    assert_int_equal(metrics_get(options.metrics, METRIC_STORE_ERRORS), 2);
    assert_int_equal(metrics_get(options.metrics, METRIC_STORE_BATCHES), 0);
    faulty_end();
    result_log_close(fixture->log);
    fixture->log = NULL;
    close(metrics_fd);
    metrics_close(options.metrics);
}

static int set_cursor(struct state_tx *tx, void *context, struct error *error)
{
    return state_cursor_set(tx, *(int64_t *)context, error);
}

static int get_cursor(struct state_tx *tx, void *context, struct error *error)
{
    return state_cursor_get(tx, context, error);
}

static void the_state_overcomes_a_fault_too(void **state)
{
    struct fixture *fixture = *state;
    int64_t seq = 5;
    int64_t found = -1;

    faulty_fail(FAULTY_SYNC, SQLITE_IOERR_FSYNC, 1, INT64_MAX);
    assert_int_equal(state_write(fixture->state, set_cursor, &seq, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_STORE);
    faulty_end();
    assert_int_equal(state_read(fixture->state, get_cursor, &found, NULL), 0);
    assert_int_equal(found, 0);
    assert_int_equal(state_write(fixture->state, set_cursor, &seq, &fixture->error), 0);
    assert_int_equal(state_read(fixture->state, get_cursor, &found, NULL), 0);
    assert_int_equal(found, 5);
}

/* ---- a store that vanishes ---- */

static void posts_for_a_store_that_was_moved_away_are_refused(void **state)
{
    struct fixture *fixture = *state;
    char log[300];
    char away[300];

    (void)append_text(fixture, "k", "1");
    snprintf(log, sizeof log, "%s/log", fixture->directory);
    snprintf(away, sizeof away, "%s/away", fixture->directory);
    assert_int_equal(rename(log, away), 0);
    assert_int_equal(result_log_check(fixture->log, &fixture->error), -1);
    expect_store_fails(fixture);
    assert_int_equal(access(log, F_OK), -1); /* and nothing new is begun in its place */
    assert_int_equal(rename(away, log), 0);
    assert_int_equal(append_result(fixture, "k2", NULL), 0);
    assert_int_equal(result_log_check(fixture->log, &fixture->error), 0);
    assert_int_equal(entries(fixture), 2);
}

static void posts_for_a_store_that_was_deleted_are_refused(void **state)
{
    struct fixture *fixture = *state;

    (void)append_text(fixture, "k", "1");
    fixture_remove_directory(fixture);
    expect_store_fails(fixture);
    assert_int_equal(result_log_check(fixture->log, &fixture->error), -1);
    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    assert_int_equal(append_result(fixture, "k", NULL), 0);
    assert_int_equal(entries(fixture), 1);
}

/* ---- a slow disk ---- */

static void *append_one_more(void *argument)
{
    static _Atomic int number;
    char key[16];

    snprintf(key, sizeof key, "%d", atomic_fetch_add(&number, 1));
    return append_result(argument, key, NULL) == 0 ? argument : NULL;
}

static void many_posts_share_a_slow_sync(void **state)
{
    enum { THREADS = 32 };
    pthread_t threads[THREADS];
    int64_t started_ms;

    atomic_store(&faulty_plan.sync_us, 500 * 1000);
    started_ms = clock_monotonic_ms();
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, append_one_more, *state), 0);
    for (int i = 0; i < THREADS; i++) {
        void *stored = NULL;

        pthread_join(threads[i], &stored);
        assert_non_null(stored);
    }
    assert_true(clock_monotonic_ms() - started_ms < 32 * 500);
    atomic_store(&faulty_plan.sync_us, 0);
}

/* ---- a disk that is really full ---- */

static void fill_until_refused(struct fixture *fixture, const char *body, const char *words)
{
    for (int i = 0; i < 10000; i++) {
        struct result_post post = a_post(NULL, body);
        struct result_receipt receipt;
        struct error error = {0};

        if (result_log_append(fixture->log, &post, &receipt, &error) == 0)
            continue;
        assert_int_equal(error.code, ERROR_STORE);
        assert_non_null(strstr(error.message, words));
        return;
    }
    fail_msg("the disk was never full");
}

static char *large_text(void)
{
    char *text = malloc(100001);

    memset(text, 'x', 100000);
    text[100000] = '\0';
    return text;
}

static void a_limit_on_file_sizes_is_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit limit;
    rlim_t before;
    char *body = large_text();
    int stored;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    before = limit.rlim_cur;
    limit.rlim_cur = 3 << 20;
    setrlimit(RLIMIT_FSIZE, &limit);
    fill_until_refused(fixture, body, "File too large");
    stored = entries(fixture);
    limit.rlim_cur = before;
    setrlimit(RLIMIT_FSIZE, &limit);
    assert_int_equal(result_log_check(fixture->log, &fixture->error), 0);
    (void)append_text(fixture, "k", body);
    assert_int_equal(entries(fixture), stored + 1);
    free(body);
}

static void a_small_file_system_fills_and_empties(void **state)
{
    struct fixture fixture;
    char *body;
    FILE *ballast;

    (void)state;
    fixture_make_directory(&fixture);
    if (mount("none", fixture.directory, "tmpfs", 0, "size=8m,mode=0700") < 0) {
        fixture_remove_directory(&fixture);
        skip();
    }
    body = large_text();
    ballast = fopen(fixture_path(&fixture, "ballast"), "w");
    for (int i = 0; i < 20; i++)
        fwrite(body, 1, 100000, ballast);
    fclose(ballast);
    fixture_succeeds(store_prepare(fixture.directory, &fixture.error), &fixture.error);
    fixture_open_log(&fixture);
    fill_until_refused(&fixture, body, "disk is full");
    assert_int_equal(remove(fixture_path(&fixture, "ballast")), 0);
    fixture_succeeds(result_log_check(fixture.log, &fixture.error), &fixture.error);
    (void)append_text(&fixture, "k", body);
    result_log_close(fixture.log);
    umount(fixture.directory);
    fixture_remove_directory(&fixture);
    free(body);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_log, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_fails_is_never_acknowledged),
        cmocka_unit_test(a_full_disk_is_never_acknowledged),
        cmocka_unit_test(a_sync_that_fails_is_never_acknowledged),
        CASE(a_failing_store_is_not_ready_until_a_trial_succeeds),
        cmocka_unit_test(a_fault_at_the_start_is_overcome_later),
        CASE(errors_are_counted),
        cmocka_unit_test_setup_teardown(the_state_overcomes_a_fault_too, setup_state, teardown),
        CASE(posts_for_a_store_that_was_moved_away_are_refused),
        CASE(posts_for_a_store_that_was_deleted_are_refused),
        CASE(many_posts_share_a_slow_sync),
        CASE(a_limit_on_file_sizes_is_a_full_disk),
        cmocka_unit_test(a_small_file_system_fills_and_empties),
    };
    faulty_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
