/* SPDX-License-Identifier: MIT */
/*
 * Which of civetweb's idle threads takes the next connection: the one that became idle last.
 * civetweb's condition variable wakes the one that has been idle for longest, so that a sender who
 * opens a connection for each post comes by all of a thousand threads in turn, and each of them
 * keeps a stack and memory of its own that no cache holds. Here only as many threads are ever used
 * as there were connections at the same time; the others cost next to nothing. Of fibers it is one
 * of the loop that has the fewest connections.
 *
 * civetweb's calls come by here (civetweb/renamed_calls.h), and mean the same for it. It holds the
 * mutex of its queue at each of them: that guards what is here, too.
 *
 * Threads: what belongs to one is found by fiber_local().
 */
#ifndef CALLBACKD_HTTP_IDLE_THREADS_H
#define CALLBACKD_HTTP_IDLE_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "callbackd/error.h"
#include "callbackd/fibers.h"

struct idle_thread;

/* Those of one loop; threads count as fibers of the first one. */
struct idle_stack {
    struct idle_thread *newest;
    int busy; /* called less become idle */
};

/* Those of one server. */
struct idle_threads {
    size_t loops;
    struct idle_thread *all;
    atomic_int entered; /* of these */
    struct idle_stack stacks[FIBER_LOOPS_MAX];
};

/* For `count` of them that serve, on so many loops. */
int idle_threads_init(struct idle_threads *threads, int count, size_t loops, struct error *error);
void idle_threads_fini(struct idle_threads *threads);

/* Once in each of civetweb's threads (or fibers), before anything else. `serves`: it takes
 * connections; else it is the one that hands them out. `threads` has to outlive it; NULL: it is no
 * server's any more. */
void idle_threads_enter(struct idle_threads *threads, bool serves);

#endif
