/* SPDX-License-Identifier: MIT */
/* What the files of the engine share. */
#ifndef CALLBACKD_HOOKS_ENGINE_PRIVATE_H
#define CALLBACKD_HOOKS_ENGINE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/hooks.h"
#include "job_groups.h"
#include "rate.h"
#include "running.h"

enum {
    /* Ready descriptors do not say whether state.db changed too; so while they keep the engine
     * busy it looks there for cancellations and new jobs this often. */
    ENGINE_LOOK_MS = 50,
    /* Adopted processes give no sign of their end; they are reaped this often. */
    ENGINE_REAP_MS = 1000,
    ENGINE_BACKOFF_FIRST_MS = 100, /* after a commit that failed; doubled each time */
    ENGINE_BACKOFF_MAX_MS = 5000,
};

struct http_hooks;
struct stream;
struct stream_copy;

struct hook_slot {
    const struct config_hook *hook; /* borrowed from the configuration */
    struct hook_matcher *matcher;
    struct os_identity identity; /* when `nature` names it */
    struct spawn_nature nature;  /* of its processes */
    const struct running_kind *kind;
    struct stream *stream; /* NULL: it is none */
    int running;           /* attempts that are active */
    int picked;            /* in the round at hand */
    struct rate rate;      /* attempts that were started */
    uint64_t last_served;  /* the turn in which it last started a job: fairness among equals */
};

struct hook_engine {
    const struct config *config; /* borrowed */
    struct state *state;
    struct result_log *log;
    struct metrics *metrics;
    char *runtime_directory; /* absolute */
    int runtime_fd;
    int epoll_fd;
    struct hook_view *view; /* borrowed; may be NULL */

    const char *cgroup;        /* name of the group that holds `groups`; borrowed; may be NULL */
    struct job_groups *groups; /* NULL: none were asked for, or none can be made */

    struct http_hooks *http; /* connections of http hooks; NULL: none was needed yet */

    struct hook_slot *slots; /* as in the configuration */
    size_t slot_count;
    uint64_t turn;

    struct running *active; /* started, not ended */
    int active_count;
    int shared_count;      /* of those, attempts of kinds that are shared */
    struct running *ended; /* not recorded yet */
    bool stopping;         /* nothing is started any more */

    struct stream_copy *copies; /* of all streams */
    int copy_count;
    int64_t stream_family; /* see process_copy_id; 0: none yet */
    uint16_t last_copy;

    /* When to do what; monotonic unless it says otherwise. */
    bool look_now;  /* jobs were queued */
    bool look_owed; /* a look was put off until last_look_ms + ENGINE_LOOK_MS */
    int64_t last_look_ms;
    int64_t due_at_ms;       /* queue's clock: the next job that there is a slot for; 0: none */
    int64_t commit_after_ms; /* not before: a commit failed; 0: any time */
    int64_t commit_backoff_ms;
    int64_t last_reap_ms;
};

struct queue_round;

/* slots.c */
int slots_make(const struct config *config, struct hook_slot **slots_out, struct error *error);
void slots_free(struct hook_slot *slots, size_t count);
struct hook_slot *slots_find(struct hook_slot *slots, size_t count, const char *hook);

/* Every slot's rate as it was when an earlier engine ended. */
int slots_load_rates(struct hook_engine *engine, struct error *error);
/* To be written in the transaction that records those picks. */
int slots_save_rates(struct state_tx *tx, const struct queue_round *round, struct error *error);
/* Takes over the rates of hooks that are in both. */
void slots_keep_rates(
    struct hook_slot *slots, size_t count, struct hook_slot *old, size_t old_count);

/* queue.c: the only transactions of a round. */

/* A round of the queue. */
struct queue_round {
    struct hook_engine *engine;
    bool look_for_cancels;
    int64_t now_ms; /* queue's clock */
    /* Out. */
    int64_t due_at_ms;       /* queue's clock: the next job that there is a slot for; 0: none */
    struct running *picked;  /* recorded as running, to be started */
    struct running *dropped; /* jobs that died without being started */
    int picked_count;
    int shared_count; /* of those, of kinds that are shared */
    int dropped_count;
    int told_count; /* jobs that were made for hooks that are told of dead ones */
};

/* Looks for jobs that are due and for cancellations; changes nothing in the database. */
int queue_look(struct queue_round *round, struct error *error);
/* Records every end of engine->ended, looks for cancellations, and picks jobs for free slots:
 * one transaction, one sync. After a failure nothing of it has happened. */
int queue_commit(struct queue_round *round, struct error *error);

/* engine.c */
/* An attempt was started: it is active. */
void engine_begin(struct hook_engine *engine, struct running *running);
/* An active attempt has ended: it is to be recorded. */
void engine_end(struct hook_engine *engine, struct running *running);
/* Groups for attempts, when they are asked for and can be made. */
struct job_groups *engine_groups(const struct hook_engine *engine);

/* starter.c */
/* The body of its result. */
int starter_load_body(
    struct hook_engine *engine, const struct running *running, struct buffer *body,
    struct error *error);
/* What its arguments, variables or headers are made of; borrows all of it. */
struct hook_values starter_values(
    const struct running *running, const char *body_path, struct bytes body);
/* Starts a command: a running_kind's. */
int command_start(struct hook_engine *engine, struct running *running, struct error *error);
/* What the same job would meet again, however often it were tried. */
bool starter_is_fatal(enum error_code code);
/* Starts a picked attempt: it becomes active, or ended when it cannot be started. */
void starter_start(struct hook_engine *engine, struct running *running);

/* report.c */
/* Log and metrics for an attempt whose end is recorded, or a job that was dropped. */
void report_end(struct hook_engine *engine, const struct running *running);

/* recovery.c */
/* Ends what an earlier engine left and queues its jobs again. */
int recovery_run(struct hook_engine *engine, struct error *error);

#endif
