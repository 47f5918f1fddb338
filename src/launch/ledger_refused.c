/* SPDX-License-Identifier: MIT */
/* What a refused post means for its run: workflow services post once, so there is nothing to wait
 * for, but something to ask for. */
#include "callbackd/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/text.h"

static int insert_late(
    struct state_tx *tx, const struct ledger_refusal *refusal, struct error *error)
{
    bool existing = false;
    struct run_record run = {
        .id = refusal->run,
        .state = RUN_OVERDUE,
        .workflow = text_copy(""),
        .endpoint = text_copy(refusal->endpoint),
        .registered_at_ms = refusal->received_at_ms,
        .reason = text_copy(refusal->reason),
    };
    int result = run.workflow && run.endpoint && run.reason
                     ? state_run_insert(tx, &run, &existing, error)
                     : error_set(error, ERROR_MEMORY, "memory is short for a run");
    run_record_fini(&run);
    return result;
}

static int note_reason(
    struct state_tx *tx, struct run_record *run, const char *reason, struct error *error)
{
    free(run->reason);
    run->reason = text_copy(reason);
    if (!run->reason)
        return error_set(error, ERROR_MEMORY, "memory is short for a reason");
    /* One that is launching is looked at again when its launch is reported. */
    if (run->state == RUN_WAITING)
        run->state = RUN_OVERDUE;
    return state_run_update(tx, run, error);
}

int ledger_refused(
    struct state_tx *tx, const struct ledger_refusal *refusal, bool *changed_out,
    struct error *error)
{
    struct run_record run = {0};
    struct error missing = {0};
    *changed_out = false;
    if (state_run_get(tx, &refusal->run, &run, &missing) != 0) {
        if (missing.code != ERROR_NOT_FOUND) {
            if (error)
                *error = missing;
            return -1;
        }
        *changed_out = true;
        return insert_late(tx, refusal, error);
    }
    int result = 0;
    *changed_out = run.state == RUN_WAITING || run.state == RUN_LAUNCHING;
    if (*changed_out)
        result = note_reason(tx, &run, refusal->reason, error);
    run_record_fini(&run);
    return result;
}
