/* SPDX-License-Identifier: MIT */
/*
 * The workflow API as this machine is set up for it: key and address from the
 * environment, else from the configuration.
 */
#ifndef CALLBACKCTL_WORKFLOW_API_H
#define CALLBACKCTL_WORKFLOW_API_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/error.h"
#include "callbackd/promptlayer.h"
#include "session.h"

struct workflow_api {
    struct promptlayer_api api; /* borrows the two below */
    char *base_url;
    char *api_key; /* NULL only where it was not needed */
    bool has_key;  /* there is one, perhaps not read because it was not needed */
};

/* Without `needs_key` a missing key is fine, and so is a missing configuration. The caller ends
 * it with workflow_api_fini, also after a failure. */
int workflow_api_open(
    struct workflow_api *api, struct session *session, bool needs_key, int64_t timeout_ms,
    struct error *error);
void workflow_api_fini(struct workflow_api *api);

#endif
