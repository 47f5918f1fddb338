/* SPDX-License-Identifier: MIT */
/*
 * The writing connection of a database and the transactions of its group commit
 * (group_commit.h). After a commit that failed, the connection is not believed
 * any more: it is closed and opened anew, at the next batch or a later one, so
 * that the store works again by itself when the fault has ended. Damage does not
 * end by itself, and some transactions would still succeed: after the first one
 * that met it there is none any more on that file.
 *
 * Threads: all but writer_is_healthy belongs to the committer thread.
 */
#ifndef CALLBACKD_STORE_WRITER_H
#define CALLBACKD_STORE_WRITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "callbackd/metrics.h"
#include "db.h"
#include "group_commit.h"

/* What is run inside the transaction. */
struct writer_work {
    struct group_work group;
    int (*run)(struct db *db, struct writer_work *work, struct error *error);
    /* It may fail by itself: it gets a savepoint. Without, its failure fails the batch. */
    bool savepoint;
};

struct writer {
    const char *path; /* borrowed */
    const struct schema *schema;
    int cache_kib;
    int64_t checkpoint_bytes; /* a WAL so long is copied, and nobody commits meanwhile */
    struct metrics *metrics;  /* may be NULL: batches, errors and the WAL are counted here */
    /* The WAL is emptied before the first transaction and after each fault: what is there may
     * stand in the page cache alone. */
    bool checkpoint_first;
    /* After each batch, once the waiters were woken; may be NULL. */
    void (*settled)(void *context, bool committed);
    void *context;
    /* writer_open() does not fail for what is wrong with the store: each transaction says so,
     * until people have mended it. */
    bool wait_for_store;

    struct db *db;       /* NULL: to be opened */
    struct error damage; /* why a damaged `db` is used no more */
    bool checkpoint_due;
    bool checkpoint_failed; /* logged already */
    _Atomic bool healthy;
};

/* For group_options; their `store` is the writer. */
extern const struct group_operations writer_operations;

/* The first opening. 0 too when the store cannot be written now but may be later (logged);
 * -1 for what only people can mend, unless the writer is to wait for that. */
int writer_open(struct writer *writer, struct error *error);
void writer_close(struct writer *writer);

/* Did the last transaction succeed? From any thread. */
bool writer_is_healthy(struct writer *writer);
/* Somebody found, without a transaction, that there cannot be one: logged, and not healthy until
 * one has succeeded. From any thread. */
void writer_doubt(struct writer *writer, const struct error *error);

#endif
