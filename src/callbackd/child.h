/* SPDX-License-Identifier: MIT */
/*
 * A child process of the supervisor: started as this program executed again (a
 * fresh address layout, no inherited secrets), with the control socket as its
 * only descriptor beside standard error. Threads: the supervisor's only one.
 */
#ifndef CALLBACKD_CHILD_H
#define CALLBACKD_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "handover.h"

enum child_role { CHILD_RECEIVER, CHILD_WORKER, CHILD_ROLES };

struct child {
    enum child_role role;
    pid_t pid;              /* 0: not running */
    int control_fd;         /* -1 when not running */
    bool ready;             /* it said so */
    bool leaving;           /* it was told to drain or stop */
    uint64_t generation;    /* counted over all starts, from 1 */
    int64_t started_at_ms;  /* monotonic */
    int64_t drain_ms;       /* how long it may take to end its connections, by its configuration */
    int64_t leave_until_ms; /* monotonic: it is killed then; 0: not leaving */
};

const char *child_role_name(enum child_role role);

/* Starts it and hands everything over. `generation` grows with each start. */
int child_start(
    struct child *child, enum child_role role, uint64_t generation,
    const struct handover_offer *offer, struct error *error);
/* Tells it to drain or stop; it is killed if it is still there after `grace_ms`. */
void child_leave(struct child *child, enum handover_message message, int64_t grace_ms);
/* It has ended: close what is ours. */
void child_ended(struct child *child);

/* The role that this process was executed for, by its argv[0]; -1: none, it is a user's call. */
int child_role_of(const char *argv0);

#endif
