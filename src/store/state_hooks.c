/* SPDX-License-Identifier: MIT */
/* Hooks: how full their queues are, and which are paused. */
#include "callbackd/text.h"
#include "state_private.h"

static void count_state(struct hook_counts *counts, enum job_state state, int64_t jobs)
{
    switch (state) {
    case JOB_WAITING:
    case JOB_RETRYING:
        counts->waiting += jobs;
        break;
    case JOB_RUNNING:
        counts->running += jobs;
        break;
    case JOB_SUCCEEDED:
        counts->succeeded += jobs;
        break;
    case JOB_DEAD:
        counts->dead += jobs;
        break;
    case JOB_CANCELLED:
    case JOB_STATES:
        break;
    }
}

static int read_counts(
    struct state_tx *tx, const char *hook, struct hook_counts *counts, struct error *error)
{
    STATEMENT rows = {0};
    int stepped;

    if (statement_open(&rows, tx->db, "SELECT state, jobs FROM job_counts WHERE hook = ?", error) <
        0)
        return -1;
    statement_bind_text(&rows, hook);
    while ((stepped = statement_step(&rows, error)) == 1) {
        enum job_state state;

        if (!job_state_parse(statement_text(&rows, 0), &state))
            return bad_name(&rows, 0, "state of a job", error);
        count_state(counts, state, statement_int64(&rows, 1));
    }
    return stepped;
}

/* The older of the first waiting and the first retrying one: jobs are queued in order. */
static int read_oldest_waiting(
    struct state_tx *tx, const char *hook, int64_t *created_at_out, struct error *error)
{
    STATEMENT row = {0};

    if (statement_open(
            &row, tx->db,
            "SELECT min(created_at) FROM ("
            "SELECT * FROM (SELECT created_at FROM jobs INDEXED BY jobs_hook_state"
            " WHERE hook = ?1 AND state = 'waiting' ORDER BY seq LIMIT 1)"
            " UNION ALL "
            "SELECT * FROM (SELECT created_at FROM jobs INDEXED BY jobs_hook_state"
            " WHERE hook = ?1 AND state = 'retrying' ORDER BY seq LIMIT 1))",
            error) < 0)
        return -1;
    statement_bind_text(&row, hook);
    if (statement_step(&row, error) < 0)
        return -1;
    *created_at_out = statement_int64(&row, 0);
    return 0;
}

int state_hook_counts(
    struct state_tx *tx, const char *hook, struct hook_counts *counts_out, struct error *error)
{
    struct hook_counts counts = {0};

    if (job_counts_write(tx, error) < 0 || read_counts(tx, hook, &counts, error) < 0 ||
        read_oldest_waiting(tx, hook, &counts.oldest_waiting_ms, error) < 0)
        return -1;
    *counts_out = counts;
    return 0;
}

int state_hook_after(struct state_tx *tx, const char *name, char **name_out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(
            &row, tx->db, "SELECT hook FROM job_counts WHERE hook > ? ORDER BY hook LIMIT 1",
            error) < 0)
        return -1;
    statement_bind_text(&row, name);
    stepped = statement_step(&row, error);
    if (stepped < 0)
        return -1;
    *name_out = stepped == 1 ? text_copy(statement_text(&row, 0)) : NULL;
    if (stepped == 1 && *name_out == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a hook's name");
    return 0;
}

int state_hook_paused(struct state_tx *tx, const char *hook, bool *paused_out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(&row, tx->db, "SELECT paused FROM hooks WHERE name = ?", error) < 0)
        return -1;
    statement_bind_text(&row, hook);
    stepped = statement_step(&row, error);
    if (stepped < 0)
        return -1;
    *paused_out = stepped == 1 && statement_bool(&row, 0);
    return 0;
}

int state_hook_set_paused(struct state_tx *tx, const char *hook, bool paused, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "INSERT INTO hooks (name, paused) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET paused = excluded.paused",
            error) < 0)
        return -1;
    statement_bind_text(&statement, hook);
    statement_bind_int64(&statement, paused);
    return statement_run(&statement, error);
}

int state_hook_starts(
    struct state_tx *tx, const char *hook, struct buffer *out, struct error *error)
{
    STATEMENT row = {0};
    int stepped;

    if (statement_open(&row, tx->db, "SELECT starts FROM hooks WHERE name = ?", error) < 0)
        return -1;
    statement_bind_text(&row, hook);
    stepped = statement_step(&row, error);
    if (stepped < 0)
        return -1;
    buffer_append_text(out, stepped == 1 ? statement_text(&row, 0) : "");
    return buffer_failed(out) ? record_failed(error) : 0;
}

int state_hook_set_starts(
    struct state_tx *tx, const char *hook, const char *starts, struct error *error)
{
    STATEMENT statement = {0};

    if (statement_open(
            &statement, tx->db,
            "INSERT INTO hooks (name, paused, starts) VALUES (?, 0, ?)"
            " ON CONFLICT (name) DO UPDATE SET starts = excluded.starts",
            error) < 0)
        return -1;
    statement_bind_text(&statement, hook);
    statement_bind_text(&statement, starts);
    return statement_run(&statement, error);
}
