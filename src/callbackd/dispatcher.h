/* SPDX-License-Identifier: MIT */
/*
 * Reads on in the log and decides: each entry is taken into the ledger and queued
 * for the hooks that it triggers, and the cursor moves, all in one transaction. So
 * a crash can neither skip a result nor trigger it twice. Threads: the worker's.
 */
#ifndef CALLBACKD_DISPATCHER_H
#define CALLBACKD_DISPATCHER_H

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/hooks.h"
#include "callbackd/metrics.h"
#include "callbackd/state.h"
#include "callbackd/store.h"

struct dispatcher {
    const struct config *config; /* replaced by the owner at a reload */
    struct state *state;
    struct result_log *log;
    struct hook_engine *engine;
    struct metrics *metrics;
    bool has_much;  /* the owner's: a batch is to be large */
    bool is_behind; /* the last take found a whole batch, and there may be more */
    bool was_cut;   /* the last take ended with one that it had to set aside: the next is small */
    int64_t give_way_at_ns; /* monotonic: when it lets others run again */
};

/* Takes in one batch. *taken_out: entries taken; 0: the cursor is at the end. An entry that can
 * never be taken in (it contradicts what is there, say) is set aside, logged and counted. */
int dispatcher_take(struct dispatcher *dispatcher, int *taken_out, struct error *error);
/* Decides results that waited for their run's launch. *settled_out counts. */
int dispatcher_settle(struct dispatcher *dispatcher, int *settled_out, struct error *error);
/* Runs that are past their deadline. */
int dispatcher_sweep(struct dispatcher *dispatcher, struct error *error);

#endif
