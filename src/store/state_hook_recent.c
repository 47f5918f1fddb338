/* SPDX-License-Identifier: MIT */
/*
 * How a hook's latest attempts went. Attempts are found through jobs, and jobs of one state are
 * in an index in the order of their queueing: so a few of each state in which a job may have
 * attempts that ended, and of their attempts those that ended last. However much is stored, no
 * more rows are read than these bounds say.
 */
#include <stdlib.h>

#include "callbackd/os.h"
#include "state_private.h"

enum {
    JOBS_OF_A_STATE = 200,
    ATTEMPTS_OF_A_STATE = 400, /* a job that was retried has several */
};

struct ended {
    int64_t ended_at_ms;
    int64_t duration_ms; /* -1: nothing ran */
    bool succeeded;
};

struct sample {
    struct ended *items;
    size_t count;
    size_t capacity;
    int64_t since_ms; /* what ended before is not known of every state, so it does not count */
};

static const enum job_state states_with_attempts[] = {
    JOB_SUCCEEDED, JOB_DEAD, JOB_RETRYING, JOB_CANCELLED};
enum { STATES_WITH_ATTEMPTS = sizeof states_with_attempts / sizeof states_with_attempts[0] };

static int note_attempt(const struct statement *row, struct sample *sample, struct error *error)
{
    struct ended ended = {.ended_at_ms = statement_int64(row, 3), .duration_ms = -1};
    enum attempt_outcome outcome;

    if (!attempt_outcome_parse(statement_text(row, 0), &outcome))
        return bad_name(row, 0, "outcome of an attempt", error);
    /* What we ended ourselves says nothing of the hook. */
    if (outcome == ATTEMPT_INTERRUPTED)
        return 0;
    ended.succeeded =
        outcome == ATTEMPT_EXIT && !statement_is_null(row, 1) && statement_int64(row, 1) == 0;
    if (outcome != ATTEMPT_SPAWN_ERROR)
        ended.duration_ms = ended.ended_at_ms - statement_int64(row, 2);
    if (sample->count < sample->capacity)
        sample->items[sample->count++] = ended;
    return 0;
}

static int read_state(
    struct state_tx *tx, const char *hook, enum job_state state, struct sample *sample,
    struct error *error)
{
    STATEMENT rows = {0};
    int64_t oldest_ms = INT64_MAX;
    int count = 0;
    int stepped;

    if (statement_open(
            &rows, tx->db,
            /* A stream that exited with 0 had still to answer, as its message says. */
            "SELECT outcome, iif(message IS NULL, exit_code, NULL), started_at, ended_at"
            " FROM attempts WHERE job_seq IN"
            " (SELECT seq FROM jobs INDEXED BY jobs_hook_state WHERE hook = ? AND state = ?"
            " ORDER BY seq DESC LIMIT ?)"
            " AND ended_at IS NOT NULL ORDER BY job_seq DESC, number DESC LIMIT ?",
            error) < 0)
        return -1;
    statement_bind_text(&rows, hook);
    statement_bind_text(&rows, job_state_name(state));
    statement_bind_int64(&rows, JOBS_OF_A_STATE);
    statement_bind_int64(&rows, ATTEMPTS_OF_A_STATE);
    while ((stepped = statement_step(&rows, error)) == 1) {
        int64_t ended_at_ms = statement_int64(&rows, 3);

        if (note_attempt(&rows, sample, error) != 0)
            return -1;
        oldest_ms = ended_at_ms < oldest_ms ? ended_at_ms : oldest_ms;
        count++;
    }
    if (count >= JOBS_OF_A_STATE && oldest_ms > sample->since_ms)
        sample->since_ms = oldest_ms;
    return stepped;
}

static int latest_first(const void *a, const void *b)
{
    const struct ended *left = a;
    const struct ended *right = b;

    return (left->ended_at_ms < right->ended_at_ms) - (left->ended_at_ms > right->ended_at_ms);
}

static int shortest_first(const void *a, const void *b)
{
    const struct ended *left = a;
    const struct ended *right = b;

    return (left->duration_ms > right->duration_ms) - (left->duration_ms < right->duration_ms);
}

/* The nearest rank: of 100, the 50th and the 99th. */
static int64_t percentile(const struct ended *items, size_t count, size_t percent)
{
    return count == 0 ? -1 : items[(count * percent + 99) / 100 - 1].duration_ms;
}

static void sum_up(struct sample *sample, struct hook_recent *recent)
{
    size_t without = 0;
    size_t count = 0;

    qsort(sample->items, sample->count, sizeof *sample->items, latest_first);
    while (count < sample->count && count < STATE_RECENT_MAX &&
           sample->items[count].ended_at_ms >= sample->since_ms)
        count++;
    *recent = (struct hook_recent){.attempts = (int64_t)count};
    for (size_t i = 0; i < count; i++) {
        recent->succeeded += sample->items[i].succeeded;
        without += sample->items[i].duration_ms < 0;
    }
    /* Those that never ran come first. */
    qsort(sample->items, count, sizeof *sample->items, shortest_first);
    recent->p50_ms = percentile(sample->items + without, count - without, 50);
    recent->p99_ms = percentile(sample->items + without, count - without, 99);
}

int state_hook_recent(
    struct state_tx *tx, const char *hook, struct hook_recent *recent_out, struct error *error)
{
    enum { CAPACITY = ATTEMPTS_OF_A_STATE * STATES_WITH_ATTEMPTS };
    CLEANUP_FREE struct ended *items = calloc(CAPACITY, sizeof *items);
    struct sample sample = {.items = items, .capacity = CAPACITY};

    if (items == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a hook's attempts");
    for (size_t i = 0; i < STATES_WITH_ATTEMPTS; i++) {
        if (read_state(tx, hook, states_with_attempts[i], &sample, error) != 0)
            return -1;
    }
    sum_up(&sample, recent_out);
    return 0;
}
