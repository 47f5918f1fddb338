/* SPDX-License-Identifier: MIT */
/*
 * Control groups of version 2, as directories: where ours is, and what can be asked of one. No
 * controller is ever enabled: a group here only says which processes belong together.
 */
#ifndef CALLBACKD_HOOKS_CGROUP_H
#define CALLBACKD_HOOKS_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

/* The directory of the group that this process is in; the caller frees. NULL: none is to be seen,
 * and `error` says why. */
char *cgroup_own(struct error *error);
/* The same from the content of /proc/PID/cgroup and /proc/PID/mountinfo. */
char *cgroup_locate(const char *membership, const char *mounts, struct error *error);

/* SIGKILL to all that is in it and below, in one step that no fork slips through. false, with
 * errno: not a group, or a kernel before 5.14. */
bool cgroup_kill(int group_fd);
/* Is any process in it or below? true when it cannot be told. */
bool cgroup_is_populated(int group_fd);
/* Is no process in it or below, and would one that is started in it run? In a frozen group it would
 * not, and whoever started it would wait for it with it. false when it cannot be told. */
bool cgroup_is_as_new(int group_fd);
/* Waits until none is. false: after `wait_ms` there still were some. */
bool cgroup_wait_until_empty(int group_fd, int wait_ms);
/* Appends the numbers of the processes that are in the group itself, a line each. */
int cgroup_members(int group_fd, struct buffer *out);
/* Removes it, and groups below that somebody made. false, with errno: not empty, for one. */
bool cgroup_remove(int parent_fd, const char *name);
/* Removes what is below of it. */
void cgroup_remove_below(int group_fd);

#endif
