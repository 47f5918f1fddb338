/* SPDX-License-Identifier: MIT */
#include <sqlite3.h>
#include <string.h>

#include "result_log_private.h"
#include "statement.h"

enum {
    SHA256_BYTES = 32,
    SMALL_BODY_BYTES = 64 * 1024, /* up to here a copy costs less than opening a blob */
};

#define ENTRY_COLUMNS                                                                              \
    "seq, id, duplicate_of, endpoint, kind, key, run_id, execution_id, delivery_id, status,"       \
    " event, name, source, revision, received_at, remote_address, verified_by, content_type,"      \
    " headers, size, sha256"

/* In the order of ENTRY_COLUMNS. */
enum entry_column {
    SEQ,
    ID,
    DUPLICATE_OF,
    ENDPOINT,
    KIND,
    KEY,
    RUN_ID,
    EXECUTION_ID,
    DELIVERY_ID,
    STATUS,
    EVENT,
    NAME,
    SOURCE,
    REVISION,
    RECEIVED_AT,
    REMOTE_ADDRESS,
    VERIFIED_BY,
    CONTENT_TYPE,
    HEADERS,
    SIZE,
    SHA256
};

static int read_typed(const struct statement *row, struct result_entry *entry, struct error *error)
{
    struct bytes sha256 = statement_bytes(row, SHA256);

    if (statement_id(row, ID, &entry->id, error) < 0)
        return -1;
    entry->has_run = !statement_is_null(row, RUN_ID);
    if (entry->has_run && statement_id(row, RUN_ID, &entry->run, error) < 0)
        return -1;
    if (!body_kind_parse(statement_text(row, KIND), &entry->kind) ||
        !result_status_parse(statement_text(row, STATUS), &entry->status) ||
        sha256.length != SHA256_BYTES)
        return error_set(
            error, ERROR_CORRUPT, "entry %lld of the log has a kind, status or hash that is none",
            (long long)entry->seq);
    memcpy(entry->sha256, sha256.data, SHA256_BYTES);
    return 0;
}

static int read_entry(
    const struct statement *row, struct result_entry *entry_out, struct error *error)
{
    *entry_out = (struct result_entry){
        .seq = statement_int64(row, SEQ),
        .duplicate_of = statement_int64(row, DUPLICATE_OF),
        .endpoint = statement_text(row, ENDPOINT),
        .key = statement_text(row, KEY),
        .has_execution_id = !statement_is_null(row, EXECUTION_ID),
        .execution_id = statement_int64(row, EXECUTION_ID),
        .delivery_id = statement_text(row, DELIVERY_ID),
        .event = statement_text(row, EVENT),
        .name = statement_text(row, NAME),
        .source = statement_text(row, SOURCE),
        .revision = (int)statement_int64(row, REVISION),
        .received_at_ms = statement_int64(row, RECEIVED_AT),
        .remote_address = statement_text(row, REMOTE_ADDRESS),
        .verified_by = statement_text(row, VERIFIED_BY),
        .content_type = statement_text(row, CONTENT_TYPE),
        .headers_json = statement_bytes(row, HEADERS),
        .size = statement_int64(row, SIZE),
    };
    return read_typed(row, entry_out, error);
}

static int visit_rows(
    struct statement *rows, bool faulty_too, int64_t *count_out, result_visitor *visit,
    void *context, struct error *error)
{
    struct result_entry entry;
    struct error fault = {0};
    int stepped;

    *count_out = 0;
    while ((stepped = statement_step(rows, error)) == 1) {
        int stopped;

        if (read_entry(rows, &entry, faulty_too ? &fault : error) < 0) {
            if (!faulty_too)
                return -1;
            entry.fault = fault.message;
        }
        (*count_out)++;
        stopped = visit(context, &entry);
        if (stopped != 0)
            return stopped;
    }
    return stepped;
}

/* No row has the name while none was ever appended. */
static int last_seq(struct db *db, int64_t *seq_out, struct error *error)
{
    STATEMENT statement = {0};
    int stepped;

    if (statement_open(
            &statement, db, "SELECT seq FROM sqlite_sequence WHERE name = 'received'", error) < 0)
        return -1;
    stepped = statement_step(&statement, error);
    if (stepped < 0)
        return -1;
    *seq_out = stepped == 1 ? statement_int64(&statement, 0) : 0;
    return 0;
}

/* A log that was replaced or restored alone counts from 1 again: reading on after a cursor of
 * the old one would skip what comes. */
static int refuse_lost_cursor(struct db *db, int64_t after_seq, struct error *error)
{
    int64_t newest;

    if (last_seq(db, &newest, error) < 0)
        return -1;
    if (after_seq <= newest)
        return 0;
    return error_set(
        error, ERROR_CORRUPT,
        "%s ends at %lld, but %lld was read before: it is not the log that the state belongs to",
        db_path(db), (long long)newest, (long long)after_seq);
}

static int read_after(
    struct db *db, int64_t after_seq, int limit, int64_t *count_out, result_visitor *visit,
    void *context, struct error *error)
{
    STATEMENT rows = {0};

    if (statement_open(
            &rows, db, "SELECT " ENTRY_COLUMNS " FROM received WHERE seq > ? ORDER BY seq LIMIT ?",
            error) < 0)
        return -1;
    statement_bind_int64(&rows, after_seq);
    statement_bind_int64(&rows, limit);
    return visit_rows(&rows, true, count_out, visit, context, error);
}

int result_log_read(
    struct result_log *log, int64_t after_seq, int limit, result_visitor *visit, void *context,
    struct error *error)
{
    struct db *db = reader_pool_take(&log->readers, error);
    int64_t count;
    int result;

    if (db == NULL)
        return -1;
    result = read_after(db, after_seq, limit, &count, visit, context, error);
    if (result == 0 && count == 0 && after_seq > 0)
        result = refuse_lost_cursor(db, after_seq, error);
    reader_pool_give(&log->readers, db);
    return result;
}

static int not_found(int64_t seq, struct error *error)
{
    return error_set(
        error, ERROR_NOT_FOUND, "the log has no entry %lld (any more)", (long long)seq);
}

static int get_one(
    struct db *db, int64_t seq, result_visitor *visit, void *context, struct error *error)
{
    STATEMENT row = {0};
    int64_t count;
    int result;

    if (statement_open(&row, db, "SELECT " ENTRY_COLUMNS " FROM received WHERE seq = ?", error) < 0)
        return -1;
    statement_bind_int64(&row, seq);
    result = visit_rows(&row, false, &count, visit, context, error);
    return result == 0 && count == 0 ? not_found(seq, error) : result;
}

int result_log_get(
    struct result_log *log, int64_t seq, result_visitor *visit, void *context, struct error *error)
{
    struct db *db = reader_pool_take(&log->readers, error);
    int result;

    if (db == NULL)
        return -1;
    result = get_one(db, seq, visit, context, error);
    reader_pool_give(&log->readers, db);
    return result;
}

/* ---- bodies ---- */

/* Straight into the buffer: a body of 16 MiB is in memory once. */
static int read_large(
    struct db *db, int64_t seq, size_t size, struct buffer *out, struct error *error)
{
    sqlite3_blob *blob = NULL;
    int code = sqlite3_blob_open(db_handle(db), "main", "received", "body", seq, 0, &blob);

    if (code == SQLITE_OK && (size_t)sqlite3_blob_bytes(blob) != size)
        code = SQLITE_CORRUPT;
    if (code == SQLITE_OK)
        code = sqlite3_blob_read(blob, out->data + out->length, (int)size, 0);
    if (code != SQLITE_OK)
        (void)db_fail(db, code, error);
    (void)sqlite3_blob_close(blob);
    if (code != SQLITE_OK)
        return -1;
    out->length += size;
    out->data[out->length] = '\0';
    return 0;
}

/* The most bodies: small, and of the post itself. 1: it was, 0: it is not such a one. */
static int read_usual(struct db *db, int64_t seq, struct buffer *out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(
            &row, db,
            "SELECT body FROM received WHERE seq = ? AND duplicate_of IS NULL AND size <= ?",
            error) < 0)
        return -1;
    statement_bind_int64(&row, seq);
    statement_bind_int64(&row, SMALL_BODY_BYTES);
    stepped = statement_step(&row, error);
    if (stepped <= 0)
        return stepped;
    struct bytes body = statement_bytes(&row, 0);
    if (body.length > out->max - out->length)
        return 0; /* what that means is said elsewhere */
    if (buffer_append_bytes(out, body) < 0)
        return error_set(error, ERROR_MEMORY, "no memory for a body");
    return 1;
}

static int read_small(struct db *db, int64_t seq, struct buffer *out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(&row, db, "SELECT body FROM received WHERE seq = ?", error) < 0)
        return -1;
    statement_bind_int64(&row, seq);
    stepped = statement_step(&row, error);
    if (stepped <= 0)
        return stepped < 0 ? -1 : not_found(seq, error);
    if (buffer_append_bytes(out, statement_bytes(&row, 0)) < 0)
        return error_set(error, ERROR_MEMORY, "no memory for a body");
    return 0;
}

/* The row that has the body: a duplicate's is that of the post which it repeats. */
static int find_body(
    struct db *db, int64_t seq, int64_t *holder_out, int64_t *size_out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(
            &row, db, "SELECT coalesce(duplicate_of, seq), size FROM received WHERE seq = ?",
            error) < 0)
        return -1;
    statement_bind_int64(&row, seq);
    stepped = statement_step(&row, error);
    if (stepped <= 0)
        return stepped < 0 ? -1 : not_found(seq, error);
    *holder_out = statement_int64(&row, 0);
    *size_out = statement_int64(&row, 1);
    return 0;
}

static int read_body(struct db *db, int64_t seq, struct buffer *out, struct error *error)
{
    int64_t holder = 0;
    int64_t size = 0;
    int done = read_usual(db, seq, out, error);

    if (done != 0)
        return done < 0 ? -1 : 0;
    if (find_body(db, seq, &holder, &size, error) < 0)
        return -1;
    if (size < 0 || (size_t)size > out->max - out->length)
        return error_set(
            error, ERROR_TOO_LARGE, "the body of entry %lld has %lld bytes", (long long)seq,
            (long long)size);
    if (buffer_reserve(out, (size_t)size) < 0)
        return error_set(
            error, ERROR_MEMORY, "no memory for a body of %lld bytes", (long long)size);
    if (size <= SMALL_BODY_BYTES)
        return read_small(db, holder, out, error);
    return read_large(db, holder, (size_t)size, out, error);
}

int result_log_body(struct result_log *log, int64_t seq, struct buffer *out, struct error *error)
{
    struct db *db = reader_pool_take(&log->readers, error);
    int result;

    if (db == NULL)
        return -1;
    result = read_body(db, seq, out, error);
    reader_pool_give(&log->readers, db);
    return result;
}

int result_reading_begin(
    struct result_reading *reading, struct result_log *log, struct error *error)
{
    struct db *db = reader_pool_take(&log->readers, error);

    *reading = (struct result_reading){.log = NULL};
    if (db == NULL)
        return -1;
    if (db_execute(db, "BEGIN", error) < 0) {
        reader_pool_give(&log->readers, db);
        return -1;
    }
    *reading = (struct result_reading){.log = log, .connection = db};
    return 0;
}

int result_reading_body(
    struct result_reading *reading, int64_t seq, struct buffer *out, struct error *error)
{
    return read_body(reading->connection, seq, out, error);
}

void result_reading_end(struct result_reading *reading)
{
    if (reading->log == NULL)
        return;
    (void)db_execute(reading->connection, "ROLLBACK", NULL); /* nothing was written */
    reader_pool_give(&reading->log->readers, reading->connection);
    reading->log = NULL;
}

int result_log_last_seq(struct result_log *log, int64_t *seq_out, struct error *error)
{
    struct db *db = reader_pool_take(&log->readers, error);
    int result;

    if (db == NULL)
        return -1;
    result = last_seq(db, seq_out, error);
    reader_pool_give(&log->readers, db);
    return result;
}
