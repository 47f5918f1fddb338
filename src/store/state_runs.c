/* SPDX-License-Identifier: MIT */
/* The ledger of runs. */
#include <stdlib.h>

#include "state_private.h"

#define RUN_COLUMNS                                                                                \
    "id, state, workflow, endpoint, execution_id, registered_at, launched_at, deadline_at,"        \
    " completed_at, reason, tags, idempotency_key, callback_url, result_id"

/* In the order of RUN_COLUMNS. */
enum run_column {
    ID,
    STATE,
    WORKFLOW,
    ENDPOINT,
    EXECUTION_ID,
    REGISTERED_AT,
    LAUNCHED_AT,
    DEADLINE_AT,
    COMPLETED_AT,
    REASON,
    TAGS,
    IDEMPOTENCY_KEY,
    CALLBACK_URL,
    RESULT_ID
};

void run_record_fini(struct run_record *run)
{
    if (run == NULL)
        return;
    free(run->workflow);
    free(run->endpoint);
    free(run->reason);
    free(run->tags_json);
    free(run->idempotency_key);
    free(run->callback_url);
    *run = (struct run_record){0};
}

/* The texts are borrowed from the row. */
static int read_run(const struct statement *row, struct run_record *run_out, struct error *error)
{
    *run_out = (struct run_record){
        .workflow = (char *)statement_text(row, WORKFLOW),
        .endpoint = (char *)statement_text(row, ENDPOINT),
        .has_execution_id = !statement_is_null(row, EXECUTION_ID),
        .execution_id = statement_int64(row, EXECUTION_ID),
        .registered_at_ms = statement_int64(row, REGISTERED_AT),
        .launched_at_ms = statement_int64(row, LAUNCHED_AT),
        .deadline_at_ms = statement_int64(row, DEADLINE_AT),
        .completed_at_ms = statement_int64(row, COMPLETED_AT),
        .reason = (char *)statement_text_or_null(row, REASON),
        .tags_json = (char *)statement_text_or_null(row, TAGS),
        .idempotency_key = (char *)statement_text_or_null(row, IDEMPOTENCY_KEY),
        .callback_url = (char *)statement_text_or_null(row, CALLBACK_URL),
        .has_result = !statement_is_null(row, RESULT_ID),
    };
    if (!run_state_parse(statement_text(row, STATE), &run_out->state))
        return bad_name(row, STATE, "state of a run", error);
    if (run_out->has_result && statement_id(row, RESULT_ID, &run_out->result, error) < 0)
        return -1;
    return statement_id(row, ID, &run_out->id, error);
}

static int copy_run(const struct run_record *run, struct run_record *run_out, struct error *error)
{
    struct run_record copy = *run;
    bool failed = false;

    copy.workflow = record_text(run->workflow, &failed);
    copy.endpoint = record_text(run->endpoint, &failed);
    copy.reason = record_text(run->reason, &failed);
    copy.tags_json = record_text(run->tags_json, &failed);
    copy.idempotency_key = record_text(run->idempotency_key, &failed);
    copy.callback_url = record_text(run->callback_url, &failed);
    if (failed) {
        run_record_fini(&copy);
        return record_failed(error);
    }
    *run_out = copy;
    return 0;
}

/* 1: found and copied; 0: no such run; -1. */
static int fetch_run(struct statement *row, struct run_record *run_out, struct error *error)
{
    struct run_record run;
    int stepped = statement_step(row, error);

    if (stepped != 1)
        return stepped;
    if (read_run(row, &run, error) < 0 || copy_run(&run, run_out, error) < 0)
        return -1;
    return 1;
}

static int need_run(struct statement *row, struct run_record *run_out, struct error *error)
{
    int found = fetch_run(row, run_out, error);

    if (found == 0)
        return error_set(error, ERROR_NOT_FOUND, "no such run");
    return found < 0 ? -1 : 0;
}

/* ---- changes ---- */

static void bind_time(struct statement *statement, int64_t at_ms)
{
    statement_bind_optional(statement, at_ms != 0, at_ms);
}

static void bind_run(struct statement *statement, const struct run_record *run)
{
    statement_bind_text(statement, run_state_name(run->state));
    statement_bind_text(statement, run->workflow != NULL ? run->workflow : "");
    statement_bind_text(statement, run->endpoint != NULL ? run->endpoint : "");
    statement_bind_optional(statement, run->has_execution_id, run->execution_id);
    statement_bind_int64(statement, run->registered_at_ms);
    bind_time(statement, run->launched_at_ms);
    bind_time(statement, run->deadline_at_ms);
    bind_time(statement, run->completed_at_ms);
    statement_bind_text(statement, run->reason);
    statement_bind_text(statement, run->tags_json);
    statement_bind_text(statement, run->idempotency_key);
    statement_bind_text(statement, run->callback_url);
    statement_bind_id(statement, run->has_result ? &run->result : NULL);
    statement_bind_id(statement, &run->id);
}

static int insert_run(struct state_tx *tx, const struct run_record *run, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "INSERT INTO runs (state, workflow, endpoint, execution_id, registered_at, launched_at,"
            " deadline_at, completed_at, reason, tags, idempotency_key, callback_url, result_id, "
            "id)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            error) < 0)
        return -1;
    bind_run(&statement, run);
    return statement_run(&statement, error);
}

static int find_by_idempotency_key(
    struct state_tx *tx, const char *key, struct run_record *run_out, struct error *error)
{
    STATEMENT row = {0};

    if (statement_open(
            &row, tx->db, "SELECT " RUN_COLUMNS " FROM runs WHERE idempotency_key = ?", error) < 0)
        return -1;
    statement_bind_text(&row, key);
    return fetch_run(&row, run_out, error);
}

int state_run_insert(
    struct state_tx *tx, struct run_record *run, bool *existing_out, struct error *error)
{
    struct run_record existing;
    int found = 0;

    if (run->idempotency_key != NULL)
        found = find_by_idempotency_key(tx, run->idempotency_key, &existing, error);
    if (found < 0 || (found == 0 && insert_run(tx, run, error) < 0))
        return -1;
    if (found == 1) {
        run_record_fini(run);
        *run = existing;
    }
    *existing_out = found == 1;
    return 0;
}

/* What a run's end changes. An index whose columns are named is written again, even for the same
 * values: the others are compared, and named only if they differ (update_all). */
static int update_end(
    struct state_tx *tx, const struct run_record *run, bool *done_out, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "UPDATE runs SET state = ?, completed_at = ?, reason = ?, result_id = ?"
            " WHERE id = ? AND workflow = ? AND endpoint = ? AND execution_id IS ?"
            " AND registered_at = ? AND launched_at IS ? AND deadline_at IS ? AND tags IS ?"
            " AND idempotency_key IS ? AND callback_url IS ?",
            error) < 0)
        return -1;
    statement_bind_text(&statement, run_state_name(run->state));
    bind_time(&statement, run->completed_at_ms);
    statement_bind_text(&statement, run->reason);
    statement_bind_id(&statement, run->has_result ? &run->result : NULL);
    statement_bind_id(&statement, &run->id);
    statement_bind_text(&statement, run->workflow != NULL ? run->workflow : "");
    statement_bind_text(&statement, run->endpoint != NULL ? run->endpoint : "");
    statement_bind_optional(&statement, run->has_execution_id, run->execution_id);
    statement_bind_int64(&statement, run->registered_at_ms);
    bind_time(&statement, run->launched_at_ms);
    bind_time(&statement, run->deadline_at_ms);
    statement_bind_text(&statement, run->tags_json);
    statement_bind_text(&statement, run->idempotency_key);
    statement_bind_text(&statement, run->callback_url);
    if (statement_run(&statement, error) < 0)
        return -1;
    *done_out = statement_changes(&statement) > 0;
    return 0;
}

static int update_all(struct state_tx *tx, const struct run_record *run, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "UPDATE runs SET state = ?, workflow = ?, endpoint = ?, execution_id = ?,"
            " registered_at = ?, launched_at = ?, deadline_at = ?, completed_at = ?, reason = ?,"
            " tags = ?, idempotency_key = ?, callback_url = ?, result_id = ? WHERE id = ?",
            error) < 0)
        return -1;
    bind_run(&statement, run);
    return run_on_one(&statement, "run", error);
}

int state_run_update(struct state_tx *tx, const struct run_record *run, struct error *error)
{
    bool done = false;

    if (update_end(tx, run, &done, error) < 0)
        return -1;
    return done ? 0 : update_all(tx, run, error);
}

/* ---- looking ---- */

int state_run_get(
    struct state_tx *tx, const struct id *id, struct run_record *run_out, struct error *error)
{
    STATEMENT row = {0};

    if (statement_open(&row, tx->db, "SELECT " RUN_COLUMNS " FROM runs WHERE id = ?", error) < 0)
        return -1;
    statement_bind_id(&row, id);
    return need_run(&row, run_out, error);
}

int state_run_by_execution(
    struct state_tx *tx, int64_t execution_id, struct run_record *run_out, struct error *error)
{
    STATEMENT row = {0};

    if (statement_open(
            &row, tx->db,
            "SELECT " RUN_COLUMNS " FROM runs WHERE execution_id = ? ORDER BY seq DESC LIMIT 1",
            error) < 0)
        return -1;
    statement_bind_int64(&row, execution_id);
    return need_run(&row, run_out, error);
}

static int visit_runs(
    struct statement *rows, run_visitor *visit, void *context, struct error *error)
{
    struct run_record run;
    int stepped;

    while ((stepped = statement_step(rows, error)) == 1) {
        int stopped = read_run(rows, &run, error);

        if (stopped == 0)
            stopped = visit(context, &run);
        if (stopped != 0)
            return stopped;
    }
    return stepped;
}

/* Of two conditions the index serves the one that leaves fewer: nearly all runs are completed. */
static const char *run_list_start(const struct run_filter *filter)
{
    bool rare_state = filter->state >= 0 && filter->state != RUN_COMPLETED;

    if (rare_state || (filter->state >= 0 && filter->workflow == NULL))
        return "SELECT " RUN_COLUMNS " FROM runs INDEXED BY runs_state";
    if (filter->workflow != NULL)
        return "SELECT " RUN_COLUMNS " FROM runs INDEXED BY runs_workflow";
    return "SELECT " RUN_COLUMNS " FROM runs NOT INDEXED";
}

void run_list_query(const struct run_filter *filter, int64_t before_seq, struct list_query *query)
{
    list_query_init(query, run_list_start(filter));
    if (filter->state >= 0)
        list_query_text(query, "state = ?", run_state_name((enum run_state)filter->state));
    if (filter->workflow != NULL)
        list_query_text(query, "workflow = ?", filter->workflow);
    list_query_int64(query, "seq < ?", before_seq);
    list_query_append(query, " ORDER BY seq DESC LIMIT ?");
    list_query_parameter(query, filter->limit);
}

int state_run_list(
    struct state_tx *tx, const struct run_filter *filter, run_visitor *visit, void *context,
    struct error *error)
{
    STATEMENT rows = {0};
    struct list_query query;
    int64_t before_seq;

    if (list_before_seq(
            tx->db, filter->before, "SELECT seq FROM runs WHERE id = ?",
            "SELECT seq FROM runs WHERE id < ? ORDER BY id DESC LIMIT 1", &before_seq, error) < 0)
        return -1;
    run_list_query(filter, before_seq, &query);
    if (list_query_open(&query, &rows, tx->db, error) < 0)
        return -1;
    return visit_runs(&rows, visit, context, error);
}

int state_run_due(
    struct state_tx *tx, enum run_state state, int64_t at_ms, int limit, run_visitor *visit,
    void *context, struct error *error)
{
    STATEMENT rows = {0};

    if (statement_open(
            &rows, tx->db,
            "SELECT " RUN_COLUMNS " FROM runs INDEXED BY runs_due"
            " WHERE state = ? AND due_at <= ? ORDER BY due_at, seq LIMIT ?",
            error) < 0)
        return -1;
    statement_bind_text(&rows, run_state_name(state));
    statement_bind_int64(&rows, at_ms);
    statement_bind_int64(&rows, limit);
    return visit_runs(&rows, visit, context, error);
}
