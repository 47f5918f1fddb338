/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "callbackd/log.h"
#include "result_log_private.h"
#include "statement.h"

enum {
    BODY_MAX = 16 * 1024 * 1024,
    TRIM_AT_ONCE = 8, /* after keep_rejected was lowered: whole bodies may go */
    ROW_BYTES = 512,
    DROPPED_LOGGED_EVERY = 1000,
};

/* A copy in one piece of memory, for the committer. */
struct reject {
    struct writer_work work; /* first: the committer hands this back */
    struct result_log *log;
    struct rejected_post post;
    char bytes[];
};

static int insert_rejected(struct db *db, const struct reject *reject, struct error *error)
{
    const struct rejected_post *post = &reject->post;
    STATEMENT statement = {0};

    if (statement_open(
            &statement, db,
            "INSERT INTO rejected (id, received_at, endpoint, remote_address, status, reason,"
            " headers, size, body, run_id) VALUES (?,?,?,?,?,?,?,?,?,?)",
            error) < 0)
        return -1;
    statement_bind_id(&statement, &post->id);
    statement_bind_int64(&statement, post->received_at_ms);
    statement_bind_text(&statement, post->endpoint);
    statement_bind_text(&statement, post->remote_address);
    statement_bind_int64(&statement, post->status);
    statement_bind_text(&statement, post->reason);
    statement_bind_text_bytes(&statement, post->headers_json);
    statement_bind_int64(&statement, post->size);
    statement_bind_blob(&statement, post->body);
    statement_bind_id(&statement, post->has_run ? &post->run : NULL);
    return statement_run(&statement, error);
}

static int trim_rejected(struct db *db, int64_t up_to_seq, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, db,
            "DELETE FROM rejected WHERE seq IN"
            " (SELECT seq FROM rejected WHERE seq <= ? ORDER BY seq LIMIT ?)",
            error) < 0)
        return -1;
    statement_bind_int64(&statement, up_to_seq);
    statement_bind_int64(&statement, TRIM_AT_ONCE);
    return statement_run(&statement, error);
}

static int run_reject(struct db *db, struct writer_work *work, struct error *error)
{
    const struct reject *reject = (const struct reject *)work;

    if (insert_rejected(db, reject, error) < 0)
        return -1;
    return trim_rejected(db, db_last_insert(db) - reject->log->keep_rejected, error);
}

static void note_dropped(struct result_log *log)
{
    int64_t count = atomic_fetch_add(&log->dropped_count, 1) + 1;

    metrics_add(log->metrics, METRIC_REJECTED_DROPPED, 1);
    if (count % DROPPED_LOGGED_EVERY == 1)
        log_warning("rejected posts could not be kept", LOG_INT("count", count));
}

static void reject_over(struct group_work *work, bool stored)
{
    struct reject *reject = (struct reject *)work;

    if (!stored)
        note_dropped(reject->log);
    free(reject);
}

static const char *copy_text(char **at, const char *text)
{
    size_t length = strlen(text) + 1;
    char *copy = memcpy(*at, text, length);

    *at += length;
    return copy;
}

static struct bytes copy_bytes(char **at, struct bytes bytes)
{
    struct bytes copy = bytes_of(*at, bytes.length);

    if (bytes.length > 0)
        memcpy(*at, bytes.data, bytes.length);
    *at += bytes.length;
    return copy;
}

static struct reject *reject_new(struct result_log *log, const struct rejected_post *post)
{
    struct bytes body = post->body;
    struct reject *reject;
    size_t size;
    char *at;

    if (body.length > BODY_MAX)
        body.length = BODY_MAX;
    size = strlen(post->endpoint) + strlen(post->remote_address) + strlen(post->reason) + 3 +
           post->headers_json.length + body.length;
    reject = malloc(sizeof *reject + size);
    if (reject == NULL)
        return NULL;
    at = reject->bytes;
    *reject = (struct reject){
        .work = {.run = run_reject, .savepoint = true},
        .log = log,
        .post = *post,
    };
    reject->work.group.bytes = ROW_BYTES + size;
    reject->work.group.over = reject_over;
    reject->post.id = id_new();
    reject->post.endpoint = copy_text(&at, post->endpoint);
    reject->post.remote_address = copy_text(&at, post->remote_address);
    reject->post.reason = copy_text(&at, post->reason);
    reject->post.headers_json = copy_bytes(&at, post->headers_json);
    reject->post.body = copy_bytes(&at, body);
    return reject;
}

void result_log_reject(struct result_log *log, const struct rejected_post *post)
{
    struct reject *reject;

    if (log->keep_rejected <= 0)
        return;
    reject = reject_new(log, post);
    if (reject == NULL) {
        note_dropped(log);
    } else if (!group_commit_post(log->group, &reject->work.group)) {
        note_dropped(log);
        free(reject);
    }
}

int result_log_reject_and_wait(
    struct result_log *log, const struct rejected_post *post, struct error *error)
{
    struct reject reject = {
        .work = {.run = run_reject, .savepoint = true},
        .log = log,
        .post = *post,
    };

    if (log->keep_rejected <= 0)
        return 0;
    if (reject.post.body.length > BODY_MAX)
        reject.post.body.length = BODY_MAX;
    reject.post.id = id_new();
    reject.work.group.bytes = ROW_BYTES + post->headers_json.length + reject.post.body.length;
    return group_commit_submit(log->group, &reject.work.group, error);
}

/* ---- reading ---- */

#define COLUMNS "seq, id, received_at, endpoint, remote_address, status, reason, run_id, "
enum {
    SEQ,
    ID,
    RECEIVED_AT,
    ENDPOINT,
    REMOTE_ADDRESS,
    STATUS,
    REASON,
    RUN_ID,
    HEADERS,
    SIZE,
    BODY
};

static int read_rejected(
    const struct statement *row, struct rejected_post *post_out, struct error *error)
{
    *post_out = (struct rejected_post){
        .seq = statement_int64(row, SEQ),
        .received_at_ms = statement_int64(row, RECEIVED_AT),
        .endpoint = statement_text(row, ENDPOINT),
        .remote_address = statement_text(row, REMOTE_ADDRESS),
        .status = (int)statement_int64(row, STATUS),
        .reason = statement_text(row, REASON),
        .has_run = !statement_is_null(row, RUN_ID),
        .headers_json = statement_bytes(row, HEADERS),
        .size = statement_int64(row, SIZE),
        .body = statement_bytes(row, BODY),
    };
    if (post_out->has_run && statement_id(row, RUN_ID, &post_out->run, error) < 0)
        return -1;
    return statement_id(row, ID, &post_out->id, error);
}

typedef int rejected_visitor(void *context, const struct rejected_post *post);

static int visit_rows(
    struct statement *rows, rejected_visitor *visit, void *context, struct error *error)
{
    struct rejected_post post;
    int stepped;

    while ((stepped = statement_step(rows, error)) == 1) {
        int stopped = read_rejected(rows, &post, error);

        if (stopped == 0)
            stopped = visit(context, &post);
        if (stopped != 0)
            return stopped;
    }
    return stepped;
}

static int visit_rejected(
    struct db *db, const struct id *before, int limit, rejected_visitor *visit, void *context,
    struct error *error)
{
    STATEMENT rows = {0};

    if (statement_open(
            &rows, db,
            "SELECT " COLUMNS "headers, size, body FROM rejected WHERE id < ?"
            " ORDER BY id DESC LIMIT ?",
            error) < 0)
        return -1;
    if (before != NULL)
        statement_bind_id(&rows, before);
    else
        statement_bind_text(&rows, "g"); /* after every id */
    statement_bind_int64(&rows, limit);
    return visit_rows(&rows, visit, context, error);
}

int result_log_rejected(
    struct result_log *log, const struct id *before, int limit, rejected_visitor *visit,
    void *context, struct error *error)
{
    struct db *db = reader_pool_take(&log->readers, error);
    int result;

    if (db == NULL)
        return -1;
    result = visit_rejected(db, before, limit, visit, context, error);
    reader_pool_give(&log->readers, db);
    return result;
}

static int visit_rejected_after(
    struct db *db, int64_t after_seq, int limit, rejected_visitor *visit, void *context,
    struct error *error)
{
    STATEMENT rows = {0};

    if (statement_open(
            &rows, db,
            "SELECT " COLUMNS "'', size, '' FROM rejected WHERE seq > ? ORDER BY seq LIMIT ?",
            error) < 0)
        return -1;
    statement_bind_int64(&rows, after_seq);
    statement_bind_int64(&rows, limit);
    return visit_rows(&rows, visit, context, error);
}

int result_log_rejected_after(
    struct result_log *log, int64_t after_seq, int limit, rejected_visitor *visit, void *context,
    struct error *error)
{
    struct db *db = reader_pool_take(&log->readers, error);
    int result;

    if (db == NULL)
        return -1;
    result = visit_rejected_after(db, after_seq, limit, visit, context, error);
    reader_pool_give(&log->readers, db);
    return result;
}
