/* SPDX-License-Identifier: MIT */
/*
 * What the kernel keeps the receiver from, whatever takes it over: it parses what strangers send.
 *
 * - seccomp: it can neither execute nor fork, make a socket, connect, bind, trace or signal others,
 *   nor map memory that can be executed. What our code and its libraries need is a list
 *   (sandbox_calls.c); any other call does not exist for it, and some end it at once (SIGSYS).
 * - Landlock: of all files it can open those below one folder, the log's.
 * - No privileges can be gained by either way (no_new_privs).
 *
 * Neither can be undone, both are inherited by threads. So a process enters before it starts its
 * first thread, and after it has opened what lies elsewhere.
 */
#ifndef CALLBACKD_SANDBOX_H
#define CALLBACKD_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "callbackd/config.h"
#include "callbackd/error.h"

struct sandbox {
    bool seccomp;
    bool landlock;
    /* Of the folder whose files may be opened; 0: there was none. */
    dev_t device;
    ino_t inode;
};

/* Can this kernel do all of it? 0, or -1 and what it lacks. Changes nothing. */
int sandbox_probe(struct error *error);

/*
 * Restricts the calling process for ever. `directory` is the only folder whose files it can open
 * from now on; one that is not there is none. SANDBOX_OFF: nothing is done. SANDBOX_AUTO: what
 * cannot be had is logged, and *sandbox_out says what holds. SANDBOX_REQUIRED: that is -1.
 */
int sandbox_enter(
    enum config_sandbox mode, const char *directory, struct sandbox *sandbox_out,
    struct error *error);

/* Is `directory` there now, and not the one that was allowed (it was moved, or put back)? */
bool sandbox_is_outlived(const struct sandbox *sandbox, const char *directory);

#endif
