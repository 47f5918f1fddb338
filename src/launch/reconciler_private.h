/* SPDX-License-Identifier: MIT */
/*
 * Shared by the reconciler's files: what to ask for (reconciler_tasks.c), asking
 * and handing over what came (reconciler_fetch.c), and the thread that does both
 * (reconciler.c). Threads: all but the lock's fields belong to that thread.
 */
#ifndef CALLBACKD_LAUNCH_RECONCILER_PRIVATE_H
#define CALLBACKD_LAUNCH_RECONCILER_PRIVATE_H

#include <pthread.h>

#include "backoff.h"
#include "callbackd/promptlayer.h"
#include "callbackd/reconciler.h"

enum { RECONCILE_TASKS_MAX = 400 };

/* How long a result is asked for: a day from the deadline, or from the truncated post. */
static const int64_t reconcile_give_up_ms = (int64_t)24 * 3600 * 1000;

/* Something that no callback brought. */
struct reconcile_task {
    struct id id; /* of the run; of the truncated result where there is none */
    bool has_run;
    bool overdue;          /* its run is: it may be lost */
    bool has_execution_id; /* false: it cannot be asked for */
    int64_t execution_id;
    int64_t since_ms;   /* wall: its deadline, or when the truncated result came */
    int64_t result_seq; /* of the truncated result, where there is no run */
    char *endpoint;
};

struct reconcile_tasks {
    struct reconcile_task items[RECONCILE_TASKS_MAX];
    int count;
    bool memory_short;
};

/* Where the last look at each list ended: long lists are gone through page by page. */
struct reconcile_cursor {
    bool truncated_set;
    struct id truncated;
    bool overdue_set;
    struct id overdue;
};

struct reconciler {
    const struct config *config;
    struct state *state;
    struct result_log *log;
    struct metrics *metrics;
    struct http_client *client;
    struct buffer api_key; /* secret; empty: none is configured */
    struct promptlayer_api api;
    struct backoff backoff;
    struct reconcile_cursor cursor;
    struct reconcile_tasks tasks;
    int outages;            /* requests in a row that got no answer */
    int64_t quiet_until_ms; /* monotonic: the API is not asked before */
    bool blind;             /* the last look into the store failed, and was logged */

    int stop_patience_s; /* how long a stop lets a request under way go on */

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool woken;    /* under lock */
    bool stopping; /* under lock */
    bool ended;    /* under lock: the thread will not touch anything any more */
};

/* One page of what is missing, into reconciler->tasks; reconcile_tasks_clear afterwards. */
int reconcile_collect(struct reconciler *reconciler, int64_t now_ms, struct error *error);
void reconcile_tasks_clear(struct reconcile_tasks *tasks);

/* Asks for one and hands over what came, or gives it up. */
void reconcile_fetch(struct reconciler *reconciler, const struct reconcile_task *task);
/* overdue -> lost; a run that is not overdue any more is left alone. */
void reconcile_lose(
    struct reconciler *reconciler, const struct reconcile_task *task, const char *reason);

#endif
