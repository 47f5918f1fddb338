/* SPDX-License-Identifier: MIT */
/* The connection of the calling thread: its phases, and answers that others give. */
#include <openssl/err.h>
#include <sys/socket.h>

#include "callbackd/clock.h"
#include "callbackd/fibers.h"
#include "civetweb_threads.h"
#include "connection_crowd.h"
#include "connection_private.h"

struct connection_thread *connection_current(void)
{
    return *fiber_local(LOCAL_CONNECTION);
}

void connection_thread_enter(struct connection_watch *watch, bool serves)
{
    if (!connection_current())
        *fiber_local(LOCAL_CONNECTION) = &watch->all[atomic_fetch_add(&watch->entered, 1)];
    *connection_current() = (struct connection_thread){
        .watch = watch, .serves = serves, .phase = serves ? PHASE_START : PHASE_NONE, .fd = -1};
}

/* A phase that began then, and has to be over `ms` later. */
static void enter_phase_of(enum phase phase, int64_t began_ms, int64_t ms)
{
    connection_current()->phase = phase;
    connection_current()->turn_ms = began_ms;
    connection_current()->deadline_ms = began_ms + ms;
    connection_current()->timed_out = false;
}

static void enter_phase(enum phase phase, int64_t ms)
{
    enter_phase_of(phase, clock_monotonic_ms(), ms);
}

void connection_request_begins(void)
{
    enter_phase(PHASE_HEADERS, connection_current()->watch->request_timeout_ms);
    connection_current()->request_ms = connection_current()->turn_ms;
}

void connection_begin(void)
{
    /* A handshake is part of the first request. */
    if (connection_current()->phase != PHASE_HEADERS)
        connection_request_begins();
    connection_current()->begun = true;
    connection_current()->open = true;
}

bool connection_is_open(void)
{
    return connection_current()->open;
}

void connection_finish(void)
{
    connection_current()->open = false;
}

void connection_note_busy(void)
{
    if (!crowd_becomes_busy(connection_current()->watch, connection_current()->fd))
        connection_current()->gives_way = true;
}

void connection_handler_begin(void)
{
    atomic_fetch_add(&connection_current()->watch->handling, 1);
    if (connection_current()->phase != PHASE_HEADERS) /* it came with the one before it */
        connection_request_begins();
    if (connection_current()->fd >= 0)
        connection_note_busy();
    connection_clear_deadline();
}

void connection_handler_end(void)
{
    enter_phase(PHASE_IDLE, connection_current()->watch->idle_timeout_ms);
    bool answers_later = connection_current()->answers_later;
    connection_current()->answers_later = false;
    if (answers_later)
        return;
    crowd_becomes_idle(connection_current()->watch, connection_current()->fd);
    atomic_fetch_sub(&connection_current()->watch->handling, 1);
    connection_watch_tell_stopper(connection_current()->watch);
}

bool connection_gives_way(void)
{
    if (!connection_current()->gives_way &&
        crowd_takes_its_leave(connection_current()->watch, connection_current()->fd))
        connection_current()->gives_way = true;
    return connection_current()->gives_way;
}

bool connection_was_asked_to_end(void)
{
    return connection_current()->gives_way ||
           (connection_current()->fd >= 0 &&
            crowd_state(connection_current()->watch, connection_current()->fd) ==
                CONNECTION_ENDING);
}

void connection_set_deadline(int64_t ms)
{
    enter_phase(PHASE_TIMED, ms);
}

void connection_resume_deadline(void)
{
    enter_phase_of(
        PHASE_TIMED, connection_current()->request_ms,
        connection_current()->watch->request_timeout_ms);
}

void connection_clear_deadline(void)
{
    connection_current()->phase = PHASE_NONE;
    connection_current()->timed_out = false;
}

bool connection_timed_out(void)
{
    return connection_current()->timed_out;
}

bool connection_headers_fill_buffer(void)
{
    return connection_current()->headers_fill_buffer;
}

void connection_linger_on_close(void)
{
    connection_current()->linger = true;
}

/* ---- answers given later ---- */

struct connection_thread *connection_answer_later(void)
{
    if (connection_current()->fd < 0 ||
        (connection_current()->ssl && SSL_has_pending(connection_current()->ssl)))
        return NULL;
    connection_current()->answers_later = true;
    completion_begin(&connection_current()->later);
    return connection_current();
}

bool connection_settle(void)
{
    bool waits = !completion_is_over(&connection_current()->later);
    completion_wait(&connection_current()->later);
    /* The time that we took is not the peer's. */
    if (waits && connection_current()->phase == PHASE_HEADERS)
        connection_request_begins();
    return !connection_current()->was_last;
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
    if (connection_watch_is_stopping(watch))
        (void)pthread_cond_broadcast(&watch->changed);
    (void)pthread_mutex_unlock(&watch->lock);
}
