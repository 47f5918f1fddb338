/* SPDX-License-Identifier: MIT */
/*
 * What is missing: runs that are overdue, and truncated results whose run has no
 * final one yet. Lists are read page by page, a page of each at a tick, so that a
 * long list neither costs much nor hides its end behind its beginning.
 */
#include "reconciler_private.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/text.h"

enum { PAGE = RECONCILE_TASKS_MAX / 2 };

struct collection {
    struct reconciler *reconciler;
    int64_t now_ms;
    int seen; /* of the page being read */
    struct id last;
};

void reconcile_tasks_clear(struct reconcile_tasks *tasks)
{
    for (int i = 0; i < tasks->count; i++)
        free(tasks->items[i].endpoint);
    tasks->count = 0;
    tasks->memory_short = false;
}

static int add_task(
    struct reconcile_tasks *tasks, const struct reconcile_task *task, const char *endpoint)
{
    char *copy = text_copy(endpoint);
    if (!copy) {
        tasks->memory_short = true;
        return -1;
    }
    tasks->items[tasks->count] = *task;
    tasks->items[tasks->count++].endpoint = copy;
    return 0;
}

static int take_overdue(void *context, const struct run_record *run)
{
    struct collection *collection = context;
    collection->seen++;
    collection->last = run->id;
    const struct reconcile_task task = {
        .id = run->id,
        .has_run = true,
        .overdue = true,
        .has_execution_id = run->has_execution_id,
        .execution_id = run->execution_id,
        .since_ms = run->deadline_at_ms > 0 ? run->deadline_at_ms : run->registered_at_ms,
    };
    return add_task(&collection->reconciler->tasks, &task, run->endpoint);
}

static int take_truncated(void *context, const struct result_record *result)
{
    struct collection *collection = context;
    collection->seen++;
    collection->last = result->id;
    if (result->pending)
        return 0;
    const struct reconcile_task task = {
        .id = result->has_run ? result->run : result->id,
        .has_run = result->has_run,
        .has_execution_id = result->has_execution_id,
        .execution_id = result->execution_id,
        .since_ms = result->received_at_ms,
        .result_seq = result->seq,
    };
    return add_task(&collection->reconciler->tasks, &task, result->endpoint);
}

/* The next page starts after this one, or anew when this was the last. */
static void move_cursor(const struct collection *collection, bool *set, struct id *cursor)
{
    *set = collection->seen == PAGE;
    if (*set)
        *cursor = collection->last;
}

static int read_overdue(struct state_tx *tx, struct collection *collection, struct error *error)
{
    struct reconcile_cursor *cursor = &collection->reconciler->cursor;
    const struct run_filter filter = {
        .state = RUN_OVERDUE,
        .before = cursor->overdue_set ? &cursor->overdue : NULL,
        .limit = PAGE,
    };
    collection->seen = 0;
    if (state_run_list(tx, &filter, take_overdue, collection, error) != 0)
        return -1;
    move_cursor(collection, &cursor->overdue_set, &cursor->overdue);
    return 0;
}

static int read_truncated(struct state_tx *tx, struct collection *collection, struct error *error)
{
    struct reconcile_cursor *cursor = &collection->reconciler->cursor;
    const struct result_filter filter = {
        .status = STATUS_TRUNCATED,
        .pending = 0,
        .since_ms = collection->now_ms - reconcile_give_up_ms,
        .before = cursor->truncated_set ? &cursor->truncated : NULL,
        .limit = PAGE,
    };
    collection->seen = 0;
    if (state_result_list(tx, &filter, take_truncated, collection, error) != 0)
        return -1;
    move_cursor(collection, &cursor->truncated_set, &cursor->truncated);
    return 0;
}

/* ---- which of the truncated ones are still wanted ---- */

static bool run_wants_result(struct state_tx *tx, struct reconcile_task *task)
{
    struct run_record run = {0};
    if (state_run_get(tx, &task->id, &run, NULL) != 0)
        return false;
    bool wanted = run.state != RUN_COMPLETED;
    task->overdue = run.state == RUN_OVERDUE;
    if (task->overdue && run.deadline_at_ms > 0)
        task->since_ms = run.deadline_at_ms;
    if (run.has_execution_id) {
        task->has_execution_id = true;
        task->execution_id = run.execution_id;
    }
    run_record_fini(&run);
    return wanted;
}

static int note_polled(void *context, const struct result_record *result)
{
    if (strcmp(result->source, "poll") == 0)
        *(bool *)context = true;
    return 0;
}

/* Where there is no run, a polled result of the same execution is the answer. */
static bool execution_wants_result(struct state_tx *tx, const struct reconcile_task *task)
{
    bool polled = false;
    const struct result_filter filter = {
        .status = -1,
        .endpoint = task->endpoint,
        .has_execution_id = true,
        .execution_id = task->execution_id,
        .pending = -1,
        .since_ms = task->since_ms,
        .limit = PAGE,
    };
    return task->has_execution_id &&
           state_result_list(tx, &filter, note_polled, &polled, NULL) == 0 && !polled;
}

static void drop_settled(struct state_tx *tx, struct reconcile_tasks *tasks, int first)
{
    int kept = first;
    for (int i = first; i < tasks->count; i++) {
        struct reconcile_task *task = &tasks->items[i];
        if (task->has_run ? run_wants_result(tx, task) : execution_wants_result(tx, task))
            tasks->items[kept++] = *task;
        else
            free(task->endpoint);
    }
    tasks->count = kept;
}

static int collect(struct state_tx *tx, void *context, struct error *error)
{
    struct collection *collection = context;
    struct reconcile_tasks *tasks = &collection->reconciler->tasks;
    if (read_overdue(tx, collection, error) != 0)
        return -1;
    int first = tasks->count;
    if (read_truncated(tx, collection, error) != 0)
        return -1;
    drop_settled(tx, tasks, first);
    return 0;
}

int reconcile_collect(struct reconciler *reconciler, int64_t now_ms, struct error *error)
{
    struct collection collection = {.reconciler = reconciler, .now_ms = now_ms};
    int result = state_read(reconciler->state, collect, &collection, error);
    if (reconciler->tasks.memory_short)
        result = error_set(error, ERROR_MEMORY, "memory is short for what is to be asked for");
    return result;
}
