/* SPDX-License-Identifier: MIT */
/*
 * One copy of a stream's command: a process that lives on, gets a line for each job on its stdin
 * and answers with a line on its stdout. It has its jobs in the order in which it was given them.
 *
 *   serving ──retired──▶ retiring ──▶ terminating ──▶ killing ──▶ gone
 *
 * A copy that ended, for whatever reason, has ended when nothing that it started is alive; until
 * then its jobs have not ended either, so that none of them is run anew beside it.
 *
 * Never waits: what the pipe does not take stays here, one line and STREAM_PENDING_BYTES at most.
 */
#ifndef CALLBACKD_HOOKS_STREAM_COPY_H
#define CALLBACKD_HOOKS_STREAM_COPY_H

#include "engine_private.h"
#include "stream_answer.h"

enum {
    /* Lines are made as long as less than this waits for the pipe. */
    STREAM_PENDING_BYTES = 64 * 1024,
    /* From a stdin or stdout that it closed to the end of the process. */
    STREAM_CLOSED_MS = 1000,
};

enum copy_phase { COPY_SERVING, COPY_RETIRING, COPY_TERMINATING, COPY_KILLING, COPY_GONE };
/* Why it ends. */
enum copy_reason {
    COPY_REASON_NONE,
    COPY_ASKED,     /* a stop, a reload: by our wish */
    COPY_CANCELLED, /* a job that it was given was */
    COPY_TIMED_OUT, /* the job that it has had longest did */
    COPY_BROKE,     /* it does not keep the protocol: `fault` */
    COPY_DIED,      /* by itself */
};

enum copy_source_kind { COPY_STDIN, COPY_STDOUT, COPY_STDERR, COPY_PROCESS, COPY_SOURCES };
struct copy_source {
    struct event_source event; /* first */
    struct stream_copy *copy;
    enum copy_source_kind kind;
    int fd; /* -1: not watched (any more) */
};

struct stream;

struct stream_copy {
    struct stream_copy *next; /* in engine->copies */
    struct stream *stream;    /* that it serves; NULL: retired */
    char *hook;
    struct id id;
    struct process process;
    int stdin_fd;
    struct job_group *group; /* that it runs in; NULL: none */
    struct copy_source sources[COPY_SOURCES];
    struct tail errors; /* what it wrote on stderr */

    struct running *oldest; /* its jobs, linked by `place` */
    struct running *newest;
    struct running *ungiven; /* the first whose line was not made yet; NULL: none */
    int job_count;
    int64_t answered;    /* jobs, since it began */
    bool on_probation;   /* begun after a failure: one job at a time until it has answered */
    bool warned;         /* an answer to no job of its was logged */
    struct buffer lines; /* for its stdin */
    size_t sent;         /* of them */
    struct buffer text;  /* of its stdout, not understood yet */
    struct stream_answer answer; /* scratch */

    enum copy_phase phase;
    enum copy_reason reason;
    char fault[192];
    bool quotes_hook; /* `fault` holds what it wrote, which is not for the log */
    bool leader_ended;
    struct process_end end;
    /* Monotonic. */
    int64_t timeout_ms;
    int64_t oldest_since_ms; /* since when `oldest` is that */
    int64_t retire_ms;       /* how long it may take to end once its stdin is closed */
    int64_t phase_end_ms;    /* INT64_MAX: none */
    int64_t look_ms;
    int64_t closed_ms; /* when it had closed its stdin or stdout; 0: it has not */
    const char *closed;
};

/* Started and watched; the caller puts it into the engine's list. NULL: it could not be. */
struct stream_copy *stream_copy_start(
    struct hook_engine *engine, struct stream *stream, struct error *error);
/* One that is gone, or never was in the list. */
void stream_copy_free(struct stream_copy *copy);

/* It gets the job. */
void stream_copy_add(struct stream_copy *copy, struct running *running);
/* The job is not its any more. */
void stream_copy_remove(struct stream_copy *copy, struct running *running);
/* Makes lines as there is room for, and writes what the pipe takes. */
void stream_copy_feed(struct hook_engine *engine, struct stream_copy *copy);
/* Takes in answers. */
void stream_copy_read(struct hook_engine *engine, struct stream_copy *copy, int reads_max);

/* It has closed a stream, which its end does too: if that does not come, it is broken. */
void stream_copy_note_closed(struct stream_copy *copy, const char *what);
/* No more jobs; when it has answered all, its stdin is closed, and it has `grace_ms` to end. */
void stream_copy_retire(struct stream_copy *copy, int64_t grace_ms);
/* It is to end now: SIGTERM, and SIGKILL after RUNNING_TERM_MS. */
void stream_copy_end(struct stream_copy *copy, enum copy_reason reason, const char *fault);
/* When it wants stream_copy_attend. */
int64_t stream_copy_due_ms(const struct stream_copy *copy);
bool stream_copy_wants_table(const struct stream_copy *copy);
/* Timeouts, signals, what is left of it. `table` is read when it wants it. Gone: its jobs have been
 * ended, and it may be freed. */
void stream_copy_attend(
    struct hook_engine *engine, struct stream_copy *copy, struct process_table *table);

/* stream.c: what a copy tells its stream. */
void stream_note_answer(struct stream *stream, struct stream_copy *copy);
void stream_note_end(
    struct hook_engine *engine, struct stream *stream, const struct stream_copy *copy);

#endif
