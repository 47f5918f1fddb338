/* SPDX-License-Identifier: MIT */
/* Results as they were decided. */
#include <stdlib.h>
#include <string.h>

#include "state_private.h"

enum { SHA256_BYTES = 32 };

/* In the order of RESULT_COLUMNS. */
enum result_column {
    SEQ,
    ID,
    ENDPOINT,
    KEY,
    KIND,
    EXECUTION_ID,
    RUN_ID,
    WORKFLOW,
    EVENT,
    STATUS,
    PENDING,
    TRIGGERED,
    SOURCE,
    REVISION,
    DUPLICATES,
    RECEIVED_AT,
    REMOTE_ADDRESS,
    VERIFIED_BY,
    CONTENT_TYPE,
    SIZE,
    SHA256
};

void result_record_fini(struct result_record *result)
{
    if (result == NULL)
        return;
    free(result->endpoint);
    free(result->key);
    free(result->workflow);
    free(result->event);
    free(result->source);
    free(result->remote_address);
    free(result->verified_by);
    free(result->content_type);
    *result = (struct result_record){0};
}

static int read_typed(
    const struct statement *row, struct result_record *result, struct error *error)
{
    struct bytes sha256 = statement_bytes(row, SHA256);

    if (!body_kind_parse(statement_text(row, KIND), &result->kind))
        return bad_name(row, KIND, "kind of a result", error);
    if (!result_status_parse(statement_text(row, STATUS), &result->status))
        return bad_name(row, STATUS, "status of a result", error);
    if (sha256.length == SHA256_BYTES)
        memcpy(result->sha256, sha256.data, SHA256_BYTES);
    result->has_run = !statement_is_null(row, RUN_ID);
    if (result->has_run && statement_id(row, RUN_ID, &result->run, error) < 0)
        return -1;
    return statement_id(row, ID, &result->id, error);
}

/* The texts are borrowed from the row. */
static int read_result(
    const struct statement *row, struct result_record *result_out, struct error *error)
{
    *result_out = (struct result_record){
        .seq = statement_int64(row, SEQ),
        .endpoint = (char *)statement_text(row, ENDPOINT),
        .key = (char *)statement_text(row, KEY),
        .has_execution_id = !statement_is_null(row, EXECUTION_ID),
        .execution_id = statement_int64(row, EXECUTION_ID),
        .workflow = (char *)statement_text(row, WORKFLOW),
        .event = (char *)statement_text(row, EVENT),
        .pending = statement_bool(row, PENDING),
        .triggered = statement_bool(row, TRIGGERED),
        .source = (char *)statement_text(row, SOURCE),
        .revision = (int)statement_int64(row, REVISION),
        .duplicates = statement_int64(row, DUPLICATES),
        .received_at_ms = statement_int64(row, RECEIVED_AT),
        .remote_address = (char *)statement_text(row, REMOTE_ADDRESS),
        .verified_by = (char *)statement_text(row, VERIFIED_BY),
        .content_type = (char *)statement_text(row, CONTENT_TYPE),
        .size = statement_int64(row, SIZE),
    };
    return read_typed(row, result_out, error);
}

static int copy_result(
    const struct result_record *result, struct result_record *result_out, struct error *error)
{
    struct result_record copy = *result;
    bool failed = false;

    copy.endpoint = record_text(result->endpoint, &failed);
    copy.key = record_text(result->key, &failed);
    copy.workflow = record_text(result->workflow, &failed);
    copy.event = record_text(result->event, &failed);
    copy.source = record_text(result->source, &failed);
    copy.remote_address = record_text(result->remote_address, &failed);
    copy.verified_by = record_text(result->verified_by, &failed);
    copy.content_type = record_text(result->content_type, &failed);
    if (failed) {
        result_record_fini(&copy);
        return record_failed(error);
    }
    *result_out = copy;
    return 0;
}

/* ---- changes ---- */

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

static void bind_result(struct statement *statement, const struct result_record *result)
{
    statement_bind_int64(statement, result->seq);
    statement_bind_id(statement, &result->id);
    statement_bind_text(statement, or_empty(result->endpoint));
    statement_bind_text(statement, or_empty(result->key));
    statement_bind_text(statement, body_kind_name(result->kind));
    statement_bind_optional(statement, result->has_execution_id, result->execution_id);
    statement_bind_id(statement, result->has_run ? &result->run : NULL);
    statement_bind_text(statement, or_empty(result->workflow));
    statement_bind_text(statement, or_empty(result->event));
    statement_bind_text(statement, result_status_name(result->status));
    statement_bind_int64(statement, result->pending);
    statement_bind_int64(statement, result->triggered);
    statement_bind_text(statement, or_empty(result->source));
    statement_bind_int64(statement, result->revision);
    statement_bind_int64(statement, result->duplicates);
    statement_bind_int64(statement, result->received_at_ms);
    statement_bind_text(statement, or_empty(result->remote_address));
    statement_bind_text(statement, or_empty(result->verified_by));
    statement_bind_text(statement, or_empty(result->content_type));
    statement_bind_int64(statement, result->size);
    statement_bind_blob(statement, bytes_of(result->sha256, SHA256_BYTES));
}

int state_result_insert(
    struct state_tx *tx, const struct result_record *result, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "INSERT INTO results (" RESULT_COLUMNS ")"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            error) < 0)
        return -1;
    bind_result(&statement, result);
    return statement_run(&statement, error);
}

/* Whether nothing but `triggered` differed, and now does no more: as a result's first update is.
 * An index whose columns are named is written again, even for the same values; this names one. */
static int update_triggered(
    struct state_tx *tx, const struct result_record *result, bool *done_out, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "UPDATE results SET triggered = ? WHERE seq = ? AND run_id IS ? AND workflow = ?"
            " AND status = ? AND pending = ?",
            error) < 0)
        return -1;
    statement_bind_int64(&statement, result->triggered);
    statement_bind_int64(&statement, result->seq);
    statement_bind_id(&statement, result->has_run ? &result->run : NULL);
    statement_bind_text(&statement, or_empty(result->workflow));
    statement_bind_text(&statement, result_status_name(result->status));
    statement_bind_int64(&statement, result->pending);
    if (statement_run(&statement, error) < 0)
        return -1;
    *done_out = statement_changes(&statement) > 0;
    return 0;
}

static int update_all(struct state_tx *tx, const struct result_record *result, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "UPDATE results SET run_id = ?, workflow = ?, status = ?, pending = ?, triggered = ?"
            " WHERE seq = ?",
            error) < 0)
        return -1;
    statement_bind_id(&statement, result->has_run ? &result->run : NULL);
    statement_bind_text(&statement, or_empty(result->workflow));
    statement_bind_text(&statement, result_status_name(result->status));
    statement_bind_int64(&statement, result->pending);
    statement_bind_int64(&statement, result->triggered);
    statement_bind_int64(&statement, result->seq);
    return run_on_one(&statement, "result", error);
}

int state_result_update(
    struct state_tx *tx, const struct result_record *result, struct error *error)
{
    bool done = false;

    if (update_triggered(tx, result, &done, error) < 0)
        return -1;
    return done ? 0 : update_all(tx, result, error);
}

/* One that retention has removed is not counted, and that is no error. */
int state_result_count_duplicate(struct state_tx *tx, int64_t seq, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db, "UPDATE results SET duplicates = duplicates + 1 WHERE seq = ?",
            error) < 0)
        return -1;
    statement_bind_int64(&statement, seq);
    return statement_run(&statement, error);
}

/* ---- looking ---- */

static int need_result(struct statement *row, struct result_record *result_out, struct error *error)
{
    struct result_record result;
    int stepped = statement_step(row, error);

    if (stepped == 0)
        return error_set(error, ERROR_NOT_FOUND, "no such result");
    if (stepped < 0 || read_result(row, &result, error) < 0)
        return -1;
    return copy_result(&result, result_out, error);
}

int state_result_get(
    struct state_tx *tx, const struct id *id, struct result_record *result_out, struct error *error)
{
    STATEMENT row = {0};

    if (statement_open(&row, tx->db, "SELECT " RESULT_COLUMNS " FROM results WHERE id = ?", error) <
        0)
        return -1;
    statement_bind_id(&row, id);
    return need_result(&row, result_out, error);
}

int state_result_by_seq(
    struct state_tx *tx, int64_t seq, struct result_record *result_out, struct error *error)
{
    STATEMENT row = {0};

    if (statement_open(
            &row, tx->db, "SELECT " RESULT_COLUMNS " FROM results WHERE seq = ?", error) < 0)
        return -1;
    statement_bind_int64(&row, seq);
    return need_result(&row, result_out, error);
}

static int exists(struct statement *row, bool *exists_out, struct error *error)
{
    int stepped = statement_step(row, error);

    if (stepped < 0)
        return -1;
    *exists_out = stepped == 1;
    return 0;
}

/* What is not final triggers too, for hooks that ask for it, and an event of a run is no result
 * of it: neither counts. The first final result triggers, so it is found at the start, whatever
 * number followed. */
int state_run_has_triggered(
    struct state_tx *tx, const struct id *run, bool *triggered_out, struct error *error)
{
    STATEMENT row = {0};

    if (statement_open(
            &row, tx->db,
            "SELECT 1 FROM results INDEXED BY results_run WHERE run_id = ? AND triggered = 1"
            " AND kind = 'workflow-result' AND status IN ('success', 'failed')"
            " ORDER BY received_at LIMIT 1",
            error) < 0)
        return -1;
    statement_bind_id(&row, run);
    return exists(&row, triggered_out, error);
}

int state_key_has_triggered(
    struct state_tx *tx, const char *endpoint, const char *key, bool *triggered_out,
    struct error *error)
{
    STATEMENT row = {0};

    if (statement_open(
            &row, tx->db,
            "SELECT 1 FROM results INDEXED BY results_key WHERE endpoint = ? AND key = ?"
            " AND key <> '' AND triggered = 1"
            " AND (status = 'success' OR status = 'failed' OR status = 'received')"
            " AND (kind <> 'workflow-result' OR run_id IS NULL) LIMIT 1",
            error) < 0)
        return -1;
    statement_bind_text(&row, endpoint);
    statement_bind_text(&row, key);
    return exists(&row, triggered_out, error);
}

int state_result_exists(struct state_tx *tx, int64_t seq, bool *exists_out, struct error *error)
{
    STATEMENT row = {0};

    if (statement_open(&row, tx->db, "SELECT 1 FROM results WHERE seq = ?", error) < 0)
        return -1;
    statement_bind_int64(&row, seq);
    return exists(&row, exists_out, error);
}

int visit_results(
    struct statement *rows, result_record_visitor *visit, void *context, struct error *error)
{
    struct result_record result;
    int stepped;

    while ((stepped = statement_step(rows, error)) == 1) {
        int stopped = read_result(rows, &result, error);

        if (stopped == 0)
            stopped = visit(context, &result);
        if (stopped != 0)
            return stopped;
    }
    return stepped;
}
