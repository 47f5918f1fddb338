/* SPDX-License-Identifier: MIT */
/*
 * Makes civetweb listen on sockets that it did not open. It is told to listen on ports
 * that do not exist; when it asks for a socket for the first of them it gets a duplicate
 * of the first given descriptor, and so on; bind and listen do nothing. No socket is
 * created, so a process that may not create any can start a server.
 *
 * A duplicate that is closed, or replaced by listener_takeover_drain, leaves the socket
 * listening for whoever else holds it.
 *
 * Threads: all of it is for the server's owner. civetweb opens its listeners on the thread
 * that calls mg_start; which sockets are meant is kept in a thread-local between begin and
 * end (a named exception from "no mutable globals").
 */
#ifndef CALLBACKD_HTTP_LISTENER_TAKEOVER_H
#define CALLBACKD_HTTP_LISTENER_TAKEOVER_H

#include <stdbool.h>
#include <stddef.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "server.h"

struct listener_takeover {
    const struct http_socket *sockets; /* borrowed, until _end */
    size_t count;
    size_t next;  /* the one that civetweb gets next */
    int *fds;     /* what it got, `next` of them; civetweb closes them */
    bool *tls;    /* for each of them */
    int inert_fd; /* an eventfd: never readable until _wake */
};

/* Fails with ERROR_CONFIG when a descriptor does not listen. Makes them non-blocking. */
int listener_takeover_init(
    struct listener_takeover *takeover, const struct http_socket *sockets, size_t count,
    struct error *error);
/* Takes a takeover of zeroes, too, with inert_fd -1. */
void listener_takeover_fini(struct listener_takeover *takeover);

/* Appends civetweb's option listening_ports. */
int listener_takeover_ports(const struct listener_takeover *takeover, struct buffer *out);

/* Around mg_start, on the calling thread. */
void listener_takeover_begin(struct listener_takeover *takeover);
void listener_takeover_end(struct listener_takeover *takeover);

/* Whether civetweb's listener `fd` is one with TLS. */
bool listener_takeover_is_tls(const struct listener_takeover *takeover, int fd);

/* Put something inert in the place of each of civetweb's listeners: it accepts no more. */
void listener_takeover_drain(struct listener_takeover *takeover);
/* After drain: makes inert_fd readable, which ends civetweb's wait for connections. */
void listener_takeover_wake(struct listener_takeover *takeover);

#endif
