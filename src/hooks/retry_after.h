/* SPDX-License-Identifier: MIT */
/*
 * When a hook itself says how long to wait: the last line "Retry-After: …" of what it wrote to
 * stderr. The rest is a number of seconds, a duration ("5m"), or a date as HTTP has it.
 */
#ifndef CALLBACKD_HOOKS_RETRY_AFTER_H
#define CALLBACKD_HOOKS_RETRY_AFTER_H

#include <stdint.h>

#include "callbackd/buffer.h"

/* Milliseconds from now on, not more than 30 days; -1: there is no such line that can be read. A
 * date that has passed is 0. */
int64_t retry_after_find(struct bytes output, int64_t wall_now_ms);

#endif
