/* SPDX-License-Identifier: MIT */
#include "death.h"

#include "callbackd/log.h"
#include "trigger.h"

void death_describe(const struct running *running, char *out, size_t out_bytes)
{
    if (running->verdict.reason[0] != '\0')
        snprintf(out, out_bytes, "%s", running->verdict.reason);
    else if (running->message)
        snprintf(out, out_bytes, "%s", running->message);
    else if (running->outcome == ATTEMPT_EXIT)
        snprintf(out, out_bytes, "exit %d", running->exit_code);
    else if (running->outcome == ATTEMPT_SIGNAL)
        snprintf(out, out_bytes, "signal %d", running->signal);
    else
        snprintf(out, out_bytes, "%s", attempt_outcome_name(running->outcome));
}

static int insert(
    struct state_tx *tx, struct queue_round *round, const struct config_hook *hook,
    const struct running *running, const struct result_record *result, struct error *error)
{
    char reason[RETRY_REASON_BYTES];
    struct id told;
    death_describe(running, reason, sizeof(reason));
    struct job_death death = {(char *)running->job_text, running->hook, reason};
    if (trigger_insert(tx, hook, result, &death, false, &told, error) != 0)
        return -1;
    round->told_count++;
    return 0;
}

int death_tell(
    struct state_tx *tx, struct queue_round *round, const struct running *running,
    struct error *error)
{
    const struct hook_engine *engine = round->engine;
    /* By name: after a reload the hook may be another. If it is gone, what it said still holds. */
    const struct hook_slot *slot = slots_find(engine->slots, engine->slot_count, running->hook);
    const char *name = slot ? slot->hook->on_dead : running->on_dead;
    const struct hook_slot *to = name ? slots_find(engine->slots, engine->slot_count, name) : NULL;
    if (!to)
        return 0;
    if (running->has_result)
        return insert(tx, round, to->hook, running, &running->result, error);
    struct result_record result = {0};
    struct error reason;
    if (state_result_by_seq(tx, running->result_seq, &result, &reason) != 0) {
        if (reason.code == ERROR_NOT_FOUND)
            return 0; /* without a result there is nothing to run on */
        return error_set(error, reason.code, "%s", reason.message);
    }
    int outcome = insert(tx, round, to->hook, running, &result, error);
    result_record_fini(&result);
    return outcome;
}
