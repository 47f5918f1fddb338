/* SPDX-License-Identifier: MIT */
/*
 * The hot path. The calling thread hashes the body and makes the id; the committer
 * looks for an equal post of the same key and inserts, both inside the batch's
 * transaction, so that of two equal posts in one batch the second is the duplicate.
 */
#include <stdlib.h>
#include <string.h>

#include "result_log_private.h"
#include "statement.h"

enum { SHA256_BYTES = 32, ROW_BYTES = 512 };

struct append {
    struct writer_work work; /* first: the committer hands this back */
    struct result_log *log;
    const struct result_post *post;
    struct id id;
    unsigned char sha256[SHA256_BYTES];
    struct result_receipt receipt;
};

/* What stands in the log for the same endpoint and key. */
struct earlier {
    int64_t seq; /* 0: nothing */
    struct id id;
    int revision;
    bool same_body;
};

/* `sql` gives seq, id, revision, sha256. */
static int look_up(
    struct db *db, const struct append *append, const char *sql, bool by_sha256,
    struct earlier *earlier_out, struct error *error)
{
    STATEMENT statement = {0};
    int stepped;

    if (statement_open(&statement, db, sql, error) < 0)
        return -1;
    statement_bind_text(&statement, append->post->endpoint);
    statement_bind_text(&statement, append->post->key);
    if (by_sha256)
        statement_bind_blob(&statement, bytes_of(append->sha256, SHA256_BYTES));
    stepped = statement_step(&statement, error);
    *earlier_out = (struct earlier){0};
    if (stepped <= 0)
        return stepped;
    earlier_out->seq = statement_int64(&statement, 0);
    earlier_out->revision = (int)statement_int64(&statement, 2);
    earlier_out->same_body =
        bytes_equal(statement_bytes(&statement, 3), bytes_of(append->sha256, SHA256_BYTES));
    return statement_id(&statement, 1, &earlier_out->id, error);
}

/* The newest, then (rarely) the oldest, then the others by their hash: each is one step into an
 * index, whatever the number of revisions. */
static int find_earlier(
    struct db *db, const struct append *append, struct earlier *same_out, int *newest_out,
    struct error *error)
{
    static const char newest[] =
        "SELECT seq, id, revision, sha256 FROM received INDEXED BY received_key"
        " WHERE endpoint = ? AND key = ? AND duplicate_of IS NULL ORDER BY revision DESC LIMIT 1";
    static const char oldest[] =
        "SELECT seq, id, revision, sha256 FROM received INDEXED BY received_key"
        " WHERE endpoint = ? AND key = ? AND duplicate_of IS NULL ORDER BY revision LIMIT 1";
    static const char by_hash[] =
        "SELECT seq, id, revision, sha256 FROM received INDEXED BY received_revision"
        " WHERE endpoint = ? AND key = ? AND sha256 = ? AND duplicate_of IS NULL"
        " AND revision > 1 LIMIT 1";

    if (look_up(db, append, newest, false, same_out, error) < 0)
        return -1;
    *newest_out = same_out->revision;
    if (same_out->same_body || same_out->revision <= 1)
        return 0;
    if (look_up(db, append, oldest, false, same_out, error) < 0)
        return -1;
    if (same_out->same_body)
        return 0;
    return look_up(db, append, by_hash, true, same_out, error);
}

static void bind_duplicate_parts(
    struct statement *statement, const struct result_post *post, bool duplicate)
{
    if (duplicate) {
        statement_bind_text(statement, "[]");
        statement_bind_null(statement);
    } else {
        statement_bind_text_bytes(statement, post->headers_json);
        statement_bind_blob(statement, post->body);
    }
}

static int insert_row(
    struct db *db, struct append *append, const struct earlier *same, int revision,
    struct error *error)
{
    static const char sql[] =
        "INSERT INTO received (id, duplicate_of, endpoint, kind, key, run_id, execution_id,"
        " delivery_id, status, event, name, source, revision, received_at, remote_address,"
        " verified_by, content_type, size, sha256, headers, body)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
    const struct result_post *post = append->post;
    const struct body_summary *summary = post->summary;
    STATEMENT statement = {0};

    if (statement_open(&statement, db, sql, error) < 0)
        return -1;
    statement_bind_id(&statement, &append->id);
    statement_bind_optional(&statement, same->same_body, same->seq);
    statement_bind_text(&statement, post->endpoint);
    statement_bind_text(&statement, body_kind_name(post->kind));
    statement_bind_text(&statement, post->key);
    statement_bind_id(&statement, post->has_run ? &post->run : NULL);
    statement_bind_optional(&statement, summary->has_execution_id, summary->execution_id);
    statement_bind_text(&statement, post->delivery_id);
    statement_bind_text(&statement, result_status_name(summary->status));
    statement_bind_text(&statement, summary->event);
    statement_bind_text(&statement, summary->name);
    statement_bind_text(&statement, post->source);
    statement_bind_int64(&statement, revision);
    statement_bind_int64(&statement, post->received_at_ms);
    statement_bind_text(&statement, post->remote_address);
    statement_bind_text(&statement, post->verified_by);
    statement_bind_text(&statement, post->content_type);
    statement_bind_int64(&statement, (int64_t)post->body.length);
    statement_bind_blob(&statement, bytes_of(append->sha256, SHA256_BYTES));
    bind_duplicate_parts(&statement, post, same->same_body);
    return statement_run(&statement, error);
}

static int run_append(struct db *db, struct writer_work *work, struct error *error)
{
    struct append *append = (struct append *)work;
    struct earlier same = {0};
    int newest = 0;
    int revision;

    if (append->post->key != NULL && find_earlier(db, append, &same, &newest, error) < 0)
        return -1;
    revision = same.same_body ? same.revision : newest + 1;
    if (insert_row(db, append, &same, revision, error) < 0)
        return -1;
    append->receipt = (struct result_receipt){
        .seq = db_last_insert(db),
        .id = same.same_body ? same.id : append->id,
        .duplicate = same.same_body,
        .revision = revision,
    };
    append->log->appended_seq = append->receipt.seq;
    return 0;
}

static int append_init(
    struct append *append, struct result_log *log, const struct result_post *post,
    struct error *error)
{
    *append = (struct append){.work.run = run_append, .log = log, .post = post, .id = id_new()};
    append->work.group.bytes = ROW_BYTES + post->headers_json.length + post->body.length;
    if (EVP_Digest(post->body.data, post->body.length, append->sha256, NULL, log->sha256, NULL) !=
        1)
        return error_set(error, ERROR_MEMORY, "cannot hash a body");
    return 0;
}

int result_log_append(
    struct result_log *log, const struct result_post *post, struct result_receipt *receipt_out,
    struct error *error)
{
    struct append append;

    if (append_init(&append, log, post, error) != 0)
        return -1;
    if (group_commit_submit(log->group, &append.work.group, error) != 0)
        return -1;
    *receipt_out = append.receipt;
    return 0;
}

struct append_later {
    struct append append; /* first: the teller hands this back */
    result_log_appended *over;
    void *context;
    struct error error;
};

/* What is spare lies in the memory of an append that is over. */
static struct append_later *later_new(struct result_log *log)
{
    struct append_later *later = (struct append_later *)spare_take(&log->spare_appends);

    return later != NULL ? later : malloc(sizeof *later);
}

static void later_free(struct result_log *log, struct append_later *later)
{
    if (!spare_give(&log->spare_appends, (struct spare *)later))
        free(later);
}

void result_log_end_spare(struct spare *spare)
{
    free(spare);
}

static void append_over(struct group_work *work, bool stored)
{
    struct append_later *later = (struct append_later *)work;

    later->over(later->context, &later->append.receipt, stored ? NULL : &later->error);
    later_free(later->append.log, later);
}

int result_log_append_later(
    struct result_log *log, const struct result_post *post, result_log_appended *over,
    void *context, struct error *error)
{
    struct append_later *later = later_new(log);

    if (later == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the log's queue");
    later->over = over;
    later->context = context;
    later->error.code = ERROR_NONE;
    if (append_init(&later->append, log, post, error) == 0) {
        later->append.work.group.over = append_over;
        if (group_commit_start(log->group, &later->append.work.group, &later->error) == 0)
            return 0;
        *error = later->error;
    }
    later_free(log, later);
    return -1;
}
