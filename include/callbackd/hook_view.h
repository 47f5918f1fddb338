/* SPDX-License-Identifier: MIT */
/*
 * A look at what running hooks have printed so far. Who wants to know asks; the thread that owns
 * the engine answers in its next round. While nobody asks it costs the engine nothing.
 *
 * Ownership: made before the engine and freed after everybody who asks; the engine closes it when
 * it stops. Threads: any may ask, several at a time.
 */
#ifndef CALLBACKD_HOOK_VIEW_H
#define CALLBACKD_HOOK_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/id.h"

struct hook_view;

/* `wake_fd`: an eventfd that makes the engine's owner run it; borrowed. NULL on failure. */
struct hook_view *hook_view_new(int wake_fd, struct error *error);
void hook_view_free(struct hook_view *view); /* NULL is allowed */

/* How the engine kills all that a hook started. */
struct hook_kill {
    bool known;       /* false: it has not begun; all else is empty */
    char cgroup[512]; /* the directory that holds the control groups of attempts; "": none */
    char reason[512]; /* why there is none */
};
void hook_view_kill(struct hook_view *view, struct hook_kill *kill_out);

/* What there is of a stream: processes that serve it, and how many have ended without being asked
 * to since the daemon began or what they are started with was changed. */
struct hook_stream {
    int copies;
    int64_t restarts;
};
/* All 0 of what has not been started yet. */
void hook_view_stream(struct hook_view *view, const char *hook, struct hook_stream *stream_out);

/* The caller's; ended with hook_output_fini, filled or not. */
struct hook_output {
    int attempt;          /* of which attempt it is */
    struct buffer output; /* the last 64 KiB of each, so far */
    struct buffer errors;
    bool truncated;
};

/* false: the job does not run, or the engine is too busy to answer within a second. */
bool hook_view_ask(struct hook_view *view, const struct id *job, struct hook_output *output_out);
void hook_output_fini(struct hook_output *output);

#endif
