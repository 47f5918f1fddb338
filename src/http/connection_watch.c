/* SPDX-License-Identifier: MIT */
#include "connection_watch.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "connection_accept.h"
#include "connection_crowd.h"
#include "connection_private.h"

/* Beyond 1024 threads and what waits for them there is no use. */
enum { DESCRIPTORS_MAX = 65536 };

static size_t descriptors_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > DESCRIPTORS_MAX)
        return DESCRIPTORS_MAX;
    return (size_t)limit.rlim_cur;
}

static void end_memory(struct connection_watch *watch)
{
    free(watch->slots);
    free(watch->all);
    os_close(watch->room_fd);
    (void)pthread_mutex_destroy(&watch->lock);
    (void)pthread_cond_destroy(&watch->changed);
}

int connection_watch_init(struct connection_watch *watch, int threads, struct error *error)
{
    *watch = (struct connection_watch){.room_fd = -1};
    pthread_condattr_t attributes;
    if (pthread_condattr_init(&attributes))
        return error_set(error, ERROR_MEMORY, "out of memory");
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int failed = pthread_cond_init(&watch->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    if (failed)
        return error_set(error, ERROR_MEMORY, "out of memory");
    if (pthread_mutex_init(&watch->lock, NULL)) {
        (void)pthread_cond_destroy(&watch->changed);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    watch->size = descriptors_max();
    watch->slots = calloc(watch->size, sizeof(*watch->slots));
    watch->threads = threads;
    watch->all = calloc((size_t)threads + 1, sizeof(*watch->all)); /* and the one that accepts */
    watch->room_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->slots && watch->all && watch->room_fd >= 0)
        return 0;
    end_memory(watch);
    return error_set(error, ERROR_MEMORY, "out of memory");
}

void connection_watch_fini(struct connection_watch *watch)
{
    for (size_t fd = 0; fd < watch->used; fd++) {
        if (connection_forget(watch, (int)fd))
            (void)close((int)fd);
    }
    end_memory(watch);
}

int64_t connection_watch_count(struct connection_watch *watch)
{
    /* In this order: what is not taken any more has been counted. */
    int64_t taken = atomic_load(&watch->taken);
    (void)pthread_mutex_lock(&watch->lock);
    int64_t count = watch->count;
    (void)pthread_mutex_unlock(&watch->lock);
    return taken + count;
}

static void wait_for_end_locked(struct connection_watch *watch)
{
    int64_t stop_by_ms = atomic_load(&watch->stop_by_ms);
    for (;;) {
        bool late = clock_monotonic_ms() >= stop_by_ms;
        if (atomic_load(&watch->handling) == 0 && (watch->count == 0 || late))
            return;
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += 100000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&watch->changed, &watch->lock, &until);
    }
}

void connection_watch_stop(struct connection_watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    atomic_store(&watch->stop_by_ms, clock_monotonic_ms() + watch->stop_patience_ms);
    /* For reading only: a handler's answer still goes out. */
    for (size_t fd = 0; fd < watch->used; fd++) {
        if (crowd_state(watch, (int)fd) != CONNECTION_NONE)
            (void)shutdown((int)fd, SHUT_RD);
    }
    wait_for_end_locked(watch);
    (void)pthread_mutex_unlock(&watch->lock);
}

bool connection_watch_is_stopping(const struct connection_watch *watch)
{
    return atomic_load(&watch->stop_by_ms) != 0;
}

void connection_watch_tell_stopper(struct connection_watch *watch)
{
    if (!connection_watch_is_stopping(watch))
        return;
    (void)pthread_mutex_lock(&watch->lock);
    (void)pthread_cond_broadcast(&watch->changed);
    (void)pthread_mutex_unlock(&watch->lock);
}
