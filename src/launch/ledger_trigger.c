/* SPDX-License-Identifier: MIT */
/* May hooks fire? Once for each run, or for each key where there is no run, by the first final
 * result; and for what is not final, where a hook asks for it. */
#include "callbackd/ledger.h"

static bool triggers_on_revision(const struct config *config, const char *endpoint)
{
    const struct config_endpoint *found = config_endpoint(config, endpoint);
    return found && found->on_revision == ON_REVISION_TRIGGER;
}

/* Without a run the key says what belongs together; what has none stands alone. */
static int is_first(
    struct state_tx *tx, const struct result_record *result, bool *first_out, struct error *error)
{
    bool triggered = false;
    int status = 0;
    if (result->kind == BODY_WORKFLOW_RESULT && result->has_run)
        status = state_run_has_triggered(tx, &result->run, &triggered, error);
    else if (result->key && result->key[0] != '\0')
        status = state_key_has_triggered(tx, result->endpoint, result->key, &triggered, error);
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
