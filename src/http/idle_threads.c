/* SPDX-License-Identifier: MIT */
#include "idle_threads.h"

#include <stdlib.h>

#include "civetweb/renamed_calls.h"
#include "civetweb_threads.h"

struct idle_thread {
    struct idle_threads *threads;
    struct idle_thread *older; /* while it is idle */
    struct fiber *fiber;       /* NULL: a thread */
    pthread_cond_t called;
    bool is_called;
    bool serves;
};

/* NULL: not a server's. */
static struct idle_thread *self(void)
{
    return *fiber_local(LOCAL_IDLE);
}

int idle_threads_init(struct idle_threads *threads, int count, size_t loops, struct error *error)
{
    *threads = (struct idle_threads){.loops = loops};
    threads->all = calloc((size_t)count + 1, sizeof(*threads->all)); /* and the one that accepts */
    return threads->all ? 0 : error_set(error, ERROR_MEMORY, "out of memory");
}

void idle_threads_fini(struct idle_threads *threads)
{
    free(threads->all);
}

void idle_threads_enter(struct idle_threads *threads, bool serves)
{
    if (!threads) {
        *fiber_local(LOCAL_IDLE) = NULL;
        return;
    }
    struct idle_thread *mine = &threads->all[atomic_fetch_add(&threads->entered, 1)];
    *mine = (struct idle_thread){
        .threads = threads,
        .fiber = fiber_self(),
        .called = PTHREAD_COND_INITIALIZER,
        .serves = serves,
    };
    *fiber_local(LOCAL_IDLE) = mine;
}

/* Where an idle one is and fewest are busy. NULL: none is idle. */
static struct idle_stack *choose_stack(struct idle_threads *threads)
{
    struct idle_stack *chosen = NULL;
    for (size_t i = 0; i < threads->loops; i++) {
        struct idle_stack *stack = &threads->stacks[i];
        if (stack->newest && (!chosen || stack->busy < chosen->busy))
            chosen = stack;
    }
    return chosen;
}

/* false: none is idle. */
static bool call_newest(struct idle_threads *threads)
{
    struct idle_stack *stack = choose_stack(threads);
    if (!stack)
        return false;
    struct idle_thread *thread = stack->newest;
    stack->newest = thread->older;
    stack->busy++;
    thread->is_called = true;
    if (thread->fiber)
        fiber_unpark(thread->fiber);
    else
        (void)pthread_cond_signal(&thread->called);
    return true;
}

static void wait_for_call(struct idle_thread *thread, pthread_mutex_t *mutex)
{
    if (!thread->fiber) {
        while (!thread->is_called)
            (void)pthread_cond_wait(&thread->called, mutex);
        return;
    }
    (void)pthread_mutex_unlock(mutex);
    fiber_park();
    (void)pthread_mutex_lock(mutex);
}

static bool hands_out_connections(void)
{
    return self() && !self()->serves;
}

/* ---- what civetweb calls in place of the system's functions ---- */

/* A thread that takes connections waits for nothing else. */
int idle_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    struct idle_thread *thread = self();
    if (!thread || !thread->serves)
        return pthread_cond_wait(condition, mutex);
    struct idle_stack *stack = &thread->threads->stacks[fiber_loop()];
    thread->older = stack->newest;
    thread->is_called = false;
    stack->newest = thread;
    stack->busy--; /* from 0: those that have never been idle are not counted */
    wait_for_call(thread, mutex);
    return 0;
}

/* Who takes connections tells who hands them out, and the other way round. */
int idle_cond_signal(pthread_cond_t *condition)
{
    if (!hands_out_connections())
        return pthread_cond_signal(condition);
    (void)call_newest(self()->threads);
    return 0;
}

/* At the end of the server. */
int idle_cond_broadcast(pthread_cond_t *condition)
{
    if (!hands_out_connections())
        return pthread_cond_broadcast(condition);
    while (call_newest(self()->threads)) {
    }
    return 0;
}
