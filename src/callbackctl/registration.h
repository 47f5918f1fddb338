/* SPDX-License-Identifier: MIT */
/*
 * The run's side of the admin API: it is registered before it is launched, so that
 * a result that comes at once finds it; then its execution id, or that it never
 * started, is recorded.
 */
#ifndef CALLBACKCTL_REGISTRATION_H
#define CALLBACKCTL_REGISTRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/id.h"
#include "client.h"

struct registration_request {
    const char *workflow;        /* NULL: not known */
    const char *endpoint;        /* NULL: the daemon chooses */
    const char *idempotency_key; /* NULL: none */
    int64_t deadline_at_ms;      /* wall; 0: none */
    struct bytes tags_json;      /* empty: none */
    bool external;               /* something else launches it and reports nothing */
};

struct registration {
    char run_id[ID_TEXT_BYTES];
    const char *callback_url;   /* borrowed from `answer`; not NULL */
    bool existing;              /* the key was there: this is that run */
    struct admin_answer answer; /* the run, as the daemon says it */
};

/* The caller ends it with registration_fini. */
int registration_make(
    struct admin_client *admin, const struct registration_request *request,
    struct registration *registration_out, struct error *error);
void registration_fini(struct registration *registration);

/* Record the outcome of the launch. Tried again for about ten seconds while the daemon is
 * away: the run was launched already and must not be forgotten. */
int registration_launched(
    struct admin_client *admin, const char *run_id, int64_t execution_id, struct error *error);
int registration_failed(
    struct admin_client *admin, const char *run_id, const char *reason, struct error *error);

#endif
