/* SPDX-License-Identifier: MIT */
/*
 * What civetweb's threads are. The one that accepts is a thread. Those that serve a connection each
 * are threads too, or fibers where a server has some: its handler then has to wait as fibers do
 * (callbackd/fibers.h).
 *
 * Threads: the one that starts a server calls begin and end, the one that accepts calls join_here.
 */
#ifndef CALLBACKD_HTTP_CIVETWEB_THREADS_H
#define CALLBACKD_HTTP_CIVETWEB_THREADS_H

#include "callbackd/fibers.h"

/* What is kept by fiber_local(). */
enum civetweb_local { LOCAL_OF_CIVETWEB, LOCAL_CONNECTION, LOCAL_IDLE };
_Static_assert((int)LOCAL_IDLE < (int)FIBER_LOCALS, "there is room for each");

/* Until _end the calling thread makes fibers of this set where civetweb asks for threads that
 * serve; NULL: threads. */
void civetweb_threads_begin(struct fibers *fibers);
void civetweb_threads_end(void);
/* The calling thread is the one in which civetweb waits for the end of those. NULL is allowed. */
void civetweb_threads_join_here(struct fibers *fibers);

#endif
