/* SPDX-License-Identifier: MIT */
/*
 * Waiting for the result of a run: at the daemon (long polls), or, for a run that
 * it does not know, at the workflow API.
 */
#ifndef CALLBACKCTL_WAITING_H
#define CALLBACKCTL_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/error.h"
#include "callbackd/promptlayer.h"
#include "session.h"

struct waiting {
    const char *run_id; /* for the daemon */
    bool has_execution_id;
    int64_t execution_id; /* as launched; for a run that is registered, a check */
    int64_t wait_ms;      /* WAIT_FOR_EVER, or how long */
    bool all_outputs;
};

/* Both tell the outcome. The exit status, or -1. A daemon that goes away while we wait is given
 * a minute to come back. */
int wait_at_daemon(struct session *session, const struct waiting *waiting, struct error *error);
int wait_at_api(
    struct session *session, const struct promptlayer_api *api, const struct waiting *waiting,
    struct error *error);

/* Fetches a result's body and tells the outcome. `document` is the result as the admin API says
 * it. */
int tell_result(
    struct session *session, const struct json_document *document, bool all_outputs,
    struct error *error);
/* The exact body of a result. The caller ends the answer. */
int fetch_body(
    struct session *session, const char *result_id, struct admin_answer *answer_out,
    struct error *error);
/* The kind and status that a result has; what is not known counts as json and received. */
enum body_kind result_kind_of(const struct json_document *document);

#endif
