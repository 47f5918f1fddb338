/* SPDX-License-Identifier: MIT */
/*
 * The hook engine: which hooks a result triggers, their queue, and the processes
 * that run them. Jobs live in state.db; the engine keeps in memory only what runs.
 *
 * A job runs like this: its attempt is recorded as running and synced, then the
 * process is started; when it ended, the end is recorded and synced. So after any
 * crash a running attempt in the database is one whose end is unknown: it is made
 * sure that nothing of it is alive, it is recorded as interrupted, and the job is
 * queued again under the same id.
 *
 * Threads: one thread owns the engine and calls everything but hook_engine_queue,
 * which runs inside a state transaction of that same thread's making. Other
 * threads act by changing state.db and waking the owner:
 *   to cancel a waiting or retrying job: JOB_CANCELLED, ended_at now, next_at 0;
 *   to cancel a running one: cancel_requested;
 *   to run an ended one again: JOB_WAITING, next_at state_clock_ms, ended_at 0, no reason,
 *   attempts_made as it is (then it gets one more attempt) or 0 (then all of them;
 *   the numbers of its attempts go on either way).
 *
 * A hook with "mode": "stream" differs in what a job's attempt is: a line to a process that
 * lives on, and a line from it. The process is started when there is a job for it, and ends with
 * the engine.
 *
 * The process: it becomes a subreaper, ignores SIGPIPE, and the engine reaps every child that
 * ends, so nothing else of the process may have children of its own to wait for.
 */
#ifndef CALLBACKD_HOOKS_H
#define CALLBACKD_HOOKS_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/hook_view.h"
#include "callbackd/metrics.h"
#include "callbackd/state.h"
#include "callbackd/store.h"

/* ---- conditions ---- */

/* What a condition may look at. All borrowed. */
struct hook_subject {
    const struct result_record *result;
    struct bytes headers_json; /* an array of [name, value] */
    struct bytes body;
};
struct hook_matcher; /* a hook's `when`, compiled; borrows the hook until it is freed */
struct hook_matcher *hook_matcher_new(const struct config_hook *hook, struct error *error);
void hook_matcher_free(struct hook_matcher *matcher); /* NULL is allowed */
/* Does it look at body or headers? If not, those may be empty. */
bool hook_matcher_needs_content(const struct hook_matcher *matcher);
/* 1: it does; 0: it does not, which is so for a result of another endpoint than the hook's, for one
 * that is not final when the hook names no status, and for every mismatch. -1: ERROR_MEMORY, it is
 * not known. Of a form's body, "/name" is a field. */
int hook_matcher_matches(
    const struct hook_matcher *matcher, const struct hook_subject *subject, struct error *error);

/* ---- templates and environment ---- */

/* What templates and the environment are made of. All borrowed. */
struct hook_values {
    const struct config_hook *hook;
    const struct result_record *result;
    const char *job_id;
    const char *body_file;
    struct job_death death; /* texts NULL when it tells of none */
    const char *home;       /* of the hook's own user; NULL: it has none */
    int attempt;
    bool replay;
    struct bytes body;
};
/* The argument vector: NULL-terminated, one allocation per argument and one for the array; the
 * caller frees with hook_strings_free. ERROR_INVALID: a value cannot be an argument. */
int hook_arguments(const struct hook_values *values, char ***arguments_out, struct error *error);
/* The environment, exactly as documented: PATH, HOME and LANG (ours, or defaults; the user's home)
 * unless the hook's env or env_file sets them, those, and the twelve CALLBACK_ variables, always
 * all of them: what is absent is an empty string, CALLBACK_REPLAY too unless it is a replay ("1").
 * A hook that takes dead jobs also gets the three CALLBACK_DEAD_ variables. */
int hook_environment(
    const struct hook_values *values, char ***environment_out, struct error *error);
void hook_strings_free(char **strings); /* NULL is allowed */

/* ---- the engine ---- */

struct hook_engine;

struct hook_engine_options {
    const struct config *config; /* borrowed until stop or reload */
    struct state *state;
    struct result_log *log;
    struct metrics *metrics;       /* may be NULL */
    const char *runtime_directory; /* exists, ours alone; body files are made in it */
    struct hook_view *view;        /* borrowed until stop, which closes it; may be NULL */
    /* Name of the control group, in our own, that holds those of attempts; no other engine may
     * have it. Borrowed until stop. Without one (NULL, hook_cgroups false, or where none can be
     * made) an attempt's processes are searched for when they are to be killed. */
    const char *cgroup;
};

/* Kills what an earlier worker left behind (all in the control group of that name, processes
 * with CALLBACK_JOB_ID of a job recorded as running, and those of streams), records those attempts
 * as interrupted and queues the jobs again. */
struct hook_engine *hook_engine_start(
    const struct hook_engine_options *options, struct error *error);

/* Creates a job for each hook that this result triggers; `only_hook` (NULL: all) and `replay`
 * as for a replay, which looks at conditions only when no hook is named, and is not delayed.
 * *jobs_out counts; METRIC_JOBS_CREATED is the caller's to add, once the transaction is committed.
 * ERROR_NOT_FOUND: no hook of that name takes results. */
int hook_engine_queue(
    struct hook_engine *engine, struct state_tx *tx, const struct result_record *result,
    const char *only_hook, bool replay, int *jobs_out, struct error *error);

/* Creates one job of a hook for this result, in line where the hook asks for order. */
int hook_job_insert(
    struct state_tx *tx, const struct config_hook *hook, const struct result_record *result,
    bool replay, struct id *job_out, struct error *error);

/* Readable when hook_engine_run has something to do: for the owner's poll. */
int hook_engine_fd(const struct hook_engine *engine);
/* Milliseconds until a timer of the engine is due: 0 now, -1 none. */
int64_t hook_engine_next_ms(const struct hook_engine *engine);
/* Takes in what happened (output, ends, timeouts, cancellations), starts what may start. Call it
 * when the descriptor is readable, a timer is due, or jobs may have changed in state.db.
 * -1: the store did not take it. Nothing is lost and nothing was started: the ends stay in memory
 * and the engine tries again by itself (hook_engine_next_ms), at first after 100 ms, at last
 * every 5 s. */
int hook_engine_run(struct hook_engine *engine, struct error *error);
/* Has the store refused, and not taken anything since? The engine may be between two tries. */
bool hook_engine_is_stalled(const struct hook_engine *engine);
int hook_engine_running(const struct hook_engine *engine);

/* Takes over changed hooks: running jobs go on with the old ones, queued jobs get the new ones.
 * A queued job whose hook is gone waits until there is one of that name again. On failure
 * (ERROR_CONFIG) all stays as it was; on success the old configuration is not used any more. */
int hook_engine_reload(
    struct hook_engine *engine, const struct config *config, struct error *error);

/* Visits the hooks that jobs wait for and that the configuration has not: they were renamed or
 * removed. Not 0 stops, and is returned. The engine logs them when it starts and reloads. */
typedef int hook_orphan_visitor(void *context, const char *hook, const struct hook_counts *counts);
int hook_visit_orphans(
    struct state_tx *tx, const struct config *config, hook_orphan_visitor *visit, void *context,
    struct error *error);

/* No new starts; running hooks get SIGTERM after `grace_ms` and SIGKILL 2 s later; ends are
 * recorded (ended by us: interrupted, queued again). Blocks until none runs, then frees. */
void hook_engine_stop(struct hook_engine *engine, int64_t grace_ms);

/* ---- processes (used by the engine; the only place that spawns) ---- */

/* Kills every descendant of the calling process that is not in `keep` (pids, 0-terminated; may
 * be NULL) nor descends from one of those, and reaps them, until none is left or for 5 s (what
 * SIGKILL does not end by then is stuck in the kernel); the caller must be a child subreaper. */
void process_kill_descendants(const int *keep);

#endif
