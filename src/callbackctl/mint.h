/* SPDX-License-Identifier: MIT */
/*
 * A callback URL made here, with the configured key, without asking the daemon.
 * Its run enters the ledger when its result comes.
 */
#ifndef CALLBACKCTL_MINT_H
#define CALLBACKCTL_MINT_H

#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/id.h"

struct minted {
    struct id run;
    int64_t expires_at_ms; /* wall */
    struct buffer url;     /* secret; the caller ends it */
};

/* `endpoint` NULL: the first for workflow results that takes run tokens. `deadline_at_ms` 0:
 * none. `minted_out->url` is the caller's, empty. */
int mint_callback_url(
    const struct config *config, const char *endpoint, int64_t deadline_at_ms, int64_t now_ms,
    struct minted *minted_out, struct error *error);

/* That endpoint. NULL: ERROR_USAGE. Borrowed from the configuration. */
const struct config_endpoint *mint_endpoint(
    const struct config *config, const char *name, struct error *error);

#endif
