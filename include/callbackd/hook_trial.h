/* SPDX-License-Identifier: MIT */
/*
 * One run of a hook, on this machine and apart from any queue: what conditions say, what the
 * templates make, how the command ends. It uses the engine's own parts, stores nothing, and needs
 * no daemon. A stream is started, given its line and the end of its stdin.
 *
 * The process becomes a subreaper, and must have no other children. While the hook runs, SIGINT
 * and SIGTERM end the hook instead of the process. Threads: the main one.
 */
#ifndef CALLBACKD_HOOK_TRIAL_H
#define CALLBACKD_HOOK_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/body.h"
#include "callbackd/buffer.h"
#include "callbackd/config.h"
#include "callbackd/error.h"

/* What the hook gets to see. All borrowed. */
struct hook_trial_request {
    const struct config *config;
    const struct config_hook *hook;         /* of that configuration */
    const struct config_endpoint *endpoint; /* where the body would have come in */
    enum result_status status;
    bool has_execution_id;
    int64_t execution_id;
    const char *workflow; /* "" when there is none, as event */
    const char *event;
    struct bytes headers_json; /* an array of [name, value] */
    struct bytes body;
    bool dry_run; /* run nothing */
};

struct hook_trial_condition {
    int depth; /* those of one more are inside of the one before */
    bool holds;
    char *text; /* "status is failed" */
};

/* All owned. */
struct hook_trial {
    bool matches; /* would the daemon make a job of it? */
    struct hook_trial_condition *conditions;
    size_t condition_count;
    /* NULL-terminated; NULL: they cannot be made, `message` says why, or it is an http hook. */
    char **arguments;
    char **environment;
    char **request;     /* of an http hook: "POST https://…", then its headers, without secrets */
    struct buffer line; /* of a stream: what it is given */
    char *answer;       /* of a stream that was run: what it said, or why that is none; NULL */
    bool answered_ok;
    char *message; /* why there is no process, or no good answer; NULL */
    /* How it ended: "exit" "signal" "timeout" "spawn_error", a request also "interrupted"; NULL:
     * nothing was run. */
    const char *outcome;
    int exit_code; /* -1: none */
    int signal;    /* 0: none */
    int64_t duration_ms;
    struct buffer output; /* the last 64 KiB of each */
    struct buffer errors;
    bool output_truncated;
};

/* -1: it could not be tried at all. That a hook cannot be started is an outcome. The caller ends
 * the trial with hook_trial_fini, also after a failure. */
int hook_trial_run(
    const struct hook_trial_request *request, struct hook_trial *trial_out, struct error *error);
void hook_trial_fini(struct hook_trial *trial);

#endif
