/* SPDX-License-Identifier: MIT */
/* What the log and the metrics are told of jobs. Never their output or bodies. */
#include "callbackd/log.h"
#include "engine_private.h"

static void count(struct hook_engine *engine, const struct running *running)
{
    bool attempted = running->started_at_ms != 0;
    bool well = running->outcome == ATTEMPT_EXIT && running->exit_code == 0;
    if (attempted && !well)
        metrics_add(engine->metrics, METRIC_ATTEMPTS_FAILED, 1);
    if (running->verdict.state == JOB_SUCCEEDED)
        metrics_add(engine->metrics, METRIC_JOBS_SUCCEEDED, 1);
    if (running->verdict.state == JOB_DEAD)
        metrics_add(engine->metrics, METRIC_JOBS_DEAD, 1);
}

static void log_attempt(const struct running *running)
{
    const struct log_field fields[] = {
        LOG_TEXT("hook", running->hook),
        LOG_TEXT("job", running->job_text),
        LOG_INT("attempt", running->number),
        LOG_TEXT("outcome", attempt_outcome_name(running->outcome)),
        LOG_INT("exit_code", running->exit_code),
        LOG_INT("signal", running->signal),
        LOG_INT("duration_ms", running->duration_ms),
        LOG_TEXT("state", job_state_name(running->verdict.state)),
        LOG_TEXT("message", running->message),
        {0},
    };
    log_write(LOG_LEVEL_INFO, "job ended", fields);
}

void report_end(struct hook_engine *engine, const struct running *running)
{
    if (!running->recorded) {
        log_warning(
            "a job that ran is not in the store any more", LOG_TEXT("hook", running->hook),
            LOG_TEXT("job", running->job_text));
        return;
    }
    count(engine, running);
    if (running->started_at_ms != 0)
        log_attempt(running);
    if (running->verdict.state == JOB_DEAD)
        log_warning(
            "job is dead", LOG_TEXT("hook", running->hook), LOG_TEXT("job", running->job_text),
            LOG_INT("attempts", running->attempts_made),
            LOG_TEXT("reason", running->verdict.reason));
}
