/* SPDX-License-Identifier: MIT */
/*
 * One SQLite connection to one of our files: how it is opened, set up, recognised
 * and mistrusted. A connection is used by one thread at a time (whoever holds it
 * guards it); its prepared statements are kept with it (statement.h).
 *
 * The file's locks are POSIX locks: nothing in this process may open and close
 * the database files except through here, or the locks are lost.
 */
#ifndef CALLBACKD_STORE_DB_H
#define CALLBACKD_STORE_DB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "callbackd/error.h"
#include "schema.h"

struct db;
struct sqlite3;
struct sqlite3_stmt;

enum db_use {
    DB_CREATE, /* makes and migrates the file: store_prepare */
    DB_WRITE,
    DB_READ /* may not write; each statement ends after db_options.read_limit_ms */
};

struct db_options {
    const char *path;
    const struct schema *schema;
    enum db_use use;
    int cache_kib;         /* the most that its page cache takes */
    int64_t read_limit_ms; /* DB_READ: 0 = none */
};

/*
 * NULL on failure: ERROR_NOT_FOUND: no such file; ERROR_CORRUPT: not ours, damaged or from a newer
 * version; ERROR_CONFLICT: must be migrated first; ERROR_STORE,
 * ERROR_BUSY: what may pass.
 */
struct db *db_open(const struct db_options *options, struct error *error);
void db_close(struct db *db); /* NULL is allowed */

struct sqlite3 *db_handle(struct db *db);
const char *db_path(const struct db *db);

/* Fills `error` for an SQLite result code, with the file's name and the system's reason. -1. */
int db_fail(struct db *db, int code, struct error *error);

/* One statement without parameters or rows, prepared once and kept. */
int db_execute(struct db *db, const char *sql, struct error *error);
/* Any number of statements, not kept. */
int db_script(struct db *db, const char *sql, struct error *error);
/* The first column of the first row of a PRAGMA or query, as a number. */
int db_number(struct db *db, const char *sql, int64_t *number_out, struct error *error);

/* Has the database or its WAL been renamed, removed or replaced under us? Then what is written
 * would go to files that nobody finds again. Two statx() calls. */
bool db_moved(const struct db *db);
/* Has SQLite met content that it never wrote? */
bool db_is_damaged(const struct db *db);
bool db_in_transaction(struct db *db);
int64_t db_last_insert(struct db *db); /* the rowid */

/* Of the WAL, after the last commit of this connection. */
int64_t db_wal_bytes(const struct db *db);
/* Copies what can be copied from the WAL without waiting for anybody. After one that failed,
 * whoever does the next one copies all of the WAL again. */
int db_checkpoint(struct db *db, struct error *error);
/* Waits for readers and writers and empties the WAL: *busy_out when they did not end in time. */
int db_checkpoint_truncate(struct db *db, bool *busy_out, struct error *error);
/* Are there so many free pages that some are worth giving back to the file system? */
int db_has_spare(struct db *db, bool *spare_out, struct error *error);
/* Gives them back: at most so many bytes. */
int db_shrink(struct db *db, int64_t bytes, struct error *error);

/* For statement.c: the slot of a kept statement, by the address of its text; NULL: all taken. */
struct db_slot {
    const char *sql;
    struct sqlite3_stmt *handle;
    bool in_use;
};
struct db_slot *db_slot(struct db *db, const char *sql);
void db_reading_starts(struct db *db);

#endif
