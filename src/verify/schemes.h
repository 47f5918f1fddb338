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

/* The functions of a scheme's row. */
typedef int scheme_open(const struct scheme_setup *setup, void **state_out, struct error *error);
typedef void scheme_close(void *state);
typedef int scheme_check_head(
    const void *state, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error);
typedef int scheme_check_body(
    const void *state, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error);

struct scheme {
    const char *name;
    bool uses_path;        /* takes what follows the endpoint's path for itself */
    bool header_is_secret; /* what stands in the option `header` opens, it does not only prove */
    /* `state_out` may stay NULL. NULL here: the scheme needs no state. */
    scheme_open *open;
    scheme_close *close; /* takes NULL */
    /* As verifier_check_head and verifier_check_body; NULL: nothing to say there. A scheme
     * adds to `outcome` only what it knows; `verified_by` is not its business. */
    scheme_check_head *check_head;
    scheme_check_body *check_body;
};

/* NULL when there is none of that name. */
const struct scheme *scheme_find(const char *name);

scheme_open scheme_run_token_open, scheme_promptlayer_open, scheme_standard_webhooks_open;
scheme_close scheme_run_token_close, scheme_promptlayer_close, scheme_standard_webhooks_close;
scheme_check_head scheme_run_token_check_head, scheme_promptlayer_check_head,
    scheme_standard_webhooks_check_head, scheme_github_check_head, scheme_stripe_check_head,
    scheme_slack_check_head, scheme_shopify_check_head, scheme_gitlab_check_head,
    scheme_twilio_check_head, scheme_hmac_check_head, scheme_bearer_check_head,
    scheme_basic_check_head, scheme_client_certificate_check_head, scheme_ip_allow_check_head;
scheme_check_body scheme_promptlayer_check_body, scheme_standard_webhooks_check_body,
    scheme_github_check_body, scheme_stripe_check_body, scheme_slack_check_body,
    scheme_shopify_check_body, scheme_twilio_check_body, scheme_hmac_check_body;

#endif
