/* SPDX-License-Identifier: MIT */
/* Shared by supervisor.c (life and loop), supervisor_children.c and supervisor_reload.c. */
#ifndef CALLBACKD_SUPERVISOR_PRIVATE_H
#define CALLBACKD_SUPERVISOR_PRIVATE_H

#include "callbackd/metrics.h"
#include "child.h"
#include "listeners.h"
#include "supervisor.h"

enum {
    /* The current receiver and worker, a successor of the receiver, and receivers that still
     * end their connections after a reload. */
    CHILDREN_MAX = 16,
    DEATHS_REMEMBERED = 20,
};

/* When the children of a role died, to tell a crash from a crash loop. */
struct death_record {
    int64_t at_ms[DEATHS_REMEMBERED]; /* monotonic, a ring */
    size_t count;
    int early;           /* deaths in a row before the child was ready */
    int64_t start_at_ms; /* monotonic: not started before; 0: nothing to start */
};

struct supervisor {
    struct config *config;
    enum config_role roles;
    struct listeners listeners;
    char *public_url;
    struct metrics *metrics;
    int metrics_fd;
    int wake_fd;
    int signal_fd;
    int receiver_lock;
    int worker_lock;
    struct child children[CHILDREN_MAX];
    struct death_record deaths[CHILD_ROLES];
    uint64_t generation; /* of the child started last */
    bool stopping;
    bool announced; /* readiness was reported to the service manager */
};

/* ---- supervisor.c ---- */

/* Does the configuration require of a receiver what this kernel cannot give? -1: yes. */
int supervisor_check_sandbox(
    const struct config *config, enum config_role roles, struct error *error);

/* ---- supervisor_children.c ---- */

/* Starts a child of that role in a free slot. A failure is logged and tried again later. */
void supervisor_start_child(struct supervisor *supervisor, enum child_role role);
/* Reaps whatever ended; decides what is started again and when. */
void supervisor_reap(struct supervisor *supervisor);
/* Reads what children say. */
void supervisor_hear(struct supervisor *supervisor, struct child *child);
/* Starts what is due, kills what overstayed. Returns ms until the next such moment, -1 none. */
int64_t supervisor_tick(struct supervisor *supervisor);
/* Is there a slot for another receiver, and one for the next should that die? */
bool supervisor_may_reload(const struct supervisor *supervisor);
int supervisor_count(const struct supervisor *supervisor, enum child_role role);
/* Must the child at `index` end its connections now that the one at `ready` serves? Those that
 * were started after it are not: they have a newer configuration and are still to come. */
bool supervisor_is_replaced(const struct supervisor *supervisor, int index, int ready);

/* ---- supervisor_reload.c ---- */

/* SIGHUP: takes over a new configuration, or says why not and keeps the old one. */
void supervisor_reload(struct supervisor *supervisor);

#endif
