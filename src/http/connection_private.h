/* SPDX-License-Identifier: MIT */
/*
 * What the files of a connection share: connection_watch.c (all of a server's), connection_thread.c
 * (that of the calling thread) and watched_calls.c (what civetweb calls). Threads as in
 * connection_watch.h.
 */
#ifndef CALLBACKD_HTTP_CONNECTION_PRIVATE_H
#define CALLBACKD_HTTP_CONNECTION_PRIVATE_H

#include <openssl/ssl.h>

#include "callbackd/completion.h"
#include "connection_watch.h"

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

/* The caller's; NULL in threads that are not a server's. */
struct connection_thread *connection_current(void);

/* The first byte of a request, or of a handshake, is awaited or there: its deadline starts. */
void connection_request_begins(void);
/* The first bytes of a request are there. */
void connection_note_busy(void);

bool connection_watch_is_stopping(const struct connection_watch *watch);
/* After `count` or `handling` fell. */
void connection_watch_tell_stopper(struct connection_watch *watch);

#endif
