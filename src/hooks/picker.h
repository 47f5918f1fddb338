/* SPDX-License-Identifier: MIT */
/*
 * Which jobs run next: hooks of higher priority first; among equals the one that was served
 * longest ago first, and none more than its share as long as others have jobs due; within a
 * hook the job that is due longest. A slot is what both the hook's concurrency and the global
 * one leave free; of a stream, what its copies have room for.
 */
#ifndef CALLBACKD_HOOKS_PICKER_H
#define CALLBACKD_HOOKS_PICKER_H

#include "engine_private.h"

/* Records jobs as running (round->picked) or, those that cannot run, as dead (round->dropped). */
int picker_pick(struct state_tx *tx, struct queue_round *round, struct error *error);
/* Sets round->due_at_ms. */
int picker_next_due(struct state_tx *tx, struct queue_round *round, struct error *error);

#endif
