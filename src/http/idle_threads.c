/* SPDX-License-Identifier: MIT */
#include "idle_threads.h"

#include <pthread.h>
#include <stddef.h>

#include "civetweb/renamed_calls.h"

struct idle_thread {
    struct idle_threads *threads; /* NULL: not a server's */
    struct idle_thread *older;    /* while it is idle */
    pthread_cond_t called;
    bool is_called;
    bool serves;
};

static _Thread_local struct idle_thread self;

void idle_threads_enter(struct idle_threads *threads, bool serves)
{
    self = (struct idle_thread){
        .threads = threads, .called = PTHREAD_COND_INITIALIZER, .serves = serves};
}

/* false: none is idle. */
static bool call_newest(struct idle_threads *threads)
{
    struct idle_thread *thread = threads->newest;
    if (!thread)
        return false;
    threads->newest = thread->older;
    thread->is_called = true;
    (void)pthread_cond_signal(&thread->called);
    return true;
}

static bool takes_connections(void)
{
    return self.threads && self.serves;
}

static bool hands_out_connections(void)
{
    return self.threads && !self.serves;
}

/* ---- what civetweb calls in place of the system's functions ---- */

/* A thread that takes connections waits for nothing else. */
int idle_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    if (!takes_connections())
        return pthread_cond_wait(condition, mutex);
    self.older = self.threads->newest;
    self.threads->newest = &self;
    self.is_called = false;
    while (!self.is_called)
        (void)pthread_cond_wait(&self.called, mutex);
    return 0;
}

/* Who takes connections tells who hands them out, and the other way round. */
int idle_cond_signal(pthread_cond_t *condition)
{
    if (!hands_out_connections())
        return pthread_cond_signal(condition);
    (void)call_newest(self.threads);
    return 0;
}

/* At the end of the server. */
int idle_cond_broadcast(pthread_cond_t *condition)
{
    if (!hands_out_connections())
        return pthread_cond_broadcast(condition);
    while (call_newest(self.threads)) {
    }
    return 0;
}
