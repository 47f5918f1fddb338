/* SPDX-License-Identifier: MIT */
/*
 * Starting one process and learning how it ended. The child is the leader of a session and
 * process group of its own, starts with default signal actions and none blocked, and inherits
 * no descriptor but its three.
 */
#ifndef CALLBACKD_HOOKS_PROCESS_H
#define CALLBACKD_HOOKS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "callbackd/error.h"
#include "spawn.h"

struct process_spec {
    char *const *arguments;   /* NULL-terminated; the first one is looked up in the PATH of
                                 `environment` unless it holds a slash */
    char *const *environment; /* NULL-terminated */
    const char *directory;    /* working directory; relative programs start there too */
    int stdin_fd;             /* stays the caller's */
    const struct spawn_nature *nature;
    const struct job_group *group; /* to begin in; NULL: ours */
    rlim_t mark;                   /* process_mark(); 0: none */
};

/* A started process: the caller owns all descriptors (process_close). */
struct process {
    pid_t pid; /* also its session and process group */
    int pidfd;
    int output_fds[2]; /* what it writes on stdout and stderr; they do not block */
    bool in_group;     /* it began in the group that was asked for */
};

/* ERROR_INVALID: can never work (arguments too long). ERROR_IO: may work later. */
int process_spawn(
    const struct process_spec *spec, struct process *process_out, struct error *error);

/* Makes a pipe its user's, who may open it again as /dev/stdin or /dev/stderr then. NULL: ours. */
int process_give_pipe(int fd, const struct os_identity *owner, struct error *error);

struct process_end {
    bool signalled;
    int exit_code; /* unless signalled */
    int signal;    /* when signalled */
};

/* Did the main process end? It is left as a zombie, so that its number, and with it the name of
 * its group, cannot be given to another. */
bool process_has_ended(const struct process *process, struct process_end *end_out);
/* SIGNAL to all of its group. Only until process_close. */
void process_signal_group(const struct process *process, int signal);
/* Reaps the main process, which must have ended, and closes the descriptors. */
void process_close(struct process *process);

/* Reaps children that this process was given by the death of their parents. `is_own` says
 * which pids are reaped elsewhere. */
void process_reap_adopted(bool (*is_own)(void *context, pid_t pid), void *context);

#endif
