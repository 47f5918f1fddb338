/* SPDX-License-Identifier: MIT */
#include "civetweb_threads.h"

#include <errno.h>
#include <pthread.h>

#include "civetweb/inside.h"
#include "civetweb/renamed_calls.h"

static _Thread_local struct fibers *begun;
static _Thread_local struct fibers *joined_here;

void civetweb_threads_begin(struct fibers *fibers)
{
    begun = fibers;
}

void civetweb_threads_end(void)
{
    begun = NULL;
}

void civetweb_threads_join_here(struct fibers *fibers)
{
    joined_here = fibers;
}

/* ---- what civetweb calls in place of the system's functions ---- */

/* Of a fiber's number it only asks that it is not 0. */
int served_thread_create(
    pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    size_t stack_bytes = 0;
    if (!begun || !civetweb_serves(run))
        return pthread_create(thread, attributes, run, argument);
    (void)pthread_attr_getstacksize(attributes, &stack_bytes);
    *thread = 1;
    return fibers_add(begun, run, argument, stack_bytes) ? EAGAIN : 0;
}

/* It joins them one by one; the first time is enough. */
int served_thread_join(pthread_t thread, void **result)
{
    if (!joined_here)
        return pthread_join(thread, result);
    fibers_join(joined_here);
    return 0;
}

/* It has one key. */
int served_thread_setspecific(pthread_key_t key, const void *value)
{
    if (!fiber_self())
        return pthread_setspecific(key, value);
    *fiber_local(LOCAL_OF_CIVETWEB) = (void *)value;
    return 0;
}

void *served_thread_getspecific(pthread_key_t key)
{
    return fiber_self() ? *fiber_local(LOCAL_OF_CIVETWEB) : pthread_getspecific(key);
}
