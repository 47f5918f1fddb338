/* SPDX-License-Identifier: MIT */
/* Jobs: the queue of hooks. */
#include <stdlib.h>

#include "state_private.h"

#define JOB_COLUMNS                                                                                \
    "id, hook, result_seq, (SELECT id FROM results WHERE seq = jobs.result_seq), state,"           \
    " attempts_made, next_at, created_at, ended_at, replay, cancel_requested, reason"

/* In the order of JOB_COLUMNS. */
enum job_column {
    ID,
    HOOK,
    RESULT_SEQ,
    RESULT_ID,
    STATE,
    ATTEMPTS_MADE,
    NEXT_AT,
    CREATED_AT,
    ENDED_AT,
    REPLAY,
    CANCEL_REQUESTED,
    REASON
};

void job_record_fini(struct job_record *job)
{
    if (job == NULL)
        return;
    free(job->hook);
    free(job->reason);
    *job = (struct job_record){0};
}

/* The texts are borrowed from the row. */
static int read_job(const struct statement *row, struct job_record *job_out, struct error *error)
{
    *job_out = (struct job_record){
        .hook = (char *)statement_text(row, HOOK),
        .result_seq = statement_int64(row, RESULT_SEQ),
        .attempts_made = (int)statement_int64(row, ATTEMPTS_MADE),
        .next_at_ms = statement_int64(row, NEXT_AT),
        .created_at_ms = statement_int64(row, CREATED_AT),
        .ended_at_ms = statement_int64(row, ENDED_AT),
        .replay = statement_bool(row, REPLAY),
        .cancel_requested = statement_bool(row, CANCEL_REQUESTED),
        .reason = (char *)statement_text_or_null(row, REASON),
    };
    if (!job_state_parse(statement_text(row, STATE), &job_out->state))
        return bad_name(row, STATE, "state of a job", error);
    if (statement_id(row, ID, &job_out->id, error) < 0)
        return -1;
    return statement_id(row, RESULT_ID, &job_out->result, error);
}

static int copy_job(const struct job_record *job, struct job_record *job_out, struct error *error)
{
    struct job_record copy = *job;
    bool failed = false;

    copy.hook = record_text(job->hook, &failed);
    copy.reason = record_text(job->reason, &failed);
    if (failed) {
        job_record_fini(&copy);
        return record_failed(error);
    }
    *job_out = copy;
    return 0;
}

/* ---- changes ---- */

int state_job_insert(struct state_tx *tx, const struct job_record *job, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "INSERT INTO jobs (id, hook, result_seq, state, attempts_made, next_at, created_at,"
            " ended_at, replay, cancel_requested, reason) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            error) < 0)
        return -1;
    statement_bind_id(&statement, &job->id);
    statement_bind_text(&statement, job->hook);
    statement_bind_int64(&statement, job->result_seq);
    statement_bind_text(&statement, job_state_name(job->state));
    statement_bind_int64(&statement, job->attempts_made);
    statement_bind_int64(&statement, job->next_at_ms);
    statement_bind_int64(&statement, job->created_at_ms);
    statement_bind_optional(&statement, job->ended_at_ms != 0, job->ended_at_ms);
    statement_bind_int64(&statement, job->replay);
    statement_bind_int64(&statement, job->cancel_requested);
    statement_bind_text(&statement, job->reason);
    return statement_run(&statement, error);
}

int state_job_update(struct state_tx *tx, const struct job_record *job, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "UPDATE jobs SET state = ?, attempts_made = ?, next_at = ?, ended_at = ?,"
            " cancel_requested = ?, reason = ? WHERE id = ?",
            error) < 0)
        return -1;
    statement_bind_text(&statement, job_state_name(job->state));
    statement_bind_int64(&statement, job->attempts_made);
    statement_bind_int64(&statement, job->next_at_ms);
    statement_bind_optional(&statement, job->ended_at_ms != 0, job->ended_at_ms);
    statement_bind_int64(&statement, job->cancel_requested);
    statement_bind_text(&statement, job->reason);
    statement_bind_id(&statement, &job->id);
    return run_on_one(&statement, "job", error);
}

/* ---- looking ---- */

int state_job_get(
    struct state_tx *tx, const struct id *id, struct job_record *job_out, struct error *error)
{
    STATEMENT row = {0};
    struct job_record job;
    int stepped;

    if (statement_open(&row, tx->db, "SELECT " JOB_COLUMNS " FROM jobs WHERE id = ?", error) < 0)
        return -1;
    statement_bind_id(&row, id);
    stepped = statement_step(&row, error);
    if (stepped == 0)
        return error_set(error, ERROR_NOT_FOUND, "no such job");
    if (stepped < 0 || read_job(&row, &job, error) < 0)
        return -1;
    return copy_job(&job, job_out, error);
}

static int visit_jobs(
    struct statement *rows, job_visitor *visit, void *context, struct error *error)
{
    struct job_record job;
    int stepped;

    while ((stepped = statement_step(rows, error)) == 1) {
        int stopped = read_job(rows, &job, error);

        if (stopped == 0)
            stopped = visit(context, &job);
        if (stopped != 0)
            return stopped;
    }
    return stepped;
}

/* Said explicitly: without statistics SQLite would guess. */
static const char *job_list_start(const struct job_filter *filter)
{
#define START(index) "SELECT " JOB_COLUMNS " FROM jobs " index
    if (filter->result != NULL)
        return START("INDEXED BY jobs_result");
    if (filter->hook != NULL)
        return filter->state >= 0 ? START("INDEXED BY jobs_hook_state")
                                  : START("INDEXED BY jobs_hook");
    return filter->state >= 0 ? START("INDEXED BY jobs_state") : START("NOT INDEXED");
#undef START
}

void job_list_query(const struct job_filter *filter, int64_t before_seq, struct list_query *query)
{
    list_query_init(query, job_list_start(filter));
    if (filter->result != NULL)
        list_query_id(query, "result_seq = (SELECT seq FROM results WHERE id = ?)", filter->result);
    if (filter->hook != NULL)
        list_query_text(query, "hook = ?", filter->hook);
    if (filter->state >= 0)
        list_query_text(query, "state = ?", job_state_name((enum job_state)filter->state));
    list_query_int64(query, "seq < ?", before_seq);
    list_query_append(query, " ORDER BY seq DESC LIMIT ?");
    list_query_parameter(query, filter->limit);
}

int state_job_list(
    struct state_tx *tx, const struct job_filter *filter, job_visitor *visit, void *context,
    struct error *error)
{
    STATEMENT rows = {0};
    struct list_query query;
    int64_t before_seq;

    if (list_before_seq(
            tx->db, filter->before, "SELECT seq FROM jobs WHERE id = ?",
            "SELECT seq FROM jobs WHERE id < ? ORDER BY id DESC LIMIT 1", &before_seq, error) < 0)
        return -1;
    job_list_query(filter, before_seq, &query);
    if (list_query_open(&query, &rows, tx->db, error) < 0)
        return -1;
    return visit_jobs(&rows, visit, context, error);
}

int state_job_due(
    struct state_tx *tx, const char *hook, int64_t now_ms, int limit, job_visitor *visit,
    void *context, struct error *error)
{
    STATEMENT rows = {0};

    if (statement_open(
            &rows, tx->db,
            "SELECT " JOB_COLUMNS " FROM jobs INDEXED BY jobs_queue"
            " WHERE hook = ? AND state IN ('waiting', 'retrying') AND next_at <= ?"
            " ORDER BY next_at, seq LIMIT ?",
            error) < 0)
        return -1;
    statement_bind_text(&rows, hook);
    statement_bind_int64(&rows, now_ms);
    statement_bind_int64(&rows, limit);
    return visit_jobs(&rows, visit, context, error);
}

int state_job_next_at(
    struct state_tx *tx, const char *hook, int64_t *next_at_out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(
            &row, tx->db,
            "SELECT next_at FROM jobs INDEXED BY jobs_queue"
            " WHERE hook = ? AND state IN ('waiting', 'retrying') ORDER BY next_at LIMIT 1",
            error) < 0)
        return -1;
    statement_bind_text(&row, hook);
    stepped = statement_step(&row, error);
    if (stepped < 0)
        return -1;
    *next_at_out = stepped == 1 ? statement_int64(&row, 0) : 0;
    return 0;
}
