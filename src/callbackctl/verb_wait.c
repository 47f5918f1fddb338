/* SPDX-License-Identifier: MIT */
#include "launch_plan.h"
#include "verbs.h"
#include "waiting.h"

static const struct option_row wait_options[] = {
    {OPTION_TIMEOUT, "timeout", "DURATION", "wait at most so long"},
    {OPTION_ALL_OUTPUTS, "all-outputs", NULL,
     "print a map of nodes whole, not its first output alone"},
    {OPTION_END, NULL, NULL, NULL},
};

static int run_wait(struct session *session, struct error *error)
{
    struct waiting waiting = {
        .run_id = session_operand_id(session, 0, error),
        .all_outputs = arguments_have(&session->arguments, OPTION_ALL_OUTPUTS),
    };
    if (!waiting.run_id ||
        launch_plan_read_wait(
            &session->arguments, OPTION_TIMEOUT, "timeout", &waiting.wait_ms, error) != 0)
        return -1;
    return wait_at_daemon(session, &waiting, error);
}

const struct verb verb_wait = {
    "wait",
    "RUN_ID",
    1,
    1,
    "wait for a run's result and print its output",
    "As run --wait does, for a run that was launched before: standard output is the output "
    "alone, and the exit status says how it went.",
    wait_options,
    run_wait,
};
