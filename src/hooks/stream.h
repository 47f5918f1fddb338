/* SPDX-License-Identifier: MIT */
/*
 * A hook with "mode": "stream": which of its copies gets a job, when another one is started, and
 * how long after a failure.
 */
#ifndef CALLBACKD_HOOKS_STREAM_H
#define CALLBACKD_HOOKS_STREAM_H

#include "engine_private.h"
#include "stream_recipe.h"

enum {
    STREAM_BACKOFF_FIRST_MS = 200, /* after a failure; doubled each time */
    STREAM_BACKOFF_MAX_MS = 30000,
};

struct stream_copy;

struct stream {
    struct stream_recipe recipe;
    const char *hook; /* its name; of the slot's configuration */
    int copies_max;
    int window;
    int64_t timeout_ms;
    int failures;       /* in a row: copies that ended without having answered since */
    int64_t restart_ms; /* monotonic: no copy is started before; 0: any time */
    int64_t restarts;   /* copies that ended unasked */
    struct error why;   /* the last copy could not be started */
};

/* NULL: no memory, or there can be no such command. Freed when no copy serves it. */
struct stream *stream_new(
    const struct config_hook *hook, const char *directory, const struct spawn_nature *nature,
    struct error *error);
void stream_free(struct stream *stream); /* NULL is allowed */
/* What the hook says of it, apart from what its copies are started with. Borrows its name. */
void stream_configure(struct stream *stream, const struct config_hook *hook);

/* Tells the view how it is. */
void stream_say(const struct hook_engine *engine, const struct stream *stream);
/* How many jobs it could take now. */
int stream_room(const struct hook_engine *engine, const struct stream *stream);

/* ---- all streams of the engine ---- */

/* The number by which their processes are found again; made when there is a stream the first time.
 */
int streams_read_family(struct hook_engine *engine, struct error *error);
int streams_need_family(
    struct hook_engine *engine, const struct hook_slot *slots, size_t count, struct error *error);
/* Lines of the jobs that were just started. */
void streams_feed(struct hook_engine *engine);
/* Whatever is due. */
void streams_attend(struct hook_engine *engine);
/* Monotonic; INT64_MAX: nothing. */
int64_t streams_due_ms(const struct hook_engine *engine);
bool streams_own(const struct hook_engine *engine, pid_t pid);
/* Copies of hooks that did not change go on; others end when they have answered what they have. */
void streams_keep(
    struct hook_engine *engine, struct hook_slot *slots, size_t count, int64_t grace_ms);
/* For the engine's stop. */
void streams_retire(struct hook_engine *engine, int64_t grace_ms);
void streams_end(struct hook_engine *engine);

#endif
