/* SPDX-License-Identifier: MIT */
/*
 * Who gives way when more connections are open than can be served, or one client has more than
 * it may: first a connection without a request; else the one that has waited longest for its
 * peer, once that has had a moment (CROWD_PATIENCE_MS). So a peer that is slow keeps its
 * connection only while nobody else needs it, and slow ones, however many, cannot keep out who is
 * not: each that comes ends one of them.
 *
 * Inner part of connection_watch.h. Threads: any, unless it says otherwise.
 */
#ifndef CALLBACKD_HTTP_CONNECTION_CROWD_H
#define CALLBACKD_HTTP_CONNECTION_CROWD_H

#include "connection_watch.h"

/* For a peer to send the rest of a request, or to take its answer, before it may be ended. */
enum { CROWD_PATIENCE_MS = 500 };

enum connection_state {
    CONNECTION_NONE,
    CONNECTION_BUSY,
    CONNECTION_WAITING, /* with a handshake, a request or an answer, for its peer */
    CONNECTION_IDLE,    /* between requests */
    CONNECTION_ENDING
};

struct connection_slot {
    atomic_uchar state;           /* none <-> another: the watch's lock */
    atomic_bool writes;           /* while it waits: for the peer to take something */
    atomic_int_least64_t turn_ms; /* while it waits: when the peer's turn began */
    atomic_bool uncounted;        /* it was told to end, and counts no more against its client */
    struct client_count *client;  /* whose it is; the watch's lock; NULL: not counted */
};

enum connection_state crowd_state(const struct connection_watch *watch, int fd);

/* More than can be served, without those that are about to end. It has to be asked after whatever
 * could be seen by a connection that comes at the same moment: one of both then acts. */
bool crowd_is_there(const struct connection_watch *watch);
/* So many more that no further one should be accepted. */
bool crowd_is_full(const struct connection_watch *watch);

/* Lets so many give way that those who wait can be served, as far as there are any. */
void crowd_disperse(struct connection_watch *watch);
/* One connection of that client gives way. false: there is none that could. */
bool crowd_end_one_of(struct connection_watch *watch, const struct client_count *client);
/* That one, if it is idle and nothing has come on it. */
bool crowd_end_idle(struct connection_watch *watch, int fd);

/* By whoever gave its last answer, before its thread may go on. */
void crowd_becomes_idle(struct connection_watch *watch, int fd);
/* It got the first bytes of a request. false: it was asked to end. */
bool crowd_becomes_busy(struct connection_watch *watch, int fd);
/* A busy connection is to end with its answer when others wait. */
bool crowd_takes_its_leave(struct connection_watch *watch, int fd);
/* It starts to wait for its peer, whose turn began then. false: it is not busy. */
bool crowd_wait_begin(struct connection_watch *watch, int fd, int64_t turn_ms, bool writes);
/* After that was true. false: it was ended meanwhile. */
bool crowd_wait_end(struct connection_watch *watch, int fd);

#endif
