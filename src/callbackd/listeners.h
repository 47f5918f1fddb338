/* SPDX-License-Identifier: MIT */
/*
 * The listening sockets. The supervisor owns them: a receiver that is killed or
 * replaced leaves them listening, and connections wait in the kernel meanwhile.
 * They are non-blocking, because several processes may accept on one of them.
 * Threads: the supervisor's only one.
 */
#ifndef CALLBACKD_LISTENERS_H
#define CALLBACKD_LISTENERS_H

#include <stddef.h>

#include "callbackd/config.h"
#include "callbackd/error.h"

struct listeners {
    int *fds;       /* one for each of config->listeners, -1 where not open */
    char **places;  /* of each: by these they are found again */
    size_t count;   /* of config->listeners */
    size_t leaving; /* that are open behind those: no configuration names them any more */
    int admin;
};

/* Opens what `config` names; a socket that `old` (may be NULL) has for the same address is
 * taken over from it, with the mode and group of now. What else `old` has is leaving: it goes on to
 * listen until listeners_close_leaving(). Afterwards `old` has nothing; on failure it is as it
 * was. */
int listeners_open(
    const struct config *config, bool with_receiver, bool with_admin, struct listeners *old,
    struct listeners *listeners_out, struct error *error);
/* Closes what is open, for every process that has it, and removes the Unix sockets among it. */
void listeners_close(struct listeners *listeners);
/* Likewise, but only those that are leaving. */
void listeners_close_leaving(struct listeners *listeners);
/* Likewise, but for the admin's. */
void listeners_close_public(struct listeners *listeners);

/* "host:port" as the kernel has it, or the path of a Unix socket. The caller frees. */
char *listener_address(int fd);

/* Where senders reach us: config's public_url, or made from the first listener. The caller
 * frees; NULL when memory is short. */
char *listeners_public_url(const struct listeners *listeners, const struct config *config);

/* Writes <store>/listeners.json for programs of this machine: addresses as they are. A receiver
 * alone writes listeners.receiver.json: the worker's own daemon writes the other. */
int listeners_announce(
    const struct listeners *listeners, const struct config *config, const char *public_url,
    struct error *error);

#endif
