/* SPDX-License-Identifier: MIT */
#include "connection_watch.h"

#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/completion.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "civetweb/renamed_calls.h"
#include "civetweb_threads.h"
#include "connection_accept.h"
#include "connection_crowd.h"

enum {
    DESCRIPTORS_MAX = 65536,    /* beyond 1024 threads and what waits for them there is no use */
    LINGER_MS = 2000,           /* for a peer that goes on sending after the answer */
    LINGER_MAX_BYTES = 1 << 26, /* likewise */
    LAST_WORD_MS = 1000,        /* for a peer to take the answer with which it is to end */
    HANDSHAKE_LOOK_MS = 2000    /* civetweb's would be 50 for each of a thousand threads */
};

enum phase {
    PHASE_NONE,    /* no deadline: civetweb's accepting thread, and handlers */
    PHASE_START,   /* accepted; its deadline starts with the first wait */
    PHASE_HEADERS, /* TLS handshake, or headers of which something has come */
    PHASE_IDLE,    /* between requests */
    PHASE_TIMED    /* a handler's deadline */
};

/* The connection that a thread serves; a worker's phase is never PHASE_NONE outside of
 * handlers. */
struct connection_thread {
    struct connection_watch *watch;
    enum phase phase;
    int64_t turn_ms;         /* monotonic: when the phase began that is the peer's to end */
    int64_t deadline_ms;     /* monotonic; unless PHASE_NONE and PHASE_START */
    int64_t request_ms;      /* monotonic: when the request began */
    int fd;                  /* of the connection, once it was waited for; -1 */
    SSL *ssl;                /* NULL: plain */
    struct completion later; /* of an answer that is given later */
    int64_t answered_ms;     /* when that was, once it is over */
    bool was_last;           /* likewise: it said that nothing is served after it */
    bool headers_fill_buffer;
    bool gives_way;
    bool answers_later; /* the handler that runs leaves the answer to another thread */
    bool timed_out;
    bool serves; /* false: the thread that accepts */
    bool begun;  /* the handshake is done */
    bool open;
    bool linger;
};

/* NULL in threads that are not a server's. */
static struct connection_thread *current(void)
{
    return *fiber_local(LOCAL_CONNECTION);
}

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
    if (!current())
        *fiber_local(LOCAL_CONNECTION) = &watch->all[atomic_fetch_add(&watch->entered, 1)];
    *current() = (struct connection_thread){
        .watch = watch, .serves = serves, .phase = serves ? PHASE_START : PHASE_NONE, .fd = -1};
}

/* A phase that began then, and has to be over `ms` later. */
static void enter_phase_of(enum phase phase, int64_t began_ms, int64_t ms)
{
    current()->phase = phase;
    current()->turn_ms = began_ms;
    current()->deadline_ms = began_ms + ms;
    current()->timed_out = false;
}

static void enter_phase(enum phase phase, int64_t ms)
{
    enter_phase_of(phase, clock_monotonic_ms(), ms);
}

static void request_begins(void)
{
    enter_phase(PHASE_HEADERS, current()->watch->request_timeout_ms);
    current()->request_ms = current()->turn_ms;
}

void connection_begin(void)
{
    /* A handshake is part of the first request. */
    if (current()->phase != PHASE_HEADERS)
        request_begins();
    current()->begun = true;
    current()->open = true;
}

bool connection_is_open(void)
{
    return current()->open;
}

void connection_finish(void)
{
    current()->open = false;
}

/* The first bytes of a request are there. */
static void note_busy(void)
{
    if (!crowd_becomes_busy(current()->watch, current()->fd))
        current()->gives_way = true;
}

void connection_handler_begin(void)
{
    atomic_fetch_add(&current()->watch->handling, 1);
    if (current()->phase != PHASE_HEADERS) /* it came with the one before it */
        request_begins();
    if (current()->fd >= 0)
        note_busy();
    connection_clear_deadline();
}

void connection_handler_end(void)
{
    enter_phase(PHASE_IDLE, current()->watch->idle_timeout_ms);
    bool answers_later = current()->answers_later;
    current()->answers_later = false;
    if (answers_later)
        return;
    crowd_becomes_idle(current()->watch, current()->fd);
    atomic_fetch_sub(&current()->watch->handling, 1);
    tell_stopper(current()->watch);
}

bool connection_gives_way(void)
{
    if (!current()->gives_way && crowd_takes_its_leave(current()->watch, current()->fd))
        current()->gives_way = true;
    return current()->gives_way;
}

bool connection_was_asked_to_end(void)
{
    return current()->gives_way ||
           (current()->fd >= 0 &&
            crowd_state(current()->watch, current()->fd) == CONNECTION_ENDING);
}

void connection_set_deadline(int64_t ms)
{
    enter_phase(PHASE_TIMED, ms);
}

void connection_resume_deadline(void)
{
    enter_phase_of(PHASE_TIMED, current()->request_ms, current()->watch->request_timeout_ms);
}

void connection_clear_deadline(void)
{
    current()->phase = PHASE_NONE;
    current()->timed_out = false;
}

bool connection_timed_out(void)
{
    return current()->timed_out;
}

bool connection_headers_fill_buffer(void)
{
    return current()->headers_fill_buffer;
}

void connection_linger_on_close(void)
{
    current()->linger = true;
}

/* ---- answers given later ---- */

struct connection_thread *connection_answer_later(void)
{
    if (current()->fd < 0 || (current()->ssl && SSL_has_pending(current()->ssl)))
        return NULL;
    current()->answers_later = true;
    completion_begin(&current()->later);
    return current();
}

bool connection_settle(void)
{
    bool waits = !completion_is_over(&current()->later);
    completion_wait(&current()->later);
    /* The time that we took is not the peer's. */
    if (waits && current()->phase == PHASE_HEADERS)
        request_begins();
    return !current()->was_last;
}

bool connection_has_to_end(struct connection_thread *thread)
{
    return crowd_takes_its_leave(thread->watch, thread->fd);
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
        crowd_becomes_idle(watch, thread->fd);
    completion_end(&thread->later);
    /* Nobody joins this thread: once the stopper may see that it is done, the watch may be gone. */
    (void)pthread_mutex_lock(&watch->lock);
    atomic_fetch_sub(&watch->handling, 1);
    if (is_stopping(watch))
        (void)pthread_cond_broadcast(&watch->changed);
    (void)pthread_mutex_unlock(&watch->lock);
}

/* ---- what civetweb calls in place of the system's functions ---- */

int watched_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    return connection_accept(current()->watch, fd, address, length);
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
    current()->timed_out = true;
    /* A reader believes the error. A writer would ask again at once, for ever: its next
     * write has to fail. */
    if (waiting->events & POLLOUT)
        (void)shutdown(waiting->fd, SHUT_RDWR);
    errno = ETIMEDOUT;
    return -1;
}

/* In the phases that are the peer's to end, it may be the one that gives way. */
static int poll_peer(struct connection_thread *thread, struct pollfd *waiting, int timeout_ms)
{
    bool is_its_turn = thread->phase == PHASE_HEADERS || thread->phase == PHASE_TIMED;
    bool writes = (waiting->events & POLLOUT) != 0;
    bool waits =
        is_its_turn && crowd_wait_begin(thread->watch, thread->fd, thread->turn_ms, writes);
    int ready = fiber_poll(waiting, timeout_ms);
    if (waits && !crowd_wait_end(thread->watch, thread->fd))
        thread->gives_way = true;
    return ready;
}

/* Puts into *timeout_ms how long it may wait now. false: its time is over. */
static bool has_time(struct connection_thread *thread, int *timeout_ms)
{
    if (!thread->begun)
        *timeout_ms = HANDSHAKE_LOOK_MS;
    if (thread->phase == PHASE_NONE)
        return true;
    int64_t left_ms = time_left_ms(thread);
    if (*timeout_ms < 0 || left_ms < *timeout_ms)
        *timeout_ms = (int)left_ms;
    return left_ms > 0;
}

int watched_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct connection_thread *thread = current();
    if (!thread)
        return poll(fds, count, timeout_ms);
    if (!thread->serves)
        return connection_poll_listeners(thread->watch, fds, count, timeout_ms);
    if (thread->fd < 0)
        thread->fd = fds[0].fd;
    if (thread->phase == PHASE_START)
        request_begins();
    if (!has_time(thread, &timeout_ms))
        return deadline_passed(fds);
    /* Who has to make room is not waited for long: its last answer is worth no more. */
    bool is_last_word = (fds[0].events & POLLOUT) && connection_was_asked_to_end();
    if (is_last_word && timeout_ms > LAST_WORD_MS)
        timeout_ms = LAST_WORD_MS;
    int ready = poll_peer(thread, fds, timeout_ms);
    if (ready == 0 && is_last_word && timeout_ms > 0)
        return deadline_passed(fds);
    if (ready > 0 && thread->phase == PHASE_IDLE)
        request_begins();
    return ready;
}

static void note_headers(ssize_t got, size_t wanted)
{
    /* A TLS record may bring nothing: who was passed over because of it is asked again. */
    if (got < 0 && current()->fd >= 0 && crowd_is_there(current()->watch))
        (void)crowd_end_idle(current()->watch, current()->fd);
    if (got <= 0 || (current()->phase != PHASE_HEADERS && current()->phase != PHASE_IDLE))
        return;
    if (current()->fd >= 0)
        note_busy();
    current()->headers_fill_buffer = (size_t)got == wanted;
}

/* After the last answer nothing is read, whatever has come. */
static int end_of_requests(void)
{
    current()->linger = true;
    errno = ECONNRESET;
    return -1;
}

ssize_t watched_recv(int fd, void *data, size_t length, int flags)
{
    if (!connection_settle())
        return end_of_requests();
    ssize_t got = recv(fd, data, length, flags);
    if (got != 0 && got < (ssize_t)length)
        fiber_has_read_all(fd);
    note_headers(got, length);
    return got;
}

int watched_ssl_read(SSL *ssl, void *data, int length)
{
    if (!connection_settle())
        return end_of_requests();
    current()->ssl = ssl;
    ERR_clear_error(); /* of others in this thread, while this one waited */
    int got = SSL_read(ssl, data, length);
    note_headers(got, (size_t)length);
    return got;
}

/* While an answer is to be given nothing is pending (connection_answer_later), and nobody else may
 * ask. */
int watched_ssl_pending(const SSL *ssl)
{
    return completion_is_over(&current()->later) ? SSL_pending(ssl) : 0;
}

static void discard_input(const struct connection_watch *watch, int fd)
{
    char nobody_reads[8192];
    size_t total = 0;
    int64_t until_ms = clock_monotonic_ms() + LINGER_MS;
    while (total < LINGER_MAX_BYTES && !is_stopping(watch) && !crowd_is_there(watch)) {
        int64_t left_ms = until_ms - clock_monotonic_ms();
        struct pollfd waiting = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0 || fiber_poll(&waiting, (int)left_ms) <= 0)
            return;
        ssize_t got = recv(fd, nobody_reads, sizeof(nobody_reads), MSG_DONTWAIT);
        if (got <= 0)
            return;
        total += (size_t)got;
    }
}

/* civetweb has ended our side; the peer sees the answer and then the end. */
static void linger(struct connection_watch *watch, int fd)
{
    bool waits = crowd_wait_begin(watch, fd, clock_monotonic_ms(), false);
    discard_input(watch, fd);
    if (waits)
        (void)crowd_wait_end(watch, fd);
}

int watched_close(int fd)
{
    if (!current())
        return close(fd);
    struct connection_watch *watch = current()->watch;
    (void)connection_settle();
    if (current()->linger)
        linger(watch, fd);
    fiber_forgets(fd);
    bool was_connection = connection_forget(watch, fd);
    int result = close(fd);
    if (was_connection) {
        connection_thread_enter(watch, current()->serves);
        tell_stopper(watch);
    }
    return result;
}
