/* SPDX-License-Identifier: MIT */
/*
 * Which connections are taken in, and that they are given back: what the thread that accepts does.
 * Inner part of connection_watch.h.
 */
#ifndef CALLBACKD_HTTP_CONNECTION_ACCEPT_H
#define CALLBACKD_HTTP_CONNECTION_ACCEPT_H

#include <poll.h>
#include <sys/socket.h>

#include "connection_watch.h"

/* As accept and poll, on the watch's accepting thread. */
int connection_accept(
    struct connection_watch *watch, int listener, struct sockaddr *address, socklen_t *length);
int connection_poll_listeners(
    struct connection_watch *watch, struct pollfd *fds, nfds_t count, int timeout_ms);

/* On any thread, before it is closed: from then on the number may be another connection's.
 * false: it was none. */
bool connection_forget(struct connection_watch *watch, int fd);

#endif
