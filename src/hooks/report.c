/* SPDX-License-Identifier: MIT */
/* What the log and the metrics are told of jobs. Never their output or bodies. */
#include <string.h>

#include "callbackd/log.h"
#include "death.h"
#include "engine_private.h"

static void count(struct hook_engine *engine, const struct running *running)
{
    bool attempted = running->started_at_ms != 0;
    if (attempted && !running->succeeded)
        metrics_add(engine->metrics, METRIC_ATTEMPTS_FAILED, 1);
    if (running->verdict.state == JOB_SUCCEEDED)
        metrics_add(engine->metrics, METRIC_JOBS_SUCCEEDED, 1);
    if (running->verdict.state == JOB_DEAD)
        metrics_add(engine->metrics, METRIC_JOBS_DEAD, 1);
}

/* The result too: it leads to the run, to what was posted, and to the result's other jobs. */
static void log_attempt(const struct running *running)
{
    bool exited = running->outcome == ATTEMPT_EXIT && running->exit_code >= 0;
    char result[ID_TEXT_BYTES];
    struct log_field fields[12] = {
        LOG_TEXT("hook", running->hook),
        LOG_TEXT("job", running->job_text),
        LOG_INT("attempt", running->number),
        LOG_TEXT("outcome", attempt_outcome_name(running->outcome)),
        LOG_INT("duration_ms", running->duration_ms),
        LOG_TEXT("state", job_state_name(running->verdict.state)),
        LOG_OPTIONAL("message", running->quotes_hook ? NULL : running->message),
    };
    size_t count = 7;
    if (exited)
        fields[count++] = (struct log_field)LOG_INT("exit_code", running->exit_code);
    if (running->signal > 0)
        fields[count++] = (struct log_field)LOG_TEXT("signal", sigabbrev_np(running->signal));
    if (running->has_result) {
        id_format(&running->result.id, result);
        fields[count++] = (struct log_field)LOG_TEXT("result_id", result);
    }
    log_write(running->succeeded ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "attempt ended", fields);
}

static void log_death(const struct running *running)
{
    char reason[RETRY_REASON_BYTES] = "what it wrote itself is kept with the job";
    bool is_ours = running->verdict.reason[0] != '\0' && !running->fatal;
    if (is_ours || !running->quotes_hook)
        death_describe(running, reason, sizeof(reason));
    log_warning(
        "job is dead", LOG_TEXT("hook", running->hook), LOG_TEXT("job", running->job_text),
        LOG_INT("attempts", running->attempts_made), LOG_TEXT("reason", reason));
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
        log_death(running);
}
