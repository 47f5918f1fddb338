/* SPDX-License-Identifier: MIT */
/*
 * One waits for another, once: a thread sleeps on a futex, a fiber lets its loop run others.
 *
 * Threads: begin, wait and is_over by the one that waits, end by any.
 */
#ifndef CALLBACKD_COMPLETION_H
#define CALLBACKD_COMPLETION_H

#include <stdatomic.h>
#include <stdbool.h>

struct fiber;

/* Zeroed it is over. */
struct completion {
    _Atomic unsigned state;
    struct fiber *fiber; /* that waits; NULL: a thread does */
};

void completion_begin(struct completion *completion);
/* Returns when it is over: what was done before its end is to be seen. */
void completion_wait(struct completion *completion);
/* As the return of _wait; false says nothing. */
bool completion_is_over(const struct completion *completion);
/* The last thing that is done with it: whoever waits may then be gone. */
void completion_end(struct completion *completion);

#endif
