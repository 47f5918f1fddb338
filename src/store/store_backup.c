/* SPDX-License-Identifier: MIT */
/*
 * An online copy. State first, then the log, so that the copy's log has all that
 * the copy's state speaks of. The state changes in place and is copied page by
 * page inside one reading; the log only grows and is copied row by row in slices,
 * so that its write-ahead file can be emptied between them however large it is.
 */
#include <sqlite3.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/store.h"
#include "paths.h"
#include "statement.h"

enum {
    CACHE_KIB = 4096,
    SLICE_ROWS = 1000,
    SLICE_BYTES = 32 * 1024 * 1024,
};

/* One connection to a file of a store; the path is made and forgotten here. */
static struct db *open_file(
    const char *directory, const char *file, const struct schema *schema, enum db_use use,
    struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(directory, file);
    const struct db_options options = {
        .path = path, .schema = schema, .use = use, .cache_kib = CACHE_KIB};

    if (path == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a path");
        return NULL;
    }
    return db_open(&options, error);
}

/* ---- the state ---- */

static int copy_pages(struct db *from, struct db *to, struct error *error)
{
    sqlite3_backup *backup = sqlite3_backup_init(db_handle(to), "main", db_handle(from), "main");
    int code;

    if (backup == NULL)
        return db_fail(to, sqlite3_extended_errcode(db_handle(to)), error);
    (void)sqlite3_backup_step(backup, -1);
    code = sqlite3_backup_finish(backup);
    return code == SQLITE_OK ? 0 : db_fail(to, code, error);
}

static int copy_state(const char *directory, const char *target, struct error *error)
{
    struct db *from = open_file(directory, STORE_STATE_FILE, &schema_state, DB_READ, error);
    struct db *to = NULL;
    bool busy;
    int result = -1;

    if (from != NULL)
        to = open_file(target, STORE_STATE_FILE, &schema_state, DB_WRITE, error);
    if (to != NULL && copy_pages(from, to, error) == 0)
        result = db_checkpoint_truncate(to, &busy, error);
    db_close(to);
    db_close(from);
    return result;
}

/* ---- the log ---- */

/* A table that only grows, by its seq. */
struct grown_table {
    const char *slice; /* seq and size of the rows that follow a seq */
    const char *copy;  /* the rows after one seq, up to another */
};

static int find_slice(
    struct db *db, const char *sql, int64_t after_seq, int64_t *last_out, struct error *error)
{
    STATEMENT rows = {0};
    int64_t bytes = 0;
    int stepped;

    *last_out = after_seq;
    if (statement_open(&rows, db, sql, error) < 0)
        return -1;
    statement_bind_int64(&rows, after_seq);
    statement_bind_int64(&rows, SLICE_ROWS);
    while (bytes < SLICE_BYTES && (stepped = statement_step(&rows, error)) == 1) {
        *last_out = statement_int64(&rows, 0);
        bytes += statement_int64(&rows, 1);
    }
    return bytes < SLICE_BYTES && stepped < 0 ? -1 : 0;
}

static int copy_table(struct db *to, const struct grown_table *table, struct error *error)
{
    int64_t after_seq = 0;
    int64_t last_seq;

    while (find_slice(to, table->slice, after_seq, &last_seq, error) == 0) {
        STATEMENT copy = {0};

        if (last_seq == after_seq)
            return 0;
        if (statement_open(&copy, to, table->copy, error) < 0)
            return -1;
        statement_bind_int64(&copy, after_seq);
        statement_bind_int64(&copy, last_seq);
        if (statement_run(&copy, error) < 0)
            return -1;
        after_seq = last_seq;
    }
    return -1;
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

static int copy_log_tables(struct db *to, struct error *error)
{
    static const struct grown_table received = {
        .slice = "SELECT seq, size FROM source.received WHERE seq > ? ORDER BY seq LIMIT ?",
        .copy = "INSERT INTO main.received SELECT * FROM source.received"
                " WHERE seq > ? AND seq <= ?",
    };
    static const struct grown_table rejected = {
        .slice = "SELECT seq, length(body) FROM source.rejected WHERE seq > ?"
                 " ORDER BY seq LIMIT ?",
        .copy = "INSERT INTO main.rejected SELECT * FROM source.rejected"
                " WHERE seq > ? AND seq <= ?",
    };

    /* Rejected posts first: the numbering is that of the moment after the last slice. */
    if (copy_table(to, &rejected, error) < 0 || copy_table(to, &received, error) < 0)
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
    struct db *from = open_file(directory, STORE_LOG_FILE, &schema_results, DB_READ, error);

    db_close(from);
    return from != NULL ? 0 : -1;
}

static int copy_log(const char *directory, const char *target, struct error *error)
{
    struct db *to;
    bool busy;
    int result = -1;

    if (check_source(directory, error) < 0)
        return -1;
    to = open_file(target, STORE_LOG_FILE, &schema_results, DB_WRITE, error);
    if (to == NULL)
        return -1;
    if (attach_source(to, directory, error) == 0 && copy_log_tables(to, error) == 0)
        result = db_checkpoint_truncate(to, &busy, error);
    db_close(to);
    return result;
}

/* ---- the whole ---- */

static int refuse_store(const char *target, const char *folder, struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(target, folder);

    if (path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (access(path, F_OK) == 0)
        return error_set(error, ERROR_CONFLICT, "%s is there already", path);
    return 0;
}

int store_backup(const char *directory, const char *target, struct error *error)
{
    if (refuse_store(target, STORE_LOG_DIRECTORY, error) < 0 ||
        refuse_store(target, STORE_STATE_DIRECTORY, error) < 0 ||
        store_prepare(target, error) < 0 || copy_state(directory, target, error) < 0)
        return -1;
    return copy_log(directory, target, error);
}
