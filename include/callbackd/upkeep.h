/* SPDX-License-Identifier: MIT */
/*
 * The door of the store, third part: looking after it. Copies and checks, beside a
 * running daemon or without one, from any process that may read and write the
 * store's directory.
 *
 * None of them keeps a reading of the log open for long, for while one is open the
 * write-ahead file cannot be emptied and grows.
 */
#ifndef CALLBACKD_UPKEEP_H
#define CALLBACKD_UPKEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/error.h"
#include "callbackd/metrics.h"

/* While the descriptor is open, retention removes nothing: what a copy's state speaks of is still
 * there when its log is copied. Two copies exclude each other too. Waits up to wait_ms, then
 * ERROR_BUSY. */
int store_hold_removal(const char *directory, int64_t wait_ms, int *fd_out, struct error *error);

/* ---- copies ---- */

struct store_backup_options {
    const char *directory; /* the store's */
    const char *target;    /* made 0700 when it is not there; refused when it holds a store */
    /* Now and then: how much of which file is done. May be NULL. */
    void (*progress)(void *context, const char *file, int percent);
    void *context;
};

struct store_backup_figures {
    int64_t received; /* rows of the log: posts, with those that repeat another */
    int64_t log_bytes;
    int64_t state_bytes;
};

/*
 * An online copy: a store of its own, to be opened or moved in the place of another. Holds all that
 * was acknowledged before it began. The log is copied in short readings. The state is copied in
 * one, so its write-ahead file grows by what is written meanwhile; no sender waits for that one.
 * Made beside its place and moved there at the end: what is in `target` after a failure, or a kill,
 * is not a store. ERROR_CONFLICT: `target` holds something already.
 */
int store_backup(
    const struct store_backup_options *options, struct store_backup_figures *figures_out,
    struct error *error);

/* ---- checks ---- */

enum store_check_part {
    /* Every row is read, in short readings: bodies against their hashes, keys against their index,
     * jobs against results, results against the log, the cursor against the log's end. */
    STORE_CHECK_ROWS = 1 << 0,
    /* SQLite's quick_check of both files, in one reading each. Broken off when too much is written
     * meanwhile. */
    STORE_CHECK_STRUCTURE = 1 << 1,
};

struct store_check_options {
    const char *directory;
    unsigned parts;
    /* One thing that is wrong, as a line for people; not more than 100 are told. */
    void (*found)(void *context, const char *finding);
    void (*progress)(void *context, const char *file, int percent); /* may be NULL */
    void *context;
    const _Atomic bool *stop; /* set by another thread: the check ends soon, with ERROR_BUSY */
    int rest_percent;         /* between readings, of what each took; 0: none */
    int64_t wal_growth_max;   /* what may be written during a reading of STRUCTURE; 0: 64 MiB */
};

struct store_check_figures {
    int64_t findings;
    int64_t received; /* rows of the log that were read */
    int64_t results;
    bool structure_checked; /* false: broken off, or not asked for */
};

/* Beside a running daemon or without one. Long: a few seconds for each million results. 0: it was
 * done, and the figures say what came out; -1: it could not be done. */
int store_check(
    const struct store_check_options *options, struct store_check_figures *figures_out,
    struct error *error);

/* ---- the check after an unclean stop, in a thread of its own ---- */

struct store_checker;

enum store_checker_state {
    STORE_CHECKER_IDLE, /* not started: there is no need */
    STORE_CHECKER_RUNNING,
    STORE_CHECKER_WAITING, /* the rows are sound; the structure waits for a quieter time */
    STORE_CHECKER_SOUND,
    STORE_CHECKER_DAMAGED,
    STORE_CHECKER_FAILED, /* it could not be done */
    STORE_CHECKER_STATES
};
const char *store_checker_state_name(enum store_checker_state state);

struct store_checker_status {
    enum store_checker_state state;
    int64_t started_at_ms; /* wall; 0: not started */
    int64_t ended_at_ms;   /* 0: not yet */
    int64_t findings;
    char message[ERROR_MESSAGE_BYTES]; /* the first finding, or why it failed; "" */
};

/* NULL: no memory. `metrics` may be NULL, and is borrowed. */
struct store_checker *store_checker_new(
    const char *directory, struct metrics *metrics, struct error *error);
void store_checker_free(struct store_checker *checker); /* ends it; NULL is allowed */

/* Checks the store in the background, once, with the least priority, until it is done or ended.
 * Logs how it goes and what it finds. -1: no thread. */
int store_checker_start(struct store_checker *checker, struct error *error);
/* Ends what runs. Is the store sound, as far as it was to be known? (A check that was ended before
 * it was done does not know.) */
bool store_checker_end(struct store_checker *checker);
/* From any thread. */
void store_checker_look(struct store_checker *checker, struct store_checker_status *status_out);

#endif
