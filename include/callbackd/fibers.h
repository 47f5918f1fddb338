/* SPDX-License-Identifier: MIT */
/*
 * Fibers: threads of ours that are none of the system's. Each has a stack and runs until it waits;
 * meanwhile its loop, a thread of the system's, runs another one. There is a loop for each CPU, so
 * thousands of fibers that mostly wait for a peer cost no thread each, and no change of threads
 * when they go on.
 *
 * A fiber waits by what stands here, or for a struct completion. While it waits in any other way,
 * for a lock or for the disk, all fibers of its loop wait; and while it computes. One that always
 * finds something to read has to let the others go on now and then: fiber_poll() sees to that.
 *
 * Threads: a fiber never changes its loop. So fibers of one loop share what is thread-local, errno
 * too, and a mutex that a fiber holds while it waits must be one that no other fiber takes.
 */
#ifndef CALLBACKD_FIBERS_H
#define CALLBACKD_FIBERS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "callbackd/error.h"

enum { FIBER_LOOPS_MAX = 16, FIBER_LOCALS = 4 };

struct fiber;
struct fibers; /* a set of fibers with loops of its own */

/* For at most so many; a loop for each CPU that the process may use, at most FIBER_LOOPS_MAX. Its
 * thread is named `name`, which is borrowed, until a fiber names it otherwise. NULL: failed. */
struct fibers *fibers_start(const char *name, size_t fibers_max, struct error *error);
size_t fibers_loops(const struct fibers *fibers);
/* Of whoever started them: a new fiber, by turns on each loop. -1: no memory, or there are as many
 * as there may be. */
int fibers_add(struct fibers *fibers, void *(*run)(void *), void *argument, size_t stack_bytes);
/* Waits until all of them have returned. On a thread. */
void fibers_join(struct fibers *fibers);
/* After that, when nobody can call fiber_unpark any more. NULL is allowed. */
void fibers_stop(struct fibers *fibers);

/* The caller's. NULL: it runs in none. */
struct fiber *fiber_self(void);
/* Which of the loops is the caller's, from 0; 0 in no fiber. */
size_t fiber_loop(void);
/* A pointer of the caller's own, as thread-local ones are: NULL at first. In no fiber it is the
 * thread's. `which` is below FIBER_LOCALS. */
void **fiber_local(size_t which);

/* Waits until somebody lets it go on, now or already. Each unpark ends one park, so whoever calls
 * the one has to be sure that the other comes. In a fiber. */
void fiber_park(void);
/* On any thread. A second one before the park ends the process: the one for whom the first was
 * would never go on. */
void fiber_unpark(struct fiber *fiber);
/* Lets the others of its loop go on first. In a fiber. */
void fiber_yield(void);

/* poll() for one descriptor and either POLLIN or POLLOUT; in no fiber poll() itself. A fiber waits
 * for one descriptor at a time, and no other fiber for that. */
int fiber_poll(struct pollfd *waiting, int timeout_ms);
/* A read left nothing behind, so the next poll need not look. In no fiber it does nothing. */
void fiber_has_read_all(int fd);
/* Before that descriptor is closed. In no fiber it does nothing. */
void fiber_forgets(int fd);

#endif
