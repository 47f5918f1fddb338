/* SPDX-License-Identifier: MIT */
/* The names of states and outcomes: as the contract has them, in the API and on disk. */
#include <string.h>

#include "state_private.h"

static const char *const run_names[RUN_STATES] = {
    [RUN_LAUNCHING] = "launching", [RUN_WAITING] = "waiting", [RUN_COMPLETED] = "completed",
    [RUN_OVERDUE] = "overdue",     [RUN_LOST] = "lost",       [RUN_LAUNCH_FAILED] = "launch_failed",
};

static const char *const job_names[JOB_STATES] = {
    [JOB_WAITING] = "waiting",     [JOB_RUNNING] = "running", [JOB_RETRYING] = "retrying",
    [JOB_SUCCEEDED] = "succeeded", [JOB_DEAD] = "dead",       [JOB_CANCELLED] = "cancelled",
};

static const char *const outcome_names[ATTEMPT_OUTCOMES] = {
    [ATTEMPT_RUNNING] = "running",         [ATTEMPT_EXIT] = "exit",
    [ATTEMPT_SIGNAL] = "signal",           [ATTEMPT_TIMEOUT] = "timeout",
    [ATTEMPT_SPAWN_ERROR] = "spawn_error", [ATTEMPT_INTERRUPTED] = "interrupted",
};

static int find_name(const char *const *names, int count, const char *name)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

const char *run_state_name(enum run_state state)
{
    return run_names[state];
}

bool run_state_parse(const char *name, enum run_state *state_out)
{
    int found = find_name(run_names, RUN_STATES, name);

    if (found >= 0)
        *state_out = (enum run_state)found;
    return found >= 0;
}

const char *job_state_name(enum job_state state)
{
    return job_names[state];
}

bool job_state_parse(const char *name, enum job_state *state_out)
{
    int found = find_name(job_names, JOB_STATES, name);

    if (found >= 0)
        *state_out = (enum job_state)found;
    return found >= 0;
}

const char *attempt_outcome_name(enum attempt_outcome outcome)
{
    return outcome_names[outcome];
}

bool attempt_outcome_parse(const char *name, enum attempt_outcome *outcome_out)
{
    int found = find_name(outcome_names, ATTEMPT_OUTCOMES, name);

    if (found >= 0)
        *outcome_out = (enum attempt_outcome)found;
    return found >= 0;
}
