/* SPDX-License-Identifier: MIT */
/*
 * How much each client has open: connections of peers that are not proxies of ours, and requests
 * that such a proxy passes on for it. One address is one client, and so is an IPv6 network of 64
 * bits, for everybody who has one address there has all of them.
 *
 * Not counted: peers of Unix sockets, and what a trusted proxy says in its own name.
 *
 * Threads: any. Counting takes one of many locks, for a moment. A client has memory only while
 * something of it is open, so there is never more than there are connections.
 */
#ifndef CALLBACKD_HTTP_CLIENT_LIMIT_H
#define CALLBACKD_HTTP_CLIENT_LIMIT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/metrics.h"

struct client_limit;
struct client_count; /* of one client; valid until it was left */

/* `proxies` is borrowed; `metrics` may be NULL. NULL on failure. */
struct client_limit *client_limit_create(
    const struct config_proxies *proxies, int most, struct metrics *metrics, struct error *error);
void client_limit_free(struct client_limit *limit); /* when all have left; NULL is allowed */

/* A connection of that peer. NULL: it is not counted (nor when memory is short). */
struct client_count *client_limit_connect(struct client_limit *limit, const struct sockaddr *peer);
/* A request of `client`, as client_address_resolve has it, on a connection of `peer`. NULL: it is
 * not counted, or with the connection already. */
struct client_count *client_limit_request(
    struct client_limit *limit, const char *peer, const char *client);
/* It has more open than it may, with what was counted last. NULL: no. */
bool client_limit_is_over(const struct client_limit *limit, const struct client_count *count);
/* One of its connections was told to end: it counts no more, though it is not closed yet. When it
 * is, it is left by client_limit_leave_ended. NULL: nothing. */
void client_limit_note_ending(struct client_count *count);
void client_limit_leave(struct client_limit *limit, struct client_count *count); /* NULL: nothing */
void client_limit_leave_ended(struct client_limit *limit, struct client_count *count);

/* Something of that client was turned away: counted, and logged now and then. */
void client_limit_note_refusal(
    struct client_limit *limit, enum metric metric, const struct client_count *count);

#endif
