/* SPDX-License-Identifier: MIT */
/*
 * Whom the machine is for when there is too much for both: taking posts goes before deciding
 * them, for a sender posts once, and what is in the log can wait. While posts come faster than
 * they are decided, the worker holds back; but when it has been behind for
 * PRECEDENCE_LAG_MAX_MS it takes its share. Once it has caught up, it keeps up, and gathers what
 * comes in PRECEDENCE_GATHER_MS: a load that lasts is no burst to be let through. Hooks rest while
 * posts come fast, as long as their last round took. Below that load neither ever waits. Threads:
 * the worker's.
 */
#ifndef CALLBACKD_PRECEDENCE_H
#define CALLBACKD_PRECEDENCE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PRECEDENCE_LAG_MAX_MS = 3000,
    PRECEDENCE_LOOK_MS = 50,           /* the shortest time over which a rate is one */
    PRECEDENCE_HOLD_MS = 200,          /* how long it holds back before it decides a batch more */
    PRECEDENCE_GATHER_MS = 50,         /* between batches, in a load that lasts */
    PRECEDENCE_LASTS_MS = 1000,        /* the shortest time over which a load is one that lasts */
    PRECEDENCE_REST_MAX_MS = 50,       /* of hooks, after a round */
    PRECEDENCE_BUSY_PER_SECOND = 4000, /* fewer posts leave enough of two cores for both */
    PRECEDENCE_GIVE_WAY_EACH_NS = 250 * 1000,
    PRECEDENCE_GAVE_MUCH_NS = 20 * 1000 * 1000,
    PRECEDENCE_GAVE_MUCH_TIMES = 16,
};

/* The total of accepted posts as it was then. */
struct precedence_mark {
    int64_t at_ms; /* monotonic */
    int64_t accepted;
};

/* Starts as zeros. */
struct precedence {
    struct precedence_mark moment;
    struct precedence_mark second;
    int64_t behind_since_ms; /* monotonic; 0: it is not */
    bool is_busy;            /* posts came fast in the last moment */
    bool goes_on;            /* they did in the last second */
    bool is_late;            /* it has been behind for too long, and has not caught up */
    bool lasts;              /* the load: it was late in it, and is to keep up until it is over */
};

/* What is to be seen after a batch. */
struct precedence_view {
    int64_t now_ms;   /* monotonic */
    int64_t accepted; /* posts that the receiver has accepted so far */
    bool is_behind;   /* there was more to decide than a batch */
};

/* How long to wait before it decides more; 0: not at all. */
int64_t precedence_wait_ms(struct precedence *precedence, const struct precedence_view *view);

/* Whether a batch is to be large: it is late, or the load lasts. As of the last call of
 * precedence_wait_ms(). */
bool precedence_has_much(const struct precedence *precedence);

/* A batch keeps a CPU busy for many milliseconds, so between two entries it gives way now and then
 * to whoever else wants to run. When it is to do so again (monotonic), if that lasted from `before`
 * to `after`: where others always want to, it lasts some tenths of a second for a thread that is
 * nice, which then keeps its own share for much longer. */
int64_t precedence_give_way_at_ns(int64_t before_ns, int64_t after_ns);

/* How long hooks are to rest after a round of ends, starts and their transaction that took so
 * long; 0: not at all. */
int64_t precedence_rest_ms(const struct precedence *precedence, int64_t took_ms);

#endif
