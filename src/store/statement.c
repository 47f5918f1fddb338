/* SPDX-License-Identifier: MIT */
#include "statement.h"

#include <errno.h>
#include <sqlite3.h>

static int prepare(
    struct statement *statement, const char *sql, unsigned flags, struct error *error)
{
    int code;

    errno = 0; /* db_fail tells what comes of it */
    code = sqlite3_prepare_v3(db_handle(statement->db), sql, -1, flags, &statement->handle, NULL);

    return code == SQLITE_OK ? 0 : db_fail(statement->db, code, error);
}

int statement_open_built(
    struct statement *statement, struct db *db, const char *sql, struct error *error)
{
    *statement = (struct statement){.db = db};
    db_reading_starts(db);
    return prepare(statement, sql, 0, error);
}

/* A statement may be asked for again while a visitor of its rows runs: then that one is not kept.
 */
int statement_open(
    struct statement *statement, struct db *db, const char *literal, struct error *error)
{
    struct db_slot *slot = db_slot(db, literal);

    if (slot == NULL || slot->in_use)
        return statement_open_built(statement, db, literal, error);
    *statement = (struct statement){.db = db};
    db_reading_starts(db);
    if (slot->handle == NULL) {
        if (prepare(statement, literal, SQLITE_PREPARE_PERSISTENT, error) < 0)
            return -1;
        slot->handle = statement->handle;
        slot->sql = literal;
    }
    statement->handle = slot->handle;
    statement->slot = slot;
    slot->in_use = true;
    return 0;
}

void statement_clear(struct statement *statement)
{
    (void)sqlite3_reset(statement->handle);
    (void)sqlite3_clear_bindings(statement->handle);
    statement->bound = 0;
    statement->failed = SQLITE_OK;
}

void statement_close(struct statement *statement)
{
    if (statement->handle == NULL)
        return;
    if (statement->slot != NULL) {
        statement_clear(statement);
        statement->slot->in_use = false;
    } else {
        (void)sqlite3_finalize(statement->handle);
    }
    *statement = (struct statement){0};
}

static void note(struct statement *statement, int code)
{
    if (code != SQLITE_OK && statement->failed == SQLITE_OK)
        statement->failed = code;
}

void statement_bind_int64(struct statement *statement, int64_t value)
{
    note(statement, sqlite3_bind_int64(statement->handle, ++statement->bound, value));
}

void statement_bind_null(struct statement *statement)
{
    note(statement, sqlite3_bind_null(statement->handle, ++statement->bound));
}

void statement_bind_optional(struct statement *statement, bool present, int64_t value)
{
    if (present)
        statement_bind_int64(statement, value);
    else
        statement_bind_null(statement);
}

void statement_bind_text(struct statement *statement, const char *text)
{
    note(
        statement,
        sqlite3_bind_text(statement->handle, ++statement->bound, text, -1, SQLITE_STATIC));
}

void statement_bind_text_bytes(struct statement *statement, struct bytes text)
{
    const char *data = text.length > 0 ? (const char *)text.data : "";

    note(
        statement,
        sqlite3_bind_text64(
            statement->handle, ++statement->bound, data, text.length, SQLITE_STATIC, SQLITE_UTF8));
}

/* An empty blob is not NULL: SQLite takes a null pointer for that. */
void statement_bind_blob(struct statement *statement, struct bytes blob)
{
    const void *data = blob.length > 0 ? (const void *)blob.data : "";

    note(
        statement, sqlite3_bind_blob64(
                       statement->handle, ++statement->bound, data, blob.length, SQLITE_STATIC));
}

void statement_bind_id(struct statement *statement, const struct id *id)
{
    char text[ID_TEXT_BYTES];

    if (id == NULL) {
        statement_bind_null(statement);
        return;
    }
    id_format(id, text);
    note(
        statement,
        sqlite3_bind_text(statement->handle, ++statement->bound, text, -1, SQLITE_TRANSIENT));
}

int statement_step(struct statement *statement, struct error *error)
{
    int code = statement->failed;

    errno = 0; /* db_fail tells what comes of it */
    if (code == SQLITE_OK)
        code = sqlite3_step(statement->handle);
    if (code == SQLITE_ROW)
        return 1;
    if (code == SQLITE_DONE)
        return 0;
    return db_fail(statement->db, code, error);
}

int statement_run(struct statement *statement, struct error *error)
{
    int stepped;

    do
        stepped = statement_step(statement, error);
    while (stepped == 1);
    statement_clear(statement);
    return stepped;
}

int statement_changes(const struct statement *statement)
{
    return sqlite3_changes(db_handle(statement->db));
}

bool statement_is_null(const struct statement *statement, int column)
{
    return sqlite3_column_type(statement->handle, column) == SQLITE_NULL;
}

int64_t statement_int64(const struct statement *statement, int column)
{
    return sqlite3_column_int64(statement->handle, column);
}

bool statement_bool(const struct statement *statement, int column)
{
    return sqlite3_column_int(statement->handle, column) != 0;
}

const char *statement_text_or_null(const struct statement *statement, int column)
{
    return (const char *)sqlite3_column_text(statement->handle, column);
}

const char *statement_text(const struct statement *statement, int column)
{
    const char *text = statement_text_or_null(statement, column);

    return text != NULL ? text : "";
}

struct bytes statement_bytes(const struct statement *statement, int column)
{
    const void *data = sqlite3_column_blob(statement->handle, column);

    return bytes_of(data, (size_t)sqlite3_column_bytes(statement->handle, column));
}

int statement_id(
    const struct statement *statement, int column, struct id *id_out, struct error *error)
{
    if (id_parse(statement_bytes(statement, column), id_out))
        return 0;
    return error_set(
        error, ERROR_CORRUPT, "%s holds an id that is none: \"%.60s\"", db_path(statement->db),
        statement_text(statement, column));
}
