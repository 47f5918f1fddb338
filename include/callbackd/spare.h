/* SPDX-License-Identifier: MIT */
/*
 * A bounded stack of objects that are not needed just now: the next one taken is the one
 * given last, whose memory is still in the processor's cache. For what one thread makes and
 * another ends, which malloc() is slow at.
 *
 * Threads: take and give from any; init and fini by the owner alone.
 */
#ifndef CALLBACKD_SPARE_H
#define CALLBACKD_SPARE_H

#include <pthread.h>
#include <stdbool.h>

/* The first member of such an object. */
struct spare {
    struct spare *next;
};

struct spare_stack {
    pthread_mutex_t lock;
    struct spare *top; /* lock */
    int count;         /* lock */
    int max;
};

void spare_init(struct spare_stack *stack, int max);
/* Each object left is given to `end`. */
void spare_fini(struct spare_stack *stack, void (*end)(struct spare *spare));
/* NULL: there is none. */
struct spare *spare_take(struct spare_stack *stack);
/* false: there are enough, it stays the caller's. */
bool spare_give(struct spare_stack *stack, struct spare *spare);

#endif
