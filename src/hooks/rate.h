/* SPDX-License-Identifier: MIT */
/*
 * How many attempts may start: never more than the limit in any period, wherever it begins. The
 * starts of the last period are counted in slices of a fiftieth of it, so a start counts for at
 * most that much longer than it must, and memory does not depend on the limit. Pure: times are
 * the caller's, of a clock that is never set.
 */
#ifndef CALLBACKD_HOOKS_RATE_H
#define CALLBACKD_HOOKS_RATE_H

#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/config.h"

/* A period may begin within a slice: one more than a period has. */
enum { RATE_SLICES = 51 };

struct rate {
    struct config_rate allowed; /* limit 0: any number */
    int64_t newest;             /* the number of the latest slice */
    int starts[RATE_SLICES];    /* slice n is at n % RATE_SLICES */
};

void rate_init(struct rate *rate, struct config_rate allowed);
/* How many may start now; INT_MAX when all may. */
int rate_room(const struct rate *rate, int64_t now_ms);
/* When one may start: now_ms, or later. */
int64_t rate_next_ms(const struct rate *rate, int64_t now_ms);
void rate_take(struct rate *rate, int64_t now_ms, int starts);

/* To outlive the engine. What cannot be read, or is of another period, leaves it as it is. */
void rate_write(const struct rate *rate, struct buffer *out);
void rate_read(struct rate *rate, const char *text);

#endif
