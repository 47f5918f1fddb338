/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor gives a child, over the control socket that the child is
 * born with as descriptor 3: one message each, with a descriptor where there is
 * one, then "start". Later messages on the same socket: "reload URL" (with a
 * new configuration), "drain" and "stop" to the child, "ready" from it. The end of
 * the socket says that the other side is gone.
 *
 * Threads: one on each side.
 */
#ifndef CALLBACKD_HANDOVER_H
#define CALLBACKD_HANDOVER_H

#include <stddef.h>

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "listeners.h"

enum { HANDOVER_CONTROL_FD = 3 };

/* The child's side: all its own. */
struct handover {
    struct config *config;
    char *public_url;
    int metrics_fd;
    int wake_fd; /* eventfd of the worker */
    int lock_fd; /* keeps the role's lock for as long as the child lives */
    int *listeners;
    size_t listener_count;
    int admin;
};

enum handover_message {
    HANDOVER_NONE,   /* nothing there now */
    HANDOVER_GONE,   /* the other side has ended */
    HANDOVER_READY,  /* child to supervisor */
    HANDOVER_RELOAD, /* supervisor to worker: with a configuration */
    HANDOVER_DRAIN,  /* supervisor to receiver: a successor has taken over */
    HANDOVER_STOP    /* supervisor to child */
};

/* Supervisor: send everything a role needs. */
struct handover_offer {
    const struct config *config;
    enum config_role role;
    const char *public_url;
    int metrics_fd;
    int wake_fd;
    int lock_fd;
    const struct listeners *listeners;
};
int handover_send(int control_fd, const struct handover_offer *offer, struct error *error);

/* Child: receive until "start". */
int handover_receive(int control_fd, struct handover *handover_out, struct error *error);
void handover_fini(struct handover *handover);

int handover_say(int control_fd, enum handover_message message, struct error *error);
int handover_say_reload(
    int control_fd, const struct config *config, enum config_role role, const char *public_url,
    struct error *error);

/* What comes with HANDOVER_RELOAD; the receiver's of it. */
struct handover_reload {
    struct config *config;
    char *public_url;
};
/* Does not block. HANDOVER_RELOAD fills *reload_out; where that is NULL nobody may send a
 * configuration, and one that comes is not looked at. */
enum handover_message handover_listen(int control_fd, struct handover_reload *reload_out);
void handover_reload_fini(struct handover_reload *reload);
/* Puts it in the place of what there was, which ends, with its secrets. Nobody may use that any
 * more. */
void handover_take(struct handover *handover, struct handover_reload *reload);

#endif
