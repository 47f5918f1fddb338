/* SPDX-License-Identifier: MIT */
/*
 * A control group for each attempt that runs. Whatever its processes do to their session, parents
 * or environment, they stay in it; so they can be found, and killed in one step.
 *
 * Groups are used again: making and removing one costs more than starting a process in it. One in
 * which processes were left by an attempt that ended by itself (they may live on) is put aside
 * until they are gone. One that a hook froze is not used again, nor is one that was killed: in
 * some kernels what is started in it later, from outside of it, is killed too.
 */
#ifndef CALLBACKD_HOOKS_JOB_GROUPS_H
#define CALLBACKD_HOOKS_JOB_GROUPS_H

#include <stdbool.h>

#include "callbackd/error.h"

struct job_group {
    struct job_group *next; /* in one list at a time */
    int fd;                 /* of its directory; -1: put aside */
    unsigned number;        /* its name */
    bool killed;
};
struct job_groups;

/*
 * Makes the directory `name` in our own control group, or takes the one that is there: all that
 * an earlier worker left in it is killed and gone then. NULL: groups cannot be made here, or
 * nothing can be started in them; `error` says why.
 */
struct job_groups *job_groups_open(const char *name, struct error *error);
/* Kills what hooks left running, and removes all groups. NULL is allowed. */
void job_groups_close(struct job_groups *groups);
const char *job_groups_path(const struct job_groups *groups);

/* An empty group. NULL: none can be made now (or `groups` is NULL). */
struct job_group *job_groups_take(struct job_groups *groups);
/* SIGKILL to all that is in it. */
void job_groups_kill(struct job_group *group);
/* Back from an attempt that ended. NULL is allowed. */
void job_groups_give(struct job_groups *groups, struct job_group *group);
/* Back, but of no use: nothing could be started in it. */
void job_groups_discard(struct job_groups *groups, struct job_group *group);
/* Removes those put aside that are empty by now. */
void job_groups_tidy(struct job_groups *groups);

#endif
