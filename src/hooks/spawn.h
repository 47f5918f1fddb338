/* SPDX-License-Identifier: MIT */
/*
 * A new process by clone(CLONE_VM | CLONE_VFORK), as posix_spawn does it, but with what that cannot
 * give: another user, limits, niceness, a file mode mask, a cgroup. The caller stands still until
 * the child has executed its program or failed to.
 *
 * The child is the leader of a session of its own, has default signal actions, none blocked, and no
 * descriptor but its three.
 */
#ifndef CALLBACKD_HOOKS_SPAWN_H
#define CALLBACKD_HOOKS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "callbackd/os.h"
#include "job_groups.h"

enum { SPAWN_LIMITS_MAX = 6, SPAWN_STREAMS = 3 };

struct spawn_limit {
    int resource; /* RLIMIT_… */
    rlim_t value; /* for soft and hard; where ours is lower, that */
};

/* What the process is, apart from what it runs. */
struct spawn_nature {
    const struct os_identity *identity; /* NULL: ours */
    mode_t mode_mask;
    int nice; /* 0: ours */
    struct spawn_limit limits[SPAWN_LIMITS_MAX];
    size_t limit_count;
};

struct spawn_request {
    const char *program; /* a path */
    char *const *arguments;
    char *const *environment;
    const char *directory;
    int streams[SPAWN_STREAMS]; /* 3 or above; stay the caller's */
    const struct spawn_nature *nature;
    const struct job_group *group; /* to begin in; NULL: ours */
    rlim_t mark; /* that it and all that it starts carry as their RLIMIT_LOCKS; 0: none */
};

/* What the child could not do. */
enum spawn_step {
    SPAWN_CLONE,
    SPAWN_STREAM,
    SPAWN_LIMIT,
    SPAWN_NICE,
    SPAWN_IDENTITY,
    SPAWN_DIRECTORY,
    SPAWN_EXECUTE
};

struct spawned {
    pid_t pid;
    int pidfd;
    bool in_group; /* false: none was asked for, or it cannot be begun in */
};

/* 0, or the errno of *step_out; nothing is left of the child then. */
int spawn_process(
    const struct spawn_request *request, struct spawned *spawned_out, enum spawn_step *step_out);

#endif
