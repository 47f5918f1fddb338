/* SPDX-License-Identifier: MIT */
/*
 * The waiters of a batch sleep on one futex word of that batch, so that one call
 * wakes exactly them: a condition variable would wake them through a mutex that
 * all of them need at that moment, and one for all would wake the next batch too.
 */
#include "group_commit.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "callbackd/fibers.h"

enum {
    BATCH_WORKS_MAX = 1024,
    BATCH_BYTES_MAX = 8 * 1024 * 1024,
    THREAD_STACK_BYTES = 1024 * 1024,
};

struct group_batch {
    struct group_batch *next;
    struct group_work *first;
    struct group_work **last;
    struct group_work *first_told; /* those with `over` */
    struct group_work **last_told;
    size_t count;
    size_t bytes;
    bool has_waiters;            /* guarded by the mutex until the batch begins */
    bool committed;              /* set before it goes to the teller */
    _Atomic unsigned references; /* each waiter, the committer and the teller */
    _Atomic unsigned over;       /* the futex word: 0, then 1 */
};

struct group_commit {
    struct group_options options;
    pthread_t committer;
    pthread_t teller;
    pthread_mutex_t mutex;
    pthread_cond_t something_waits;
    pthread_cond_t something_to_tell;

    /* Guarded by the mutex. */
    struct group_batch *head;
    struct group_batch *tail; /* takes works until it is full or begins */
    struct group_batch *told_head;
    struct group_batch *told_tail;
    size_t waiting;
    size_t posted_bytes;
    bool committer_sleeps;
    bool teller_sleeps;
    bool closing;
    bool committed_all; /* nothing more comes to the teller */
};

static void batch_release(struct group_batch *batch)
{
    if (atomic_fetch_sub_explicit(&batch->references, 1, memory_order_acq_rel) == 1)
        free(batch);
}

static void batch_wait(struct group_batch *batch)
{
    while (atomic_load_explicit(&batch->over, memory_order_acquire) == 0)
        (void)syscall(SYS_futex, &batch->over, FUTEX_WAIT_PRIVATE, 0U, NULL, NULL, 0);
}

static void batch_wake(struct group_batch *batch)
{
    atomic_store_explicit(&batch->over, 1, memory_order_release);
    if (!batch->has_waiters)
        return;
    (void)syscall(SYS_futex, &batch->over, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* ---- handing over ---- */

static bool batch_is_full(const struct group_batch *batch, const struct group_work *work)
{
    return batch->count >= BATCH_WORKS_MAX || batch->bytes + work->bytes > BATCH_BYTES_MAX;
}

static struct group_batch *open_batch_locked(
    struct group_commit *group, const struct group_work *work)
{
    struct group_batch *batch = group->tail;

    if (batch != NULL && !batch_is_full(batch, work))
        return batch;
    batch = calloc(1, sizeof *batch);
    if (batch == NULL)
        return NULL;
    batch->last = &batch->first;
    batch->last_told = &batch->first_told;
    atomic_init(&batch->references, 1);
    atomic_init(&batch->over, 0);
    if (group->tail != NULL)
        group->tail->next = batch;
    else
        group->head = batch;
    group->tail = batch;
    return batch;
}

static void tell_later(struct group_batch *batch, struct group_work *work)
{
    work->next_told = NULL;
    *batch->last_told = work;
    batch->last_told = &work->next_told;
}

static void wait_later(struct group_batch *batch)
{
    atomic_fetch_add_explicit(&batch->references, 1, memory_order_relaxed);
    batch->has_waiters = true;
}

/* The batch that has it now; NULL: refused. */
static struct group_batch *enqueue_locked(
    struct group_commit *group, struct group_work *work, struct error *error)
{
    struct group_batch *batch;

    if (group->closing || group->waiting >= group->options.queue_max) {
        error_set(error, ERROR_BUSY, "the store has a full queue of %zu", group->waiting);
        return NULL;
    }
    batch = open_batch_locked(group, work);
    if (batch == NULL) {
        error_set(error, ERROR_MEMORY, "no memory to queue for the store");
        return NULL;
    }
    work->next = NULL;
    work->result = 0;
    *batch->last = work;
    batch->last = &work->next;
    batch->count++;
    batch->bytes += work->bytes;
    group->waiting++;
    if (work->over != NULL)
        tell_later(batch, work);
    else
        wait_later(batch);
    if (work->posted)
        group->posted_bytes += work->bytes;
    if (group->committer_sleeps) {
        group->committer_sleeps = false;
        (void)pthread_cond_signal(&group->something_waits);
    }
    return batch;
}

static void end_waiting(struct group_work *work, bool stored)
{
    (void)stored;
    completion_end(&work->awaited);
}

/* A fiber does not sleep: it is told, as those are that do not wait. */
static int start_and_wait(struct group_commit *group, struct group_work *work, struct error *error)
{
    completion_begin(&work->awaited);
    work->over = end_waiting;
    if (group_commit_start(group, work, error) != 0)
        return -1;
    completion_wait(&work->awaited);
    return work->result;
}

int group_commit_submit(struct group_commit *group, struct group_work *work, struct error *error)
{
    struct group_batch *batch;

    if (fiber_self() != NULL && group->options.teller_name != NULL)
        return start_and_wait(group, work, error);
    work->over = NULL;
    work->posted = false;
    work->error = error;
    (void)pthread_mutex_lock(&group->mutex);
    batch = enqueue_locked(group, work, error);
    (void)pthread_mutex_unlock(&group->mutex);
    if (batch == NULL)
        return -1;
    batch_wait(batch);
    batch_release(batch);
    return work->result;
}

int group_commit_start(struct group_commit *group, struct group_work *work, struct error *error)
{
    bool taken;

    work->posted = false;
    work->error = error;
    (void)pthread_mutex_lock(&group->mutex);
    taken = enqueue_locked(group, work, error) != NULL;
    (void)pthread_mutex_unlock(&group->mutex);
    return taken ? 0 : -1;
}

bool group_commit_post(struct group_commit *group, struct group_work *work)
{
    bool taken = false;

    work->posted = true;
    work->error = NULL;
    (void)pthread_mutex_lock(&group->mutex);
    if (group->posted_bytes + work->bytes <= group->options.post_bytes_max)
        taken = enqueue_locked(group, work, NULL) != NULL;
    (void)pthread_mutex_unlock(&group->mutex);
    return taken;
}

size_t group_commit_waiting(struct group_commit *group)
{
    size_t waiting;

    (void)pthread_mutex_lock(&group->mutex);
    waiting = group->waiting;
    (void)pthread_mutex_unlock(&group->mutex);
    return waiting;
}

/* ---- the committer ---- */

static struct group_batch *take_batch(struct group_commit *group)
{
    struct group_batch *batch;

    (void)pthread_mutex_lock(&group->mutex);
    while (group->head == NULL && !group->closing) {
        group->committer_sleeps = true;
        (void)pthread_cond_wait(&group->something_waits, &group->mutex);
    }
    group->committer_sleeps = false;
    batch = group->head;
    if (batch != NULL) {
        group->head = batch->next;
        if (group->tail == batch)
            group->tail = NULL;
    }
    (void)pthread_mutex_unlock(&group->mutex);
    return batch;
}

/* Runs all works. false: the transaction is lost. *done_out counts those that are in it. */
static bool run_works(
    struct group_commit *group, struct group_batch *batch, size_t *done_out, struct error *error)
{
    const struct group_operations *operations = group->options.operations;
    bool alone = batch->count == 1;

    *done_out = 0;
    for (struct group_work *work = batch->first; work != NULL; work = work->next) {
        struct error own = {0};

        switch (operations->run(group->options.store, work, alone, &own)) {
        case GROUP_DONE:
            (*done_out)++;
            break;
        case GROUP_FAILED:
            if (work->result == 0)
                work->result = -1;
            if (work->error != NULL)
                *work->error = own;
            break;
        case GROUP_LOST:
            *error = own;
            return false;
        }
    }
    return true;
}

/* true: committed. false: `error` says why nothing is. */
static bool commit_batch(struct group_commit *group, struct group_batch *batch, struct error *error)
{
    const struct group_operations *operations = group->options.operations;
    void *store = group->options.store;
    size_t done = 0;

    if (operations->begin(store, error) < 0)
        return false;
    if (!run_works(group, batch, &done, error)) {
        operations->abandon(store, error);
        return false;
    }
    if (done == 0) {
        operations->abandon(store, NULL);
        return true;
    }
    if (operations->commit(store, error) < 0) {
        operations->abandon(store, error);
        return false;
    }
    return true;
}

/* Whatever went wrong with the batch, for its works it is one thing: not known to be stored. */
static void fail_works(struct group_batch *batch, const struct error *error)
{
    for (struct group_work *work = batch->first; work != NULL; work = work->next) {
        if (work->error != NULL && work->result == 0) {
            *work->error = *error;
            work->error->code = ERROR_STORE;
        }
        work->result = -1;
    }
}

/* From here on only the teller touches the works that are told, and nobody the others. */
static void hand_to_teller(struct group_commit *group, struct group_batch *batch)
{
    atomic_fetch_add_explicit(&batch->references, 1, memory_order_relaxed);
    batch->next = NULL;
    (void)pthread_mutex_lock(&group->mutex);
    if (group->told_tail != NULL)
        group->told_tail->next = batch;
    else
        group->told_head = batch;
    group->told_tail = batch;
    if (group->teller_sleeps) {
        group->teller_sleeps = false;
        (void)pthread_cond_signal(&group->something_to_tell);
    }
    (void)pthread_mutex_unlock(&group->mutex);
}

static void do_batch(struct group_commit *group, struct group_batch *batch)
{
    struct error error = {0};
    size_t count = batch->count;

    batch->committed = commit_batch(group, batch, &error);
    if (!batch->committed)
        fail_works(batch, &error);
    (void)pthread_mutex_lock(&group->mutex);
    group->waiting -= count;
    (void)pthread_mutex_unlock(&group->mutex);
    bool committed = batch->committed;
    if (batch->first_told != NULL)
        hand_to_teller(group, batch);
    batch_wake(batch);
    batch_release(batch);
    group->options.operations->settle(group->options.store, committed);
}

static void *committer(void *argument)
{
    struct group_commit *group = argument;
    struct group_batch *batch;

    (void)pthread_setname_np(pthread_self(), group->options.committer_name);
    /* On Linux this is the calling thread's alone. */
    if (group->options.nice != 0)
        (void)setpriority(PRIO_PROCESS, 0, group->options.nice);
    while ((batch = take_batch(group)) != NULL)
        do_batch(group, batch);
    return NULL;
}

/* ---- the teller ---- */

static struct group_batch *take_told(struct group_commit *group)
{
    struct group_batch *batch;

    (void)pthread_mutex_lock(&group->mutex);
    while (group->told_head == NULL && !group->committed_all) {
        group->teller_sleeps = true;
        (void)pthread_cond_wait(&group->something_to_tell, &group->mutex);
    }
    group->teller_sleeps = false;
    batch = group->told_head;
    if (batch != NULL) {
        group->told_head = batch->next;
        if (group->told_tail == batch)
            group->told_tail = NULL;
    }
    (void)pthread_mutex_unlock(&group->mutex);
    return batch;
}

static void tell(struct group_commit *group, struct group_batch *batch)
{
    struct group_work *next;
    size_t posted_bytes = 0;

    for (struct group_work *work = batch->first_told; work != NULL; work = next) {
        next = work->next_told;
        if (work->posted)
            posted_bytes += work->bytes;
        work->over(work, batch->committed && work->result == 0);
    }
    if (posted_bytes == 0)
        return;
    (void)pthread_mutex_lock(&group->mutex);
    group->posted_bytes -= posted_bytes;
    (void)pthread_mutex_unlock(&group->mutex);
}

static void *teller(void *argument)
{
    struct group_commit *group = argument;
    struct group_batch *batch;

    (void)pthread_setname_np(pthread_self(), group->options.teller_name);
    while ((batch = take_told(group)) != NULL) {
        tell(group, batch);
        batch_release(batch);
    }
    return NULL;
}

/* ---- opening and closing ---- */

/* It names itself: the name of another thread is a file, which a receiver cannot open. */
static int start_thread(pthread_t *thread, void *(*run)(void *), struct group_commit *group)
{
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);

    if (code != 0)
        return code;
    code = pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    if (code == 0)
        code = pthread_create(thread, &attributes, run, group);
    (void)pthread_attr_destroy(&attributes);
    return code;
}

static void end_committer(struct group_commit *group)
{
    (void)pthread_mutex_lock(&group->mutex);
    group->closing = true;
    (void)pthread_cond_signal(&group->something_waits);
    (void)pthread_mutex_unlock(&group->mutex);
    (void)pthread_join(group->committer, NULL);
}

static void end_teller(struct group_commit *group)
{
    (void)pthread_mutex_lock(&group->mutex);
    group->committed_all = true;
    (void)pthread_cond_signal(&group->something_to_tell);
    (void)pthread_mutex_unlock(&group->mutex);
    (void)pthread_join(group->teller, NULL);
}

static int start_threads(struct group_commit *group)
{
    int code = start_thread(&group->committer, committer, group);

    if (code != 0 || group->options.teller_name == NULL)
        return code;
    code = start_thread(&group->teller, teller, group);
    if (code != 0)
        end_committer(group);
    return code;
}

static void group_free(struct group_commit *group)
{
    (void)pthread_cond_destroy(&group->something_to_tell);
    (void)pthread_cond_destroy(&group->something_waits);
    (void)pthread_mutex_destroy(&group->mutex);
    free(group);
}

struct group_commit *group_commit_open(const struct group_options *options, struct error *error)
{
    struct group_commit *group = calloc(1, sizeof *group);
    int code;

    if (group == NULL) {
        error_set(error, ERROR_MEMORY, "no memory for the store's queue");
        return NULL;
    }
    group->options = *options;
    (void)pthread_mutex_init(&group->mutex, NULL);
    (void)pthread_cond_init(&group->something_waits, NULL);
    (void)pthread_cond_init(&group->something_to_tell, NULL);
    code = start_threads(group);
    if (code != 0) {
        group_free(group);
        error_set_errno(error, ERROR_IO, code, "cannot start the store's threads");
        return NULL;
    }
    return group;
}

void group_commit_close(struct group_commit *group)
{
    if (group == NULL)
        return;
    end_committer(group);
    if (group->options.teller_name != NULL)
        end_teller(group);
    group_free(group);
}
