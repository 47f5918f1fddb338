/* SPDX-License-Identifier: MIT */
#include "connection_crowd.h"

#include <sys/socket.h>

#include "callbackd/clock.h"
#include "client_limit.h"

/* They wait, accepted, for a thread; more wait in the kernel. */
enum { WAITING_FOR_THREAD_MAX = 16 };

enum connection_state crowd_state(const struct connection_watch *watch, int fd)
{
    return (enum connection_state)atomic_load(&watch->slots[fd].state);
}

static int64_t count_staying(const struct connection_watch *watch)
{
    return atomic_load(&watch->count) - atomic_load(&watch->ending);
}

bool crowd_is_there(const struct connection_watch *watch)
{
    return count_staying(watch) > watch->threads;
}

bool crowd_is_full(const struct connection_watch *watch)
{
    return count_staying(watch) >= watch->threads + WAITING_FOR_THREAD_MAX;
}

static bool change_state(
    struct connection_watch *watch, int fd, enum connection_state from, enum connection_state to)
{
    unsigned char expected = (unsigned char)from;
    return atomic_compare_exchange_strong(&watch->slots[fd].state, &expected, (unsigned char)to);
}

/* ---- one connection ---- */

/* It is still there: either the lock is held, or its thread may not go on. */
static void count_ending(struct connection_watch *watch, int fd)
{
    atomic_fetch_add(&watch->ending, 1);
    atomic_store(&watch->slots[fd].uncounted, true);
    client_limit_note_ending(watch->slots[fd].client);
}

/* What has come already is a request, or the end. */
static bool has_input(int fd)
{
    char byte;
    return recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Its reader finds the end, behind what has come meanwhile. */
bool crowd_end_idle(struct connection_watch *watch, int fd)
{
    if (crowd_state(watch, fd) != CONNECTION_IDLE || has_input(fd) ||
        !change_state(watch, fd, CONNECTION_IDLE, CONNECTION_ENDING))
        return false;
    count_ending(watch, fd);
    (void)shutdown(fd, SHUT_RD);
    return true;
}

/* A reader may still say why; a writer has nobody to say it to. */
static bool end_waiting(struct connection_watch *watch, int fd)
{
    bool writes = atomic_load(&watch->slots[fd].writes);
    if (!change_state(watch, fd, CONNECTION_WAITING, CONNECTION_ENDING))
        return false;
    count_ending(watch, fd);
    atomic_fetch_add(&watch->cut, 1);
    metrics_add(watch->metrics, METRIC_CONNECTIONS_CUT, 1);
    (void)shutdown(fd, writes ? SHUT_RDWR : SHUT_RD);
    return true;
}

void crowd_becomes_idle(struct connection_watch *watch, int fd)
{
    if (fd >= 0 && change_state(watch, fd, CONNECTION_BUSY, CONNECTION_IDLE) &&
        crowd_is_there(watch))
        (void)crowd_end_idle(watch, fd);
}

bool crowd_becomes_busy(struct connection_watch *watch, int fd)
{
    return change_state(watch, fd, CONNECTION_IDLE, CONNECTION_BUSY) ||
           crowd_state(watch, fd) != CONNECTION_ENDING;
}

bool crowd_takes_its_leave(struct connection_watch *watch, int fd)
{
    if (fd < 0 || !crowd_is_there(watch) ||
        !change_state(watch, fd, CONNECTION_BUSY, CONNECTION_ENDING))
        return false;
    /* It has a request, and counts against its client until that is answered. */
    atomic_fetch_add(&watch->ending, 1);
    return true;
}

bool crowd_wait_begin(struct connection_watch *watch, int fd, int64_t turn_ms, bool writes)
{
    if (crowd_state(watch, fd) != CONNECTION_BUSY)
        return false;
    atomic_store(&watch->slots[fd].turn_ms, turn_ms);
    atomic_store(&watch->slots[fd].writes, writes);
    return change_state(watch, fd, CONNECTION_BUSY, CONNECTION_WAITING);
}

bool crowd_wait_end(struct connection_watch *watch, int fd)
{
    return change_state(watch, fd, CONNECTION_WAITING, CONNECTION_BUSY);
}

/* ---- all of them; under the lock no descriptor is closed and none is another's ---- */

static bool is_of(
    const struct connection_watch *watch, size_t fd, const struct client_count *client)
{
    return !client || watch->slots[fd].client == client;
}

/* Round and round, so that it is not always the same one's turn. */
static bool end_an_idle_locked(struct connection_watch *watch, const struct client_count *client)
{
    bool found = false;
    for (size_t i = 0; i < watch->used && !found; i++) {
        size_t fd = watch->look_from < watch->used ? watch->look_from : 0;
        found = is_of(watch, fd, client) && crowd_end_idle(watch, (int)fd);
        watch->look_from = fd + 1;
    }
    return found;
}

/* Where something has come that we have not read yet, the peer waits for us. */
static bool end_the_slowest_locked(
    struct connection_watch *watch, const struct client_count *client)
{
    int64_t oldest_ms = clock_monotonic_ms() - CROWD_PATIENCE_MS;
    int slowest = -1;
    for (size_t fd = 0; fd < watch->used; fd++) {
        const struct connection_slot *slot = &watch->slots[fd];
        if (crowd_state(watch, (int)fd) != CONNECTION_WAITING || !is_of(watch, fd, client) ||
            atomic_load(&slot->turn_ms) > oldest_ms ||
            (!atomic_load(&slot->writes) && has_input((int)fd)))
            continue;
        oldest_ms = atomic_load(&slot->turn_ms);
        slowest = (int)fd;
    }
    return slowest >= 0 && end_waiting(watch, slowest);
}

void crowd_disperse(struct connection_watch *watch)
{
    if (!crowd_is_there(watch))
        return;
    bool found = true;
    (void)pthread_mutex_lock(&watch->lock);
    while (found && crowd_is_there(watch))
        found = end_an_idle_locked(watch, NULL) || end_the_slowest_locked(watch, NULL);
    (void)pthread_mutex_unlock(&watch->lock);
}

bool crowd_end_one_of(struct connection_watch *watch, const struct client_count *client)
{
    (void)pthread_mutex_lock(&watch->lock);
    bool found = end_an_idle_locked(watch, client) || end_the_slowest_locked(watch, client);
    (void)pthread_mutex_unlock(&watch->lock);
    return found;
}
