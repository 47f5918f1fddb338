/* SPDX-License-Identifier: MIT */
/* Finding and ending all processes of a job, those that left its process group too. */
#ifndef CALLBACKD_HOOKS_PROCESS_TREE_H
#define CALLBACKD_HOOKS_PROCESS_TREE_H

#include <stddef.h>
#include <sys/types.h>

#include "callbackd/id.h"
#include "job_groups.h"
#include "process_table.h"

/* What makes a process one of a job's. */
struct process_tree {
    pid_t leader;            /* its main process */
    const struct id *job;    /* that its processes carry (a copy's, of a stream's) */
    struct job_group *group; /* NULL: it has none */
};

/*
 * Sends `signal` (0: none) to the living processes of a job among the caller's descendants: what
 * is in its control group, the session that its main process leads, all below it, and those that
 * carry the job's mark or its id in the environment, with all below them. The leader's process
 * group is not signalled but counted: the caller reaches it in one step (process_signal_group),
 * which no fork can slip through. Returns how many there are.
 */
size_t process_tree_signal(
    struct process_table *table, const struct process_tree *tree, int signal);

/* The same, and the leader's group too; SIGKILL also to the control group, in one step. What has
 * come into that since the table was read counts as one more. */
size_t process_tree_signal_all(
    struct process_table *table, const struct process_tree *tree, int signal);

/*
 * Kills what an earlier worker left: every process that carries one of these ids or marks, or one
 * of that family (0: none) of copies, its whole session, and all below. Waits until they are gone.
 * Never the caller's own session, nor what the caller descends from: a daemon that was started from
 * a hook carries that hook's id.
 */
void process_tree_kill_leftovers(const struct id *jobs, size_t count, int64_t family);

#endif
