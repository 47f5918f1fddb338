/* SPDX-License-Identifier: MIT */
/*
 * When to ask again, for each thing that is asked for: exponential, with jitter,
 * in memory only. After a restart everything is asked for at once, which does no
 * harm. Bounded: entries that nobody asked about for a while are dropped.
 * Threads: one owner.
 */
#ifndef CALLBACKD_LAUNCH_BACKOFF_H
#define CALLBACKD_LAUNCH_BACKOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/id.h"

struct backoff_entry {
    struct id id;
    int attempts;       /* that brought nothing */
    int64_t next_at_ms; /* monotonic */
    bool given_up;
};

struct backoff {
    struct backoff_entry *entries; /* sorted by id */
    size_t count;
    size_t capacity;
};

void backoff_fini(struct backoff *backoff);
/* May it be asked for now? True for what is not known. */
bool backoff_is_due(const struct backoff *backoff, const struct id *id, int64_t now_ms);
/* How many attempts brought nothing so far. */
int backoff_attempts(const struct backoff *backoff, const struct id *id);
/* One more brought nothing: not again before the next delay, nor before `at_least_ms` from now.
 * Returns the count of such attempts. */
int backoff_failed(
    struct backoff *backoff, const struct id *id, int64_t now_ms, int64_t at_least_ms);
/* Not before `delay_ms` from now, without counting an attempt. */
void backoff_wait(struct backoff *backoff, const struct id *id, int64_t now_ms, int64_t delay_ms);
/* Never again. */
void backoff_give_up(struct backoff *backoff, const struct id *id, int64_t now_ms);
/* Drops entries whose time came long ago: what they stood for is settled. */
void backoff_prune(struct backoff *backoff, int64_t now_ms);

#endif
