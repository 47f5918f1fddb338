/* SPDX-License-Identifier: MIT */
/*
 * What civetweb does not keep: which descriptors are connections of a server, and until
 * when the thread of a connection may wait. Every accept, poll, read and close of civetweb
 * comes by here (civetweb/renamed_calls.h).
 *
 * civetweb's own timeouts start again with each byte, so a peer that drips holds a thread
 * for ever. Here each phase of a connection has one deadline: a request, from its first
 * byte to the end of its body (the first one with its TLS handshake); the idle time before
 * the next; and what the handler sets for the answer.
 *
 * A connection that waits for its peer holds a thread all the same. When more connections are
 * open than there are threads, idle and slow ones give way (connection_crowd.h). Connections of
 * a client that has too many are turned away where they are accepted (client_limit.h).
 *
 * An answer may be given later, by another thread (reply.c), while the connection's own
 * thread already waits for the next request: one sleep for each request instead of two.
 * Until it is given, that thread touches nothing of the connection but its descriptor in
 * poll().
 *
 * Threads: "the thread of a connection" is a fiber where the server has some. The state of a
 * connection belongs to it (fiber_local); the functions named connection_* act on the caller's
 * connection. The watch itself is locked.
 */
#ifndef CALLBACKD_HTTP_CONNECTION_WATCH_H
#define CALLBACKD_HTTP_CONNECTION_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/metrics.h"

enum { LISTENERS_MAX = 64 };

struct client_limit;
struct connection_slot;
struct connection_thread;
struct listener_takeover;

/* Of the thread that accepts. */
struct connection_accepting {
    int64_t warned_ms;      /* when a failure was last logged */
    int64_t warned_slow_ms; /* likewise, that slow connections were ended */
    int64_t cut_told;       /* of `cut`, what that line said */
};

struct connection_watch {
    const struct listener_takeover *listeners; /* borrowed */
    struct client_limit *clients;              /* borrowed; NULL: no client is limited */
    struct metrics *metrics;                   /* may be NULL */
    int64_t request_timeout_ms;
    int64_t idle_timeout_ms;
    int64_t stop_patience_ms; /* for a connection that does not end by itself at stop */
    void (*on_connections)(void *context, int64_t open); /* under the lock; may be NULL */
    void *context;

    int64_t threads;               /* connections that can be served at the same time */
    struct connection_thread *all; /* one for each of them, and for the one that accepts */
    atomic_int entered;            /* of these */
    struct connection_accepting accepting;
    int room_fd;                     /* eventfd: the accepting thread may accept again */
    atomic_bool pauses;              /* it waits for that */
    atomic_int_least64_t cut;        /* slow connections that were ended, ever */
    atomic_int_least64_t ending;     /* of `count`: those that give way, and are not closed yet */
    atomic_int_least64_t stop_by_ms; /* monotonic; 0: not stopping */
    atomic_int_least64_t taken;      /* by the kernel's word, or about to be; not counted yet */
    atomic_int_least64_t handling;   /* requests with a handler now, or not yet answered */

    pthread_mutex_t lock;
    pthread_cond_t changed;        /* while stopping: `count` or `handling` fell */
    struct connection_slot *slots; /* by descriptor */
    size_t size;                   /* descriptors that `slots` has room for */
    size_t used;                   /* those from here on have never been a connection; lock */
    size_t look_from;              /* where the search for an idle one goes on; lock */
    atomic_int_least64_t count;    /* connections open; written under the lock */
};

/* For a server of so many threads. The settings, up to `context`, are the caller's to fill
 * afterwards, before it starts. */
int connection_watch_init(struct connection_watch *watch, int threads, struct error *error);
/* Closes what civetweb accepted and left in its queue. */
void connection_watch_fini(struct connection_watch *watch);
int64_t connection_watch_count(struct connection_watch *watch);
/* After draining: lets all connections read no more, and waits until handlers are done and
 * connections gone (those without a handler: not for long). */
void connection_watch_stop(struct connection_watch *watch);

/* Once in each of civetweb's threads (or fibers), before anything else. */
void connection_thread_enter(struct connection_watch *watch, bool serves);

/* A connection is ready for requests (after its TLS handshake). */
void connection_begin(void);
/* false before _begin and after _finish. */
bool connection_is_open(void);
/* It got its last answer: it is not open any more, though not closed yet. */
void connection_finish(void);
/* A handler starts: no deadline until it sets one. */
void connection_handler_begin(void);
/* It is done: the connection is idle, unless it is to be answered later. */
void connection_handler_end(void);
/* It was asked to end, or takes it upon itself because another has to be served: the answer is to
 * say that it is the last one. */
bool connection_gives_way(void);
/* Likewise, with a request of which not all has come: what is missing was cut off here. */
bool connection_was_asked_to_end(void);
/* Waits until the answer that was to be given later is given. Before anything is done with
 * a connection but waiting. false: that was the last one, no further request is served. */
bool connection_settle(void);

/* ---- answers given later ---- */

/* The calling thread's connection, for an answer that another thread gives. NULL: something is
 * left in the TLS layer, where nobody may look until it is answered. */
struct connection_thread *connection_answer_later(void);
/* On any thread, before the answer: has the connection to end with it, because another waits to
 * be served? It then takes that upon itself, and the answer has to be the last one. */
bool connection_has_to_end(struct connection_thread *thread);
/* On any thread: sends all of it or, when the peer does not take it at once, ends the connection.
 * The last one ends it, too. The caller must not touch `thread` afterwards. */
void connection_answer(struct connection_thread *thread, struct bytes answer, bool is_last);

/* The phase has to be over in `ms` from now. */
void connection_set_deadline(int64_t ms);
/* It has to be over when the request has to, which began with its first byte. */
void connection_resume_deadline(void);
void connection_clear_deadline(void);
/* The last phase ended because its time was over. */
bool connection_timed_out(void);
/* What was read last filled civetweb's buffer for headers. */
bool connection_headers_fill_buffer(void);
/* The peer may still be sending what nobody will read: closing right away would reset the
 * connection and could take the answer with it. Close takes its time, a little. */
void connection_linger_on_close(void);

#endif
