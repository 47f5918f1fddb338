/* SPDX-License-Identifier: MIT */
/* What only time decides: which runs are late, and which launches were never reported. */
#include "callbackd/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/text.h"

/* A launch takes seconds. Its launcher has ended without a word. */
static const int64_t launch_report_max_ms = (int64_t)24 * 3600 * 1000;

/* Ids are collected first: a list is not changed while it is read. */
struct due_runs {
    struct id *ids;
    int count;
    int limit;
};

static int collect(void *context, const struct run_record *run)
{
    struct due_runs *due = context;
    if (due->count < due->limit)
        due->ids[due->count++] = run->id;
    return 0;
}

static int move_run(
    struct state_tx *tx, const struct id *id, enum run_state to, const char *reason,
    struct error *error)
{
    struct run_record run = {0};
    if (state_run_get(tx, id, &run, error) != 0)
        return -1;
    int result = 0;
    run.state = to;
    if (reason) {
        free(run.reason);
        run.reason = text_copy(reason);
        if (!run.reason)
            result = error_set(error, ERROR_MEMORY, "memory is short for a reason");
    }
    if (result == 0)
        result = state_run_update(tx, &run, error);
    run_record_fini(&run);
    return result;
}

static int move_due(
    struct state_tx *tx, struct due_runs *due, enum run_state from, int64_t at_ms,
    enum run_state to, const char *reason, struct error *error)
{
    int first = due->count;
    if (first == due->limit)
        return 0;
    if (state_run_due(tx, from, at_ms, due->limit - first, collect, due, error) != 0)
        return -1;
    for (int i = first; i < due->count; i++)
        if (move_run(tx, &due->ids[i], to, reason, error) != 0)
            return -1;
    return 0;
}

int ledger_sweep(
    struct state_tx *tx, int64_t now_ms, int limit, int *moved_out, struct error *error)
{
    struct due_runs due = {.limit = limit > 0 ? limit : 0};
    due.ids = calloc((size_t)due.limit + 1, sizeof *due.ids);
    if (!due.ids)
        return error_set(error, ERROR_MEMORY, "memory is short for %d runs", limit);
    int result = move_due(tx, &due, RUN_WAITING, now_ms, RUN_OVERDUE, NULL, error);
    if (result == 0)
        result = move_due(
            tx, &due, RUN_LAUNCHING, now_ms - launch_report_max_ms, RUN_LOST,
            "its launch was never reported", error);
    if (result == 0)
        *moved_out = due.count;
    free(due.ids);
    return result;
}

static int note_due(void *context, const struct run_record *run)
{
    (void)run;
    *(bool *)context = true;
    return 1;
}

int ledger_sweep_is_due(struct state_tx *tx, int64_t now_ms, bool *due_out, struct error *error)
{
    bool due = false;
    if (state_run_due(tx, RUN_WAITING, now_ms, 1, note_due, &due, error) < 0 ||
        (!due &&
         state_run_due(tx, RUN_LAUNCHING, now_ms - launch_report_max_ms, 1, note_due, &due, error) <
             0))
        return -1;
    *due_out = due;
    return 0;
}
