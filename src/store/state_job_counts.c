/* SPDX-License-Identifier: MIT */
/*
 * How many jobs are in which state: counting a million would take longer than an answer may. What a
 * transaction changes is added up first, for it moves many jobs the same way.
 */
#include <stdlib.h>
#include <string.h>

#include "state_private.h"

static int write_change(
    struct state_tx *tx, const struct job_count_change *change, struct error *error)
{
    STATEMENT statement = {0};

    if (change->jobs == 0)
        return 0;
    if (statement_open(
            &statement, tx->db,
            "INSERT INTO job_counts (hook, state, jobs) VALUES (?, ?, ?)"
            " ON CONFLICT (hook, state) DO UPDATE SET jobs = jobs + excluded.jobs",
            error) < 0)
        return -1;
    statement_bind_text(&statement, change->hook);
    statement_bind_text(&statement, job_state_name(change->state));
    statement_bind_int64(&statement, change->jobs);
    return statement_run(&statement, error);
}

void job_counts_fini(struct state_tx *tx)
{
    for (size_t i = 0; i < tx->changes.count; i++)
        free(tx->changes.items[i].hook);
    tx->changes.count = 0;
}

int job_counts_write(struct state_tx *tx, struct error *error)
{
    for (size_t i = 0; i < tx->changes.count; i++) {
        if (write_change(tx, &tx->changes.items[i], error) < 0)
            return -1;
    }
    job_counts_fini(tx);
    return 0;
}

int job_counts_change(
    struct state_tx *tx, const char *hook, enum job_state state, int64_t jobs, struct error *error)
{
    struct job_count_changes *changes = &tx->changes;
    char *copy;

    for (size_t i = 0; i < changes->count; i++) {
        if (changes->items[i].state == state && strcmp(changes->items[i].hook, hook) == 0) {
            changes->items[i].jobs += jobs;
            return 0;
        }
    }
    if (changes->count == JOB_COUNT_CHANGES && job_counts_write(tx, error) < 0)
        return -1;
    copy = strdup(hook);
    if (copy == NULL)
        return record_failed(error);
    changes->items[changes->count++] = (struct job_count_change){copy, state, jobs};
    return 0;
}
