/* SPDX-License-Identifier: MIT */
/*
 * Group commit: works of many threads share one transaction and one sync. One
 * committer thread takes everything that waits, runs it inside one transaction,
 * commits, and wakes all at once; what arrives meanwhile is the next batch. A
 * work that is alone is committed at once: there is no delay to wait for company.
 *
 * Who hands over a work either waits until it is committed (submit) or is told
 * (start, post): the teller, a second thread, calls the works of a batch one after the
 * other while the committer is at the next one. That costs no thread of the submitter's
 * a sleep and a waking.
 *
 * Knows nothing of SQLite: what a transaction is, the operations say. They run on
 * the committer thread only.
 *
 * Threads: submit, start and post from any. Lock order: the group's mutex is a leaf.
 */
#ifndef CALLBACKD_STORE_GROUP_COMMIT_H
#define CALLBACKD_STORE_GROUP_COMMIT_H

#include <stdbool.h>
#include <stddef.h>

#include "callbackd/completion.h"
#include "callbackd/error.h"

struct group_commit;
struct group_batch;

enum group_outcome {
    GROUP_DONE,   /* the work is part of the transaction */
    GROUP_FAILED, /* it left nothing in the transaction; the others are not touched */
    GROUP_LOST    /* the transaction is gone, or holds half a work: all fail */
};

/* Embedded in what is to be done. Zeroed, but for the first two, before it is handed over. */
struct group_work {
    size_t bytes; /* about how much it writes: bounds a batch */
    /* start() and post() only (submit() of a fiber has its own): called on the teller thread once
     * it is over, stored or not. */
    void (*over)(struct group_work *work, bool stored);

    /* The group's. */
    struct group_work *next;
    struct group_work *next_told;
    struct completion awaited; /* of a fiber that submitted it */
    bool posted;
    struct error *error; /* the submitter's; may be NULL */
    int result;
};

struct group_operations {
    /* All return 0, or -1 with `error` filled; the batch fails then. */
    int (*begin)(void *store, struct error *error);
    int (*commit)(void *store, struct error *error);
    /* `alone`: nothing else is in this transaction. A work that fails sets work->result. */
    enum group_outcome (*run)(
        void *store, struct group_work *work, bool alone, struct error *error);
    /* Nothing of the transaction shall remain. `lost`: why it failed, the connection is not to be
     * believed; NULL: only that no work succeeded. */
    void (*abandon)(void *store, const struct error *lost);
    /* After the waiters were woken, before the next batch: housekeeping. */
    void (*settle)(void *store, bool committed);
};

struct group_options {
    const struct group_operations *operations;
    void *store;                /* handed to the operations */
    const char *committer_name; /* of its thread */
    const char *teller_name;    /* likewise; NULL: there is none, start() and post() are not used */
    int nice;                   /* of the committer thread; 0: as whoever opens it */
    size_t queue_max;           /* works that may wait, those of the running batch included */
    size_t post_bytes_max;      /* of posted works that wait */
};

struct group_commit *group_commit_open(const struct group_options *options, struct error *error);
/* Commits and tells what waits, then ends. Nothing may be submitted any more. NULL is allowed. */
void group_commit_close(struct group_commit *group);

/* Returns when the work is committed (0), or with the result of the work, or -1: ERROR_BUSY when
 * the queue is full, ERROR_STORE when the batch failed. The work is the caller's throughout. */
int group_commit_submit(struct group_commit *group, struct group_work *work, struct error *error);
/* The same without the sleep: 0 when it was taken, and then work->over gives it back, with `error`
 * filled unless it was stored: both stay the group's until then. -1: not taken. */
int group_commit_start(struct group_commit *group, struct group_work *work, struct error *error);
/* Waits for nothing; work->over gives the work back. false: the queue is full, nothing was taken.
 */
bool group_commit_post(struct group_commit *group, struct group_work *work);

/* Works that wait, those of the running batch included. */
size_t group_commit_waiting(struct group_commit *group);

#endif
