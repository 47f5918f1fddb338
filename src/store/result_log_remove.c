/* SPDX-License-Identifier: MIT */
/*
 * Retention of the log, in slices: which rows go is found out on the caller's
 * thread by reading; the committer deletes them in one short transaction.
 */
#include "result_log_private.h"
#include "statement.h"

enum {
    LOOKED_AT_PER_REMOVED = 4, /* rows that are kept may stand between those that go */
    LOOKED_AT_MIN = 256,
    LIMIT_MAX = 10000,
    BODY_BYTES_MAX = 4 * 1024 * 1024, /* of a slice: freeing pages takes time too */
    SHRINK_BYTES = 512 * 1024,
};

/* The rows of a slice, oldest first. */
struct slice {
    int64_t *seqs;
    int64_t *sizes; /* of their bodies */
    int count;
    int64_t last_seq; /* the last row that was looked at; 0: none */
    bool at_end;      /* what follows is too young, or there is nothing */
};

struct removal {
    struct writer_work work; /* first: the committer hands this back */
    const int64_t *seqs;
    int count;
    int removed;
};

/* A row with a wrong clock among older ones does not end the search; a slice without any old
 * one does. */
static int find_old(
    struct db *db, int64_t after_seq, int64_t up_to_seq, int64_t before_ms, int looked_at_max,
    struct slice *slice, struct error *error)
{
    STATEMENT rows = {0};
    int looked_at = 0;
    int stepped;

    if (statement_open(
            &rows, db,
            "SELECT seq, received_at, iif(duplicate_of IS NULL, size, 0) FROM received"
            " WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            error) < 0)
        return -1;
    statement_bind_int64(&rows, after_seq);
    statement_bind_int64(&rows, up_to_seq);
    statement_bind_int64(&rows, looked_at_max);
    while ((stepped = statement_step(&rows, error)) == 1) {
        looked_at++;
        slice->last_seq = statement_int64(&rows, 0);
        if (statement_int64(&rows, 1) < before_ms) {
            slice->sizes[slice->count] = statement_int64(&rows, 2);
            slice->seqs[slice->count++] = slice->last_seq;
        }
    }
    slice->at_end = looked_at < looked_at_max || slice->count == 0;
    return stepped;
}

/* Asked outside of the reading: `keep` looks into the other database. */
static void leave_out_kept(
    struct slice *slice, int limit, bool (*keep)(void *context, int64_t seq), void *context)
{
    int going = 0;
    int64_t bytes = 0;
    bool full = false;

    for (int i = 0; i < slice->count && !full; i++) {
        int64_t seq = slice->seqs[i];

        if (keep == NULL || !keep(context, seq)) {
            slice->seqs[going++] = seq;
            bytes += slice->sizes[i];
        }
        full = going == limit || bytes >= BODY_BYTES_MAX;
        if (full && i + 1 < slice->count) {
            slice->last_seq = seq;
            slice->at_end = false;
        }
    }
    slice->count = going;
}

static int run_removal(struct db *db, struct writer_work *work, struct error *error)
{
    struct removal *removal = (struct removal *)work;
    STATEMENT statement = {0};

    removal->removed = 0;
    if (statement_open(&statement, db, "DELETE FROM received WHERE seq = ?", error) < 0)
        return -1;
    for (int i = 0; i < removal->count; i++) {
        statement_bind_int64(&statement, removal->seqs[i]);
        if (statement_run(&statement, error) < 0)
            return -1;
        removal->removed += statement_changes(&statement);
    }
    return db_shrink(db, SHRINK_BYTES, error);
}

static int find_slice(
    struct result_log *log, int64_t before_ms, int64_t up_to_seq, int looked_at_max,
    struct slice *slice, struct error *error)
{
    struct db *db = reader_pool_take(&log->readers, error);
    int result;

    if (db == NULL)
        return -1;
    result = find_old(
        db, atomic_load(&log->retention_seq), up_to_seq, before_ms, looked_at_max, slice, error);
    reader_pool_give(&log->readers, db);
    return result;
}

int result_log_remove(
    struct result_log *log, int64_t before_ms, int64_t up_to_seq, int limit,
    bool (*keep)(void *context, int64_t seq), void *context, int *removed_out, struct error *error)
{
    struct slice slice = {0};
    struct removal removal = {.work.run = run_removal, .work.savepoint = true};
    int bounded = limit > LIMIT_MAX ? LIMIT_MAX : limit;
    int looked_at_max = bounded * LOOKED_AT_PER_REMOVED;
    int result;

    if (looked_at_max < LOOKED_AT_MIN)
        looked_at_max = LOOKED_AT_MIN;
    slice.seqs = calloc((size_t)looked_at_max * 2, sizeof *slice.seqs);
    if (slice.seqs == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a slice of retention");
    slice.sizes = slice.seqs + looked_at_max;
    result = find_slice(log, before_ms, up_to_seq, looked_at_max, &slice, error);
    if (result == 0) {
        leave_out_kept(&slice, bounded, keep, context);
        removal.seqs = slice.seqs;
        removal.count = slice.count;
        if (slice.count > 0)
            result = group_commit_submit(log->group, &removal.work.group, error);
    }
    if (result == 0) {
        atomic_store(&log->retention_seq, slice.at_end ? 0 : slice.last_seq);
        *removed_out = removal.removed;
    }
    free(slice.seqs);
    return result;
}

/* ---- giving space back ---- */

static int run_shrinking(struct db *db, struct writer_work *work, struct error *error)
{
    (void)work;
    return db_shrink(db, SHRINK_BYTES, error);
}

static int has_spare(struct result_log *log, bool *spare_out, struct error *error)
{
    struct db *db = reader_pool_take(&log->readers, error);
    int result;

    if (db == NULL)
        return -1;
    result = db_has_spare(db, spare_out, error);
    reader_pool_give(&log->readers, db);
    return result;
}

int result_log_shrink(struct result_log *log, bool *shrunk_out, struct error *error)
{
    struct writer_work work = {.run = run_shrinking, .savepoint = true};
    bool spare;

    if (has_spare(log, &spare, error) < 0 ||
        (spare && group_commit_submit(log->group, &work.group, error) < 0))
        return -1;
    *shrunk_out = spare;
    return 0;
}
