/* SPDX-License-Identifier: MIT */
/*
 * A prepared statement in use: bind in the order of its question marks, step,
 * read columns, close. Statements given as literals are prepared once for their
 * connection and kept; those built at run time are given up when closed.
 *
 *     STATEMENT statement = {0};
 *     if (statement_open(&statement, db, "SELECT a FROM t WHERE b = ?", error) < 0)
 *         return -1;
 *     statement_bind_text(&statement, b);
 *     if (statement_step(&statement, error) == 1)
 *         a = statement_int64(&statement, 0);
 *
 * Closing resets: no read transaction outlives the scope. A failed bind is kept
 * and comes out of the next step.
 */
#ifndef CALLBACKD_STORE_STATEMENT_H
#define CALLBACKD_STORE_STATEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/id.h"
#include "db.h"

struct statement {
    struct db *db;
    struct sqlite3_stmt *handle;
    struct db_slot *slot; /* NULL: not kept */
    int bound;            /* parameters so far */
    int failed;           /* SQLite's code of the first bind that failed; 0 */
};

#define STATEMENT __attribute__((cleanup(statement_close))) struct statement

/* `literal` must live as long as the connection: its address is its name. */
int statement_open(
    struct statement *statement, struct db *db, const char *literal, struct error *error);
int statement_open_built(
    struct statement *statement, struct db *db, const char *sql, struct error *error);
void statement_close(struct statement *statement); /* a zeroed one is allowed */

/* All data is borrowed until the statement is closed or cleared. NULL text is SQL NULL. */
void statement_bind_int64(struct statement *statement, int64_t value);
void statement_bind_null(struct statement *statement);
/* NULL where `present` is false. */
void statement_bind_optional(struct statement *statement, bool present, int64_t value);
void statement_bind_text(struct statement *statement, const char *text);
void statement_bind_text_bytes(struct statement *statement, struct bytes text);
void statement_bind_blob(struct statement *statement, struct bytes blob);
/* Copied: ids are formatted on the way. NULL is SQL NULL. */
void statement_bind_id(struct statement *statement, const struct id *id);

/* 1: a row is there; 0: no more; -1: failed. */
int statement_step(struct statement *statement, struct error *error);
/* For what returns no rows: steps, then clears for the next use. */
int statement_run(struct statement *statement, struct error *error);
/* Resets and forgets what was bound. */
void statement_clear(struct statement *statement);
/* Rows that the last run of this statement changed. */
int statement_changes(const struct statement *statement);

bool statement_is_null(const struct statement *statement, int column);
int64_t statement_int64(const struct statement *statement, int column); /* NULL: 0 */
bool statement_bool(const struct statement *statement, int column);
/* Borrowed until the next step. "" for NULL. */
const char *statement_text(const struct statement *statement, int column);
const char *statement_text_or_null(const struct statement *statement, int column);
struct bytes statement_bytes(const struct statement *statement, int column);
/* ERROR_CORRUPT unless the column is an id. */
int statement_id(
    const struct statement *statement, int column, struct id *id_out, struct error *error);

#endif
