/* SPDX-License-Identifier: MIT */
/* Telling the hook that `on_dead` names of a job that died: a job of its own. */
#ifndef CALLBACKD_HOOKS_DEATH_H
#define CALLBACKD_HOOKS_DEATH_H

#include "engine_private.h"

/* Why it died: its verdict's reason or, where that is empty, what its last attempt says. */
void death_describe(const struct running *running, char *out, size_t out_bytes);

/* In the transaction that records the death. Nothing is told of jobs that tell of deaths: their
 * hooks can name no other. */
int death_tell(
    struct state_tx *tx, struct queue_round *round, const struct running *running,
    struct error *error);

#endif
