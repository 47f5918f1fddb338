/* SPDX-License-Identifier: MIT */
/*
 * A child that begins its life in a control group: no moment in which it, or what it forks, is
 * elsewhere. Otherwise as clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD).
 */
#ifndef CALLBACKD_HOOKS_CLONE_INTO_H
#define CALLBACKD_HOOKS_CLONE_INTO_H

#include <stddef.h>
#include <sys/types.h>

/* For what runs in the child: it shares our memory but is no thread of ours, so no sanitizer may
 * look at it. */
#define IN_CHILD __attribute__((no_sanitize("address"), no_sanitize("thread"), noinline))

/* `run`, which must not return, gets `context` on that stack, while the caller stands still.
 * -1 with errno: ENOSYS where we do not know how to, or the kernel does not. */
pid_t clone_into_group(
    int group_fd, void *stack, size_t stack_bytes, int (*run)(void *), void *context,
    int *pidfd_out);

#endif
