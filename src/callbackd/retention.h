/* SPDX-License-Identifier: MIT */
/*
 * Removes what is older than store.retention, a slice at a time, and gives the space
 * back: first from the state, then from the log, so that the state never speaks of
 * what the log has no more. Threads: the worker's.
 */
#ifndef CALLBACKD_RETENTION_H
#define CALLBACKD_RETENTION_H

#include <stdbool.h>

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/state.h"
#include "callbackd/store.h"

struct retention {
    const struct config *config; /* replaced by the owner at a reload */
    struct state *state;
    struct result_log *log;
    bool clock_is_ahead; /* that was said */
};

/* One slice. *more_out: it found something to do, and there may be more. While a copy of the store
 * is made nothing is removed; nor is, for the retention or for 7 days if that is longer, what only
 * a clock that was set forward makes old. */
int retention_slice(struct retention *retention, bool *more_out, struct error *error);

#endif
