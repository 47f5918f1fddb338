/* SPDX-License-Identifier: MIT */
/* What the queue asks of a matcher beside hooks.h. */
#ifndef CALLBACKD_HOOKS_MATCHER_H
#define CALLBACKD_HOOKS_MATCHER_H

#include "callbackd/hooks.h"

/* Can the hook take this result at all, going by endpoint and status alone? Looked at first, so
 * that a body is not loaded for nothing. */
bool hook_takes(const struct config_hook *hook, const struct result_record *result);

/* Calls for each condition of `when`, one that holds others before those (whose depth is one more),
 * and says whether it holds. false: no memory, which ends it. -1: ERROR_MEMORY. */
typedef bool condition_visitor(
    void *context, int depth, const struct config_condition *condition, bool holds);
int hook_matcher_visit(
    const struct hook_matcher *matcher, const struct hook_subject *subject,
    condition_visitor *visit, void *context, struct error *error);

#endif
