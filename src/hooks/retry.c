/* SPDX-License-Identifier: MIT */
#include "retry.h"

#include <stdio.h>
#include <sysexits.h>

#include "callbackd/text.h"

/* The longest that chance may take. */
static int64_t longest_ms(const struct config_retry *retry, int attempts_made)
{
    int64_t longest_ms = retry->first_delay_ms;
    for (int i = 0; i < attempts_made && longest_ms < retry->max_delay_ms; i++) {
        if (longest_ms > retry->max_delay_ms / 2)
            return retry->max_delay_ms;
        longest_ms *= 2;
        if (longest_ms == 0)
            return 0;
    }
    return longest_ms < retry->max_delay_ms ? longest_ms : retry->max_delay_ms;
}

int64_t retry_delay_ms(const struct config_retry *retry, int attempts_made, uint64_t chance)
{
    int64_t most_ms = longest_ms(retry, attempts_made);
    if (most_ms <= 0)
        return 0;
    return (int64_t)(chance % ((uint64_t)most_ms + 1));
}

struct retry_policy retry_policy_of(const struct config_hook *hook)
{
    return (struct retry_policy){
        .retry = hook->retry,
        .retry_on = hook->retry_on,
        .fail_on = hook->fail_on,
        .give_up_after_ms = hook->give_up_after_ms,
    };
}

/* An exit that no retry can mend. */
static bool is_final_exit(const struct retry_policy *policy, int exit_code)
{
    if (exit_code < 0 || exit_code >= CONFIG_EXIT_CODES)
        return false;
    if (policy->fail_on.holds[exit_code])
        return true;
    if (policy->retry_on.given)
        return !policy->retry_on.holds[exit_code] && exit_code != EX_TEMPFAIL;
    return !policy->fail_on.given && exit_code == EX_DATAERR;
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
    if (end->succeeded && !end->cancelled) {
        finish(out, JOB_SUCCEEDED, "");
    } else if (end->cancelled) {
        finish(out, JOB_CANCELLED, "");
    } else if (end->outcome == ATTEMPT_INTERRUPTED) {
        *out = (struct retry_verdict){.state = JOB_WAITING, .next_at_ms = end->now_ms};
    } else if (end->fatal) {
        finish(out, JOB_DEAD, end->fatal);
    } else if (
        (exited && is_final_exit(policy, end->exit_code)) ||
        end->attempts_made >= policy->retry.attempts) {
        finish(out, JOB_DEAD, "");
    } else {
        int64_t pause_ms = end->asked_ms >= 0
                               ? end->asked_ms
                               : retry_delay_ms(&policy->retry, end->attempts_made, end->chance);
        int64_t next_at_ms = end->now_ms + pause_ms;
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
