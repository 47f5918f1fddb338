/* SPDX-License-Identifier: MIT */
/*
 * Was the store closed well the last time? If not, it is checked in the background
 * while the worker works. A store stays marked as open until it was closed well and
 * is not known to be damaged, so what was found or left unfinished is looked for
 * again at the next start. Threads: the worker's.
 */
#ifndef CALLBACKD_SOUNDNESS_H
#define CALLBACKD_SOUNDNESS_H

#include <stdbool.h>

#include "callbackd/error.h"
#include "callbackd/metrics.h"
#include "callbackd/state.h"
#include "callbackd/upkeep.h"

struct soundness {
    struct store_checker *checker; /* may be looked at by any thread from soundness_init on */
    bool marked;                   /* the store is marked as ours */
};

int soundness_init(
    struct soundness *soundness, const char *directory, struct metrics *metrics,
    struct error *error);
/* Marks the store as in use, once, and starts the check if it is due. -1: not marked; again
 * later. */
int soundness_begin(struct soundness *soundness, struct state *state, struct error *error);
/* Ends the check, and marks the store as closed unless that would hide something. `state` may be
 * NULL. */
void soundness_end(struct soundness *soundness, struct state *state);

#endif
