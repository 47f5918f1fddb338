/* SPDX-License-Identifier: MIT */
#include "connection_accept.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "client_limit.h"
#include "connection_crowd.h"
#include "listener_takeover.h"

enum {
    ACCEPT_PAUSE_MS = 50,    /* when descriptors or memory are short */
    CROWD_LOOK_MS = 50,      /* while connections wait for a thread */
    WARNING_PAUSE_MS = 10000 /* at most one line of a kind in this time */
};

/* ---- the table of connections ---- */

static void set_count_locked(struct connection_watch *watch, int64_t count)
{
    watch->count = count;
    if (watch->on_connections)
        watch->on_connections(watch->context, count);
}

static int remember(struct connection_watch *watch, int fd, struct client_count *client)
{
    if ((size_t)fd >= watch->size)
        return -1;
    (void)pthread_mutex_lock(&watch->lock);
    watch->slots[fd].client = client;
    atomic_store(&watch->slots[fd].state, CONNECTION_BUSY);
    if ((size_t)fd >= watch->used)
        watch->used = (size_t)fd + 1;
    set_count_locked(watch, watch->count + 1);
    if (atomic_load(&watch->stop_by_ms) != 0)
        (void)shutdown(fd, SHUT_RD);
    (void)pthread_mutex_unlock(&watch->lock);
    crowd_disperse(watch);
    return 0;
}

/* Gives back whose it was, NULL if it is counted no more; then that is in *uncounted_out. */
static struct client_count *forget_locked(
    struct connection_watch *watch, int fd, struct client_count **uncounted_out)
{
    struct connection_slot *slot = &watch->slots[fd];
    struct client_count *client = slot->client;
    bool uncounted = atomic_exchange(&slot->uncounted, false);
    if (atomic_exchange(&slot->state, CONNECTION_NONE) == CONNECTION_ENDING)
        atomic_fetch_sub(&watch->ending, 1);
    slot->client = NULL;
    set_count_locked(watch, watch->count - 1);
    *uncounted_out = uncounted ? client : NULL;
    return uncounted ? NULL : client;
}

/* The accepting thread waits with a look at the count after it has said so, and this looks after it
 * has changed the count: one of both sees the other. */
static void tell_of_room(struct connection_watch *watch)
{
    static const uint64_t one = 1;
    if (atomic_load(&watch->pauses) && !crowd_is_full(watch))
        (void)!write(watch->room_fd, &one, sizeof(one));
}

bool connection_forget(struct connection_watch *watch, int fd)
{
    struct client_count *client = NULL;
    struct client_count *uncounted = NULL;
    (void)pthread_mutex_lock(&watch->lock);
    bool known = fd >= 0 && (size_t)fd < watch->size && crowd_state(watch, fd) != CONNECTION_NONE;
    if (known)
        client = forget_locked(watch, fd, &uncounted);
    (void)pthread_mutex_unlock(&watch->lock);
    client_limit_leave(watch->clients, client);
    client_limit_leave_ended(watch->clients, uncounted);
    tell_of_room(watch);
    return known;
}

/* ---- accepting ---- */

static bool may_warn(int64_t *warned_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    if (*warned_ms != 0 && now_ms - *warned_ms <= WARNING_PAUSE_MS)
        return false;
    *warned_ms = now_ms;
    return true;
}

/* Without a pause the listener, still readable, would keep a CPU busy. */
static void accept_failed(struct connection_watch *watch, int errnum)
{
    if (errnum != EMFILE && errnum != ENFILE && errnum != ENOBUFS && errnum != ENOMEM)
        return;
    if (may_warn(&watch->accepting.warned_ms))
        log_warning("cannot accept a connection", LOG_TEXT("error", strerrorname_np(errnum)));
    (void)poll(NULL, 0, ACCEPT_PAUSE_MS);
}

/* Nobody waits for what it has to say. Without TLS it can be told why, if it listens. */
static void turn_away(const struct connection_watch *watch, int listener, int fd)
{
    static const char answer[] = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n"
                                 "Content-Length: 0\r\nConnection: close\r\n\r\n";
    char nobody_reads[4096];
    if (!listener_takeover_is_tls(watch->listeners, listener)) {
        (void)send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)recv(fd, nobody_reads, sizeof(nobody_reads), MSG_DONTWAIT);
    }
    (void)close(fd);
}

/* Takes the connection in, and returns it. -1: it was turned away. */
static int admit(struct connection_watch *watch, int listener, int fd, const struct sockaddr *peer)
{
    struct client_count *client =
        watch->clients ? client_limit_connect(watch->clients, peer) : NULL;
    if (client_limit_is_over(watch->clients, client) && !crowd_end_one_of(watch, client)) {
        client_limit_note_refusal(watch->clients, METRIC_CONNECTIONS_REFUSED, client);
        client_limit_leave(watch->clients, client);
        turn_away(watch, listener, fd);
        return -1;
    }
    if (remember(watch, fd, client) == 0)
        return fd;
    client_limit_leave(watch->clients, client);
    (void)close(fd);
    accept_failed(watch, ENOMEM);
    return -1;
}

/* civetweb's mg_poll takes an EAGAIN that anything left behind for a failure of its poll, and with
 * two listeners readable would then never accept again. */
static void forget_errno(void)
{
    errno = 0;
}

int connection_accept(
    struct connection_watch *watch, int listener, struct sockaddr *address, socklen_t *length)
{
    /* At no moment does it belong neither to the listener nor to those that are counted: a server
     * that has none left would be stopped, and the connection be lost. */
    atomic_fetch_add(&watch->taken, 1);
    int fd = accept4(listener, address, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int errnum = errno;
    bool accepted = fd >= 0;
    if (accepted)
        fd = admit(watch, listener, fd, address);
    atomic_fetch_sub(&watch->taken, 1);
    if (!accepted)
        accept_failed(watch, errnum);
    forget_errno();
    return fd;
}

/* ---- waiting for connections ---- */

static void warn_of_slow_ones(struct connection_watch *watch)
{
    struct connection_accepting *mine = &watch->accepting;
    int64_t cut = atomic_load(&watch->cut);
    if (cut == mine->cut_told || !may_warn(&mine->warned_slow_ms))
        return;
    log_warning(
        "slow connections were ended, for others wait", LOG_INT("count", cut - mine->cut_told));
    mine->cut_told = cut;
}

static void wait_for_room(struct connection_watch *watch)
{
    struct pollfd fds[] = {
        {.fd = watch->listeners->inert_fd, .events = POLLIN},
        {.fd = watch->room_fd, .events = POLLIN},
    };
    uint64_t told = 0;
    atomic_store(&watch->pauses, true);
    if (crowd_is_full(watch))
        (void)poll(fds, sizeof(fds) / sizeof(fds[0]), CROWD_LOOK_MS);
    atomic_store(&watch->pauses, false);
    (void)!read(watch->room_fd, &told, sizeof(told));
}

/*
 * The thread that accepts has to see a stop at once. What it waits for cannot be changed by
 * putting another descriptor in the place of a listener: a poll that has begun goes on with
 * the old one.
 *
 * While connections wait for a thread it looks often, for slow ones use up their time; and when
 * many wait, it leaves further ones to the kernel.
 */
int connection_poll_listeners(
    struct connection_watch *watch, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct pollfd all[LISTENERS_MAX + 1];
    crowd_disperse(watch);
    warn_of_slow_ones(watch);
    if (crowd_is_full(watch)) {
        wait_for_room(watch);
        return 0;
    }
    if (crowd_is_there(watch) && (timeout_ms < 0 || timeout_ms > CROWD_LOOK_MS))
        timeout_ms = CROWD_LOOK_MS;
    memcpy(all, fds, count * sizeof(*fds));
    all[count] = (struct pollfd){.fd = watch->listeners->inert_fd, .events = POLLIN};
    forget_errno();
    int ready = poll(all, count + 1, timeout_ms);
    memcpy(fds, all, count * sizeof(*fds));
    return ready > 0 && all[count].revents ? 0 : ready;
}
