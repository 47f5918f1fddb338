/* SPDX-License-Identifier: MIT */
/*
 * Brings in what no callback brought: the output of results that came truncated,
 * and the result of runs that are overdue, by asking the workflow API. What it
 * gets is appended to the log like a callback, with source "poll".
 *
 * One thread of its own, with its own HTTP client, inside the worker. It asks
 * nothing when no API key is configured. A run that is overdue and has no result
 * a day after its deadline (or at once where the API does not know it: 404) is lost.
 */
#ifndef CALLBACKD_RECONCILER_H
#define CALLBACKD_RECONCILER_H

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/metrics.h"
#include "callbackd/state.h"
#include "callbackd/store.h"

struct reconciler;

/* All borrowed until reconciler_stop. NULL on failure. */
struct reconciler *reconciler_start(
    const struct config *config, struct state *state, struct result_log *log,
    struct metrics *metrics, struct error *error);
/* Look now instead of at the next tick (every second). Any thread. NULL is allowed. */
void reconciler_wake(struct reconciler *reconciler);
/* Ends the thread, waiting a second for a request under way, then cutting it off. NULL is allowed.
 */
void reconciler_stop(struct reconciler *reconciler);

#endif
