/* SPDX-License-Identifier: MIT */
#ifndef CALLBACKD_HOOKS_ORPHANS_H
#define CALLBACKD_HOOKS_ORPHANS_H

#include "callbackd/config.h"
#include "callbackd/state.h"

/* Logs each hook that jobs wait for and that `config` has not. */
void orphans_warn(struct state *state, const struct config *config);

#endif
