/* SPDX-License-Identifier: MIT */
/*
 * The door of the store, second half: what was decided (state/state.db): the
 * ledger of runs, results with their final status, jobs, attempts, the cursor.
 * Written by the worker alone; any thread of it may ask.
 *
 * Everything happens inside a transaction: state_write() for changes (several
 * threads' work shares one transaction and one sync, each in a savepoint of its
 * own: one's failure undoes only its own changes), state_read() for looking. The
 * work function runs on the store's thread or the caller's: it must not block,
 * and must not call state_write or state_read.
 *
 * Lists are answered from an index, newest first; one whose further conditions find too little in
 * 3 s ends with ERROR_TIMEOUT (state_read only), so that it does not keep the WAL from being
 * emptied. A visitor may ask further questions in the same transaction, but does not change rows of
 * the list that it is called from: collect first.
 *
 * Texts in records: what a function fills is the caller's, to be given back with
 * *_fini; what a visitor sees is borrowed for the visit.
 */
#ifndef CALLBACKD_STATE_H
#define CALLBACKD_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/body.h"
#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/id.h"

struct state;
struct state_tx;

struct state *state_open(const char *directory, struct error *error);
void state_close(struct state *state); /* NULL is allowed */

/* 0, or -1 with `error` filled, as the work left it or by the commit. */
typedef int state_work(struct state_tx *tx, void *context, struct error *error);
/* Returns after the commit was synced. */
int state_write(struct state *state, state_work *work, void *context, struct error *error);
/* A consistent view; may run at the same time as writes. */
int state_read(struct state *state, state_work *work, void *context, struct error *error);

/* ---- the queue's clock ---- */

/*
 * Milliseconds like wall time, but no change of the wall clock moves them: within one boot they
 * run with CLOCK_BOOTTIME, and the next boot goes on where that one stopped (by the wall clock,
 * yet never back). What the queue waits for is kept in them.
 */
int64_t state_clock_ms(const struct state *state);
int64_t state_tx_clock_ms(const struct state_tx *tx);
/* When that is, or was, by today's wall clock: for people. 0 stays 0. */
int64_t state_clock_to_wall_ms(const struct state *state, int64_t clock_ms);
/* Notes how far it is, for the next boot; does nothing when that was noted lately. Call it in
 * transactions that write anyway. */
int state_clock_note(struct state_tx *tx, struct error *error);

/* ---- the clock for age ---- */

/*
 * Wall time by which something may be too old. A wall clock that is set forward would make all old
 * at once, and what came while it was wrong when it is put right: therefore this one goes on as
 * before for `hold_ms` (at least; at most for twice that), by the queue's clock. It follows at once
 * when the wall clock is set back. The owner's thread only, as the next one.
 */
int state_age_clock_ms(
    struct state *state, int64_t hold_ms, int64_t *now_ms_out, struct error *error);
/* Something with this wall time is new, whatever the clock says by now: for as long as above, it
 * does not become older than it should. Up to an hour it may just have waited, and is not seen. */
int state_age_note(struct state *state, int64_t wall_ms, struct error *error);

/* ---- cursor ---- */

/* The seq of the log up to which all is decided; 0 at first. */
int state_cursor_get(struct state_tx *tx, int64_t *seq_out, struct error *error);
int state_cursor_set(struct state_tx *tx, int64_t seq, struct error *error);
/* The same for the refused posts, which have a seq of their own. */
int state_rejected_cursor_get(struct state_tx *tx, int64_t *seq_out, struct error *error);
int state_rejected_cursor_set(struct state_tx *tx, int64_t seq, struct error *error);

/* A number by which the engine finds what an earlier one left of streams; 0 at first. */
int state_stream_family_get(struct state_tx *tx, int64_t *family_out, struct error *error);
int state_stream_family_set(struct state_tx *tx, int64_t family, struct error *error);

/* ---- in use ---- */

/* Marks the store as in use. *unclean_out: its last user has not said that it closed it well. */
int state_mark_open(struct state_tx *tx, bool *unclean_out, struct error *error);
/* Said at a clean stop, and only of a store that is sound. */
int state_mark_closed(struct state_tx *tx, struct error *error);

/* ---- runs: the ledger ---- */

enum run_state {
    RUN_LAUNCHING,     /* registered, its execution id not known yet */
    RUN_WAITING,       /* launched, no result yet */
    RUN_COMPLETED,     /* has a final result */
    RUN_OVERDUE,       /* its deadline passed without a result */
    RUN_LOST,          /* given up */
    RUN_LAUNCH_FAILED, /* never started */
    RUN_STATES
};
const char *run_state_name(enum run_state state);
bool run_state_parse(const char *name, enum run_state *state_out);

struct run_record {
    struct id id;
    enum run_state state;
    char *workflow; /* "" for a run minted offline */
    char *endpoint;
    bool has_execution_id;
    int64_t execution_id;
    int64_t registered_at_ms;
    int64_t launched_at_ms;  /* when its execution id was recorded; 0: not yet */
    int64_t deadline_at_ms;  /* 0: none */
    int64_t completed_at_ms; /* 0: not yet */
    char *reason;            /* why the launch failed, it was lost, or a post refused; NULL */
    char *tags_json;         /* an object; NULL when none */
    char *idempotency_key;   /* NULL when none */
    char *callback_url;      /* NULL for a run minted offline */
    bool has_result;
    struct id result; /* its final result, or the latest one */
};
void run_record_fini(struct run_record *run);

/* A new run. With an idempotency key that is there already, *existing_out is true and `run`
 * is replaced by the one that is there; the caller's texts are freed then. */
int state_run_insert(
    struct state_tx *tx, struct run_record *run, bool *existing_out, struct error *error);
int state_run_get(
    struct state_tx *tx, const struct id *id, struct run_record *run_out,
    struct error *error); /* ERROR_NOT_FOUND */
/* The run launched with this execution id (the newest). ERROR_NOT_FOUND. */
int state_run_by_execution(
    struct state_tx *tx, int64_t execution_id, struct run_record *run_out, struct error *error);
/* Writes all columns of an existing run. */
int state_run_update(struct state_tx *tx, const struct run_record *run, struct error *error);

struct run_filter {
    int state;               /* enum run_state or -1 */
    const char *workflow;    /* NULL: any */
    const struct id *before; /* cursor: older than this id; NULL: newest */
    int limit;
};
typedef int run_visitor(void *context, const struct run_record *run);
/* Newest first. The visitor's non-zero return stops and is returned. */
int state_run_list(
    struct state_tx *tx, const struct run_filter *filter, run_visitor *visit, void *context,
    struct error *error);
/* Runs in `state` whose deadline (registration, for RUN_LAUNCHING) is at or before `at_ms`. */
int state_run_due(
    struct state_tx *tx, enum run_state state, int64_t at_ms, int limit, run_visitor *visit,
    void *context, struct error *error);

/* ---- results ---- */

struct result_record {
    int64_t seq; /* its row in the log */
    struct id id;
    char *endpoint;
    char *key; /* what makes posts the same, without the endpoint; "" when nothing does */
    enum body_kind kind;
    bool has_execution_id;
    int64_t execution_id;
    bool has_run;
    struct id run;
    char *workflow; /* of its run, else as the body names it; "" */
    char *event;    /* "" */
    enum result_status status;
    bool pending;   /* its run is still launching: the status is not final yet */
    bool triggered; /* hooks were queued for it, or it was decided that none are */
    char *source;
    int revision;
    int64_t duplicates;
    int64_t received_at_ms;
    char *remote_address;
    char *verified_by;
    char *content_type;
    int64_t size;
    unsigned char sha256[32];
};
void result_record_fini(struct result_record *result);

int state_result_insert(
    struct state_tx *tx, const struct result_record *result, struct error *error);
/* Writes run, workflow, status, pending and triggered of an existing result (by seq). */
int state_result_update(
    struct state_tx *tx, const struct result_record *result, struct error *error);
int state_result_count_duplicate(struct state_tx *tx, int64_t seq, struct error *error);
int state_result_get(
    struct state_tx *tx, const struct id *id, struct result_record *result_out,
    struct error *error);
int state_result_by_seq(
    struct state_tx *tx, int64_t seq, struct result_record *result_out, struct error *error);
/* Has a final workflow result of this run triggered? */
int state_run_has_triggered(
    struct state_tx *tx, const struct id *run, bool *triggered_out, struct error *error);
/* Has a final result of this endpoint and key, not bound to a run by a token, triggered? */
int state_key_has_triggered(
    struct state_tx *tx, const char *endpoint, const char *key, bool *triggered_out,
    struct error *error);

struct result_filter {
    int status;           /* enum result_status or -1 */
    const char *endpoint; /* NULL: any */
    const char *workflow;
    bool has_execution_id;
    int64_t execution_id;
    const struct id *run;    /* NULL: any */
    int pending;             /* 0, 1 or -1 for any */
    int64_t since_ms;        /* received at or after; 0: any */
    int64_t until_ms;        /* received before; 0: any */
    const struct id *before; /* cursor: older than this id; NULL: newest */
    bool oldest_first;       /* the other way around; `before` is what it goes on after */
    int limit;
};
/* Newest by the time it was received; a cursor that was removed goes on with the next id. */
typedef int result_record_visitor(void *context, const struct result_record *result);
int state_result_list(
    struct state_tx *tx, const struct result_filter *filter, result_record_visitor *visit,
    void *context, struct error *error);

/* ---- jobs ---- */

enum job_state {
    JOB_WAITING,
    JOB_RUNNING,
    JOB_RETRYING,
    JOB_SUCCEEDED,
    JOB_DEAD,
    JOB_CANCELLED,
    JOB_STATES
};
const char *job_state_name(enum job_state state);
bool job_state_parse(const char *name, enum job_state *state_out);

/* Of which job that died another one tells. All NULL: of none. */
struct job_death {
    char *job; /* its id */
    char *hook;
    char *reason;
};

struct job_record {
    struct id id;
    int64_t seq; /* its row, which finds it faster than the id; 0: not known */
    char *hook;
    int64_t result_seq;
    struct id result;
    enum job_state state;
    int attempts_made;
    int64_t next_at_ms;    /* queue's clock: not before this; 0 when ended */
    int64_t queued_at_ms;  /* queue's clock: when it was created, put back or interrupted */
    int64_t created_at_ms; /* wall, as the next */
    int64_t ended_at_ms;   /* 0: not yet */
    bool replay;
    bool cancel_requested; /* of a running job */
    char *reason;          /* why dead, where no attempt says it; NULL */
    char *order_key;       /* of one hook's jobs with the same, one runs at a time; NULL: any */
    struct job_death death;
};
void job_record_fini(struct job_record *job);

enum attempt_outcome {
    ATTEMPT_RUNNING, /* started, end not recorded: "interrupted" if its worker is gone */
    ATTEMPT_EXIT,
    ATTEMPT_SIGNAL,
    ATTEMPT_TIMEOUT,
    ATTEMPT_SPAWN_ERROR,
    ATTEMPT_INTERRUPTED,
    ATTEMPT_OUTCOMES
};
/* "running" "exit" "signal" "timeout" "spawn_error" "interrupted" */
const char *attempt_outcome_name(enum attempt_outcome outcome);

struct attempt_record {
    int64_t job_seq; /* its job's, as there */
    int number;      /* 1.. */
    int64_t started_at_ms;
    int64_t ended_at_ms; /* 0: running */
    enum attempt_outcome outcome;
    int exit_code;                /* -1 unless ATTEMPT_EXIT */
    int signal;                   /* 0 unless ATTEMPT_SIGNAL or ATTEMPT_TIMEOUT */
    struct bytes standard_output; /* the last 64 KiB */
    struct bytes standard_error;
    bool output_truncated;
    const char *message; /* for ATTEMPT_SPAWN_ERROR; NULL otherwise */
};

/*
 * Lines: of the unfinished jobs of one hook with the same order_key only the first in order of
 * queueing is ever due, and that not while one of them runs. Inserting and updating see to it.
 */

/* `job->id` is the caller's (id_new). State JOB_WAITING. */
int state_job_insert(struct state_tx *tx, const struct job_record *job, struct error *error);
int state_job_get(
    struct state_tx *tx, const struct id *id, struct job_record *job_out, struct error *error);
/* What the end of an attempt needs to know of its job, by seq and id. */
struct job_progress {
    int attempts_made;
    int64_t queued_at_ms;
    bool cancel_requested;
};
int state_job_progress(
    struct state_tx *tx, int64_t seq, const struct id *id, struct job_progress *progress_out,
    struct error *error); /* ERROR_NOT_FOUND */
/* Visits running jobs that somebody asked to cancel. */
typedef int job_id_visitor(void *context, const struct id *id);
int state_job_cancels(
    struct state_tx *tx, job_id_visitor *visit, void *context, struct error *error);
/* Writes state, attempts_made, next_at, ended_at, cancel_requested and reason; one that is
 * JOB_WAITING then was queued anew, at its next_at. */
int state_job_update(struct state_tx *tx, const struct job_record *job, struct error *error);

typedef int job_visitor(void *context, const struct job_record *job);
struct job_filter {
    const char *hook;        /* NULL: any */
    int state;               /* enum job_state or -1 */
    const struct id *result; /* NULL: any */
    const struct id *before;
    int limit;
};
int state_job_list(
    struct state_tx *tx, const struct job_filter *filter, job_visitor *visit, void *context,
    struct error *error);
/* Waiting and retrying jobs of a hook that may run at `now_ms` (queue's clock), earliest first;
 * of those in line only the first. */
int state_job_due(
    struct state_tx *tx, const char *hook, int64_t now_ms, int limit, job_visitor *visit,
    void *context, struct error *error);
/* The earliest next_at_ms of those; 0 when there is none. */
int state_job_next_at(
    struct state_tx *tx, const char *hook, int64_t *next_at_out, struct error *error);

int state_attempt_insert(
    struct state_tx *tx, const struct id *job, const struct attempt_record *attempt,
    struct error *error);
/* Records the end of an attempt, by its number. */
int state_attempt_update(
    struct state_tx *tx, const struct id *job, const struct attempt_record *attempt,
    struct error *error);
typedef int attempt_visitor(void *context, const struct attempt_record *attempt);
int state_attempt_list(
    struct state_tx *tx, const struct id *job, attempt_visitor *visit, void *context,
    struct error *error);

/* ---- hooks ---- */

struct hook_counts {
    int64_t waiting; /* retrying included */
    int64_t running;
    int64_t succeeded;
    int64_t dead;
    int64_t oldest_waiting_ms; /* created_at of the oldest waiting job; 0: none */
};
int state_hook_counts(
    struct state_tx *tx, const char *hook, struct hook_counts *counts_out, struct error *error);
/* Of a hook's latest attempts that ended, those that we interrupted left out. "Latest" looks at the
 * last few hundred jobs of each state, so that it costs the same however many there are. */
enum { STATE_RECENT_MAX = 400 };
struct hook_recent {
    int64_t attempts; /* how many the rest is of; up to STATE_RECENT_MAX */
    int64_t succeeded;
    int64_t p50_ms; /* duration of those that ran; -1: none did */
    int64_t p99_ms;
};
int state_hook_recent(
    struct state_tx *tx, const char *hook, struct hook_recent *recent_out, struct error *error);
/* The first name of a hook that comes after this one ("" is before all) and that jobs are or were
 * of; NULL when there is none. The caller frees. */
int state_hook_after(struct state_tx *tx, const char *name, char **name_out, struct error *error);
int state_hook_paused(struct state_tx *tx, const char *hook, bool *paused_out, struct error *error);
int state_hook_set_paused(struct state_tx *tx, const char *hook, bool paused, struct error *error);
/* A text of the engine's, by which a rate outlives it: appends it, nothing when there is none. */
int state_hook_starts(
    struct state_tx *tx, const char *hook, struct buffer *out, struct error *error);
int state_hook_set_starts(
    struct state_tx *tx, const char *hook, const char *starts, struct error *error);

/* ---- entries of the log that can never be taken in ---- */

struct set_aside_record {
    int64_t seq; /* its row in the log */
    const char *endpoint;
    int64_t received_at_ms;
    int64_t set_aside_at_ms;
    const char *reason;
};
int state_set_aside(
    struct state_tx *tx, const struct set_aside_record *record, struct error *error);
typedef int set_aside_visitor(void *context, const struct set_aside_record *record);
/* Newest first. The visitor's non-zero return stops and is returned. */
int state_set_aside_list(
    struct state_tx *tx, int limit, set_aside_visitor *visit, void *context, struct error *error);

/* ---- retention ---- */

/* A slice of retention; the next one goes on where it stopped, so 0 may be removed although there
 * is more: call it now and then. Removes at most `limit` results (with their ended jobs and
 * attempts) received before `before_ms`, and runs that ended before it; never one with unfinished
 * jobs, one pending, nor one whose run has not ended. *removed_out counts rows of results, runs and
 * entries set aside.
 */
int state_remove(
    struct state_tx *tx, int64_t before_ms, int limit, int *removed_out, struct error *error);
/* Is there anything that may be old enough for state_remove? Cheap. */
int state_remove_is_due(struct state_tx *tx, int64_t before_ms, bool *due_out, struct error *error);
/* Gives a slice of the space that removal has left back to the file system, if there is much.
 * *shrunk_out: it did, and there may be more. What is not given back is used again. */
int state_shrink(struct state *state, bool *shrunk_out, struct error *error);
/* Is the row of the log still wanted by a result here? */
int state_result_exists(struct state_tx *tx, int64_t seq, bool *exists_out, struct error *error);

#endif
