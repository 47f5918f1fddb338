/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/fibers.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "paths.h"
#include "result_log_private.h"
#include "statement.h"

enum {
    QUEUE_DEFAULT = 4096,
    REJECTED_WAITING_BYTES = 40 * 1024 * 1024, /* two whole ones and many small ones */
    WRITER_CACHE_KIB = 4096,
    CHECKPOINT_BYTES = 2 * 1024 * 1024, /* some senders wait while they are copied */
    READER_CACHE_KIB = 1024,
    READERS = 2,
    SPARE_APPENDS = 128,
    READ_LIMIT_MS = 10000,
};

/* The gauge is shared by all processes that append: it never goes back. */
static void publish_seq(struct metrics *metrics, int64_t seq)
{
    if (metrics_get(metrics, METRIC_LOG_SEQ) < seq)
        metrics_set(metrics, METRIC_LOG_SEQ, seq);
}

static void settled(void *context, bool committed)
{
    struct result_log *log = context;
    const uint64_t one = 1;
    int64_t seq = log->appended_seq;

    log->appended_seq = 0;
    if (!committed || seq == 0)
        return;
    if (log->metrics != NULL)
        publish_seq(log->metrics, seq);
    /* A full counter has woken the worker already. */
    if (log->wake_fd >= 0 && write(log->wake_fd, &one, sizeof one) < 0 && errno != EAGAIN)
        log_warning("cannot wake the worker", LOG_INT("errno", errno));
}

static void init_readers(struct result_log *log)
{
    const struct db_options options = {
        .path = log->path,
        .schema = &schema_results,
        .use = DB_READ,
        .cache_kib = READER_CACHE_KIB,
        .read_limit_ms = READ_LIMIT_MS,
    };

    reader_pool_init(&log->readers, &options, READERS);
}

static int open_writer(
    struct result_log *log, const struct result_log_options *options, struct error *error)
{
    const struct group_options group_options = {
        .operations = &writer_operations,
        .store = &log->writer,
        .committer_name = "log-committer",
        .teller_name = "log-teller",
        .queue_max = options->queue_max > 0 ? options->queue_max : QUEUE_DEFAULT,
        .post_bytes_max = REJECTED_WAITING_BYTES,
    };

    log->writer = (struct writer){
        .path = log->path,
        .schema = &schema_results,
        .cache_kib = WRITER_CACHE_KIB,
        .checkpoint_bytes = CHECKPOINT_BYTES,
        .metrics = log->metrics,
        .checkpoint_first = options->checkpoint_at_start,
        .wait_for_store = options->wait_for_store,
        .settled = settled,
        .context = log,
    };
    if (writer_open(&log->writer, error) < 0)
        return -1;
    log->group = group_commit_open(&group_options, error);
    return log->group != NULL ? 0 : -1;
}

/* The number is from before this process; a log that cannot be read now says so later. */
static void publish_first_seq(struct result_log *log)
{
    int64_t seq;

    if (log->metrics != NULL && result_log_last_seq(log, &seq, NULL) == 0)
        publish_seq(log->metrics, seq);
}

struct result_log *result_log_open(const struct result_log_options *options, struct error *error)
{
    struct result_log *log = calloc(1, sizeof *log);

    if (log == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the log");
        return NULL;
    }
    spare_init(&log->spare_appends, SPARE_APPENDS);
    log->metrics = options->metrics;
    log->wake_fd = options->wake_fd;
    log->keep_rejected = options->keep_rejected;
    log->path = os_path_join(options->directory, STORE_LOG_FILE);
    log->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    init_readers(log);
    if (log->path == NULL || log->sha256 == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the log");
        result_log_close(log);
        return NULL;
    }
    if (open_writer(log, options, error) < 0) {
        result_log_close(log);
        return NULL;
    }
    publish_first_seq(log);
    return log;
}

void result_log_close(struct result_log *log)
{
    if (log == NULL)
        return;
    group_commit_close(log->group);
    reader_pool_fini(&log->readers);
    spare_fini(&log->spare_appends, result_log_end_spare);
    writer_close(&log->writer);
    EVP_MD_free(log->sha256);
    free(log->path);
    free(log);
}

/* ---- readiness ---- */

static int run_trial(struct db *db, struct writer_work *work, struct error *error)
{
    STATEMENT statement = {0};

    (void)work;
    if (statement_open(
            &statement, db, "INSERT OR REPLACE INTO trial (one, tried_at) VALUES (1, ?)", error) <
        0)
        return -1;
    statement_bind_int64(&statement, clock_wall_ms());
    return statement_run(&statement, error);
}

static int run_nothing(struct db *db, struct writer_work *work, struct error *error)
{
    (void)db, (void)work, (void)error;
    return 0;
}

/* The loop of a fiber must not wait for a file: the committer looks for it, when it begins a
 * transaction. That its queue is full says nothing against the store. */
static int check_by_committer(struct result_log *log, struct error *error)
{
    struct writer_work nothing = {.run = run_nothing};
    struct error own = {0};

    if (group_commit_submit(log->group, &nothing.group, &own) == 0 || own.code == ERROR_BUSY)
        return 0;
    if (error != NULL)
        *error = own;
    return -1;
}

/* While all is well it costs two statx() calls: a directory that vanished shows before a post
 * has to be refused. */
int result_log_check(struct result_log *log, struct error *error)
{
    struct writer_work trial = {.run = run_trial};
    struct db *db;

    if (!writer_is_healthy(&log->writer))
        return group_commit_submit(log->group, &trial.group, error);
    if (fiber_self() != NULL)
        return check_by_committer(log, error);
    db = reader_pool_take(&log->readers, error);
    if (db == NULL) {
        writer_doubt(&log->writer, error);
        return -1;
    }
    reader_pool_give(&log->readers, db);
    return 0;
}
