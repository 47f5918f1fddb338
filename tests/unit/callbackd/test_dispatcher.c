/* SPDX-License-Identifier: MIT */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "callbackd/clock.h"
#include "callbackd/ledger.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "dispatcher.h"

enum { MORE_THAN_A_SLICE = 300 };

struct fixture {
    char directory[64];
    struct config_endpoint endpoint;
    struct config config;
    struct state *state;
    struct result_log *log;
    struct hook_engine *engine;
    struct metrics *metrics;
    int metrics_fd;
    struct config_hook hook;
    struct dispatcher dispatcher;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error error = {0};
    assert_non_null(f);
    snprintf(f->directory, sizeof(f->directory), "/tmp/callbackd-dispatcher-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    f->endpoint =
        (struct config_endpoint){.name = "in", .path = "/in", .kind = BODY_WORKFLOW_RESULT};
    f->metrics = metrics_create(&f->metrics_fd, &error);
    assert_non_null(f->metrics);
    f->hook = (struct config_hook){
        .name = "note",
        .when = {.type = CONDITION_ALL},
        .shell = "true",
        .concurrency = 1,
        .retry = {.attempts = 1},
        .timeout_ms = 1000};
    f->config = (struct config){
        .endpoints = &f->endpoint,
        .endpoint_count = 1,
        .hooks = &f->hook,
        .hook_count = 1,
        .promptlayer = {.launch_grace_ms = 3600000},
        .store = {.retention_ms = 3600000}};
    assert_int_equal(store_prepare(f->directory, &error), 0);
    struct result_log_options log_options = {.directory = f->directory, .wake_fd = -1};
    f->log = result_log_open(&log_options, &error);
    f->state = state_open(f->directory, &error);
    assert_non_null(f->log);
    assert_non_null(f->state);
    struct hook_engine_options engine_options = {
        .config = &f->config, .state = f->state, .log = f->log, .runtime_directory = f->directory};
    f->engine = hook_engine_start(&engine_options, &error);
    assert_non_null(f->engine);
    f->dispatcher = (struct dispatcher){
        .config = &f->config,
        .state = f->state,
        .log = f->log,
        .engine = f->engine,
        .metrics = f->metrics};
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    hook_engine_stop(f->engine, 0);
    state_close(f->state);
    result_log_close(f->log);
    metrics_close(f->metrics);
    close(f->metrics_fd);
    nftw(f->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* ---- steps ---- */

static int insert_launching(struct state_tx *tx, void *context, struct error *error)
{
    bool existing = false;
    struct run_record run = {
        .id = *(const struct id *)context,
        .state = RUN_LAUNCHING,
        .workflow = "w",
        .endpoint = "in",
        .registered_at_ms = clock_wall_ms()};
    return state_run_insert(tx, &run, &existing, error);
}

static struct id launching_run(struct fixture *f)
{
    struct error error = {0};
    struct id run = id_new();
    assert_int_equal(state_write(f->state, insert_launching, &run, &error), 0);
    return run;
}

static int launch(struct state_tx *tx, void *context, struct error *error)
{
    struct run_record run = {0};
    int outcome = ledger_launched(tx, context, 7, clock_wall_ms(), &run, error);
    run_record_fini(&run);
    return outcome;
}

/* A result of execution 7. */
static struct result_receipt receive_whole(struct fixture *f, struct id run)
{
    struct error error = {0};
    struct body_summary summary = {
        .status = STATUS_SUCCESS, .has_execution_id = true, .execution_id = 7};
    struct result_receipt receipt = {0};
    struct result_post post = {
        .endpoint = "in",
        .kind = BODY_WORKFLOW_RESULT,
        .has_run = true,
        .run = run,
        .summary = &summary,
        .delivery_id = "",
        .source = "callback",
        .received_at_ms = clock_wall_ms(),
        .remote_address = "unix",
        .verified_by = "run-token",
        .content_type = "",
        .headers_json = bytes_of_text("[]"),
        .body = bytes_of_text("{}")};
    assert_int_equal(result_log_append(f->log, &post, &receipt, &error), 0);
    return receipt;
}

static int64_t receive(struct fixture *f, struct id run)
{
    return receive_whole(f, run).seq;
}

static void take_all(struct fixture *f)
{
    struct error error = {0};
    int taken = 1;
    while (taken > 0)
        assert_int_equal(dispatcher_take(&f->dispatcher, &taken, &error), 0);
}

struct look {
    int64_t seq;
    bool pending;
    bool triggered;
};

static int look_up(struct state_tx *tx, void *context, struct error *error)
{
    struct look *look = context;
    struct result_record result = {0};
    if (state_result_by_seq(tx, look->seq, &result, error) != 0)
        return -1;
    look->pending = result.pending;
    look->triggered = result.triggered;
    result_record_fini(&result);
    return 0;
}

static struct look look_at(struct fixture *f, int64_t seq)
{
    struct error error = {0};
    struct look look = {.seq = seq};
    assert_int_equal(state_read(f->state, look_up, &look, &error), 0);
    return look;
}

static void run_sql(const struct fixture *f, const char *file, const char *sql)
{
    CLEANUP_FREE char *path = text_format("%s/%s", f->directory, file);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(db, 10000), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int64_t ask(const struct fixture *f, const char *sql)
{
    CLEANUP_FREE char *path = text_format("%s/state/state.db", f->directory);
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(row), SQLITE_ROW);
    int64_t answer = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return answer;
}

/* Takes the id of an entry that the worker has not met yet. */
static int insert_impostor(struct state_tx *tx, void *context, struct error *error)
{
    struct result_record impostor = {
        .seq = 1000000,
        .id = *(const struct id *)context,
        .kind = BODY_WORKFLOW_RESULT,
        .status = STATUS_SUCCESS,
        .received_at_ms = clock_wall_ms()};
    return state_result_insert(tx, &impostor, error);
}

/* ---- cases ---- */

static void a_result_waits_while_its_run_is_launching(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    int settled = -1;
    int64_t seq = receive(f, launching_run(f));
    take_all(f);
    assert_int_equal(dispatcher_settle(&f->dispatcher, &settled, &error), 0);
    assert_int_equal(settled, 0);
    assert_true(look_at(f, seq).pending);
}

static void a_result_is_settled_however_many_younger_ones_wait(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    int settled = 0;
    struct id launched = launching_run(f);
    struct id unknown = launching_run(f);
    int64_t seq = receive(f, launched);
    for (int i = 0; i < MORE_THAN_A_SLICE; i++)
        receive(f, unknown);
    take_all(f);
    assert_int_equal(state_write(f->state, launch, &launched, &error), 0);
    assert_int_equal(dispatcher_settle(&f->dispatcher, &settled, &error), 0);
    assert_int_equal(settled, 1);
    assert_false(look_at(f, seq).pending);
}

static void takes_a_larger_batch_when_there_is_much(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    struct id run = launching_run(f);
    int taken = 0;
    for (int i = 0; i < 2 * MORE_THAN_A_SLICE; i++)
        receive(f, run);
    assert_int_equal(dispatcher_take(&f->dispatcher, &taken, &error), 0);
    assert_in_range(taken, 1, MORE_THAN_A_SLICE - 1);
    assert_true(f->dispatcher.is_behind);
    int first = taken;
    f->dispatcher.has_much = true;
    assert_int_equal(dispatcher_take(&f->dispatcher, &taken, &error), 0);
    assert_int_equal(taken, 2 * MORE_THAN_A_SLICE - first);
    assert_false(f->dispatcher.is_behind);
}

static void the_first_of_many_results_of_a_run_is_the_one_that_triggers(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    int settled = 0;
    struct id run = launching_run(f);
    int64_t first = receive(f, run);
    int64_t last = 0;
    for (int i = 0; i < MORE_THAN_A_SLICE; i++)
        last = receive(f, run);
    take_all(f);
    assert_int_equal(state_write(f->state, launch, &run, &error), 0);
    assert_int_equal(dispatcher_settle(&f->dispatcher, &settled, &error), 0);
    assert_int_equal(settled, MORE_THAN_A_SLICE + 1);
    assert_true(look_at(f, first).triggered);
    assert_false(look_at(f, last).triggered);
}

/* ---- what can never be taken in ---- */

static void an_entry_that_contradicts_the_state_is_set_aside(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    int64_t first = receive(f, id_new());
    struct result_receipt poison = receive_whole(f, id_new());
    int64_t last = receive(f, id_new());
    assert_int_equal(state_write(f->state, insert_impostor, &poison.id, &error), 0);
    take_all(f);
    assert_true(look_at(f, first).triggered);
    assert_true(look_at(f, last).triggered);
    assert_int_equal(ask(f, "SELECT value FROM meta WHERE name = 'cursor'"), last);
    assert_int_equal(ask(f, "SELECT count(*) FROM set_aside"), 1);
    assert_int_equal(
        ask(f, "SELECT seq FROM set_aside WHERE reason LIKE '%UNIQUE%id%'"), poison.seq);
    assert_int_equal(metrics_get(f->metrics, METRIC_RESULTS_SET_ASIDE), 1);
}

static void a_batch_ends_with_the_entry_that_it_had_to_set_aside(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    int taken = 0;
    receive(f, id_new());
    struct id poison = receive_whole(f, id_new()).id;
    for (int i = 0; i < 2 * MORE_THAN_A_SLICE; i++)
        receive(f, id_new());
    assert_int_equal(state_write(f->state, insert_impostor, &poison, &error), 0);
    f->dispatcher.has_much = true;
    assert_int_equal(dispatcher_take(&f->dispatcher, &taken, &error), 0);
    assert_int_equal(taken, 2);
    assert_true(f->dispatcher.is_behind);
    assert_int_equal(metrics_get(f->metrics, METRIC_RESULTS_SET_ASIDE), 1);
    /* There may be more of its kind: the next is small, and the one after it large. */
    assert_int_equal(dispatcher_take(&f->dispatcher, &taken, &error), 0);
    assert_in_range(taken, 1, MORE_THAN_A_SLICE - 1);
    int second = taken;
    assert_int_equal(dispatcher_take(&f->dispatcher, &taken, &error), 0);
    assert_int_equal(taken, 2 * MORE_THAN_A_SLICE - second);
    assert_false(f->dispatcher.is_behind);
}

static void what_was_undone_and_repeated_is_counted_once(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    receive(f, id_new());
    struct id poison = receive_whole(f, id_new()).id;
    receive(f, id_new());
    assert_int_equal(state_write(f->state, insert_impostor, &poison, &error), 0);
    take_all(f);
    assert_int_equal(ask(f, "SELECT count(*) FROM jobs"), 2);
    assert_int_equal(metrics_get(f->metrics, METRIC_JOBS_CREATED), 2);
    assert_int_equal(metrics_get(f->metrics, METRIC_RESULTS_DECIDED), 3);
}

static void jobs_of_what_is_settled_are_counted(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    int settled = 0;
    struct id run = launching_run(f);
    receive(f, run);
    take_all(f);
    assert_int_equal(metrics_get(f->metrics, METRIC_JOBS_CREATED), 0);
    assert_int_equal(state_write(f->state, launch, &run, &error), 0);
    assert_int_equal(dispatcher_settle(&f->dispatcher, &settled, &error), 0);
    assert_int_equal(metrics_get(f->metrics, METRIC_JOBS_CREATED), 1);
}

static void a_row_that_is_not_ours_is_set_aside(void **state)
{
    struct fixture *f = *state;
    receive(f, id_new());
    receive(f, id_new());
    int64_t last = receive(f, id_new());
    run_sql(f, "log/results.db", "UPDATE received SET kind = 'nonsense' WHERE seq = 1");
    run_sql(f, "log/results.db", "UPDATE received SET id = 'nonsense' WHERE seq = 2");
    take_all(f);
    assert_true(look_at(f, last).triggered);
    assert_int_equal(ask(f, "SELECT count(*) FROM set_aside WHERE seq < 3"), 2);
    assert_int_equal(metrics_get(f->metrics, METRIC_RESULTS_SET_ASIDE), 2);
}

static void a_store_that_is_gone_sets_nothing_aside(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    int taken = 0;
    int64_t seq = receive(f, id_new());
    CLEANUP_FREE char *folder = text_format("%s/state", f->directory);
    CLEANUP_FREE char *away = text_format("%s/away", f->directory);
    assert_int_equal(rename(folder, away), 0);
    assert_int_equal(dispatcher_take(&f->dispatcher, &taken, &error), -1);
    assert_int_equal(rename(away, folder), 0);
    take_all(f);
    assert_true(look_at(f, seq).triggered);
    assert_int_equal(metrics_get(f->metrics, METRIC_RESULTS_SET_ASIDE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_result_waits_while_its_run_is_launching, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_result_is_settled_however_many_younger_ones_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_first_of_many_results_of_a_run_is_the_one_that_triggers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            an_entry_that_contradicts_the_state_is_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_batch_ends_with_the_entry_that_it_had_to_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_was_undone_and_repeated_is_counted_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(takes_a_larger_batch_when_there_is_much, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jobs_of_what_is_settled_are_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_that_is_not_ours_is_set_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_that_is_gone_sets_nothing_aside, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
