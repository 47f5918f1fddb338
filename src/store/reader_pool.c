/* SPDX-License-Identifier: MIT */
#include "reader_pool.h"

void reader_pool_init(struct reader_pool *pool, const struct db_options *options, int max)
{
    *pool = (struct reader_pool){.options = *options, .max = max};
    (void)pthread_mutex_init(&pool->mutex, NULL);
    (void)pthread_cond_init(&pool->given_back, NULL);
}

void reader_pool_fini(struct reader_pool *pool)
{
    for (int i = 0; i < pool->idle_count; i++)
        db_close(pool->idle[i]);
    (void)pthread_cond_destroy(&pool->given_back);
    (void)pthread_mutex_destroy(&pool->mutex);
}

/* The last one given back is taken first: its cache is warm, the others may never be opened. */
static struct db *take_idle(struct reader_pool *pool)
{
    struct db *db = NULL;

    (void)pthread_mutex_lock(&pool->mutex);
    while (pool->taken_count >= pool->max)
        (void)pthread_cond_wait(&pool->given_back, &pool->mutex);
    pool->taken_count++;
    if (pool->idle_count > 0)
        db = pool->idle[--pool->idle_count];
    (void)pthread_mutex_unlock(&pool->mutex);
    return db;
}

void reader_pool_give(struct reader_pool *pool, struct db *db)
{
    (void)pthread_mutex_lock(&pool->mutex);
    pool->taken_count--;
    if (db != NULL)
        pool->idle[pool->idle_count++] = db;
    (void)pthread_cond_signal(&pool->given_back);
    (void)pthread_mutex_unlock(&pool->mutex);
}

struct db *reader_pool_take(struct reader_pool *pool, struct error *error)
{
    struct db *db = take_idle(pool);

    if (db != NULL && db_moved(db)) {
        db_close(db);
        db = NULL;
    }
    if (db == NULL)
        db = db_open(&pool->options, error);
    if (db == NULL)
        reader_pool_give(pool, NULL);
    return db;
}
