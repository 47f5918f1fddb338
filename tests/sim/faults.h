/* SPDX-License-Identifier: MIT */
/*
 * What a run does beside the usual: the object `_sim` of its input variables, or
 * the defaults set by POST /_sim/defaults. One table of keys (faults.c) drives
 * parsing and the help that a wrong key gets; README.md describes each.
 *
 * Ownership: a struct sim_faults owns its texts. Threads: none of this locks.
 */
#ifndef CALLBACKD_SIM_FAULTS_H
#define CALLBACKD_SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/error.h"
#include "callbackd/json.h"

enum sim_callback {
    SIM_CALLBACK_NORMAL,
    SIM_CALLBACK_BEFORE_202,    /* answered before the launch is */
    SIM_CALLBACK_TWICE,         /* the same body again once the first was answered */
    SIM_CALLBACK_TWICE_AT_ONCE, /* the same body on two connections at the same time */
    SIM_CALLBACK_NEVER,
    SIM_CALLBACK_LATE /* late_ms after the result is there to be polled */
};

enum sim_node { SIM_NODE_SUCCESS, SIM_NODE_FAILED, SIM_NODE_FAILURE, SIM_NODE_RUNNING };

enum sim_output {
    SIM_OUTPUT_AS_ASKED, /* nodes with return_all_outputs, else bare */
    SIM_OUTPUT_BARE,
    SIM_OUTPUT_NODES,
    SIM_OUTPUT_NONE /* no final_output at all */
};

enum sim_poll {
    SIM_POLL_NORMAL,
    SIM_POLL_RUNNING,      /* 202 for ever */
    SIM_POLL_EMPTY,        /* 204 for ever */
    SIM_POLL_NOT_FOUND,    /* 404 */
    SIM_POLL_RATE_LIMITED, /* 429 with Retry-After: 1 */
    SIM_POLL_FAILED,       /* 500, terminal */
    SIM_POLL_ERROR         /* 503 */
};

struct sim_faults {
    int64_t delay_ms; /* from the launch to the result */
    int64_t late_ms;
    int64_t order_ms; /* a random further delay, up to this */
    int64_t size;     /* bytes of a made-up value, 0: small */
    int64_t slow_response_ms;
    int64_t status; /* the launch is answered with this error; 0: it is not */
    int64_t revision_ms;
    int64_t retries; /* of a callback that was not answered 2xx */
    int64_t retry_ms;
    int64_t poll_times; /* how many polls meet `poll`; 0: all */
    char *value;        /* JSON; NULL: made up */
    char *warning;      /* of the launch; NULL: null */
    int callback;       /* enum sim_callback */
    int node;           /* enum sim_node: of the output node */
    int output;         /* enum sim_output */
    int poll;           /* enum sim_poll */
    bool truncated;
    bool drop;     /* the first post of the callback breaks off in the middle of its body */
    bool revision; /* another body follows */
    bool wrong_id;
};

/* *faults_out is a copy; -1 when memory is short. */
int sim_faults_copy(const struct sim_faults *from, struct sim_faults *faults_out);
void sim_faults_fini(struct sim_faults *faults);

/* Sets what `object` names and leaves the rest. ERROR_INVALID with a message for people: an
 * unknown key, a wrong type or value. `faults` may be half changed then. */
int sim_faults_read(
    struct sim_faults *faults, const struct json_document *document, const struct json *object,
    struct error *error);

#endif
