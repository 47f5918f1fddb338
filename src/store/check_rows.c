/* SPDX-License-Identifier: MIT */
/*
 * Every row of both files, in slices: each is a reading of its own, so short that
 * nobody feels it, with a rest after it where that is asked for.
 */
#include <openssl/evp.h>
#include <string.h>
#include <time.h>

#include "callbackd/clock.h"
#include "check_private.h"
#include "paths.h"
#include "statement.h"

enum {
    SLICE_BYTES = 4 * 1024 * 1024,
    SHA256_BYTES = 32,
    REST_MAX_MS = 1000,
};

/* A table, by its rowid: column 0 of its rows. */
struct walk {
    const char *file;
    const char *name;
    const char *sql;  /* rows after a rowid, in order, at most so many */
    const char *last; /* the highest rowid */
    bool in_log;
    /* One row; *bytes_out: what it weighs. */
    int (*look)(
        struct check *check, const struct statement *row, int64_t *bytes_out, struct error *error);
};

/* ---- the log ---- */

static void check_body(
    struct check *check, int64_t seq, struct bytes sha256, int64_t size, struct bytes body)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;

    if ((int64_t)body.length != size)
        check_found(
            check, STORE_LOG_FILE, "the body of entry %lld has %zu bytes instead of %lld",
            (long long)seq, body.length, (long long)size);
    else if (
        EVP_Digest(body.data, body.length, digest, &length, EVP_sha256(), NULL) != 1 ||
        sha256.length != SHA256_BYTES || memcmp(digest, sha256.data, SHA256_BYTES) != 0)
        check_found(
            check, STORE_LOG_FILE, "the body of entry %lld is not the one that was hashed",
            (long long)seq);
}

static int check_key(
    struct check *check, int64_t seq, const struct statement *row, struct error *error)
{
    STATEMENT look_up = {0};
    int stepped;

    if (statement_open(
            &look_up, check->log,
            "SELECT 1 FROM received INDEXED BY received_key WHERE endpoint = ? AND key = ?"
            " AND duplicate_of IS NULL AND revision = ? AND seq = ?",
            error) < 0)
        return -1;
    statement_bind_text(&look_up, statement_text(row, 5));
    statement_bind_text(&look_up, statement_text(row, 6));
    statement_bind_int64(&look_up, statement_int64(row, 7));
    statement_bind_int64(&look_up, seq);
    stepped = statement_step(&look_up, error);
    if (stepped == 0)
        check_found(
            check, STORE_LOG_FILE, "entry %lld is not found by its key: duplicates are not known",
            (long long)seq);
    return stepped < 0 ? -1 : 0;
}

static int look_at_received(
    struct check *check, const struct statement *row, int64_t *bytes_out, struct error *error)
{
    int64_t seq = statement_int64(row, 0);
    struct bytes body = statement_bytes(row, 4);

    check->figures.received++;
    *bytes_out = (int64_t)body.length;
    if (!statement_is_null(row, 1))
        return 0; /* a duplicate has no body */
    check_body(check, seq, statement_bytes(row, 3), statement_int64(row, 2), body);
    return statement_is_null(row, 6) ? 0 : check_key(check, seq, row, error);
}

static int look_at_rejected(
    struct check *check, const struct statement *row, int64_t *bytes_out, struct error *error)
{
    (void)check;
    (void)error;
    *bytes_out = (int64_t)statement_bytes(row, 1).length;
    return 0;
}

/* ---- the state ---- */

static int still_there(struct check *check, int64_t seq, bool *there_out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(&row, check->state, "SELECT 1 FROM results WHERE seq = ?", error) < 0)
        return -1;
    statement_bind_int64(&row, seq);
    stepped = statement_step(&row, error);
    *there_out = stepped == 1;
    return stepped < 0 ? -1 : 0;
}

/* What retention removes goes from the state first: a result whose entry is gone may have gone
 * with it, since it was read. So it is asked for again, in a later reading. */
static int report_missing(struct check *check, struct error *error)
{
    for (int i = 0; i < check->missing_count; i++) {
        bool there;

        if (still_there(check, check->missing[i], &there, error) < 0)
            return -1;
        if (there)
            check_found(
                check, STORE_LOG_FILE, "the entry of result %lld is missing",
                (long long)check->missing[i]);
    }
    check->missing_count = 0;
    return 0;
}

/* (seq, id, sha256) */
static int look_at_result(
    struct check *check, const struct statement *row, int64_t *bytes_out, struct error *error)
{
    STATEMENT entry = {0};
    int64_t seq = statement_int64(row, 0);
    int stepped;

    check->figures.results++;
    *bytes_out = 0;
    if (statement_open(
            &entry, check->log, "SELECT id = ? AND sha256 = ? FROM received WHERE seq = ?", error) <
        0)
        return -1;
    statement_bind_text_bytes(&entry, statement_bytes(row, 1));
    statement_bind_blob(&entry, statement_bytes(row, 2));
    statement_bind_int64(&entry, seq);
    stepped = statement_step(&entry, error);
    if (stepped == 0)
        check->missing[check->missing_count++] = seq;
    if (stepped == 1 && !statement_bool(&entry, 0))
        check_found(
            check, STORE_STATE_FILE, "result %lld is not the one that the log has there",
            (long long)seq);
    return stepped < 0 ? -1 : 0;
}

/* Column 1: the row that it belongs to is there. */
static int look_at_job(
    struct check *check, const struct statement *row, int64_t *bytes_out, struct error *error)
{
    (void)error;
    *bytes_out = 0;
    if (!statement_bool(row, 1))
        check_found(
            check, STORE_STATE_FILE, "job %lld has lost its result",
            (long long)statement_int64(row, 0));
    return 0;
}

static int look_at_attempt(
    struct check *check, const struct statement *row, int64_t *bytes_out, struct error *error)
{
    (void)error;
    *bytes_out = (int64_t)(statement_bytes(row, 2).length + statement_bytes(row, 3).length);
    if (!statement_bool(row, 1))
        check_found(
            check, STORE_STATE_FILE, "attempt %lld has lost its job",
            (long long)statement_int64(row, 0));
    return 0;
}

static int look_at_run(
    struct check *check, const struct statement *row, int64_t *bytes_out, struct error *error)
{
    enum { RUN_COLUMNS = 16 };

    (void)check;
    (void)error;
    *bytes_out = 0;
    for (int i = 0; i < RUN_COLUMNS; i++) /* what lies on other pages is read only when asked for */
        *bytes_out += (int64_t)statement_bytes(row, i).length;
    return 0;
}

/* ---- walking ---- */

static const struct walk walks[] = {
    {STORE_STATE_FILE, "runs", "SELECT * FROM runs WHERE seq > ? ORDER BY seq LIMIT ?",
     "SELECT max(seq) FROM runs", false, look_at_run},
    {STORE_STATE_FILE, "results",
     "SELECT seq, id, sha256 FROM results WHERE seq > ? ORDER BY seq LIMIT ?",
     "SELECT max(seq) FROM results", false, look_at_result},
    {STORE_STATE_FILE, "jobs",
     "SELECT jobs.seq, results.seq IS NOT NULL FROM jobs"
     " LEFT JOIN results ON results.seq = result_seq WHERE jobs.seq > ? ORDER BY jobs.seq LIMIT ?",
     "SELECT max(seq) FROM jobs", false, look_at_job},
    {STORE_STATE_FILE, "attempts",
     "SELECT attempts.rowid, jobs.seq IS NOT NULL, standard_output, standard_error FROM attempts"
     " LEFT JOIN jobs ON jobs.seq = job_seq WHERE attempts.rowid > ? ORDER BY attempts.rowid"
     " LIMIT ?",
     "SELECT max(rowid) FROM attempts", false, look_at_attempt},
    {STORE_LOG_FILE, "received",
     "SELECT seq, duplicate_of, size, sha256, body, endpoint, key, revision FROM received"
     " WHERE seq > ? ORDER BY seq LIMIT ?",
     "SELECT max(seq) FROM received", true, look_at_received},
    {STORE_LOG_FILE, "rejected",
     "SELECT seq, body FROM rejected WHERE seq > ? ORDER BY seq LIMIT ?",
     "SELECT max(seq) FROM rejected", true, look_at_rejected},
};

/* From *after on, which moves. 1: there may be more; 0: that was all. */
static int walk_slice(
    struct check *check, const struct walk *walk, int64_t *after, struct error *error)
{
    STATEMENT rows = {0};
    int64_t bytes = 0;
    int count = 0;
    int stepped = 0;

    if (statement_open(&rows, walk->in_log ? check->log : check->state, walk->sql, error) < 0)
        return -1;
    statement_bind_int64(&rows, *after);
    statement_bind_int64(&rows, CHECK_SLICE_ROWS);
    while (bytes < SLICE_BYTES && (stepped = statement_step(&rows, error)) == 1) {
        int64_t weight = 0;

        *after = statement_int64(&rows, 0);
        count++;
        if (walk->look(check, &rows, &weight, error) < 0)
            return -1;
        bytes += weight;
    }
    if (stepped < 0)
        return -1;
    return bytes >= SLICE_BYTES || count == CHECK_SLICE_ROWS ? 1 : 0;
}

static void rest(const struct check *check, int64_t took_ms)
{
    int64_t rest_ms = took_ms * check->options->rest_percent / 100;
    struct timespec pause;

    if (rest_ms > REST_MAX_MS)
        rest_ms = REST_MAX_MS;
    pause = (struct timespec){.tv_sec = rest_ms / 1000, .tv_nsec = rest_ms % 1000 * 1000000};
    if (rest_ms > 0)
        (void)nanosleep(&pause, NULL);
}

static void tell(const struct check *check, const struct walk *walk, int64_t done, int64_t all)
{
    if (check->options->progress != NULL && all > 0)
        check->options->progress(
            check->options->context, walk->file, (int)((done < all ? done : all) * 100 / all));
}

static int walk_table(struct check *check, const struct walk *walk, struct error *error)
{
    int64_t after = INT64_MIN;
    int64_t last = 0;
    int more = 1;

    if (db_number(walk->in_log ? check->log : check->state, walk->last, &last, error) < 0)
        return -1;
    while (more == 1 && after < last) {
        int64_t begun_ms = clock_monotonic_ms();
        int64_t before = after;

        if (check_is_stopped(check))
            return check_stopped(error);
        more = walk_slice(check, walk, &after, error);
        if (more < 0 || report_missing(check, error) < 0)
            return error_prefix(error, "%s after row %lld", walk->name, (long long)after);
        if (more == 1 && after <= before) {
            check_found(
                check, walk->file, "the rows of %s are not in order after %lld", walk->name,
                (long long)before);
            return 0;
        }
        tell(check, walk, after, last);
        /* One more for what the clock cuts off: a short slice is followed by a rest too. */
        rest(check, clock_monotonic_ms() - begun_ms + 1);
    }
    return 0;
}

/* The state first: meanwhile the log only grows. */
static int check_cursor(struct check *check, struct error *error)
{
    int64_t cursor;
    int64_t last_seq;

    if (db_number(check->state, "SELECT value FROM meta WHERE name = 'cursor'", &cursor, error) <
            0 ||
        db_number(
            check->log, "SELECT seq FROM sqlite_sequence WHERE name = 'received'", &last_seq,
            error) < 0)
        return -1;
    if (cursor > last_seq)
        check_found(
            check, STORE_LOG_FILE,
            "ends at %lld, but the state has read up to %lld: it is not the log of this state",
            (long long)last_seq, (long long)cursor);
    return 0;
}

int check_rows(struct check *check, struct error *error)
{
    if (check_cursor(check, error) < 0 && check_absorb(check, STORE_STATE_FILE, error) < 0)
        return -1;
    for (size_t i = 0; i < sizeof walks / sizeof walks[0]; i++) {
        if (walk_table(check, &walks[i], error) < 0 &&
            check_absorb(check, walks[i].file, error) < 0)
            return -1;
    }
    return 0;
}
