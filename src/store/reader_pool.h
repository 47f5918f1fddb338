/* SPDX-License-Identifier: MIT */
/*
 * A few reading connections, opened when they are first needed. Who takes one has
 * it alone until it is given back; the others wait. A connection whose file was
 * moved away or replaced is opened anew.
 *
 * Threads: any. Lock order: the pool's mutex is a leaf.
 */
#ifndef CALLBACKD_STORE_READER_POOL_H
#define CALLBACKD_STORE_READER_POOL_H

#include <pthread.h>

#include "db.h"

enum { READER_POOL_MAX = 4 };

struct reader_pool {
    struct db_options options; /* use: DB_READ; the path is borrowed */
    int max;                   /* 1..READER_POOL_MAX */
    pthread_mutex_t mutex;
    pthread_cond_t given_back;

    /* Guarded by the mutex. */
    struct db *idle[READER_POOL_MAX];
    int idle_count;
    int taken_count;
};

void reader_pool_init(struct reader_pool *pool, const struct db_options *options, int max);
void reader_pool_fini(struct reader_pool *pool); /* all were given back */

/* NULL when it cannot be opened. */
struct db *reader_pool_take(struct reader_pool *pool, struct error *error);
void reader_pool_give(struct reader_pool *pool, struct db *db);

#endif
