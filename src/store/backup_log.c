/* SPDX-License-Identifier: MIT */
/*
 * The copy of the log: it only grows, so its rows are copied in slices, each a
 * short reading of its own, between which the write-ahead file can be emptied
 * however large the log is.
 */
#include <sqlite3.h>

#include "backup_private.h"
#include "callbackd/os.h"
#include "paths.h"
#include "statement.h"

enum {
    SLICE_ROWS = 1000,
    SLICE_BYTES = 8 * 1024 * 1024,
    SYNC_BYTES = 32 * 1024 * 1024,
};

/* A table that only grows, by its seq. */
struct grown_table {
    const char *name;
    const char *last;  /* the newest seq ever given */
    const char *slice; /* seq and size of the rows that follow a seq, up to another */
    const char *copy;  /* the rows after one seq, up to another */
};

struct slice {
    int64_t after_seq;
    int64_t last_seq; /* after_seq: there is none */
    int64_t rows;
    int64_t bytes;
};

static int find_slice(
    struct db *db, const char *sql, int64_t up_to_seq, struct slice *slice, struct error *error)
{
    STATEMENT rows = {0};
    int stepped = 0;

    slice->last_seq = slice->after_seq;
    slice->rows = 0;
    slice->bytes = 0;
    if (statement_open(&rows, db, sql, error) < 0)
        return -1;
    statement_bind_int64(&rows, slice->after_seq);
    statement_bind_int64(&rows, up_to_seq);
    statement_bind_int64(&rows, SLICE_ROWS);
    while (slice->bytes < SLICE_BYTES && (stepped = statement_step(&rows, error)) == 1) {
        slice->last_seq = statement_int64(&rows, 0);
        slice->rows++;
        slice->bytes += statement_int64(&rows, 1);
    }
    return stepped < 0 ? -1 : 0;
}

static int copy_slice(
    struct db *to, const char *sql, const struct slice *slice, struct error *error)
{
    STATEMENT copy = {0};

    if (statement_open(&copy, to, sql, error) < 0)
        return -1;
    statement_bind_int64(&copy, slice->after_seq);
    statement_bind_int64(&copy, slice->last_seq);
    return statement_run(&copy, error);
}

/* Up to what was there at the beginning: under load there is always more. */
static int copy_table(
    struct backup *backup, struct db *to, const struct grown_table *table, int64_t *rows_out,
    struct error *error)
{
    struct slice slice = {0};
    int64_t up_to_seq;
    int64_t unsynced = 0;
    int64_t copied = 0;

    if (db_number(to, table->last, &up_to_seq, error) < 0)
        return -1;
    for (;;) {
        if (find_slice(to, table->slice, up_to_seq, &slice, error) < 0)
            return -1;
        if (slice.rows == 0)
            break;
        if (copy_slice(to, table->copy, &slice, error) < 0)
            return -1;
        copied += slice.rows;
        unsynced += slice.bytes;
        if (unsynced >= SYNC_BYTES && backup_target_sync(to, error) < 0)
            return -1;
        unsynced = unsynced >= SYNC_BYTES ? 0 : unsynced;
        slice.after_seq = slice.last_seq;
        backup_progress(backup, table->name, slice.last_seq, up_to_seq);
    }
    *rows_out = copied;
    return 0;
}

/* The numbering goes on where it stood, also when the newest rows are gone. */
static int copy_numbering(struct db *to, struct error *error)
{
    return db_script(
        to,
        "BEGIN IMMEDIATE; DELETE FROM main.sqlite_sequence;"
        "INSERT INTO main.sqlite_sequence (name, seq) SELECT name, seq FROM source.sqlite_sequence;"
        "COMMIT",
        error);
}

static int copy_tables(struct backup *backup, struct db *to, struct error *error)
{
    static const struct grown_table received = {
        .name = STORE_LOG_FILE,
        .last = "SELECT seq FROM source.sqlite_sequence WHERE name = 'received'",
        .slice = "SELECT seq, size FROM source.received WHERE seq > ? AND seq <= ?"
                 " ORDER BY seq LIMIT ?",
        .copy = "INSERT INTO main.received SELECT * FROM source.received"
                " WHERE seq > ? AND seq <= ?",
    };
    static const struct grown_table rejected = {
        .name = STORE_LOG_FILE " (rejected)",
        .last = "SELECT seq FROM source.sqlite_sequence WHERE name = 'rejected'",
        .slice = "SELECT seq, length(body) FROM source.rejected WHERE seq > ? AND seq <= ?"
                 " ORDER BY seq LIMIT ?",
        .copy = "INSERT INTO main.rejected SELECT * FROM source.rejected"
                " WHERE seq > ? AND seq <= ?",
    };
    int64_t refused = 0;

    if (copy_table(backup, to, &rejected, &refused, error) < 0 ||
        copy_table(backup, to, &received, &backup->figures.received, error) < 0)
        return -1;
    return copy_numbering(to, error);
}

static int attach_source(struct db *to, const char *directory, struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(directory, STORE_LOG_FILE);
    STATEMENT attach = {0};

    if (path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (statement_open(&attach, to, "ATTACH ? AS source", error) < 0)
        return -1;
    statement_bind_text(&attach, path);
    return statement_run(&attach, error);
}

/* Opened once by itself, so that a log that is not ours or not there is recognised. */
static int check_source(const char *directory, struct error *error)
{
    struct db *from = backup_open(directory, STORE_LOG_FILE, &schema_results, DB_READ, error);

    db_close(from);
    return from != NULL ? 0 : -1;
}

int backup_log(struct backup *backup, struct error *error)
{
    struct db *to;
    int result;

    if (check_source(backup->directory, error) < 0)
        return -1;
    to = backup_target(backup, STORE_LOG_FILE, &schema_results, error);
    if (to == NULL)
        return -1;
    result = attach_source(to, backup->directory, error);
    if (result == 0)
        result = copy_tables(backup, to, error);
    if (result == 0)
        result = db_script(to, "DETACH source", error);
    if (result == 0)
        result = backup_target_seal(to, error);
    db_close(to);
    return result;
}
