/* SPDX-License-Identifier: MIT */
/*
 * What `callbackctl run` is asked to do, read from its options and checked before
 * anything is sent. Threads: one at a time.
 */
#ifndef CALLBACKCTL_LAUNCH_PLAN_H
#define CALLBACKCTL_LAUNCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/promptlayer.h"
#include "options.h"

enum launch_mode {
    LAUNCH_REGISTERED, /* the daemon registers the run and gives its callback URL */
    LAUNCH_OFFLINE,    /* the URL is minted here, with the configured key */
    LAUNCH_OWN_URL,    /* --callback-url */
    LAUNCH_NO_CALLBACK
};

enum { WAIT_FOR_EVER = -1 };

struct launch_plan {
    enum launch_mode mode;
    const char *workflow; /* texts are borrowed from the command line */
    const char *label;
    int64_t version;
    struct buffer inputs;   /* a JSON object */
    struct buffer metadata; /* a JSON object; empty: none */
    struct buffer tags;     /* the same */
    const char *endpoint;   /* NULL: the daemon's first one for workflow results */
    const char *idempotency_key;
    const char *callback_url;
    int64_t deadline_at_ms; /* wall; 0: none */
    int64_t api_timeout_ms;
    bool all_outputs;
    bool dry_run;
    bool wait;
    int64_t wait_ms; /* WAIT_FOR_EVER, or how long */
};

/* Reads files named by --inputs ("-": standard input). The caller ends the plan with
 * launch_plan_fini, also after a failure. */
int launch_plan_read(
    struct launch_plan *plan, const struct arguments *arguments, const char *workflow,
    int64_t now_ms, struct error *error);
void launch_plan_fini(struct launch_plan *plan);

/* --wait[=DURATION] or --timeout; stays as it is when the option has no value. */
int launch_plan_read_wait(
    const struct arguments *arguments, enum option_id id, const char *name, int64_t *wait_ms_out,
    struct error *error);
/* A duration from now, or RFC 3339. 0 when the option is absent. */
int launch_plan_read_deadline(
    const struct arguments *arguments, int64_t now_ms, int64_t *deadline_at_ms_out,
    struct error *error);

/* The request for the workflow API; borrows from the plan. */
struct promptlayer_run launch_plan_request(
    const struct launch_plan *plan, const char *callback_url);

#endif
