/* SPDX-License-Identifier: MIT */
/*
 * Reads on in the refused posts: the run of one that had a good token is told, for its sender may
 * not come again. Threads: the worker's.
 */
#ifndef CALLBACKD_REFUSALS_H
#define CALLBACKD_REFUSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/error.h"
#include "callbackd/state.h"
#include "callbackd/store.h"

struct refusals {
    struct state *state;
    struct result_log *log;
    int64_t cursor; /* seq of the last one that was read */
    bool started;   /* the cursor is that of the state, or further on */
};

/* *told_out: runs that were told. */
int refusals_take(struct refusals *refusals, int *told_out, struct error *error);

#endif
