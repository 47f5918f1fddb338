/* SPDX-License-Identifier: MIT */
#include "retry.h"

#include <stdio.h>
#include <sysexits.h>

#include "callbackd/text.h"

static int64_t full_delay_ms(const struct config_retry *retry, int attempts_made)
{
    int64_t delay_ms = retry->first_delay_ms;
    for (int i = 1; i < attempts_made && delay_ms < retry->max_delay_ms; i++) {
        if (delay_ms > retry->max_delay_ms / 2)
            return retry->max_delay_ms;
        delay_ms *= 2;
    }
    return delay_ms < retry->max_delay_ms ? delay_ms : retry->max_delay_ms;
}

int64_t retry_delay_ms(const struct config_retry *retry, int attempts_made, uint64_t chance)
{
    int64_t full_ms = full_delay_ms(retry, attempts_made);
    if (full_ms <= 0)
        return 0;
    int64_t half_ms = full_ms / 2;
    return half_ms + (int64_t)(chance % (uint64_t)(full_ms - half_ms + 1));
}

static void finish(struct retry_verdict *out, enum job_state state, const char *reason)
{
    *out = (struct retry_verdict){.state = state};
    snprintf(out->reason, sizeof(out->reason), "%s", reason);
}

static void give_up_by_age(const struct retry_policy *policy, struct retry_verdict *out)
{
    char age[32];
    text_format_duration(policy->give_up_after_ms, age, sizeof(age));
    finish(out, JOB_DEAD, "");
    snprintf(
        out->reason, sizeof(out->reason), "the next attempt would come after give_up_after (%s)",
        age);
}

void retry_decide(
    const struct retry_policy *policy, const struct retry_end *end, struct retry_verdict *out)
{
    bool exited = end->outcome == ATTEMPT_EXIT;
    if (exited && end->exit_code == 0 && !end->cancelled) {
        finish(out, JOB_SUCCEEDED, "");
    } else if (end->cancelled) {
        finish(out, JOB_CANCELLED, "");
    } else if (end->outcome == ATTEMPT_INTERRUPTED) {
        *out = (struct retry_verdict){.state = JOB_WAITING, .next_at_ms = end->now_ms};
    } else if (end->fatal) {
        finish(out, JOB_DEAD, end->fatal);
    } else if (
        (exited && end->exit_code == EX_DATAERR) || end->attempts_made >= policy->retry.attempts) {
        finish(out, JOB_DEAD, "");
    } else {
        int64_t next_at_ms =
            end->now_ms + retry_delay_ms(&policy->retry, end->attempts_made, end->chance);
        bool late = policy->give_up_after_ms > 0 &&
                    next_at_ms - end->queued_at_ms > policy->give_up_after_ms;
        if (late)
            give_up_by_age(policy, out);
        else
            *out = (struct retry_verdict){.state = JOB_RETRYING, .next_at_ms = next_at_ms};
    }
}

bool retry_expired(const struct retry_policy *policy, int64_t queued_at_ms, int64_t now_ms)
{
    int64_t limit_ms = policy->give_up_after_ms;
    return limit_ms > 0 && now_ms - queued_at_ms > limit_ms;
}
