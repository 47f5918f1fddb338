/* SPDX-License-Identifier: MIT */
/* Finding and ending all processes of a job, those that left its process group too. */
#ifndef CALLBACKD_HOOKS_PROCESS_TREE_H
#define CALLBACKD_HOOKS_PROCESS_TREE_H

#include <stddef.h>
#include <sys/types.h>

#include "callbackd/id.h"
#include "process_table.h"

/*
 * Sends `signal` (0: none) to the living processes of a job among the caller's descendants: the
 * session that its main process leads, all below it, and those that carry the job's id in their
 * environment, with all below them. The leader's process group is not signalled but counted:
 * the caller reaches it in one step (process_signal_group), which no fork can slip through.
 * Returns how many there are.
 */
size_t process_tree_signal(
    struct process_table *table, pid_t leader, const struct id *job, int signal);

/*
 * Kills what an earlier worker left: every process that carries one of these ids, its whole
 * session, and all below. Waits until they are gone. Never the caller's own session, nor what
 * the caller descends from: a daemon that was started from a hook carries that hook's id.
 */
void process_tree_kill_leftovers(const struct id *jobs, size_t count);

#endif
