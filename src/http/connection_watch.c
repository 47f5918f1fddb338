/* SPDX-License-Identifier: MIT */
#include "connection_watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "civetweb/renamed_calls.h"

enum {
    STOP_PATIENCE_MS = 1000,    /* for a connection that does not end by itself at stop */
    LINGER_MS = 2000,           /* for a peer that goes on sending after the answer */
    LINGER_MAX_BYTES = 1 << 26, /* likewise */
    ACCEPT_PAUSE_MS = 50,       /* when descriptors or memory are short */
    ACCEPT_WARNING_MS = 10000   /* at most one line in this time */
};

enum phase {
    PHASE_NONE,    /* no deadline: civetweb's accepting thread, and handlers */
    PHASE_START,   /* accepted; its deadline starts with the first wait */
    PHASE_HEADERS, /* TLS handshake, or headers of which something has come */
    PHASE_IDLE,    /* between requests */
    PHASE_TIMED    /* a handler's deadline */
};

/* The connection that a thread serves; a worker's phase is never PHASE_NONE outside of
 * handlers. `watch` is NULL in threads that are not a server's. */
struct connection_thread {
    struct connection_watch *watch;
    enum phase phase;
    int64_t deadline_ms; /* monotonic; unless PHASE_NONE and PHASE_START */
    int64_t warned_ms;   /* accepting thread: when a failure was last logged */
    const char *headers_end;
    bool headers_fill_buffer;
    bool timed_out;
    bool serves; /* false: the thread that accepts */
    bool open;
    bool linger;
};

static _Thread_local struct connection_thread current;

int connection_watch_init(struct connection_watch *watch, struct error *error)
{
    *watch = (struct connection_watch){0};
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
    watch->give_way_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    if (watch->give_way_fd >= 0)
        return 0;
    (void)pthread_mutex_destroy(&watch->lock);
    (void)pthread_cond_destroy(&watch->changed);
    return error_set_errno(error, ERROR_IO, errno, "cannot make an eventfd");
}

static void set_count_locked(struct connection_watch *watch, int64_t count)
{
    watch->count = count;
    if (watch->on_connections)
        watch->on_connections(watch->context, count);
}

void connection_watch_fini(struct connection_watch *watch)
{
    for (size_t fd = 0; fd < watch->size; fd++) {
        if (watch->is_connection[fd])
            (void)close((int)fd);
    }
    if (watch->count > 0)
        set_count_locked(watch, 0);
    free(watch->is_connection);
    (void)close(watch->give_way_fd);
    (void)pthread_mutex_destroy(&watch->lock);
    (void)pthread_cond_destroy(&watch->changed);
}

int64_t connection_watch_count(struct connection_watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    int64_t count = watch->count;
    (void)pthread_mutex_unlock(&watch->lock);
    return count;
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
    atomic_store(&watch->stop_by_ms, clock_monotonic_ms() + STOP_PATIENCE_MS);
    /* For reading only: a handler's answer still goes out. */
    for (size_t fd = 0; fd < watch->size; fd++) {
        if (watch->is_connection[fd])
            (void)shutdown((int)fd, SHUT_RD);
    }
    wait_for_end_locked(watch);
    (void)pthread_mutex_unlock(&watch->lock);
}

static bool is_stopping(const struct connection_watch *watch)
{
    return atomic_load(&watch->stop_by_ms) != 0;
}

static void tell_stopper(struct connection_watch *watch)
{
    if (!is_stopping(watch))
        return;
    (void)pthread_mutex_lock(&watch->lock);
    (void)pthread_cond_broadcast(&watch->changed);
    (void)pthread_mutex_unlock(&watch->lock);
}

/* ---- the calling thread's connection ---- */

void connection_thread_enter(struct connection_watch *watch, bool serves)
{
    current = (struct connection_thread){
        .watch = watch, .serves = serves, .phase = serves ? PHASE_START : PHASE_NONE};
}

static void enter_phase(enum phase phase, int64_t ms)
{
    current.phase = phase;
    current.deadline_ms = clock_monotonic_ms() + ms;
    current.timed_out = false;
}

void connection_begin(void)
{
    enter_phase(PHASE_HEADERS, current.watch->request_timeout_ms);
    current.open = true;
}

bool connection_is_open(void)
{
    return current.open;
}

void connection_finish(void)
{
    current.open = false;
}

void connection_handler_begin(void)
{
    atomic_fetch_add(&current.watch->handling, 1);
    connection_clear_deadline();
}

void connection_handler_end(void)
{
    atomic_fetch_sub(&current.watch->handling, 1);
    enter_phase(PHASE_IDLE, current.watch->idle_timeout_ms);
    tell_stopper(current.watch);
}

void connection_set_deadline(int64_t ms)
{
    enter_phase(PHASE_TIMED, ms);
}

void connection_clear_deadline(void)
{
    current.phase = PHASE_NONE;
    current.timed_out = false;
}

bool connection_timed_out(void)
{
    return current.timed_out;
}

bool connection_headers_fill_buffer(void)
{
    return current.headers_fill_buffer;
}

const char *connection_headers_end(void)
{
    return current.headers_end;
}

void connection_linger_on_close(void)
{
    current.linger = true;
}

/* ---- what civetweb calls in place of the system's functions ---- */

static int remember_locked(struct connection_watch *watch, int fd)
{
    size_t needed = (size_t)fd + 1;
    if (needed > watch->size) {
        size_t size = needed + needed / 2;
        unsigned char *grown = realloc(watch->is_connection, size);
        if (!grown)
            return -1;
        memset(grown + watch->size, 0, size - watch->size);
        watch->is_connection = grown;
        watch->size = size;
    }
    watch->is_connection[fd] = 1;
    set_count_locked(watch, watch->count + 1);
    if (is_stopping(watch))
        (void)shutdown(fd, SHUT_RD);
    return 0;
}

static bool is_crowded(const struct connection_watch *watch)
{
    return atomic_load(&watch->count) > watch->threads;
}

/* Asks one idle connection to give way: whichever takes the request first. */
static void ask_to_give_way(const struct connection_watch *watch)
{
    const uint64_t one = 1;
    if (write(watch->give_way_fd, &one, sizeof(one)) != sizeof(one))
        log_warning("idle connections were not asked to end", LOG_INT("errno", errno));
}

/* Does the calling, idle thread give way? A request that nobody needs any more is dropped. */
static bool takes_request_to_give_way(const struct connection_watch *watch)
{
    uint64_t one;
    while (read(watch->give_way_fd, &one, sizeof(one)) == sizeof(one))
        if (is_crowded(watch))
            return true;
    return false;
}

static int remember(struct connection_watch *watch, int fd)
{
    (void)pthread_mutex_lock(&watch->lock);
    int failed = remember_locked(watch, fd);
    (void)pthread_mutex_unlock(&watch->lock);
    if (!failed && is_crowded(watch))
        ask_to_give_way(watch);
    return failed;
}

/* Without a pause the listener, still readable, would keep a CPU busy. */
static void accept_failed(int errnum)
{
    if (errnum != EMFILE && errnum != ENFILE && errnum != ENOBUFS && errnum != ENOMEM)
        return;
    int64_t now_ms = clock_monotonic_ms();
    if (current.warned_ms == 0 || now_ms - current.warned_ms > ACCEPT_WARNING_MS) {
        current.warned_ms = now_ms;
        log_warning("cannot accept a connection", LOG_TEXT("error", strerrorname_np(errnum)));
    }
    (void)poll(NULL, 0, ACCEPT_PAUSE_MS);
}

int watched_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    int connection = accept4(fd, address, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection >= 0 && remember(current.watch, connection)) {
        (void)close(connection);
        connection = -1;
        errno = ENOMEM;
    }
    if (connection < 0)
        accept_failed(errno);
    /* civetweb's mg_poll takes an EAGAIN left from here for a failure of its next poll, and
     * with two listeners readable would then never accept again. */
    errno = 0;
    return connection;
}

/* At the latest when the server has to be gone. */
static int64_t deadline_ms(const struct connection_thread *thread)
{
    int64_t stop_by_ms = atomic_load(&thread->watch->stop_by_ms);
    if (stop_by_ms != 0 && stop_by_ms < thread->deadline_ms)
        return stop_by_ms;
    return thread->deadline_ms;
}

static int deadline_passed(const struct pollfd *waiting)
{
    current.timed_out = true;
    /* A reader believes the error. A writer would ask again at once, for ever: its next
     * write has to fail. */
    if (waiting->events & POLLOUT)
        (void)shutdown(waiting->fd, SHUT_RDWR);
    errno = ETIMEDOUT;
    return -1;
}

/*
 * The thread that accepts has to see a stop at once. What it waits for cannot be changed by
 * putting another descriptor in the place of a listener: a poll that has begun goes on with
 * the old one.
 */
static int poll_listeners(int wake_fd, struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct pollfd all[LISTENERS_MAX + 1];
    memcpy(all, fds, count * sizeof(*fds));
    all[count] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
    int ready = poll(all, count + 1, timeout_ms);
    memcpy(fds, all, count * sizeof(*fds));
    return ready > 0 && all[count].revents ? 0 : ready;
}

/* 1: something came on the one descriptor; 0: time is over; -1: the connection has to end. */
static int poll_idle(const struct connection_watch *watch, struct pollfd *fds, int timeout_ms)
{
    struct pollfd both[2] = {fds[0], {.fd = watch->give_way_fd, .events = POLLIN}};
    int ready = poll(both, 2, timeout_ms);
    fds[0].revents = both[0].revents;
    if (ready < 0)
        return -1;
    if (both[0].revents != 0)
        return 1;
    return both[1].revents != 0 && takes_request_to_give_way(watch) ? deadline_passed(fds) : 0;
}

int watched_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct connection_thread *thread = &current;
    if (thread->watch && !thread->serves && count <= LISTENERS_MAX)
        return poll_listeners(thread->watch->wake_fd, fds, count, timeout_ms);
    if (thread->watch && thread->phase == PHASE_START)
        enter_phase(PHASE_HEADERS, thread->watch->request_timeout_ms);
    if (thread->phase != PHASE_NONE) {
        int64_t left_ms = deadline_ms(thread) - clock_monotonic_ms();
        if (left_ms <= 0)
            return deadline_passed(fds);
        if (timeout_ms < 0 || left_ms < timeout_ms)
            timeout_ms = (int)left_ms;
    }
    int ready = thread->phase == PHASE_IDLE && count == 1
                    ? poll_idle(thread->watch, fds, timeout_ms)
                    : poll(fds, count, timeout_ms);
    if (ready > 0 && thread->phase == PHASE_IDLE)
        enter_phase(PHASE_HEADERS, thread->watch->request_timeout_ms);
    return ready;
}

static void note_headers(const char *data, ssize_t got, size_t wanted)
{
    if (got <= 0 || (current.phase != PHASE_HEADERS && current.phase != PHASE_IDLE))
        return;
    current.headers_end = data + got;
    current.headers_fill_buffer = (size_t)got == wanted;
}

ssize_t watched_recv(int fd, void *data, size_t length, int flags)
{
    ssize_t got = recv(fd, data, length, flags);
    note_headers(data, got, length);
    return got;
}

int watched_ssl_read(SSL *ssl, void *data, int length)
{
    int got = SSL_read(ssl, data, length);
    note_headers(data, got, (size_t)length);
    return got;
}

/* civetweb has ended our side; the peer sees the answer and then the end. */
static void linger(const struct connection_watch *watch, int fd)
{
    char nobody_reads[8192];
    size_t total = 0;
    int64_t until_ms = clock_monotonic_ms() + LINGER_MS;
    while (total < LINGER_MAX_BYTES && !is_stopping(watch)) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0 || poll(&waiting, 1, (int)left_ms) <= 0)
            return;
        ssize_t got = recv(fd, nobody_reads, sizeof(nobody_reads), MSG_DONTWAIT);
        if (got <= 0)
            return;
        total += (size_t)got;
    }
}

/* Forgotten before it is closed: from then on the number may be another connection's. */
static bool forget(struct connection_watch *watch, int fd)
{
    (void)pthread_mutex_lock(&watch->lock);
    bool known = fd >= 0 && (size_t)fd < watch->size && watch->is_connection[fd];
    if (known) {
        watch->is_connection[fd] = 0;
        set_count_locked(watch, watch->count - 1);
    }
    (void)pthread_mutex_unlock(&watch->lock);
    return known;
}

int watched_close(int fd)
{
    struct connection_watch *watch = current.watch;
    if (!watch)
        return close(fd);
    if (current.linger)
        linger(watch, fd);
    bool was_connection = forget(watch, fd);
    int result = close(fd);
    if (was_connection) {
        connection_thread_enter(watch, current.serves);
        tell_stopper(watch);
    }
    return result;
}
