/* SPDX-License-Identifier: MIT */
/* Jobs: the queue of hooks. */
#include <stdlib.h>

#include "state_private.h"

#define JOB_COLUMNS                                                                                \
    "id, hook, result_seq, (SELECT id FROM results WHERE seq = jobs.result_seq), state,"           \
    " attempts_made, next_at, queued_at, created_at, ended_at, replay, cancel_requested, reason,"  \
    " order_key, dead_job, dead_hook, dead_reason, seq"

/* In the order of JOB_COLUMNS. */
enum job_column {
    ID,
    HOOK,
    RESULT_SEQ,
    RESULT_ID,
    STATE,
    ATTEMPTS_MADE,
    NEXT_AT,
    QUEUED_AT,
    CREATED_AT,
    ENDED_AT,
    REPLAY,
    CANCEL_REQUESTED,
    REASON,
    ORDER_KEY,
    DEAD_JOB,
    DEAD_HOOK,
    DEAD_REASON,
    SEQ
};

void job_record_fini(struct job_record *job)
{
    if (job == NULL)
        return;
    free(job->hook);
    free(job->reason);
    free(job->order_key);
    free(job->death.job);
    free(job->death.hook);
    free(job->death.reason);
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
        .queued_at_ms = statement_int64(row, QUEUED_AT),
        .created_at_ms = statement_int64(row, CREATED_AT),
        .ended_at_ms = statement_int64(row, ENDED_AT),
        .replay = statement_bool(row, REPLAY),
        .cancel_requested = statement_bool(row, CANCEL_REQUESTED),
        .reason = (char *)statement_text_or_null(row, REASON),
        .order_key = (char *)statement_text_or_null(row, ORDER_KEY),
        .death.job = (char *)statement_text_or_null(row, DEAD_JOB),
        .death.hook = (char *)statement_text_or_null(row, DEAD_HOOK),
        .death.reason = (char *)statement_text_or_null(row, DEAD_REASON),
        .seq = statement_int64(row, SEQ),
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
    copy.order_key = record_text(job->order_key, &failed);
    copy.death.job = record_text(job->death.job, &failed);
    copy.death.hook = record_text(job->death.hook, &failed);
    copy.death.reason = record_text(job->death.reason, &failed);
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
            "INSERT INTO jobs (id, hook, result_seq, state, attempts_made, next_at, queued_at,"
            " created_at, ended_at, replay, cancel_requested, reason, order_key, dead_job,"
            " dead_hook, dead_reason, held)"
            " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,"
            " ?13 IS NOT NULL AND EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_line WHERE hook = ?2"
            " AND order_key = ?13 AND " JOB_IS_IN_LINE "))",
            error) < 0)
        return -1;
    statement_bind_id(&statement, &job->id);
    statement_bind_text(&statement, job->hook);
    statement_bind_int64(&statement, job->result_seq);
    statement_bind_text(&statement, job_state_name(job->state));
    statement_bind_int64(&statement, job->attempts_made);
    statement_bind_int64(&statement, job->next_at_ms);
    statement_bind_int64(&statement, job->queued_at_ms);
    statement_bind_int64(&statement, job->created_at_ms);
    statement_bind_optional(&statement, job->ended_at_ms != 0, job->ended_at_ms);
    statement_bind_int64(&statement, job->replay);
    statement_bind_int64(&statement, job->cancel_requested);
    statement_bind_text(&statement, job->reason);
    statement_bind_text(&statement, job->order_key);
    statement_bind_text(&statement, job->death.job);
    statement_bind_text(&statement, job->death.hook);
    statement_bind_text(&statement, job->death.reason);
    if (statement_run(&statement, error) < 0)
        return -1;
    return job_counts_change(tx, job->hook, job->state, 1, error);
}

/* ---- lines ---- */

struct line {
    struct db *db;
    char *hook; /* borrowed, as is the key */
    char *key;
};

/* What `literal` finds in the line; 0: nothing. */
static int line_ask(
    const struct line *line, const char *literal, int64_t *seq_out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(&row, line->db, literal, error) < 0)
        return -1;
    statement_bind_text(&row, line->hook);
    statement_bind_text(&row, line->key);
    stepped = statement_step(&row, error);
    *seq_out = stepped == 1 ? statement_int64(&row, 0) : 0;
    return stepped < 0 ? -1 : 0;
}

#define IN_LINE "jobs INDEXED BY jobs_line WHERE hook = ?1 AND order_key = ?2 AND " JOB_IS_IN_LINE

/* The job of the line that is next, 0 for none. All that are not held were let through before. */
static int line_next(const struct line *line, int64_t *seq_out, struct error *error)
{
    int64_t runs;
    int64_t first;
    int64_t held;

    if (line_ask(
            line, "SELECT seq FROM " IN_LINE " AND held = 0 AND state = 'running' LIMIT 1", &runs,
            error) < 0 ||
        line_ask(
            line,
            "SELECT seq FROM " IN_LINE " AND held = 0 AND state <> 'running'"
            " ORDER BY seq LIMIT 1",
            &first, error) < 0 ||
        line_ask(
            line, "SELECT seq FROM " IN_LINE " AND held = 1 ORDER BY seq LIMIT 1", &held, error) <
            0)
        return -1;
    if (first == 0 || (held != 0 && held < first))
        first = held;
    *seq_out = runs != 0 ? 0 : first;
    return 0;
}

/* After a change of one of its jobs: holds and lets through. */
static int line_up(const struct line *line, struct error *error)
{
    STATEMENT hold = {0};
    STATEMENT release = {0};
    int64_t next;

    if (line_next(line, &next, error) < 0)
        return -1;
    if (statement_open(
            &hold, line->db,
            "UPDATE jobs INDEXED BY jobs_line SET held = 1 WHERE hook = ?1 AND order_key = ?2"
            " AND " JOB_IS_IN_LINE " AND held = 0 AND state <> 'running' AND seq <> ?3",
            error) < 0)
        return -1;
    statement_bind_text(&hold, line->hook);
    statement_bind_text(&hold, line->key);
    statement_bind_int64(&hold, next);
    if (statement_run(&hold, error) < 0)
        return -1;
    if (statement_open(
            &release, line->db, "UPDATE jobs SET held = 0 WHERE seq = ? AND held = 1", error) < 0)
        return -1;
    statement_bind_int64(&release, next);
    return statement_run(&release, error);
}

/* What an update must know of the job as it is. */
struct before {
    int64_t seq;
    char *key; /* NULL: in no line; then the hook is not kept either */
    char *hook;
};

static int find_before(
    struct state_tx *tx, const struct job_record *job, struct statement *row, struct error *error)
{
    const char *by_id = "SELECT seq, state, hook, order_key FROM jobs WHERE id = ?";

    if (job->seq == 0) {
        if (statement_open(row, tx->db, by_id, error) < 0)
            return -1;
        statement_bind_id(row, &job->id);
    } else {
        if (statement_open(
                row, tx->db,
                "SELECT seq, state, hook, order_key FROM jobs WHERE seq = ? AND id = ?", error) < 0)
            return -1;
        statement_bind_int64(row, job->seq);
        statement_bind_id(row, &job->id);
    }
    return statement_step(row, error);
}

/* Also counts the move to another state. */
static int note_move(
    struct state_tx *tx, const struct job_record *job, struct before *before, struct error *error)
{
    STATEMENT row = {0};
    enum job_state state;
    bool failed = false;
    int stepped = find_before(tx, job, &row, error);

    if (stepped == 0)
        return error_set(error, ERROR_NOT_FOUND, "no such job");
    if (stepped < 0)
        return -1;
    if (!job_state_parse(statement_text(&row, 1), &state))
        return bad_name(&row, 1, "state of a job", error);
    before->seq = statement_int64(&row, 0);
    if (!statement_is_null(&row, 3)) {
        before->hook = record_text(statement_text(&row, 2), &failed);
        before->key = record_text(statement_text(&row, 3), &failed);
    }
    if (failed)
        return record_failed(error);
    if (state == job->state)
        return 0;
    if (job_counts_change(tx, statement_text(&row, 2), state, -1, error) < 0)
        return -1;
    return job_counts_change(tx, statement_text(&row, 2), job->state, 1, error);
}

static int update_row(
    struct state_tx *tx, const struct job_record *job, int64_t seq, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "UPDATE jobs SET state = ?1, attempts_made = ?2, next_at = ?3, ended_at = ?4,"
            " cancel_requested = ?5, reason = ?6, queued_at = iif(?1 = 'waiting', ?3, queued_at)"
            " WHERE seq = ?7",
            error) < 0)
        return -1;
    statement_bind_text(&statement, job_state_name(job->state));
    statement_bind_int64(&statement, job->attempts_made);
    statement_bind_int64(&statement, job->next_at_ms);
    statement_bind_optional(&statement, job->ended_at_ms != 0, job->ended_at_ms);
    statement_bind_int64(&statement, job->cancel_requested);
    statement_bind_text(&statement, job->reason);
    statement_bind_int64(&statement, seq);
    return statement_run(&statement, error);
}

int state_job_update(struct state_tx *tx, const struct job_record *job, struct error *error)
{
    struct before before = {0};
    int result = note_move(tx, job, &before, error);

    if (result == 0)
        result = update_row(tx, job, before.seq, error);
    if (result == 0 && before.key != NULL) {
        const struct line line = {.db = tx->db, .hook = before.hook, .key = before.key};

        result = line_up(&line, error);
    }
    free(before.hook);
    free(before.key);
    return result;
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

int state_job_progress(
    struct state_tx *tx, int64_t seq, const struct id *id, struct job_progress *progress_out,
    struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(
            &row, tx->db,
            "SELECT attempts_made, queued_at, cancel_requested FROM jobs WHERE seq = ? AND id = ?",
            error) < 0)
        return -1;
    statement_bind_int64(&row, seq);
    statement_bind_id(&row, id);
    stepped = statement_step(&row, error);
    if (stepped == 0)
        return error_set(error, ERROR_NOT_FOUND, "no such job");
    *progress_out = (struct job_progress){
        .attempts_made = (int)statement_int64(&row, 0),
        .queued_at_ms = statement_int64(&row, 1),
        .cancel_requested = statement_bool(&row, 2),
    };
    return stepped < 0 ? -1 : 0;
}

int state_job_cancels(
    struct state_tx *tx, job_id_visitor *visit, void *context, struct error *error)
{
    STATEMENT rows = {0};
    int stepped;

    if (statement_open(
            &rows, tx->db,
            "SELECT id FROM jobs INDEXED BY jobs_state WHERE state = 'running'"
            " AND cancel_requested = 1",
            error) < 0)
        return -1;
    while ((stepped = statement_step(&rows, error)) == 1) {
        struct id id;
        int stopped = statement_id(&rows, 0, &id, error);

        if (stopped == 0)
            stopped = visit(context, &id);
        if (stopped != 0)
            return stopped;
    }
    return stepped;
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
            " WHERE hook = ? AND state IN ('waiting', 'retrying') AND held = 0 AND next_at <= ?"
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
            " WHERE hook = ? AND state IN ('waiting', 'retrying') AND held = 0"
            " ORDER BY next_at LIMIT 1",
            error) < 0)
        return -1;
    statement_bind_text(&row, hook);
    stepped = statement_step(&row, error);
    if (stepped < 0)
        return -1;
    *next_at_out = stepped == 1 ? statement_int64(&row, 0) : 0;
    return 0;
}
