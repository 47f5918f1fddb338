/* SPDX-License-Identifier: MIT */
/*
 * No question that the door can ask may walk through a table or sort: the plan of
 * every statement is looked at. Those that are kept are found by using the door and
 * then asking SQLite which it has; lists are built for each combination of filters.
 */
#include "state_fixture.h"

#include <sqlite3.h>

#include "result_log_private.h"
#include "state_private.h"

static bool is_allowed(const char *detail)
{
    static const char *const scans[] = {
        "SCAN CONSTANT ROW", "SCAN sqlite_sequence", /* a row for each table with AUTOINCREMENT */
        "SCAN (subquery-",                           /* of what LIMIT 1 left */
    };

    if (strstr(detail, "TEMP B-TREE") != NULL)
        return false;
    if (strncmp(detail, "SCAN ", 5) != 0)
        return true;
    for (size_t i = 0; i < sizeof scans / sizeof scans[0]; i++) {
        if (strncmp(detail, scans[i], strlen(scans[i])) == 0)
            return true;
    }
    return false;
}

/* Fails on a forbidden plan; true if one of its lines has `words` (NULL: any). */
static bool check_plan(sqlite3 *db, const char *sql, const char *words)
{
    sqlite3_stmt *plan;
    char explain[2048];
    bool found = words == NULL;

    snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
    if (sqlite3_prepare_v2(db, explain, -1, &plan, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *detail = (const char *)sqlite3_column_text(plan, 3);

        if (!is_allowed(detail))
            fail_msg("%s: %s", sql, detail);
        found = found || strstr(detail, words) != NULL;
    }
    sqlite3_finalize(plan);
    return found;
}

/* How many statements the connection keeps. */
static int check_kept(sqlite3 *db)
{
    int count = 0;

    for (sqlite3_stmt *kept = sqlite3_next_stmt(db, NULL); kept != NULL;
         kept = sqlite3_next_stmt(db, kept)) {
        const char *sql = sqlite3_sql(kept);

        if (strncmp(sql, "SELECT", 6) == 0 || strncmp(sql, "UPDATE", 6) == 0 ||
            strncmp(sql, "DELETE", 6) == 0 || strncmp(sql, "INSERT", 6) == 0) {
            (void)check_plan(db, sql, NULL);
            count++;
        }
    }
    return count;
}

/* ---- the state ---- */

static int ignore_run(void *context, const struct run_record *run)
{
    (void)context;
    (void)run;
    return 0;
}

static int ignore_job(void *context, const struct job_record *job)
{
    (void)context;
    (void)job;
    return 0;
}

static int ignore_result(void *context, const struct result_record *result)
{
    (void)context;
    (void)result;
    return 0;
}

static int ignore_attempt(void *context, const struct attempt_record *attempt)
{
    (void)context;
    (void)attempt;
    return 0;
}

static void use_runs(struct state_tx *tx)
{
    struct run_record run = a_run();
    struct run_record found = {0};
    struct id unknown = id_new();
    const struct run_filter filter = {.state = -1, .before = &unknown, .limit = 1};
    bool existing;

    assert_int_equal(state_run_insert(tx, &run, &existing, NULL), 0);
    run.idempotency_key = "once";
    run.id = id_new();
    assert_int_equal(state_run_insert(tx, &run, &existing, NULL), 0);
    assert_int_equal(state_run_update(tx, &run, NULL), 0);
    (void)state_run_get(tx, &unknown, &found, NULL);
    (void)state_run_by_execution(tx, 1, &found, NULL);
    assert_int_equal(state_run_list(tx, &filter, ignore_run, NULL, NULL), 0);
    assert_int_equal(state_run_due(tx, RUN_WAITING, 1, 1, ignore_run, NULL, NULL), 0);
}

static void use_results(struct state_tx *tx)
{
    struct result_record result = a_result(1);
    struct result_record found = {0};
    struct id unknown = id_new();
    const struct result_filter filter = {
        .status = -1, .pending = -1, .before = &unknown, .limit = 1};
    bool answer;

    assert_int_equal(state_result_insert(tx, &result, NULL), 0);
    assert_int_equal(state_result_update(tx, &result, NULL), 0);
    assert_int_equal(state_result_count_duplicate(tx, 1, NULL), 0);
    (void)state_result_get(tx, &unknown, &found, NULL);
    (void)state_result_by_seq(tx, 99, &found, NULL);
    assert_int_equal(state_result_exists(tx, 1, &answer, NULL), 0);
    assert_int_equal(state_run_has_triggered(tx, &unknown, &answer, NULL), 0);
    assert_int_equal(state_key_has_triggered(tx, "results", "k", &answer, NULL), 0);
    assert_int_equal(state_result_list(tx, &filter, ignore_result, NULL, NULL), 0);
}

static int ignore_id(void *context, const struct id *id)
{
    (void)context;
    (void)id;
    return 0;
}

static void use_jobs(struct state_tx *tx)
{
    struct result_record result = a_result(1);
    struct job_record job = a_job(&result, "notify");
    struct job_record found = {0};
    struct id unknown = id_new();
    const struct job_filter filter = {.state = -1, .before = &unknown, .limit = 1};
    struct attempt_record attempt = {.number = 1};
    struct job_progress progress;
    struct hook_counts counts;
    struct hook_recent recent;
    int64_t next_at_ms;
    struct buffer starts;
    char *name = NULL;
    bool paused;

    buffer_init(&starts, 64);
    job.order_key = "workflow:triage";
    assert_int_equal(state_job_insert(tx, &job, NULL), 0);
    assert_int_equal(state_job_update(tx, &job, NULL), 0);
    (void)state_job_get(tx, &unknown, &found, NULL);
    (void)state_job_progress(tx, 1, &unknown, &progress, NULL);
    assert_int_equal(state_job_cancels(tx, ignore_id, NULL, NULL), 0);
    job.seq = 1;
    (void)state_job_update(tx, &job, NULL);
    assert_int_equal(state_job_list(tx, &filter, ignore_job, NULL, NULL), 0);
    assert_int_equal(state_job_due(tx, "notify", 1, 1, ignore_job, NULL, NULL), 0);
    assert_int_equal(state_job_next_at(tx, "notify", &next_at_ms, NULL), 0);
    assert_int_equal(state_attempt_insert(tx, &job.id, &attempt, NULL), 0);
    assert_int_equal(state_attempt_update(tx, &job.id, &attempt, NULL), 0);
    assert_int_equal(state_attempt_list(tx, &job.id, ignore_attempt, NULL, NULL), 0);
    assert_int_equal(state_hook_counts(tx, "notify", &counts, NULL), 0);
    assert_int_equal(state_hook_recent(tx, "notify", &recent, NULL), 0);
    assert_int_equal(state_hook_after(tx, "", &name, NULL), 0);
    free(name);
    assert_int_equal(state_hook_set_paused(tx, "notify", true, NULL), 0);
    assert_int_equal(state_hook_paused(tx, "notify", &paused, NULL), 0);
    assert_int_equal(state_hook_set_starts(tx, "notify", "1", NULL), 0);
    assert_int_equal(state_hook_starts(tx, "notify", &starts, NULL), 0);
    buffer_fini(&starts);
}

static int ignore_set_aside(void *context, const struct set_aside_record *record)
{
    (void)context;
    (void)record;
    return 0;
}

static int check_state(struct state_tx *tx, void *context, struct error *error)
{
    const struct set_aside_record record = {.seq = 1, .endpoint = "results", .reason = "none"};
    int64_t cursor;
    int removed;
    bool due;

    use_runs(tx);
    use_results(tx);
    use_jobs(tx);
    assert_int_equal(state_cursor_set(tx, 1, error), 0);
    assert_int_equal(state_cursor_get(tx, &cursor, error), 0);
    assert_int_equal(state_set_aside(tx, &record, error), 0);
    assert_int_equal(state_set_aside_list(tx, 1, ignore_set_aside, NULL, error), 0);
    assert_int_equal(state_remove(tx, 0, 1, &removed, error), 0);
    assert_int_equal(state_remove_is_due(tx, 0, &due, error), 0);
    *(int *)context = check_kept(db_handle(tx->db));
    return 0;
}

static void no_statement_of_the_state_scans_or_sorts(void **state)
{
    int kept = 0;

    writes(*state, check_state, &kept);
    assert_true(kept >= 34);
}

/* ---- lists, in all combinations ---- */

static int check_run_lists(struct state_tx *tx, void *context, struct error *error)
{
    static const char *const workflows[] = {NULL, "triage"};
    struct list_query query;

    (void)context;
    (void)error;
    for (int state = -1; state < RUN_STATES; state++) {
        for (int w = 0; w < 2; w++) {
            const struct run_filter filter = {
                .state = state, .workflow = workflows[w], .limit = 10};

            run_list_query(&filter, 5, &query);
            assert_true(check_plan(db_handle(tx->db), query.sql, "rowid<?"));
        }
    }
    return 0;
}

static int check_job_lists(struct state_tx *tx, void *context, struct error *error)
{
    struct id id = id_new();
    struct list_query query;

    (void)context;
    (void)error;
    for (int state = -1; state < JOB_STATES; state++) {
        for (int parts = 0; parts < 4; parts++) {
            const struct job_filter filter = {
                .state = state,
                .hook = (parts & 1) != 0 ? "notify" : NULL,
                .result = (parts & 2) != 0 ? &id : NULL,
                .limit = 10,
            };

            job_list_query(&filter, 5, &query);
            assert_true(check_plan(db_handle(tx->db), query.sql, "rowid<?"));
        }
    }
    return 0;
}

static int check_result_lists(struct state_tx *tx, void *context, struct error *error)
{
    const struct position before = {5, 5};
    struct id id = id_new();
    struct list_query query;

    (void)context;
    (void)error;
    for (int status = -1; status < STATUS_COUNT; status++) {
        for (int parts = 0; parts < 32; parts++) {
            for (int pending = -1; pending <= 1; pending++) {
                const struct result_filter filter = {
                    .status = status,
                    .endpoint = (parts & 1) != 0 ? "results" : NULL,
                    .workflow = (parts & 2) != 0 ? "triage" : NULL,
                    .has_execution_id = (parts & 4) != 0,
                    .run = (parts & 8) != 0 ? &id : NULL,
                    .since_ms = (parts & 16) != 0 ? 1 : 0,
                    .pending = pending,
                    .limit = 10,
                };
                struct result_filter up = filter;

                result_list_query(&filter, &before, &query);
                assert_true(check_plan(db_handle(tx->db), query.sql, "received_at<?"));
                up.oldest_first = true;
                up.until_ms = (parts & 16) != 0 ? 9 : 0;
                result_list_query(&up, &before, &query);
                assert_true(check_plan(db_handle(tx->db), query.sql, "received_at>?"));
            }
        }
    }
    return 0;
}

static void no_list_scans_or_sorts(void **state)
{
    reads(*state, check_run_lists, NULL);
    reads(*state, check_job_lists, NULL);
    reads(*state, check_result_lists, NULL);
}

/* ---- the log ---- */

static int check_writer(struct db *db, struct writer_work *work, struct error *error)
{
    (void)work;
    (void)error;
    /* append: 3 look-ups and the insert; reject: 2; removal: 1 */
    assert_true(check_kept(db_handle(db)) >= 7);
    return 0;
}

static int ignore_rejected(void *context, const struct rejected_post *post)
{
    (void)context;
    (void)post;
    return 0;
}

static void no_statement_of_the_log_scans_or_sorts(void **state)
{
    struct fixture *fixture = *state;
    struct writer_work check = {.run = check_writer};
    struct rejected_post rejected = {.endpoint = "", .remote_address = "", .reason = ""};
    struct buffer body;
    struct db *reader;
    int64_t seq;
    int count = 0;

    for (int i = 0; i < 4; i++)
        (void)append_text(fixture, "k", i == 2 ? "0" : "1");
    (void)append_text(fixture, "k", "3");
    result_log_reject(fixture->log, &rejected);
    assert_int_equal(result_log_remove(fixture->log, INT64_MAX, 1, 1, NULL, NULL, &count, NULL), 0);
    (void)append_text(fixture, "k", "4");
    (void)append_text(fixture, "k", "5");
    assert_int_equal(group_commit_submit(fixture->log->group, &check.group, NULL), 0);

    buffer_init(&body, 100);
    assert_int_equal(result_log_body(fixture->log, 5, &body, NULL), 0);
    assert_int_equal(result_log_read(fixture->log, 1, 10, count_entry, &count, NULL), 0);
    assert_int_equal(result_log_get(fixture->log, 5, count_entry, &count, NULL), 0);
    assert_int_equal(result_log_last_seq(fixture->log, &seq, NULL), 0);
    assert_int_equal(result_log_rejected(fixture->log, NULL, 5, ignore_rejected, NULL, NULL), 0);
    assert_int_equal(result_log_rejected_after(fixture->log, 0, 5, ignore_rejected, NULL, NULL), 0);
    buffer_fini(&body);
    reader = reader_pool_take(&fixture->log->readers, NULL);
    assert_true(check_kept(db_handle(reader)) >= 7);
    reader_pool_give(&fixture->log->readers, reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            no_statement_of_the_state_scans_or_sorts, setup_state, teardown),
        cmocka_unit_test_setup_teardown(no_list_scans_or_sorts, setup_state, teardown),
        cmocka_unit_test_setup_teardown(
            no_statement_of_the_log_scans_or_sorts, setup_log, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
