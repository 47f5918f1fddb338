/* SPDX-License-Identifier: MIT */
#include "connection_watch.h"

#include <errno.h>
#include <linux/futex.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "civetweb/renamed_calls.h"

enum connection_state { CONNECTION_NONE, CONNECTION_BUSY, CONNECTION_IDLE, CONNECTION_ENDING };

/* Of an answer that is to be given later: a futex word. */
enum later { LATER_NONE, LATER_OPEN, LATER_AWAITED };

enum {
    DESCRIPTORS_MAX = 65536,    /* beyond 1024 threads and what waits for them there is no use */
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
    int64_t deadline_ms;    /* monotonic; unless PHASE_NONE and PHASE_START */
    int64_t warned_ms;      /* accepting thread: when a failure was last logged */
    int fd;                 /* of the connection, once it was waited for; -1 */
    SSL *ssl;               /* NULL: plain */
    _Atomic unsigned later; /* enum later */
    int64_t answered_ms;    /* when an answer was last given later; unless that is open */
    bool was_last;          /* likewise: it said that nothing is served after it */
    const char *headers_end;
    bool headers_fill_buffer;
    bool gives_way;
    bool answers_later; /* the handler that runs leaves the answer to another thread */
    bool timed_out;
    bool serves; /* false: the thread that accepts */
    bool open;
    bool linger;
};

static _Thread_local struct connection_thread current;

static size_t descriptors_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > DESCRIPTORS_MAX)
        return DESCRIPTORS_MAX;
    return (size_t)limit.rlim_cur;
}

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
    watch->size = descriptors_max();
    watch->states = calloc(watch->size, sizeof(*watch->states));
    if (watch->states)
        return 0;
    (void)pthread_mutex_destroy(&watch->lock);
    (void)pthread_cond_destroy(&watch->changed);
    return error_set(error, ERROR_MEMORY, "out of memory");
}

static void set_count_locked(struct connection_watch *watch, int64_t count)
{
    watch->count = count;
    if (watch->on_connections)
        watch->on_connections(watch->context, count);
}

static bool is_connection(const struct connection_watch *watch, size_t fd)
{
    return atomic_load_explicit(&watch->states[fd], memory_order_relaxed) != CONNECTION_NONE;
}

void connection_watch_fini(struct connection_watch *watch)
{
    for (size_t fd = 0; fd < watch->size; fd++) {
        if (is_connection(watch, fd))
            (void)close((int)fd);
    }
    if (watch->count > 0)
        set_count_locked(watch, 0);
    free(watch->states);
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
        if (is_connection(watch, fd))
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

/* ---- giving way ---- */

/* More than can be served, without those that are about to end. It has to be asked after whatever
 * could be seen by a connection that comes at the same moment: one of both then acts. */
static bool is_crowded(const struct connection_watch *watch)
{
    return atomic_load(&watch->count) - atomic_load(&watch->ending) > watch->threads;
}

static bool change_state(
    struct connection_watch *watch, int fd, enum connection_state from, enum connection_state to)
{
    unsigned char expected = (unsigned char)from;
    return atomic_compare_exchange_strong(&watch->states[fd], &expected, (unsigned char)to);
}

/* What has come already is a request, or the end. */
static bool has_input(int fd)
{
    char byte;
    return recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) >= 0;
}

/* Its reader finds the end, behind what has come meanwhile. */
static bool end_idle(struct connection_watch *watch, int fd)
{
    if (atomic_load(&watch->states[fd]) != CONNECTION_IDLE || has_input(fd) ||
        !change_state(watch, fd, CONNECTION_IDLE, CONNECTION_ENDING))
        return false;
    atomic_fetch_add(&watch->ending, 1);
    (void)shutdown(fd, SHUT_RD);
    return true;
}

/* By whoever gave its last answer, before its thread may go on. */
static void becomes_idle(struct connection_watch *watch, int fd)
{
    if (fd >= 0 && change_state(watch, fd, CONNECTION_BUSY, CONNECTION_IDLE) && is_crowded(watch))
        (void)end_idle(watch, fd);
}

/* The calling thread's connection got the first bytes of a request. */
static void becomes_busy(struct connection_thread *thread)
{
    if (!change_state(thread->watch, thread->fd, CONNECTION_IDLE, CONNECTION_BUSY) &&
        atomic_load(&thread->watch->states[thread->fd]) == CONNECTION_ENDING)
        thread->gives_way = true;
}

/* A busy connection is to end with its answer when others wait. */
static bool takes_its_leave(struct connection_watch *watch, int fd)
{
    if (fd < 0 || !is_crowded(watch) ||
        !change_state(watch, fd, CONNECTION_BUSY, CONNECTION_ENDING))
        return false;
    atomic_fetch_add(&watch->ending, 1);
    return true;
}

/* Ends an idle connection, round and round; where there is none, the next that becomes idle sees
 * the crowd. Under the lock no descriptor is closed and none is another's. */
static void make_one_give_way(struct connection_watch *watch)
{
    (void)pthread_mutex_lock(&watch->lock);
    bool found = false;
    for (size_t i = 0; i < watch->used && !found; i++) {
        size_t fd = watch->look_from < watch->used ? watch->look_from : 0;
        found = end_idle(watch, (int)fd);
        watch->look_from = fd + 1;
    }
    (void)pthread_mutex_unlock(&watch->lock);
}

/* ---- the calling thread's connection ---- */

void connection_thread_enter(struct connection_watch *watch, bool serves)
{
    current = (struct connection_thread){
        .watch = watch, .serves = serves, .phase = serves ? PHASE_START : PHASE_NONE, .fd = -1};
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
    if (current.fd >= 0)
        becomes_busy(&current); /* it may have come with the one before it */
    connection_clear_deadline();
}

void connection_handler_end(void)
{
    enter_phase(PHASE_IDLE, current.watch->idle_timeout_ms);
    bool answers_later = current.answers_later;
    current.answers_later = false;
    if (answers_later)
        return;
    becomes_idle(current.watch, current.fd);
    atomic_fetch_sub(&current.watch->handling, 1);
    tell_stopper(current.watch);
}

bool connection_gives_way(void)
{
    if (!current.gives_way && takes_its_leave(current.watch, current.fd))
        current.gives_way = true;
    return current.gives_way;
}

bool connection_was_asked_to_end(void)
{
    return current.gives_way ||
           (current.fd >= 0 &&
            atomic_load(&current.watch->states[current.fd]) == CONNECTION_ENDING);
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

/* ---- answers given later ---- */

struct connection_thread *connection_answer_later(void)
{
    if (current.fd < 0 || (current.ssl && SSL_has_pending(current.ssl)))
        return NULL;
    current.answers_later = true;
    atomic_store(&current.later, LATER_OPEN);
    return &current;
}

bool connection_settle(void)
{
    unsigned later = atomic_load_explicit(&current.later, memory_order_acquire);
    bool waits = later != LATER_NONE;
    while (later != LATER_NONE) {
        if (later == LATER_AWAITED ||
            atomic_compare_exchange_weak(&current.later, &later, LATER_AWAITED))
            (void)syscall(
                SYS_futex, &current.later, FUTEX_WAIT_PRIVATE, LATER_AWAITED, NULL, NULL, 0);
        later = atomic_load_explicit(&current.later, memory_order_acquire);
    }
    /* The time that we took is not the peer's. */
    if (waits && current.phase == PHASE_HEADERS)
        enter_phase(PHASE_HEADERS, current.watch->request_timeout_ms);
    return !current.was_last;
}

bool connection_has_to_end(struct connection_thread *thread)
{
    return takes_its_leave(thread->watch, thread->fd);
}

static bool send_now(const struct connection_thread *thread, struct bytes answer)
{
    if (!thread->ssl)
        return send(thread->fd, answer.data, answer.length, MSG_NOSIGNAL | MSG_DONTWAIT) ==
               (ssize_t)answer.length;
    ERR_clear_error();
    bool sent = SSL_write(thread->ssl, answer.data, (int)answer.length) == (int)answer.length;
    ERR_clear_error();
    return sent;
}

void connection_answer(struct connection_thread *thread, struct bytes answer, bool is_last)
{
    struct connection_watch *watch = thread->watch;
    bool sent = answer.length > 0 && send_now(thread, answer);
    /* Not sent: the peer is gone, or has not taken its earlier answers. Its reader wakes. */
    if (!sent || is_last)
        (void)shutdown(thread->fd, sent ? SHUT_RD : SHUT_RDWR);
    thread->was_last = sent && is_last;
    thread->answered_ms = clock_monotonic_ms();
    if (!is_last)
        becomes_idle(watch, thread->fd);
    if (atomic_exchange_explicit(&thread->later, LATER_NONE, memory_order_release) == LATER_AWAITED)
        (void)syscall(SYS_futex, &thread->later, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    /* Nobody joins this thread: once the stopper may see that it is done, the watch may be gone. */
    (void)pthread_mutex_lock(&watch->lock);
    atomic_fetch_sub(&watch->handling, 1);
    if (is_stopping(watch))
        (void)pthread_cond_broadcast(&watch->changed);
    (void)pthread_mutex_unlock(&watch->lock);
}

/* ---- what civetweb calls in place of the system's functions ---- */

static int remember(struct connection_watch *watch, int fd)
{
    if ((size_t)fd >= watch->size)
        return -1;
    (void)pthread_mutex_lock(&watch->lock);
    atomic_store(&watch->states[fd], CONNECTION_BUSY);
    if ((size_t)fd >= watch->used)
        watch->used = (size_t)fd + 1;
    set_count_locked(watch, watch->count + 1);
    if (is_stopping(watch))
        (void)shutdown(fd, SHUT_RD);
    (void)pthread_mutex_unlock(&watch->lock);
    if (is_crowded(watch))
        make_one_give_way(watch);
    return 0;
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

/* The time to send a next request begins with the answer to the one before. */
static int64_t time_left_ms(struct connection_thread *thread)
{
    int64_t left_ms = deadline_ms(thread) - clock_monotonic_ms();
    if (left_ms > 0 || thread->phase != PHASE_IDLE || is_stopping(thread->watch))
        return left_ms;
    (void)connection_settle();
    int64_t idle_until_ms = thread->answered_ms + thread->watch->idle_timeout_ms;
    if (idle_until_ms > thread->deadline_ms)
        thread->deadline_ms = idle_until_ms;
    return deadline_ms(thread) - clock_monotonic_ms();
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

int watched_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct connection_thread *thread = &current;
    if (thread->watch && !thread->serves && count <= LISTENERS_MAX)
        return poll_listeners(thread->watch->wake_fd, fds, count, timeout_ms);
    if (thread->watch && thread->fd < 0)
        thread->fd = fds[0].fd;
    if (thread->watch && thread->phase == PHASE_START)
        enter_phase(PHASE_HEADERS, thread->watch->request_timeout_ms);
    if (thread->phase != PHASE_NONE) {
        int64_t left_ms = time_left_ms(thread);
        if (left_ms <= 0)
            return deadline_passed(fds);
        if (timeout_ms < 0 || left_ms < timeout_ms)
            timeout_ms = (int)left_ms;
    }
    int ready = poll(fds, count, timeout_ms);
    if (ready > 0 && thread->phase == PHASE_IDLE)
        enter_phase(PHASE_HEADERS, thread->watch->request_timeout_ms);
    return ready;
}

static void note_headers(const char *data, ssize_t got, size_t wanted)
{
    /* A TLS record may bring nothing: who was passed over because of it is asked again. */
    if (got < 0 && current.fd >= 0 && is_crowded(current.watch))
        (void)end_idle(current.watch, current.fd);
    if (got <= 0 || (current.phase != PHASE_HEADERS && current.phase != PHASE_IDLE))
        return;
    if (current.fd >= 0)
        becomes_busy(&current);
    current.headers_end = data + got;
    current.headers_fill_buffer = (size_t)got == wanted;
}

/* After the last answer nothing is read, whatever has come. */
static int end_of_requests(void)
{
    current.linger = true;
    errno = ECONNRESET;
    return -1;
}

ssize_t watched_recv(int fd, void *data, size_t length, int flags)
{
    if (!connection_settle())
        return end_of_requests();
    ssize_t got = recv(fd, data, length, flags);
    note_headers(data, got, length);
    return got;
}

int watched_ssl_read(SSL *ssl, void *data, int length)
{
    if (!connection_settle())
        return end_of_requests();
    current.ssl = ssl;
    int got = SSL_read(ssl, data, length);
    note_headers(data, got, (size_t)length);
    return got;
}

/* While an answer is to be given nothing is pending (connection_answer_later), and nobody else may
 * ask. */
int watched_ssl_pending(const SSL *ssl)
{
    if (atomic_load_explicit(&current.later, memory_order_acquire) != LATER_NONE)
        return 0;
    return SSL_pending(ssl);
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
    bool known = fd >= 0 && (size_t)fd < watch->size && is_connection(watch, (size_t)fd);
    if (known) {
        if (atomic_exchange(&watch->states[fd], CONNECTION_NONE) == CONNECTION_ENDING)
            atomic_fetch_sub(&watch->ending, 1);
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
    (void)connection_settle();
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
