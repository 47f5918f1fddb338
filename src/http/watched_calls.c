/* SPDX-License-Identifier: MIT */
/* What civetweb calls in place of the system's functions (civetweb/renamed_calls.h). */
#include <errno.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/fibers.h"
#include "civetweb/renamed_calls.h"
#include "connection_accept.h"
#include "connection_crowd.h"
#include "connection_private.h"

enum {
    LINGER_MS = 2000,           /* for a peer that goes on sending after the answer */
    LINGER_MAX_BYTES = 1 << 26, /* likewise */
    LAST_WORD_MS = 1000,        /* for a peer to take the answer with which it is to end */
    HANDSHAKE_LOOK_MS = 2000    /* civetweb's would be 50 for each of a thousand threads */
};

int watched_accept(int fd, struct sockaddr *address, socklen_t *length)
{
    return connection_accept(connection_current()->watch, fd, address, length);
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
    if (left_ms > 0 || thread->phase != PHASE_IDLE || connection_watch_is_stopping(thread->watch))
        return left_ms;
    (void)connection_settle();
    int64_t idle_until_ms = thread->answered_ms + thread->watch->idle_timeout_ms;
    if (idle_until_ms > thread->deadline_ms)
        thread->deadline_ms = idle_until_ms;
    return deadline_ms(thread) - clock_monotonic_ms();
}

static int deadline_passed(const struct pollfd *waiting)
{
    connection_current()->timed_out = true;
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
    struct connection_thread *thread = connection_current();
    if (!thread)
        return poll(fds, count, timeout_ms);
    if (!thread->serves)
        return connection_poll_listeners(thread->watch, fds, count, timeout_ms);
    if (thread->fd < 0)
        thread->fd = fds[0].fd;
    if (thread->phase == PHASE_START)
        connection_request_begins();
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
        connection_request_begins();
    return ready;
}

static void note_headers(ssize_t got, size_t wanted)
{
    /* A TLS record may bring nothing: who was passed over because of it is asked again. */
    if (got < 0 && connection_current()->fd >= 0 && crowd_is_there(connection_current()->watch))
        (void)crowd_end_idle(connection_current()->watch, connection_current()->fd);
    if (got <= 0 ||
        (connection_current()->phase != PHASE_HEADERS && connection_current()->phase != PHASE_IDLE))
        return;
    if (connection_current()->fd >= 0)
        connection_note_busy();
    connection_current()->headers_fill_buffer = (size_t)got == wanted;
}

/* After the last answer nothing is read, whatever has come. */
static int end_of_requests(void)
{
    connection_current()->linger = true;
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
    connection_current()->ssl = ssl;
    ERR_clear_error(); /* of others in this thread, while this one waited */
    int got = SSL_read(ssl, data, length);
    note_headers(got, (size_t)length);
    return got;
}

/* While an answer is to be given nothing is pending (connection_answer_later), and nobody else may
 * ask. */
int watched_ssl_pending(const SSL *ssl)
{
    return completion_is_over(&connection_current()->later) ? SSL_pending(ssl) : 0;
}

static void discard_input(const struct connection_watch *watch, int fd)
{
    char nobody_reads[8192];
    size_t total = 0;
    int64_t until_ms = clock_monotonic_ms() + LINGER_MS;
    while (total < LINGER_MAX_BYTES && !connection_watch_is_stopping(watch) &&
           !crowd_is_there(watch)) {
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
    if (!connection_current())
        return close(fd);
    struct connection_watch *watch = connection_current()->watch;
    (void)connection_settle();
    if (connection_current()->linger)
        linger(watch, fd);
    fiber_forgets(fd);
    bool was_connection = connection_forget(watch, fd);
    int result = close(fd);
    if (was_connection) {
        connection_thread_enter(watch, connection_current()->serves);
        connection_watch_tell_stopper(watch);
    }
    return result;
}
