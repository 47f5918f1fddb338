/* SPDX-License-Identifier: MIT */
/*
 * Retention, in slices. Old rows that must stay (a paused hook's, say) may stand
 * before those that may go: a slice looks at a bounded number of rows and the next
 * one goes on where it stopped, from the start again after the last.
 */
#include <stdlib.h>

#include "state_private.h"

enum {
    LOOKED_AT_PER_REMOVED = 8,
    LOOKED_AT_MIN = 512,
    LIMIT_MAX = 10000,
    SHRINK_BYTES = 512 * 1024,
    ATTEMPTS_MAX =
        64, /* of a slice: each may have 128 KiB of output, whose pages are to be freed */
};

/* Rows that are old enough, the oldest first: seq, time, must it stay? */
struct search {
    const char *sql;
    int64_t before_ms;
    int limit;
    struct position *position; /* where it starts, and where the next one does */
};

struct found {
    struct position *rows;
    int count;
};

static int look_at_max(int limit)
{
    int count = limit * LOOKED_AT_PER_REMOVED;

    return count < LOOKED_AT_MIN ? LOOKED_AT_MIN : count;
}

static int search_rows(
    struct db *db, const struct search *search, struct found *found, struct error *error)
{
    STATEMENT rows = {0};
    int looked_at_max = look_at_max(search->limit);
    int looked_at = 0;
    int stepped;

    if (statement_open(&rows, db, search->sql, error) < 0)
        return -1;
    statement_bind_int64(&rows, search->position->at_ms);
    statement_bind_int64(&rows, search->position->seq);
    statement_bind_int64(&rows, search->before_ms);
    statement_bind_int64(&rows, looked_at_max);
    while (found->count < search->limit && (stepped = statement_step(&rows, error)) == 1) {
        looked_at++;
        *search->position =
            (struct position){.at_ms = statement_int64(&rows, 1), .seq = statement_int64(&rows, 0)};
        if (!statement_bool(&rows, 2))
            found->rows[found->count++] = *search->position;
    }
    if (found->count < search->limit && stepped < 0)
        return -1;
    if (found->count < search->limit && looked_at < looked_at_max)
        *search->position = (struct position){0};
    return 0;
}

static int delete_by(
    struct db *db, const char *sql, int64_t seq, int *deleted_out, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(&statement, db, sql, error) < 0)
        return -1;
    statement_bind_int64(&statement, seq);
    if (statement_run(&statement, error) < 0)
        return -1;
    *deleted_out = statement_changes(&statement);
    return 0;
}

/* *attempts_out: how many went with it. */
static int delete_result(struct db *db, int64_t seq, int *attempts_out, struct error *error)
{
    int deleted;

    if (delete_by(
            db, "DELETE FROM attempts WHERE job_seq IN (SELECT seq FROM jobs WHERE result_seq = ?)",
            seq, attempts_out, error) < 0 ||
        delete_by(db, "DELETE FROM jobs WHERE result_seq = ?", seq, &deleted, error) < 0)
        return -1;
    return delete_by(db, "DELETE FROM results WHERE seq = ?", seq, &deleted, error);
}

static int delete_run(struct db *db, int64_t seq, int *attempts_out, struct error *error)
{
    int deleted;

    *attempts_out = 0;
    return delete_by(db, "DELETE FROM runs WHERE seq = ?", seq, &deleted, error);
}

static int remove_found(
    struct db *db, const struct search *search,
    int (*delete_one)(struct db *db, int64_t seq, int *attempts_out, struct error *error),
    int *removed, struct error *error)
{
    struct found found = {.rows = calloc((size_t)search->limit + 1, sizeof *found.rows)};
    int attempts = 0;
    int count = 0;
    int result;

    if (found.rows == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a slice of retention");
    result = search_rows(db, search, &found, error);
    while (count < found.count && attempts < ATTEMPTS_MAX && result == 0) {
        int deleted = 0;

        result = delete_one(db, found.rows[count++].seq, &deleted, error);
        attempts += deleted;
    }
    if (result == 0)
        *removed += count;
    if (count < found.count)
        *search->position = found.rows[count - 1];
    free(found.rows);
    return result;
}

static int remove_set_aside(
    struct db *db, int64_t before_ms, int limit, int *removed, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, db,
            "DELETE FROM set_aside WHERE seq IN (SELECT seq FROM set_aside"
            " INDEXED BY set_aside_received WHERE received_at < ? LIMIT ?)",
            error) < 0)
        return -1;
    statement_bind_int64(&statement, before_ms);
    statement_bind_int64(&statement, limit);
    if (statement_run(&statement, error) < 0)
        return -1;
    *removed += statement_changes(&statement);
    return 0;
}

/* A run goes after its results, so that none of them points to nothing. */
int state_remove(
    struct state_tx *tx, int64_t before_ms, int limit, int *removed_out, struct error *error)
{
    const struct search results = {
        .sql = "SELECT seq, received_at, pending"
               " OR EXISTS (SELECT 1 FROM jobs WHERE result_seq = results.seq"
               " AND state IN ('waiting', 'running', 'retrying'))"
               " OR EXISTS (SELECT 1 FROM runs WHERE id = results.run_id"
               " AND state NOT IN ('completed', 'lost', 'launch_failed'))"
               " FROM results INDEXED BY results_received"
               " WHERE (received_at, seq) > (?, ?) AND received_at < ?"
               " ORDER BY received_at, seq LIMIT ?",
        .before_ms = before_ms,
        .limit = limit > LIMIT_MAX ? LIMIT_MAX : limit,
        .position = &tx->state->result_retention,
    };
    struct search runs = {
        .sql = "SELECT seq, registered_at,"
               " coalesce(completed_at, deadline_at, registered_at) >= ?3"
               " OR EXISTS (SELECT 1 FROM results WHERE run_id = runs.id)"
               " FROM runs INDEXED BY runs_ended"
               " WHERE (registered_at, seq) > (?1, ?2) AND registered_at < ?3"
               " AND " RUN_HAS_ENDED " ORDER BY registered_at, seq LIMIT ?4",
        .before_ms = before_ms,
        .limit = results.limit,
        .position = &tx->state->run_retention,
    };
    int removed = 0;

    if (remove_found(tx->db, &results, delete_result, &removed, error) < 0 ||
        remove_found(tx->db, &runs, delete_run, &removed, error) < 0 ||
        remove_set_aside(tx->db, before_ms, results.limit, &removed, error) < 0 ||
        db_shrink(tx->db, SHRINK_BYTES, error) < 0)
        return -1;
    *removed_out = removed;
    return 0;
}

int state_remove_is_due(struct state_tx *tx, int64_t before_ms, bool *due_out, struct error *error)
{
    STATEMENT row = {0};

    if (statement_open(
            &row, tx->db,
            "SELECT EXISTS (SELECT 1 FROM results INDEXED BY results_received"
            " WHERE received_at < ?1)"
            " OR EXISTS (SELECT 1 FROM runs INDEXED BY runs_ended WHERE registered_at < ?1"
            " AND " RUN_HAS_ENDED ")"
            " OR EXISTS (SELECT 1 FROM set_aside INDEXED BY set_aside_received"
            " WHERE received_at < ?1)",
            error) < 0)
        return -1;
    statement_bind_int64(&row, before_ms);
    if (statement_step(&row, error) < 0)
        return -1;
    *due_out = statement_bool(&row, 0);
    return 0;
}

/* ---- giving space back ---- */

static int look_for_spare(struct state_tx *tx, void *context, struct error *error)
{
    return db_has_spare(tx->db, context, error);
}

static int shrink(struct state_tx *tx, void *context, struct error *error)
{
    (void)context;
    return db_shrink(tx->db, SHRINK_BYTES, error);
}

int state_shrink(struct state *state, bool *shrunk_out, struct error *error)
{
    bool spare;

    if (state_read(state, look_for_spare, &spare, error) < 0 ||
        (spare && state_write(state, shrink, NULL, error) < 0))
        return -1;
    *shrunk_out = spare;
    return 0;
}
