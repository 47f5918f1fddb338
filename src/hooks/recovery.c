/* SPDX-License-Identifier: MIT */
/* What an earlier engine left: jobs recorded as running, and perhaps their processes. */
#include <stdlib.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "engine_private.h"
#include "process_tree.h"

enum { PAGE_JOBS = 256 };

struct leftover {
    struct id job;
    int attempts_made;
    bool cancel_requested;
};

struct leftovers {
    struct leftover *items;
    size_t count;
    size_t capacity;
    size_t page_count; /* of the page at hand */
    bool failed;
    int64_t now_ms; /* wall */
};

static int add_leftover(void *context, const struct job_record *job)
{
    struct leftovers *list = context;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct leftover *items = reallocarray(list->items, capacity, sizeof(*items));
        list->failed = !items;
        if (list->failed)
            return 1;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] =
        (struct leftover){job->id, job->attempts_made, job->cancel_requested};
    list->page_count++;
    return 0;
}

static int list_work(struct state_tx *tx, void *context, struct error *error)
{
    struct leftovers *list = context;
    do {
        struct id last;
        struct job_filter filter = {.state = JOB_RUNNING, .limit = PAGE_JOBS};
        if (list->count > 0) {
            last = list->items[list->count - 1].job;
            filter.before = &last;
        }
        list->page_count = 0;
        int result = state_job_list(tx, &filter, add_leftover, list, error);
        if (list->failed)
            return error_set(error, ERROR_MEMORY, "no memory for the list of running jobs");
        if (result != 0)
            return -1;
    } while (list->page_count == PAGE_JOBS);
    return 0;
}

/* ---- recording ---- */

struct open_attempts {
    int numbers[8]; /* one in practice */
    size_t count;
    int64_t started_at_ms[8];
};

static int find_open(void *context, const struct attempt_record *attempt)
{
    struct open_attempts *open = context;
    size_t capacity = sizeof(open->numbers) / sizeof(open->numbers[0]);
    if (attempt->outcome == ATTEMPT_RUNNING && open->count < capacity) {
        open->started_at_ms[open->count] = attempt->started_at_ms;
        open->numbers[open->count++] = attempt->number;
    }
    return 0;
}

static int close_attempts(
    struct state_tx *tx, const struct id *job, int64_t now_ms, struct error *error)
{
    struct open_attempts open = {.count = 0};
    if (state_attempt_list(tx, job, find_open, &open, error) != 0)
        return -1;
    for (size_t i = 0; i < open.count; i++) {
        struct attempt_record attempt = {
            .number = open.numbers[i],
            .started_at_ms = open.started_at_ms[i],
            .ended_at_ms = now_ms,
            .outcome = ATTEMPT_INTERRUPTED,
            .exit_code = -1,
        };
        if (state_attempt_update(tx, job, &attempt, error) != 0)
            return -1;
    }
    return 0;
}

static int requeue_work(struct state_tx *tx, void *context, struct error *error)
{
    const struct leftovers *list = context;
    for (size_t i = 0; i < list->count; i++) {
        const struct leftover *leftover = &list->items[i];
        bool cancelled = leftover->cancel_requested;
        struct job_record job = {
            .id = leftover->job,
            .state = cancelled ? JOB_CANCELLED : JOB_WAITING,
            .attempts_made = leftover->attempts_made,
            .next_at_ms = cancelled ? 0 : state_tx_clock_ms(tx),
            .ended_at_ms = cancelled ? list->now_ms : 0,
        };
        if (close_attempts(tx, &leftover->job, list->now_ms, error) != 0 ||
            state_job_update(tx, &job, error) != 0)
            return -1;
    }
    return 0;
}

static int kill_and_requeue(struct hook_engine *engine, struct leftovers *list, struct error *error)
{
    struct id *jobs = calloc(list->count, sizeof(*jobs));
    if (!jobs)
        return error_set(error, ERROR_MEMORY, "no memory for the list of running jobs");
    for (size_t i = 0; i < list->count; i++)
        jobs[i] = list->items[i].job;
    process_tree_kill_leftovers(jobs, list->count, engine->stream_family);
    free(jobs);
    list->now_ms = clock_wall_ms();
    if (state_write(engine->state, requeue_work, list, error) != 0)
        return error_prefix(error, "cannot queue interrupted jobs again");
    log_info("interrupted jobs are queued again", LOG_INT("count", list->count));
    return 0;
}

int recovery_run(struct hook_engine *engine, struct error *error)
{
    struct leftovers list = {.count = 0};
    int result = state_read(engine->state, list_work, &list, error);
    if (result == 0 && list.count > 0)
        result = kill_and_requeue(engine, &list, error);
    else if (result == 0) /* copies that had no job */
        process_tree_kill_leftovers(NULL, 0, engine->stream_family);
    free(list.items);
    return result;
}
