/* SPDX-License-Identifier: MIT */
/*
 * SQLite's own check of a file's structure. It is one reading, during which the
 * write-ahead file of a busy daemon grows: a watcher breaks it off before the
 * daemon would have a long file to copy in one go.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "callbackd/text.h"
#include "check_private.h"
#include "paths.h"
#include "statement.h"

enum { LOOK_EVERY_MS = 20 };

#define WAL_GROWTH_MAX (64LL * 1024 * 1024)

struct watch {
    struct check *check;
    struct db *db;
    char *wal_path;
    int64_t limit_bytes;
    pthread_t thread;
    _Atomic bool exceeded;
    _Atomic bool ended;
};

/* Not stat(), which makes the next sync dearer (db.c, identify()). */
static int64_t file_bytes(const char *path)
{
    struct statx status;

    return statx(AT_FDCWD, path, 0, STATX_SIZE, &status) == 0 ? (int64_t)status.stx_size : 0;
}

/* Again and again until it has ended: an interrupt between two steps is forgotten. */
static void *watch(void *argument)
{
    struct watch *watch = argument;
    const struct timespec step = {.tv_nsec = LOOK_EVERY_MS * 1000000L};

    while (!atomic_load(&watch->ended)) {
        if (file_bytes(watch->wal_path) > watch->limit_bytes)
            atomic_store(&watch->exceeded, true);
        if (atomic_load(&watch->exceeded) || check_is_stopped(watch->check))
            sqlite3_interrupt(db_handle(watch->db));
        (void)nanosleep(&step, NULL);
    }
    return NULL;
}

/* Each row is a finding, but for the one word "ok". */
static int ask(
    struct check *check, struct db *db, const char *file, const char *sql, struct error *error)
{
    STATEMENT rows = {0};
    int stepped;

    if (statement_open(&rows, db, sql, error) < 0)
        return -1;
    while ((stepped = statement_step(&rows, error)) == 1) {
        if (strcmp(statement_text(&rows, 0), "ok") != 0)
            check_found(check, file, "%s", statement_text(&rows, 0));
    }
    return stepped;
}

/* The outcome of what was watched. *done_out: it was not broken off. */
static int judge(
    struct watch *watch, const char *file, int result, bool *done_out, struct error *error)
{
    if (result == 0 || error->code != ERROR_TIMEOUT) {
        *done_out = true;
        return result == 0 ? 0 : check_absorb(watch->check, file, error);
    }
    *done_out = false;
    return atomic_load(&watch->exceeded) ? 0 : check_stopped(error);
}

static int ask_watched(
    struct check *check, struct db *db, const char *file, const char *sql, bool *done_out,
    struct error *error)
{
    int64_t growth_max = check->options->wal_growth_max;
    struct watch watching = {
        .check = check, .db = db, .wal_path = text_format("%s-wal", db_path(db))};
    int result;

    if (watching.wal_path == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    watching.limit_bytes =
        file_bytes(watching.wal_path) + (growth_max > 0 ? growth_max : WAL_GROWTH_MAX);
    if (pthread_create(&watching.thread, NULL, watch, &watching) != 0) {
        free(watching.wal_path);
        return error_set(error, ERROR_MEMORY, "no thread to watch the check");
    }
    result = ask(check, db, file, sql, error);
    atomic_store(&watching.ended, true);
    (void)pthread_join(watching.thread, NULL);
    free(watching.wal_path);
    return judge(&watching, file, result, done_out, error);
}

int check_structure(struct check *check, struct error *error)
{
    const struct {
        struct db *db;
        const char *file;
        const char *sql;
    } questions[] = {
        {check->state, STORE_STATE_FILE, "PRAGMA quick_check(20)"},
        {check->state, STORE_STATE_FILE,
         "SELECT format('job_counts says %d jobs of %s are %s, there are %d',"
         " coalesce(c.jobs, 0), hook, state, coalesce(n.jobs, 0))"
         " FROM (SELECT hook, state, count(*) AS jobs FROM jobs INDEXED BY jobs_hook_state"
         " GROUP BY hook, state) AS n FULL JOIN job_counts AS c USING (hook, state)"
         " WHERE coalesce(c.jobs, 0) <> coalesce(n.jobs, 0) LIMIT 20"},
        /* A line in which all are held never moves again. */
        {check->state, STORE_STATE_FILE,
         "SELECT format('job %s waits behind nobody in the line %s of %s', id, order_key, hook)"
         " FROM jobs AS j INDEXED BY jobs_line WHERE held = 1 AND order_key IS NOT NULL"
         " AND (state = 'waiting' OR state = 'retrying' OR state = 'running')"
         " AND NOT EXISTS (SELECT 1 FROM jobs AS o INDEXED BY jobs_line WHERE o.hook = j.hook"
         " AND o.order_key = j.order_key AND o.held = 0"
         " AND (o.state = 'waiting' OR o.state = 'retrying' OR o.state = 'running')) LIMIT 20"},
        {check->log, STORE_LOG_FILE, "PRAGMA quick_check(20)"},
    };
    size_t count = sizeof questions / sizeof questions[0];
    bool done = true;

    for (size_t i = 0; i < count && done; i++) {
        if (check->options->progress != NULL)
            check->options->progress(
                check->options->context, questions[i].file, (int)(i * 100 / count));
        if (check_is_stopped(check))
            return check_stopped(error);
        if (ask_watched(check, questions[i].db, questions[i].file, questions[i].sql, &done, error) <
            0)
            return -1;
    }
    check->figures.structure_checked = done;
    return 0;
}
