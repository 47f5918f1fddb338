/* SPDX-License-Identifier: MIT */
#include "state_fixture.h"

#include <sqlite3.h>

static int insert_result(struct state_tx *tx, void *context, struct error *error)
{
    return state_result_insert(tx, context, error);
}

static int insert_job(struct state_tx *tx, void *context, struct error *error)
{
    return state_job_insert(tx, context, error);
}

static int insert_attempt(struct state_tx *tx, void *context, struct error *error)
{
    const struct attempt_record attempt = {
        .number = 1, .outcome = ATTEMPT_EXIT, .started_at_ms = 1, .ended_at_ms = 2};

    return state_attempt_insert(tx, context, &attempt, error);
}

static int insert_run(struct state_tx *tx, void *context, struct error *error)
{
    bool existing;

    return state_run_insert(tx, context, &existing, error);
}

struct slice {
    int64_t before_ms;
    int limit;
    int removed;
};

static int remove_slice(struct state_tx *tx, void *context, struct error *error)
{
    struct slice *slice = context;

    return state_remove(tx, slice->before_ms, slice->limit, &slice->removed, error);
}

static int removed_before(struct fixture *fixture, int64_t before_ms, int limit)
{
    struct slice slice = {.before_ms = before_ms, .limit = limit, .removed = -1};

    writes(fixture, remove_slice, &slice);
    return slice.removed;
}

static struct result_record with_result(struct fixture *fixture, int64_t seq)
{
    struct result_record result = a_result(seq); /* received at 1000 + seq */

    writes(fixture, insert_result, &result);
    return result;
}

static struct job_record with_job(
    struct fixture *fixture, const struct result_record *result, enum job_state state)
{
    struct job_record job = a_job(result, "notify");

    job.state = state;
    writes(fixture, insert_job, &job);
    return job;
}

static int64_t rows(struct fixture *fixture, const char *table)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    char sql[64];
    int64_t count;

    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    assert_int_equal(sqlite3_open(fixture_path(fixture, "state/state.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

static void old_results_go_with_their_jobs_and_attempts(void **state)
{
    struct result_record old = with_result(*state, 1);
    struct result_record young = with_result(*state, 2);
    struct job_record job = with_job(*state, &old, JOB_DEAD);

    (void)with_job(*state, &young, JOB_SUCCEEDED);
    writes(*state, insert_attempt, &job.id);
    assert_int_equal(removed_before(*state, 1002, 10), 1);
    assert_int_equal(rows(*state, "results"), 1);
    assert_int_equal(rows(*state, "jobs"), 1);
    assert_int_equal(rows(*state, "attempts"), 0);
    assert_int_equal(removed_before(*state, 1002, 10), 0);
}

static void results_with_unfinished_jobs_stay(void **state)
{
    static const enum job_state unfinished[] = {JOB_WAITING, JOB_RUNNING, JOB_RETRYING};

    for (int64_t i = 0; i < 3; i++) {
        struct result_record result = with_result(*state, i + 1);

        (void)with_job(*state, &result, JOB_SUCCEEDED);
        (void)with_job(*state, &result, unfinished[i]);
    }
    assert_int_equal(removed_before(*state, 99999, 10), 0);
    assert_int_equal(rows(*state, "results"), 3);
}

static void pending_results_stay(void **state)
{
    struct result_record result = a_result(1);

    result.pending = true;
    writes(*state, insert_result, &result);
    assert_int_equal(removed_before(*state, 99999, 10), 0);
}

static struct id with_run(struct fixture *fixture, enum run_state state, int64_t completed_at_ms)
{
    struct run_record run = a_run(); /* registered at 1000 */

    run.state = state;
    run.completed_at_ms = completed_at_ms;
    writes(fixture, insert_run, &run);
    return run.id;
}

static void results_of_a_run_that_has_not_ended_stay(void **state)
{
    struct result_record result = a_result(1);

    result.has_run = true;
    result.run = with_run(*state, RUN_WAITING, 0);
    result.status = STATUS_RUNNING;
    writes(*state, insert_result, &result);
    assert_int_equal(removed_before(*state, 99999, 10), 0);
    assert_int_equal(rows(*state, "results"), 1);
    assert_int_equal(rows(*state, "runs"), 1);
}

static void a_run_that_ended_goes_after_its_results(void **state)
{
    struct result_record result = a_result(1);

    result.has_run = true;
    result.run = with_run(*state, RUN_COMPLETED, 1001);
    writes(*state, insert_result, &result);
    assert_int_equal(removed_before(*state, 99999, 10), 2);
    assert_int_equal(rows(*state, "runs"), 0);
}

static void a_run_stays_while_a_result_of_it_does(void **state)
{
    struct result_record result = a_result(1);

    result.has_run = true;
    result.run = with_run(*state, RUN_COMPLETED, 1001);
    writes(*state, insert_result, &result);
    (void)with_job(*state, &result, JOB_WAITING);
    assert_int_equal(removed_before(*state, 99999, 10), 0);
    assert_int_equal(rows(*state, "runs"), 1);
}

static void runs_that_have_not_ended_or_ended_lately_stay(void **state)
{
    (void)with_run(*state, RUN_LAUNCHING, 0);
    (void)with_run(*state, RUN_WAITING, 0);
    (void)with_run(*state, RUN_OVERDUE, 0);
    (void)with_run(*state, RUN_COMPLETED, 50000);
    assert_int_equal(removed_before(*state, 2000, 10), 0);
    (void)with_run(*state, RUN_LAUNCH_FAILED, 0);
    (void)with_run(*state, RUN_LOST, 0);
    assert_int_equal(removed_before(*state, 2000, 10), 2);
    assert_int_equal(rows(*state, "runs"), 4);
}

static void a_slice_has_a_limit(void **state)
{
    for (int64_t seq = 1; seq <= 10; seq++)
        (void)with_result(*state, seq);
    assert_int_equal(removed_before(*state, 99999, 4), 4);
    assert_int_equal(rows(*state, "results"), 6);
    assert_int_equal(removed_before(*state, 99999, 4), 4);
    assert_int_equal(removed_before(*state, 99999, 4), 2);
}

static int fill_with_blocked(struct state_tx *tx, void *context, struct error *error)
{
    for (int64_t seq = 1; seq <= 3000; seq++) {
        struct result_record result = a_result(seq);
        struct job_record job = a_job(&result, "notify");

        (void)context;
        if (state_result_insert(tx, &result, error) != 0)
            return -1;
        if (seq <= 2900 && state_job_insert(tx, &job, error) != 0)
            return -1;
    }
    return 0;
}

static void what_must_stay_does_not_hide_what_may_go(void **state)
{
    int removed = 0;

    writes(*state, fill_with_blocked, NULL);
    for (int slices = 0; slices < 50 && removed < 100; slices++)
        removed += removed_before(*state, 99999, 10);
    assert_int_equal(removed, 100);
    assert_int_equal(rows(*state, "results"), 2900);
}

struct listing {
    struct result_filter filter;
    int64_t seqs[16];
    int count;
};

static int note(void *context, const struct result_record *result)
{
    struct listing *listing = context;

    listing->seqs[listing->count++] = result->seq;
    return 0;
}

static int list(struct state_tx *tx, void *context, struct error *error)
{
    struct listing *listing = context;

    return state_result_list(tx, &listing->filter, note, listing, error);
}

static void a_list_goes_on_where_its_cursor_was_removed(void **state)
{
    struct listing listing = {.filter = {.status = -1, .pending = -1, .limit = 10}};
    struct result_record cursor = {0};

    for (int64_t seq = 1; seq <= 5; seq++) {
        struct result_record result = a_result(seq);

        /* Only the third one is old; ids are in the order of the seqs. */
        result.received_at_ms = seq == 3 ? 10 : 1000 + seq;
        writes(*state, insert_result, &result);
        if (seq == 3)
            cursor = result;
    }
    assert_int_equal(removed_before(*state, 100, 10), 1);
    listing.filter.before = &cursor.id;
    reads(*state, list, &listing);
    assert_int_equal(listing.count, 2);
    assert_int_equal(listing.seqs[0], 2);
    assert_int_equal(listing.seqs[1], 1);
}

struct numbered_attempt {
    const struct id *job;
    int number;
};

static int insert_numbered(struct state_tx *tx, void *context, struct error *error)
{
    const struct numbered_attempt *numbered = context;
    const struct attempt_record attempt = {
        .number = numbered->number, .outcome = ATTEMPT_EXIT, .started_at_ms = 1, .ended_at_ms = 2};

    return state_attempt_insert(tx, numbered->job, &attempt, error);
}

static void a_slice_of_many_attempts_has_few_results(void **state)
{
    for (int64_t seq = 1; seq <= 3; seq++) {
        struct result_record result = with_result(*state, seq);
        struct job_record job = with_job(*state, &result, JOB_SUCCEEDED);

        for (int number = 1; number <= 70; number++) {
            struct numbered_attempt numbered = {.job = &job.id, .number = number};

            writes(*state, insert_numbered, &numbered);
        }
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(removed_before(*state, 2000, 100), 1);
    assert_int_equal(removed_before(*state, 2000, 100), 0);
}

struct due {
    int64_t before_ms;
    bool due;
};

static int look_for_due(struct state_tx *tx, void *context, struct error *error)
{
    struct due *due = context;

    return state_remove_is_due(tx, due->before_ms, &due->due, error);
}

static bool is_due(struct fixture *fixture, int64_t before_ms)
{
    struct due due = {.before_ms = before_ms};

    reads(fixture, look_for_due, &due);
    return due.due;
}

static void it_is_due_when_something_is_old(void **state)
{
    int64_t seq = 1;
    struct run_record run = a_run(); /* registered at 1000 */

    assert_false(is_due(*state, INT64_MAX));
    writes(*state, insert_run, &run);
    assert_false(is_due(*state, INT64_MAX)); /* it has not ended */
    (void)with_result(*state, seq);          /* received at 1001 */
    assert_false(is_due(*state, 1001));
    assert_true(is_due(*state, 1002));
}

static int set_one_aside(struct state_tx *tx, void *context, struct error *error)
{
    const struct set_aside_record record = {
        .seq = *(const int64_t *)context,
        .endpoint = "results",
        .received_at_ms = 1000 + *(const int64_t *)context,
        .reason = "it contradicts",
    };

    return state_set_aside(tx, &record, error);
}

static int note_set_aside(void *context, const struct set_aside_record *record)
{
    int64_t **next = context;

    *(*next)++ = record->seq;
    return 0;
}

static int list_set_aside(struct state_tx *tx, void *context, struct error *error)
{
    int64_t *next = context;

    return state_set_aside_list(tx, 10, note_set_aside, &next, error);
}

static void what_was_set_aside_goes_when_it_is_old(void **state)
{
    int64_t listed[3] = {0};

    for (int64_t seq = 1; seq <= 3; seq++)
        writes(*state, set_one_aside, &seq);
    assert_int_equal(removed_before(*state, 1003, 1), 1);
    assert_int_equal(removed_before(*state, 1003, 100), 1);
    reads(*state, list_set_aside, listed);
    assert_int_equal(listed[0], 3);
    assert_int_equal(listed[1], 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_state, teardown)
    const struct CMUnitTest tests[] = {
        CASE(old_results_go_with_their_jobs_and_attempts),
        CASE(results_with_unfinished_jobs_stay),
        CASE(pending_results_stay),
        CASE(results_of_a_run_that_has_not_ended_stay),
        CASE(a_run_that_ended_goes_after_its_results),
        CASE(a_run_stays_while_a_result_of_it_does),
        CASE(runs_that_have_not_ended_or_ended_lately_stay),
        CASE(a_slice_has_a_limit),
        CASE(what_must_stay_does_not_hide_what_may_go),
        CASE(a_list_goes_on_where_its_cursor_was_removed),
        CASE(a_slice_of_many_attempts_has_few_results),
        CASE(it_is_due_when_something_is_old),
        CASE(what_was_set_aside_goes_when_it_is_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
