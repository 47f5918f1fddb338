/* SPDX-License-Identifier: MIT */
/* May hooks fire? Once for each run, or for each key where there is no run, by the first final
 * result; and for what is not final, where a hook asks for it. */
#include "callbackd/ledger.h"

#include <string.h>

enum { EARLIER_MAX = 1000 };

static bool triggers_on_revision(const struct config *config, const char *endpoint)
{
    const struct config_endpoint *found = config_endpoint(config, endpoint);
    return found && found->on_revision == ON_REVISION_TRIGGER;
}

struct earlier {
    const struct result_record *result;
    bool triggered;
};

static int look_at_earlier(void *context, const struct result_record *other)
{
    struct earlier *earlier = context;
    const struct result_record *result = earlier->result;
    earlier->triggered |= other->seq < result->seq && other->kind == result->kind &&
                          other->triggered && result_status_is_final(other->status) &&
                          strcmp(other->event, result->event) == 0;
    return 0;
}

/* A further revision without a run: its first may have been running or truncated. */
static int earlier_has_triggered(
    struct state_tx *tx, const struct result_record *result, bool *triggered_out,
    struct error *error)
{
    struct earlier earlier = {.result = result, .triggered = !result->has_execution_id};
    const struct result_filter filter = {
        .status = -1,
        .endpoint = result->endpoint,
        .has_execution_id = true,
        .execution_id = result->execution_id,
        .pending = -1,
        .limit = EARLIER_MAX,
    };
    if (result->has_execution_id &&
        state_result_list(tx, &filter, look_at_earlier, &earlier, error) != 0)
        return -1;
    *triggered_out = earlier.triggered;
    return 0;
}

static int is_first(
    struct state_tx *tx, const struct result_record *result, bool *first_out, struct error *error)
{
    bool triggered = false;
    int status = 0;
    if (result->kind == BODY_WORKFLOW_RESULT && result->has_run)
        status = state_run_has_triggered(tx, &result->run, &triggered, error);
    else if (result->revision > 1)
        status = earlier_has_triggered(tx, result, &triggered, error);
    if (status == 0)
        *first_out = !triggered;
    return status;
}

int ledger_may_trigger(
    struct state_tx *tx, const struct config *config, const struct result_record *result,
    bool *may_out, struct error *error)
{
    if (result->pending || result->triggered || result->status == STATUS_MISMATCH) {
        *may_out = false;
        return 0;
    }
    if (!result_status_is_final(result->status) || triggers_on_revision(config, result->endpoint)) {
        *may_out = true;
        return 0;
    }
    return is_first(tx, result, may_out, error);
}
