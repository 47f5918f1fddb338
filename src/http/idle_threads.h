/* SPDX-License-Identifier: MIT */
/*
 * Which of civetweb's idle threads takes the next connection: the one that became idle last.
 * civetweb's condition variable wakes the one that has been idle for longest, so that a sender who
 * opens a connection for each post comes by all of a thousand threads in turn, and each of them
 * keeps a stack and memory of its own that no cache holds. Here only as many threads are ever used
 * as there were connections at the same time; the others cost next to nothing.
 *
 * civetweb's calls come by here (civetweb/renamed_calls.h), and mean the same for it. It holds the
 * mutex of its queue at each of them: that guards what is here, too.
 *
 * Threads: what belongs to one is thread-local (a named exception from "no mutable globals").
 */
#ifndef CALLBACKD_HTTP_IDLE_THREADS_H
#define CALLBACKD_HTTP_IDLE_THREADS_H

#include <stdbool.h>

struct idle_thread;

/* Those of one server. Starts as zeros. */
struct idle_threads {
    struct idle_thread *newest;
};

/* Once in each of civetweb's threads, before anything else. `serves`: it takes connections; else
 * it is the one that hands them out. `threads` has to outlive it. */
void idle_threads_enter(struct idle_threads *threads, bool serves);

#endif
