/* SPDX-License-Identifier: MIT */
/* Is what is stored what we wrote? Reads everything, so it takes as long as that does. */
#include <stdio.h>

#include "callbackd/os.h"
#include "callbackd/store.h"
#include "paths.h"
#include "statement.h"

enum { CACHE_KIB = 8192, FINDING_BYTES = 512 };

struct check {
    const char *file;
    store_finding_visitor *visit;
    void *context;
    int64_t findings;
};

static void report(struct check *check, const char *text)
{
    char finding[FINDING_BYTES];

    snprintf(finding, sizeof finding, "%s: %s", check->file, text);
    check->findings++;
    check->visit(check->context, finding);
}

/* Each row of `sql` is a finding, but for the one word "ok". */
static int report_rows(struct check *check, struct db *db, const char *sql, struct error *error)
{
    STATEMENT rows = {0};
    int stepped;

    if (statement_open(&rows, db, sql, error) < 0)
        return -1;
    while ((stepped = statement_step(&rows, error)) == 1) {
        if (strcmp(statement_text(&rows, 0), "ok") != 0)
            report(check, statement_text(&rows, 0));
    }
    return stepped;
}

static struct db *open_file(
    const char *directory, const char *file, const struct schema *schema, struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(directory, file);
    const struct db_options options = {
        .path = path, .schema = schema, .use = DB_READ, .cache_kib = CACHE_KIB};

    if (path == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for a path");
        return NULL;
    }
    return db_open(&options, error);
}

static int check_log(
    struct check *check, const char *directory, int64_t *last_out, struct error *error)
{
    struct db *db = open_file(directory, STORE_LOG_FILE, &schema_results, error);
    int result;

    if (db == NULL)
        return -1;
    check->file = STORE_LOG_FILE;
    result = report_rows(check, db, "PRAGMA quick_check(20)", error);
    if (result == 0)
        result = db_number(
            db, "SELECT seq FROM sqlite_sequence WHERE name = 'received'", last_out, error);
    db_close(db);
    return result;
}

static int check_state_rows(struct check *check, struct db *db, struct error *error)
{
    static const char *const questions[] = {
        "PRAGMA quick_check(20)",
        "SELECT format('row %d of %s has lost its %s', rowid, \"table\", parent)"
        " FROM pragma_foreign_key_check LIMIT 20",
        "SELECT format('job_counts says %d jobs of %s are %s, there are %d', c.jobs, c.hook,"
        " c.state, n.jobs) FROM job_counts AS c JOIN (SELECT hook, state, count(*) AS jobs FROM "
        "jobs"
        " INDEXED BY jobs_hook_state GROUP BY hook, state) AS n USING (hook, state)"
        " WHERE c.jobs <> n.jobs LIMIT 20",
        /* A line in which all are held never moves again. */
        "SELECT format('job %s waits behind nobody in the line %s of %s', id, order_key, hook)"
        " FROM jobs AS j INDEXED BY jobs_line WHERE held = 1 AND order_key IS NOT NULL"
        " AND state IN ('waiting', 'retrying', 'running')"
        " AND NOT EXISTS (SELECT 1 FROM jobs AS o INDEXED BY jobs_line WHERE o.hook = j.hook"
        " AND o.order_key = j.order_key AND o.held = 0"
        " AND o.state IN ('waiting', 'retrying', 'running')) LIMIT 20",
    };

    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        if (report_rows(check, db, questions[i], error) < 0)
            return -1;
    }
    return 0;
}

static int check_state(
    struct check *check, const char *directory, int64_t *cursor_out, struct error *error)
{
    struct db *db = open_file(directory, STORE_STATE_FILE, &schema_state, error);
    int result;

    if (db == NULL)
        return -1;
    check->file = STORE_STATE_FILE;
    result = check_state_rows(check, db, error);
    if (result == 0)
        result = db_number(db, "SELECT value FROM meta WHERE name = 'cursor'", cursor_out, error);
    db_close(db);
    return result;
}

/* The state first: meanwhile the log only grows. */
int store_check(
    const char *directory, store_finding_visitor *visit, void *context, int64_t *findings_out,
    struct error *error)
{
    struct check check = {.visit = visit, .context = context};
    int64_t cursor = 0;
    int64_t last_seq = 0;

    if (check_state(&check, directory, &cursor, error) < 0 ||
        check_log(&check, directory, &last_seq, error) < 0)
        return -1;
    if (cursor > last_seq)
        report(&check, "ends before what the state has read: it is not the log of this state");
    *findings_out = check.findings;
    return 0;
}
