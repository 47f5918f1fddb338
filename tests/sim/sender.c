/* SPDX-License-Identifier: MIT */
#include "sender.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "callbackd/clock.h"

struct due_item {
    int64_t due_ms;
    uint64_t number; /* order of adding */
    void *item;
};

struct sender {
    sender_work *work;
    sender_drop *drop;
    void *context;
    pthread_t *threads;
    int thread_count;             /* that run */
    struct http_client **clients; /* one for each thread */
    int client_count;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct due_item *heap; /* under lock, as all below */
    size_t count;
    size_t capacity;
    uint64_t added;
    int started; /* threads that have taken their client */
    bool stopping;
};

/* ---- the heap ---- */

static bool is_before(const struct due_item *a, const struct due_item *b)
{
    return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->number < b->number;
}

static void swap(struct due_item *a, struct due_item *b)
{
    struct due_item kept = *a;
    *a = *b;
    *b = kept;
}

static void heap_push(struct sender *sender, struct due_item item)
{
    size_t place = sender->count++;
    sender->heap[place] = item;
    while (place > 0 && is_before(&sender->heap[place], &sender->heap[(place - 1) / 2])) {
        swap(&sender->heap[place], &sender->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
}

static void *heap_pop(struct sender *sender)
{
    void *item = sender->heap[0].item;
    sender->heap[0] = sender->heap[--sender->count];
    for (size_t place = 0;;) {
        size_t least = place;
        for (size_t child = 2 * place + 1; child <= 2 * place + 2; child++)
            if (child < sender->count && is_before(&sender->heap[child], &sender->heap[least]))
                least = child;
        if (least == place)
            return item;
        swap(&sender->heap[place], &sender->heap[least]);
        place = least;
    }
}

static int heap_reserve(struct sender *sender)
{
    if (sender->count < sender->capacity)
        return 0;
    size_t capacity = sender->capacity > 0 ? 2 * sender->capacity : 64;
    struct due_item *heap = reallocarray(sender->heap, capacity, sizeof *heap);
    if (!heap)
        return -1;
    sender->heap = heap;
    sender->capacity = capacity;
    return 0;
}

/* ---- the threads ---- */

static void wait_ms(struct sender *sender, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t nanoseconds = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + nanoseconds / 1000000000;
    until.tv_nsec = nanoseconds % 1000000000;
    pthread_cond_timedwait(&sender->changed, &sender->lock, &until);
}

/* The next item once it is due; NULL: the end. */
static void *next_item_locked(struct sender *sender)
{
    while (!sender->stopping) {
        int64_t left_ms = sender->count > 0 ? sender->heap[0].due_ms - clock_monotonic_ms() : 0;
        if (sender->count == 0)
            pthread_cond_wait(&sender->changed, &sender->lock);
        else if (left_ms > 0)
            wait_ms(sender, left_ms);
        else
            return heap_pop(sender);
    }
    return NULL;
}

static void *run(void *context)
{
    struct sender *sender = context;
    pthread_mutex_lock(&sender->lock);
    struct http_client *client = sender->clients[sender->started++];
    void *item;
    while ((item = next_item_locked(sender)) != NULL) {
        pthread_mutex_unlock(&sender->lock);
        sender->work(sender->context, client, item);
        pthread_mutex_lock(&sender->lock);
    }
    pthread_mutex_unlock(&sender->lock);
    return NULL;
}

int sender_add(struct sender *sender, int64_t due_ms, void *item)
{
    pthread_mutex_lock(&sender->lock);
    bool good = !sender->stopping && heap_reserve(sender) == 0;
    if (good) {
        heap_push(
            sender, (struct due_item){.due_ms = due_ms, .number = sender->added++, .item = item});
        /* Whoever wakes takes the first that is due, or waits for it. */
        pthread_cond_signal(&sender->changed);
    }
    pthread_mutex_unlock(&sender->lock);
    if (!good)
        sender->drop(item);
    return good ? 0 : -1;
}

/* ---- start and stop ---- */

static int make_clients(struct sender *sender, int threads, struct error *error)
{
    sender->threads = calloc((size_t)threads, sizeof(pthread_t));
    sender->clients = calloc((size_t)threads, sizeof(struct http_client *));
    if (!sender->threads || !sender->clients)
        return error_set(error, ERROR_MEMORY, "memory is short for senders");
    for (; sender->client_count < threads; sender->client_count++) {
        struct http_client *client = http_client_new(error);
        if (!client)
            return -1;
        sender->clients[sender->client_count] = client;
    }
    return 0;
}

static int start_threads(struct sender *sender, int threads, struct error *error)
{
    for (; sender->thread_count < threads; sender->thread_count++) {
        int failure = pthread_create(&sender->threads[sender->thread_count], NULL, run, sender);
        if (failure != 0)
            return error_set_errno(error, ERROR_IO, failure, "cannot start a sender");
    }
    return 0;
}

struct sender *sender_start(
    int threads, sender_work *work, sender_drop *drop, void *context, struct error *error)
{
    struct sender *sender = calloc(1, sizeof *sender);
    pthread_condattr_t attributes;
    if (!sender) {
        error_set(error, ERROR_MEMORY, "memory is short for senders");
        return NULL;
    }
    sender->work = work;
    sender->drop = drop;
    sender->context = context;
    pthread_mutex_init(&sender->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sender->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (make_clients(sender, threads, error) == 0 && start_threads(sender, threads, error) == 0)
        return sender;
    sender_stop(sender);
    return NULL;
}

static void free_clients(struct sender *sender)
{
    for (int i = 0; i < sender->client_count; i++)
        http_client_free(sender->clients[i]);
    free(sender->clients);
    free(sender->threads);
}

void sender_stop(struct sender *sender)
{
    if (!sender)
        return;
    pthread_mutex_lock(&sender->lock);
    sender->stopping = true;
    pthread_cond_broadcast(&sender->changed);
    pthread_mutex_unlock(&sender->lock);
    for (int i = 0; i < sender->thread_count; i++)
        pthread_join(sender->threads[i], NULL);
    while (sender->count > 0)
        sender->drop(heap_pop(sender));
    free_clients(sender);
    free(sender->heap);
    pthread_cond_destroy(&sender->changed);
    pthread_mutex_destroy(&sender->lock);
    free(sender);
}
