/* SPDX-License-Identifier: MIT */
/*
 * One attempt of a job, from the moment it is picked until its end is recorded. It owns what it
 * runs and the kept output; it knows nothing of the database.
 *
 *   picked ──commit──▶ active ──ended──▶ ended ──commit──▶ freed
 *
 * What it runs is up to its kind. A command that was asked to end goes through two phases: its
 * processes get SIGTERM, and after RUNNING_TERM_MS SIGKILL, again and again until none is left. It
 * has ended when its main process has and, if it was asked to end, when nothing of it is alive.
 */
#ifndef CALLBACKD_HOOKS_RUNNING_H
#define CALLBACKD_HOOKS_RUNNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/hooks.h"
#include "process.h"
#include "process_table.h"
#include "retry.h"
#include "tail.h"

enum {
    RUNNING_TERM_MS = 2000,      /* from SIGTERM to SIGKILL: documented */
    RUNNING_LOOK_MS = 25,        /* between two looks at whether all of it is gone */
    RUNNING_KILL_WAIT_MS = 5000, /* after that, what SIGKILL did not end is stuck in the kernel */
};

enum running_phase { RUNNING_NORMAL, RUNNING_TERMINATING, RUNNING_KILLING };
enum stop_reason { STOP_NONE, STOP_TIMEOUT, STOP_CANCEL, STOP_SHUTDOWN };

struct hook_engine;
struct http_attempt;
struct running;

/* What an event of the engine's epoll points to; a member of what it is of. It takes in what there
 * is, and tells of what has ended with engine_end; it frees nothing, for later events of the same
 * batch may point to that. */
struct event_source {
    void (*take)(struct event_source *source, struct hook_engine *engine);
};

/* A kind of hook: how its attempts are started and ended. A kind without processes is not asked
 * for its view of the table, which it gets as NULL. */
struct running_kind {
    bool has_processes;
    bool has_body_file;
    bool is_shared; /* its processes serve many: hook_concurrency does not count its attempts */
    /* -1: it could not be started, nothing is left of it. ERROR_INVALID, ERROR_NOT_FOUND and
     * ERROR_TOO_LARGE: and never can be. */
    int (*start)(struct hook_engine *engine, struct running *running, struct error *error);
    /* Asks it to end, once: `reason` is noted already. */
    void (*stop)(struct running *running, struct process_table *table);
    /* When it wants `look`; asked after `stop` only. Monotonic. */
    int64_t (*due_ms)(const struct running *running);
    /* Looks at what was asked to end. true: it has ended. */
    bool (*look)(struct running *running, int epoll_fd, struct process_table *table);
    void (*fini)(struct running *running); /* frees what it added; NULL: nothing */
};

enum running_source_kind { SOURCE_OUTPUT = 0, SOURCE_ERROR = 1, SOURCE_PROCESS = 2, SOURCES };
struct running_source {
    struct event_source event; /* first */
    struct running *owner;
    enum running_source_kind kind;
    int fd; /* borrowed from `process`; -1: not watched (any more) */
};

struct hook_slot;
struct stream_copy;

/* Where a stream's job is. */
struct stream_place {
    struct stream_copy *copy; /* NULL: nowhere */
    struct running *older;    /* of the copy's jobs */
    struct running *newer;
    bool given; /* its line was made */
};

struct running {
    struct running *next;     /* in one list at a time */
    struct running *previous; /* in the list of active ones */
    const struct running_kind *kind;
    struct hook_slot *slot; /* NULL: its hook is gone from the configuration */
    char *hook;             /* its name */
    char *on_dead;          /* what it named so when this was picked; NULL: none */
    struct retry_policy policy;
    struct id job;
    int64_t job_seq; /* its row */
    char job_text[ID_TEXT_BYTES];
    int number;        /* of the attempt */
    int attempts_made; /* this one included */
    bool replay;
    struct job_death death; /* what the job tells of; all NULL: nothing */
    int64_t result_seq;
    bool has_result; /* `result` is filled */
    struct result_record result;
    int64_t started_at_ms; /* wall */

    struct http_attempt *http; /* of an http hook; NULL */
    struct process process;
    struct job_group *group; /* that it runs in; NULL: none */
    struct running_source sources[SOURCES];
    struct tail tails[2];
    struct stream_place place; /* of a stream's job */
    int64_t started_ms;        /* monotonic, as all below */
    int64_t deadline_ms;       /* of the hook's timeout */
    enum running_phase phase;
    enum stop_reason stop_reason;
    int64_t phase_end_ms; /* TERMINATING: then SIGKILL; KILLING: then what is left is given up */
    int64_t look_ms;      /* next look at what is alive, in these phases */
    bool leader_ended;
    bool cancel_requested; /* seen in the database */

    /* Once it ended. */
    enum attempt_outcome outcome;
    int exit_code;
    int signal;
    bool succeeded;
    int64_t asked_ms;    /* the pause that it asks for, or RETRY_NOT_ASKED */
    char *message;       /* why it could not be started; NULL */
    bool quotes_hook;    /* `message` is what the hook wrote, which is not for the log */
    bool fatal;          /* `message` says why no retry can help */
    int64_t ended_at_ms; /* wall */
    int64_t duration_ms;
    struct retry_verdict verdict; /* what was recorded */
    bool recorded;                /* false: the job is gone from the database */
};

extern const struct running_kind running_command;
extern const struct running_kind running_stream;

/* A command, until told otherwise. */
struct running *running_new(const char *hook);
void running_free(struct running *running); /* NULL is allowed */

/* It begins now: the time for its timeout. */
void running_begin(struct running *running, int64_t timeout_ms);
/* It has ended now: its duration. */
void running_note_end(struct running *running);
/* Begins, and starts to watch a process that was spawned. */
int running_watch(struct running *running, int epoll_fd, int64_t timeout_ms, struct error *error);
/* Could not be started. */
void running_fail(struct running *running, const char *message, bool fatal);

/* Takes in what an event of a command says. true: the attempt ended. */
bool running_event(struct running *running, int epoll_fd, const struct running_source *source);
/* Asks it to end. */
void running_stop(struct running *running, struct process_table *table, enum stop_reason reason);
/* After that: looks whether it has. true: the attempt ended. */
bool running_look(struct running *running, int epoll_fd, struct process_table *table);
/* When it wants running_stop (deadline) or running_look, monotonic. */
int64_t running_due_ms(const struct running *running);

#endif
