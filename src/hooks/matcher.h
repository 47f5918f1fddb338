/* SPDX-License-Identifier: MIT */
/* What the queue asks of a matcher beside hooks.h. */
#ifndef CALLBACKD_HOOKS_MATCHER_H
#define CALLBACKD_HOOKS_MATCHER_H

#include "callbackd/hooks.h"

/* Can the hook take this result at all, going by endpoint and status alone? Looked at first, so
 * that a body is not loaded for nothing. */
bool hook_takes(const struct config_hook *hook, const struct result_record *result);

#endif
