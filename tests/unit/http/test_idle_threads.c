/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "civetweb/renamed_calls.h"
#include "idle_threads.h"

enum { WORKERS = 4 };

/* A queue as civetweb has it. */
struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t full;
    pthread_cond_t empty;
    struct idle_threads threads;
    int items;
    bool stops;
    int idle;
    int taken[WORKERS]; /* by each of them */
};

struct worker {
    struct queue *queue;
    int index;
    pthread_t thread;
};

static void *work(void *argument)
{
    const struct worker *worker = argument;
    struct queue *queue = worker->queue;
    idle_threads_enter(&queue->threads, true);
    (void)pthread_mutex_lock(&queue->mutex);
    while (!queue->stops) {
        queue->idle++;
        while (queue->items == 0 && !queue->stops)
            (void)idle_cond_wait(&queue->full, &queue->mutex);
        queue->idle--;
        if (queue->items > 0) {
            queue->items--;
            queue->taken[worker->index]++;
        }
        (void)idle_cond_signal(&queue->empty);
    }
    (void)pthread_mutex_unlock(&queue->mutex);
    return NULL;
}

static void wait_until(struct queue *queue, int idle, int taken)
{
    for (;;) {
        (void)pthread_mutex_lock(&queue->mutex);
        int sum = 0;
        for (int i = 0; i < WORKERS; i++)
            sum += queue->taken[i];
        bool done = queue->idle == idle && sum == taken;
        (void)pthread_mutex_unlock(&queue->mutex);
        if (done)
            return;
        (void)poll(NULL, 0, 1);
    }
}

static void hand_out(struct queue *queue, int items)
{
    (void)pthread_mutex_lock(&queue->mutex);
    for (int i = 0; i < items; i++) {
        queue->items++;
        (void)idle_cond_signal(&queue->full);
    }
    (void)pthread_mutex_unlock(&queue->mutex);
}

/* The calling thread is the one that hands out. */
static void start(struct queue *queue, struct worker *workers)
{
    *queue = (struct queue){
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .full = PTHREAD_COND_INITIALIZER,
        .empty = PTHREAD_COND_INITIALIZER,
    };
    struct error error;
    assert_int_equal(idle_threads_init(&queue->threads, WORKERS, 1, &error), 0);
    idle_threads_enter(&queue->threads, false);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){.queue = queue, .index = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
        wait_until(queue, i + 1, 0);
    }
}

static void stop(struct queue *queue, struct worker *workers)
{
    (void)pthread_mutex_lock(&queue->mutex);
    queue->stops = true;
    (void)idle_cond_broadcast(&queue->full);
    (void)pthread_mutex_unlock(&queue->mutex);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
    assert_null(queue->threads.stacks[0].newest);
    idle_threads_enter(NULL, false);
    idle_threads_fini(&queue->threads);
}

static void the_one_that_became_idle_last_is_used_first(void **state)
{
    (void)state;
    struct queue queue;
    struct worker workers[WORKERS];
    start(&queue, workers);
    /* One at a time: the same takes them all. */
    for (int i = 1; i <= 10; i++) {
        hand_out(&queue, 1);
        wait_until(&queue, WORKERS, i);
    }
    assert_int_equal(queue.taken[WORKERS - 1], 10);
    /* Two at once: at most one more. */
    hand_out(&queue, 2);
    wait_until(&queue, WORKERS, 12);
    assert_int_equal(queue.taken[WORKERS - 1] + queue.taken[WORKERS - 2], 12);
    stop(&queue, workers);
}

static void what_is_more_than_there_are_idle_is_not_lost(void **state)
{
    (void)state;
    struct queue queue;
    struct worker workers[WORKERS];
    start(&queue, workers);
    hand_out(&queue, 100);
    wait_until(&queue, WORKERS, 100);
    stop(&queue, workers);
}

static void *tell(void *argument)
{
    struct queue *queue = argument;
    (void)pthread_mutex_lock(&queue->mutex);
    queue->items = 1;
    (void)idle_cond_signal(&queue->empty);
    (void)pthread_mutex_unlock(&queue->mutex);
    return NULL;
}

/* Nor does the thread that hands out, which waits for room. */
static void threads_of_no_server_wait_as_ever(void **state)
{
    (void)state;
    struct queue queue = {
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .empty = PTHREAD_COND_INITIALIZER,
    };
    struct error error;
    pthread_t thread;
    assert_int_equal(idle_threads_init(&queue.threads, 0, 1, &error), 0);
    idle_threads_enter(&queue.threads, false);
    (void)pthread_mutex_lock(&queue.mutex);
    assert_int_equal(pthread_create(&thread, NULL, tell, &queue), 0);
    while (queue.items == 0)
        (void)idle_cond_wait(&queue.empty, &queue.mutex);
    (void)pthread_mutex_unlock(&queue.mutex);
    assert_int_equal(pthread_join(thread, NULL), 0);
    idle_threads_enter(NULL, false);
    idle_threads_fini(&queue.threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_that_became_idle_last_is_used_first),
        cmocka_unit_test(what_is_more_than_there_are_idle_is_not_lost),
        cmocka_unit_test(threads_of_no_server_wait_as_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
