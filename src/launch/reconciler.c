/* SPDX-License-Identifier: MIT */
/* The reconciler's thread: every second, or when woken, it looks for what is missing and asks
 * for as much of it as one tick may. */
#include "callbackd/reconciler.h"

#include <stdlib.h>
#include <time.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "reconciler_private.h"

enum {
    TICK_MS = 1000,
    REQUESTS_PER_TICK = 16,
    REQUEST_TIMEOUT_MS = 20000,
    KEY_MAX_BYTES = 4096,
    STOP_PATIENCE_S = 1,
};

static bool is_stopping(struct reconciler *reconciler)
{
    pthread_mutex_lock(&reconciler->lock);
    bool stopping = reconciler->stopping;
    pthread_mutex_unlock(&reconciler->lock);
    return stopping;
}

/* Waits for the next tick, a wake or the end. false: the end. */
static bool wait_for_tick(struct reconciler *reconciler)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TICK_MS / 1000;
    pthread_mutex_lock(&reconciler->lock);
    while (!reconciler->woken && !reconciler->stopping)
        if (pthread_cond_timedwait(&reconciler->changed, &reconciler->lock, &until) != 0)
            break;
    reconciler->woken = false;
    bool go_on = !reconciler->stopping;
    pthread_mutex_unlock(&reconciler->lock);
    return go_on;
}

/* true: the API was asked. */
static bool handle(struct reconciler *reconciler, const struct reconcile_task *task)
{
    int64_t now_ms = clock_monotonic_ms();
    bool can_ask = task->has_execution_id && reconciler->api_key.length > 0;
    if (!can_ask) {
        if (task->overdue && clock_wall_ms() - task->since_ms > reconcile_give_up_ms)
            reconcile_lose(
                reconciler, task,
                task->has_execution_id
                    ? "no result within a day after its deadline; no API key to ask with"
                    : "no result within a day after its deadline; its execution id is not known");
        return false;
    }
    if (now_ms < reconciler->quiet_until_ms ||
        !backoff_is_due(&reconciler->backoff, &task->id, now_ms) || is_stopping(reconciler))
        return false;
    reconcile_fetch(reconciler, task);
    return true;
}

/* Said once when it begins and once when it ends, however many looks fail between. */
static void look(struct reconciler *reconciler)
{
    struct error error = {0};
    bool failed = reconcile_collect(reconciler, clock_wall_ms(), &error) != 0;
    if (failed && !reconciler->blind)
        log_error("cannot look for missing results, it keeps trying", LOG_ERROR(&error));
    if (!failed && reconciler->blind)
        log_info("looks for missing results again");
    reconciler->blind = failed;
}

static void tick(struct reconciler *reconciler)
{
    int requests = 0;
    struct reconcile_tasks *tasks = &reconciler->tasks;
    look(reconciler);
    for (int i = 0; i < tasks->count && requests < REQUESTS_PER_TICK; i++)
        if (handle(reconciler, &tasks->items[i]))
            requests++;
    reconcile_tasks_clear(tasks);
    backoff_prune(&reconciler->backoff, clock_monotonic_ms());
}

static void *run(void *context)
{
    struct reconciler *reconciler = context;
    /* By itself: the name of another thread is a file, which is root's (os_keep_memory_private). */
    pthread_setname_np(pthread_self(), "reconciler");
    do
        tick(reconciler);
    while (wait_for_tick(reconciler));
    pthread_mutex_lock(&reconciler->lock);
    reconciler->ended = true;
    pthread_cond_broadcast(&reconciler->changed);
    pthread_mutex_unlock(&reconciler->lock);
    return NULL;
}

/* ---- start and stop ---- */

static int set_api(struct reconciler *reconciler, struct error *error)
{
    const struct config_promptlayer *promptlayer = &reconciler->config->promptlayer;
    buffer_init_secret(&reconciler->api_key, KEY_MAX_BYTES);
    if (promptlayer->api_key.count > 0) {
        const struct config_secret *key = &promptlayer->api_key.items[0];
        if (buffer_append(&reconciler->api_key, key->data, key->length) != 0)
            return error_set(error, ERROR_CONFIG, "promptlayer.api_key_file: the key is too long");
    }
    reconciler->api = (struct promptlayer_api){
        .base_url = promptlayer->base_url,
        .api_key = buffer_text(&reconciler->api_key),
        .timeout_ms = REQUEST_TIMEOUT_MS,
    };
    return 0;
}

static void free_parts(struct reconciler *reconciler)
{
    http_client_free(reconciler->client);
    buffer_fini(&reconciler->api_key);
    backoff_fini(&reconciler->backoff);
    reconcile_tasks_clear(&reconciler->tasks);
    free(reconciler);
}

static int start_thread(struct reconciler *reconciler, struct error *error)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    /* Wall time may jump; a tick must not wait for it. */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&reconciler->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&reconciler->lock, NULL);
    int failure = pthread_create(&reconciler->thread, NULL, run, reconciler);
    if (failure == 0)
        return 0;
    pthread_mutex_destroy(&reconciler->lock);
    pthread_cond_destroy(&reconciler->changed);
    return error_set_errno(error, ERROR_IO, failure, "cannot start the reconciler's thread");
}

struct reconciler *reconciler_start(
    const struct config *config, struct state *state, struct result_log *log,
    struct metrics *metrics, struct error *error)
{
    struct reconciler *reconciler = calloc(1, sizeof *reconciler);
    if (!reconciler) {
        error_set(error, ERROR_MEMORY, "memory is short for the reconciler");
        return NULL;
    }
    reconciler->config = config;
    reconciler->state = state;
    reconciler->log = log;
    reconciler->metrics = metrics;
    reconciler->stop_patience_s = STOP_PATIENCE_S;
    reconciler->client = http_client_new(error);
    if (!reconciler->client || set_api(reconciler, error) != 0 ||
        start_thread(reconciler, error) != 0) {
        free_parts(reconciler);
        return NULL;
    }
    return reconciler;
}

void reconciler_wake(struct reconciler *reconciler)
{
    if (!reconciler)
        return;
    pthread_mutex_lock(&reconciler->lock);
    reconciler->woken = true;
    pthread_cond_signal(&reconciler->changed);
    pthread_mutex_unlock(&reconciler->lock);
}

/* A request under way may come to its end if that is near; hooks wait for whoever stops us. */
static void end_thread(struct reconciler *reconciler)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += reconciler->stop_patience_s;
    pthread_mutex_lock(&reconciler->lock);
    reconciler->stopping = true;
    pthread_cond_broadcast(&reconciler->changed);
    while (!reconciler->ended)
        if (pthread_cond_timedwait(&reconciler->changed, &reconciler->lock, &until) != 0)
            break;
    bool ended = reconciler->ended;
    pthread_mutex_unlock(&reconciler->lock);
    if (!ended)
        http_client_cancel(reconciler->client);
    pthread_join(reconciler->thread, NULL);
}

void reconciler_stop(struct reconciler *reconciler)
{
    if (!reconciler)
        return;
    end_thread(reconciler);
    pthread_mutex_destroy(&reconciler->lock);
    pthread_cond_destroy(&reconciler->changed);
    free_parts(reconciler);
}
