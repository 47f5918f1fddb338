/* SPDX-License-Identifier: MIT */
/* Waiting between two tries. */
#ifndef CALLBACKCTL_PAUSE_H
#define CALLBACKCTL_PAUSE_H

#include <stdint.h>

/* Sleeps, through interruptions; nothing when `ms` <= 0. */
void pause_ms(int64_t ms);
/* What is left until a moment of the monotonic clock, at most `most_ms`; `most_ms` when there is
 * no such moment (0). Never negative. */
int64_t pause_left_ms(int64_t until_ms, int64_t most_ms);

#endif
