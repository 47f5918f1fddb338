/* SPDX-License-Identifier: MIT */
/*
 * Inside the verify room: what a scheme is. To add one: a file with its functions,
 * a row in schemes.c, a row in the config room's table of schemes (name, summary,
 * options), and a row in config_keys.c for each new option.
 */
#ifndef CALLBACKD_VERIFY_SCHEMES_H
#define CALLBACKD_VERIFY_SCHEMES_H

#include "callbackd/verify.h"

/* What a scheme is made from. All borrowed, and valid as long as its state. */
struct scheme_setup {
    const struct config *config;
    const struct config_endpoint *endpoint;
    const struct config_verify *options; /* the entry in the endpoint's "verify" */
};

struct scheme {
    const char *name;
    bool uses_path; /* takes what follows the endpoint's path for itself */
    /* `state_out` may stay NULL. NULL here: the scheme needs no state. */
    int (*open)(const struct scheme_setup *setup, void **state_out, struct error *error);
    void (*close)(void *state); /* takes NULL */
    /* As verifier_check_head and verifier_check_body; NULL: nothing to say there. A scheme
     * adds to `outcome` only what it knows; `verified_by` is not its business. */
    int (*check_head)(
        const void *state, const struct verify_request *request, struct verify_outcome *outcome,
        struct error *error);
    int (*check_body)(
        const void *state, const struct verify_request *request, struct bytes body,
        struct verify_outcome *outcome, struct error *error);
};

/* NULL when there is none of that name. */
const struct scheme *scheme_find(const char *name);

int scheme_run_token_open(const struct scheme_setup *setup, void **state_out, struct error *error);
void scheme_run_token_close(void *opaque);
int scheme_run_token_check_head(
    const void *opaque, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error);

#endif
