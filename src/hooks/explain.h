/* SPDX-License-Identifier: MIT */
/* What each condition of a hook says of a result, in words. */
#ifndef CALLBACKD_HOOKS_EXPLAIN_H
#define CALLBACKD_HOOKS_EXPLAIN_H

#include "callbackd/hook_trial.h"
#include "callbackd/hooks.h"

/* Fills `matches` and `conditions` of the trial: what every hook asks for, then its `when`, the
 * conditions inside of another after that one. */
int explain_match(
    const struct hook_matcher *matcher, const struct config_hook *hook,
    const struct hook_subject *subject, struct hook_trial *trial, struct error *error);

#endif
