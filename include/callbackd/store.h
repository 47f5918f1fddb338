/* SPDX-License-Identifier: MIT */
/*
 * The door of the store, first half: preparing it, and the log of what was
 * received (log/results.db). The second half is state.h: what was decided.
 *
 * The log is append-only: a row never changes; retention removes old ones. Its
 * habitual writer is the receiver; the worker reads on from its cursor and writes
 * now and then (a polled result, a slice of retention). SQLite is behind this
 * door; nothing outside src/store knows.
 *
 * "Stored" means: committed and synced. After a failed sync nothing is assumed:
 * the append fails with ERROR_STORE, the connection is opened anew, and the post
 * may or may not be found later (a retry of it is safe).
 *
 * Threads: a struct result_log may be used by many threads. Appends of several
 * threads share a transaction and a sync (group commit), done by one committer
 * thread that the log owns; an append that is alone is committed at once.
 */
#ifndef CALLBACKD_STORE_H
#define CALLBACKD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/body.h"
#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/id.h"
#include "callbackd/metrics.h"

/*
 * Makes the directories (0700) and both databases, and brings their schemas forward. For one
 * short-lived process, before anything opens the store. Refuses, with ERROR_CORRUPT, a file
 * that is not ours or comes from a newer version, and a log with results whose state is missing:
 * all of them would trigger their hooks again. An empty file in its place says that this is meant.
 */
int store_prepare(const char *directory, struct error *error);

/* Reads what the store needs once from elsewhere (/dev/urandom): for a process that is about to
 * lose the right to. Others need not call it. */
void store_read_system(void);

/* The folder of the log: all of the store that a receiver opens files in. The caller frees; NULL
 * when memory is short. */
char *store_log_directory(const char *directory);

/* An exclusive lock "<directory>/<name>.lock", held until the descriptor and its copies are
 * closed. Waits up to wait_ms for another holder, then ERROR_CONFLICT with its pid. */
int store_lock(
    const char *directory, const char *name, int64_t wait_ms, int *fd_out, struct error *error);

struct result_log;

struct result_log_options {
    const char *directory;    /* the store's */
    struct metrics *metrics;  /* may be NULL */
    int wake_fd;              /* eventfd, written after each commit; -1: none */
    size_t queue_max;         /* posts that may wait; beyond it ERROR_BUSY. 0: 4096 */
    int keep_rejected;        /* rows */
    bool checkpoint_at_start; /* the receiver: empties the WAL before the first append */
    /* What is wrong with the store (it is gone, or damaged) is no reason not to open it: each
     * call says so, until it is mended. */
    bool wait_for_store;
};

struct result_log *result_log_open(const struct result_log_options *options, struct error *error);
void result_log_close(struct result_log *log); /* commits what waits; NULL is allowed */

/* What is received. All borrowed until the call returns. */
struct result_post {
    const char *endpoint;
    enum body_kind kind;
    /* What makes two posts the same, without the endpoint: run id, sender's delivery id or
     * event and execution; NULL: never a duplicate. */
    const char *key;
    bool has_run;
    struct id run;
    const struct body_summary *summary;
    const char *delivery_id;    /* "" when none */
    const char *source;         /* "callback" or "poll" */
    int64_t received_at_ms;     /* wall */
    const char *remote_address; /* resolved client */
    const char *verified_by;
    const char *content_type;  /* "" when none */
    struct bytes headers_json; /* an array of [name, value], secrets removed */
    struct bytes body;         /* exact */
};

struct result_receipt {
    int64_t seq;    /* of the row that was appended, also for a duplicate */
    struct id id;   /* of this result; of the first one when duplicate */
    bool duplicate; /* same key and same body: only counted */
    int revision;   /* 1: first for its key */
};

/* Returns when stored. ERROR_BUSY: the queue is full. ERROR_STORE: not known to be stored. */
int result_log_append(
    struct result_log *log, const struct result_post *post, struct result_receipt *receipt_out,
    struct error *error);

/* `error` is NULL when it is stored, and `receipt` is filled only then. */
typedef void result_log_appended(
    void *context, const struct result_receipt *receipt, const struct error *error);

/* The same without waiting: 0 when it was taken, and then `over` is called once, on a thread of the
 * log that all others wait for, so it must be short. `post` and what it borrows stay borrowed until
 * then. -1: not taken, `over` is not called. */
int result_log_append_later(
    struct result_log *log, const struct result_post *post, result_log_appended *over,
    void *context, struct error *error);

/* Can the store take an append now? Answers from the outcome of the last commits and from where
 * the files are, and by trying when that failed. */
int result_log_check(struct result_log *log, struct error *error);

/* ---- reading ---- */

/* One row, as visited: texts and views are borrowed during the visit. */
struct result_entry {
    int64_t seq; /* ascending, never used twice */
    struct id id;
    int64_t duplicate_of; /* seq of the stored result that this post repeats; 0: not a duplicate.
                             A duplicate's row has no body */
    const char *endpoint;
    enum body_kind kind;
    const char *key; /* "" when none */
    bool has_run;
    struct id run;
    bool has_execution_id;
    int64_t execution_id;
    const char *delivery_id;
    enum result_status status; /* what the post itself says */
    const char *event;
    const char *name; /* workflow or agent named by the body; "" */
    const char *source;
    int revision;
    int64_t received_at_ms;
    const char *remote_address;
    const char *verified_by;
    const char *content_type;
    struct bytes headers_json;
    int64_t size;             /* bytes of the body */
    unsigned char sha256[32]; /* of the body */
    /* Why the row is not one that we wrote; NULL: it is. Then nothing but seq, endpoint and
     * received_at_ms holds. Only result_log_read shows such rows. */
    const char *fault;
};

/* A visitor's non-zero return stops the reading and is returned. Visitors must be short: a
 * reader that stays open keeps the WAL growing. */
typedef int result_visitor(void *context, const struct result_entry *entry);

/* Rows after `after_seq` in order, at most `limit`. -1 on error; ERROR_CORRUPT when the log never
 * had `after_seq`: it is not the one that was read before. */
int result_log_read(
    struct result_log *log, int64_t after_seq, int limit, result_visitor *visit, void *context,
    struct error *error);
/* One row by its seq. ERROR_NOT_FOUND. */
int result_log_get(
    struct result_log *log, int64_t seq, result_visitor *visit, void *context, struct error *error);
/* Appends the exact body; for a duplicate, that of the post which it repeats. ERROR_NOT_FOUND,
 * ERROR_TOO_LARGE past the buffer's maximum. */
int result_log_body(struct result_log *log, int64_t seq, struct buffer *out, struct error *error);
/* Several bodies in one view, which costs less than one view for each. As long as it is open the
 * log's WAL cannot be emptied, so that is short; one thread. The caller's storage. */
struct result_reading {
    struct result_log *log; /* NULL: not open */
    void *connection;
};
int result_reading_begin(
    struct result_reading *reading, struct result_log *log, struct error *error);
/* As result_log_body. */
int result_reading_body(
    struct result_reading *reading, int64_t seq, struct buffer *out, struct error *error);
void result_reading_end(struct result_reading *reading); /* one that is not open is allowed */
/* The newest seq ever given; 0 when none was. */
int result_log_last_seq(struct result_log *log, int64_t *seq_out, struct error *error);

/* Removes at most `limit` rows received before `before_ms` with seq <= up_to_seq, for which
 * `keep` (may be NULL) returns false. *removed_out counts. Short: one small transaction, of fewer
 * rows where bodies are large. Looks at a bounded number of rows and goes on there the next time,
 * so 0 may be removed although there is more: call it now and then. `keep` runs on the caller's
 * thread, outside of any transaction. */
int result_log_remove(
    struct result_log *log, int64_t before_ms, int64_t up_to_seq, int limit,
    bool (*keep)(void *context, int64_t seq), void *context, int *removed_out, struct error *error);
/* Gives a slice of the space that removal has left back to the file system, if there is much.
 * *shrunk_out: it did, and there may be more. What is not given back is used again. */
int result_log_shrink(struct result_log *log, bool *shrunk_out, struct error *error);

/* ---- refused posts, bounded in number (keep_rejected) and size (16 MiB each, whole for what
 * was verified; the first 4 KiB otherwise) ---- */

struct rejected_post {
    int64_t seq; /* given by the store when appended, as the id */
    struct id id;
    int64_t received_at_ms;
    const char *endpoint;
    const char *remote_address;
    int status; /* the HTTP status that was answered */
    const char *reason;
    bool has_run;
    struct id run; /* the run whose token it had, if that was verified */
    struct bytes headers_json;
    int64_t size;      /* of the whole body as far as known; -1: not read */
    struct bytes body; /* what is kept */
};

/* Waits for nothing: queued behind the appends, dropped (with a count) when the queue is full. */
void result_log_reject(struct result_log *log, const struct rejected_post *post);
/* Returns when it is stored: for posts that were verified, whose sender may never repeat them.
 * ERROR_BUSY and ERROR_STORE as for result_log_append. */
int result_log_reject_and_wait(
    struct result_log *log, const struct rejected_post *post, struct error *error);
/* Newest first, at most `limit`, older than the id `before` (NULL: from the newest). */
int result_log_rejected(
    struct result_log *log, const struct id *before, int limit,
    int (*visit)(void *context, const struct rejected_post *post), void *context,
    struct error *error);
/* Oldest first, at most `limit`, those after `after_seq`: without headers and body. */
int result_log_rejected_after(
    struct result_log *log, int64_t after_seq, int limit,
    int (*visit)(void *context, const struct rejected_post *post), void *context,
    struct error *error);

#endif
