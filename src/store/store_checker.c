/* SPDX-License-Identifier: MIT */
/*
 * The check after an unclean stop, in the background. A power cut, a disk or a
 * kernel may have left something behind that no crash of ours can; whoever runs the
 * service should hear of it before a result is asked for that is not there.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/text.h"
#include "callbackd/upkeep.h"

enum {
    NICE = 19,
    REST_PERCENT = 100, /* half of the time it does nothing */
    TOLD_MAX = 20,
    QUIET_WAIT_S = 60, /* after too much was written during a reading, before the next try */
};

struct store_checker {
    char *directory;
    struct metrics *metrics;
    _Atomic bool stop;
    pthread_mutex_t mutex;  /* guards what follows */
    pthread_cond_t changed; /* `stop` or `running`; CLOCK_MONOTONIC */
    bool running;           /* there is a thread that uses this */
    struct store_checker_status status;
};

static const char *const state_names[STORE_CHECKER_STATES] = {
    [STORE_CHECKER_IDLE] = "not_needed", [STORE_CHECKER_RUNNING] = "running",
    [STORE_CHECKER_WAITING] = "waiting", [STORE_CHECKER_SOUND] = "sound",
    [STORE_CHECKER_DAMAGED] = "damaged", [STORE_CHECKER_FAILED] = "failed",
};

const char *store_checker_state_name(enum store_checker_state state)
{
    return state_names[state];
}

static void note(void *context, const char *finding)
{
    struct store_checker *checker = context;
    int64_t findings;

    (void)pthread_mutex_lock(&checker->mutex);
    findings = ++checker->status.findings;
    if (findings == 1)
        snprintf(checker->status.message, sizeof checker->status.message, "%s", finding);
    (void)pthread_mutex_unlock(&checker->mutex);
    metrics_set(checker->metrics, METRIC_STORE_CHECK_FINDINGS, findings);
    if (findings <= TOLD_MAX)
        log_error("the store is damaged", LOG_TEXT("finding", finding));
}

static void enter(struct store_checker *checker, enum store_checker_state state)
{
    (void)pthread_mutex_lock(&checker->mutex);
    checker->status.state = state;
    if (state != STORE_CHECKER_RUNNING && state != STORE_CHECKER_WAITING)
        checker->status.ended_at_ms = clock_wall_ms();
    (void)pthread_mutex_unlock(&checker->mutex);
    metrics_set(
        checker->metrics, METRIC_STORE_CHECK_RUNNING,
        state == STORE_CHECKER_RUNNING || state == STORE_CHECKER_WAITING ? 1 : 0);
}

static int check(
    struct store_checker *checker, unsigned parts, struct store_check_figures *figures,
    struct error *error)
{
    const struct store_check_options options = {
        .directory = checker->directory,
        .parts = parts,
        .found = note,
        .context = checker,
        .stop = &checker->stop,
        .rest_percent = REST_PERCENT,
    };

    return store_check(&options, figures, error);
}

static void wait_for_quiet(struct store_checker *checker)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += QUIET_WAIT_S;
    (void)pthread_mutex_lock(&checker->mutex);
    while (!atomic_load(&checker->stop) &&
           pthread_cond_timedwait(&checker->changed, &checker->mutex, &until) != ETIMEDOUT)
        ;
    (void)pthread_mutex_unlock(&checker->mutex);
}

/* The structure, as often as it takes to find a time in which little is written. */
static int check_structure_in_quiet(
    struct store_checker *checker, struct store_check_figures *figures, struct error *error)
{
    for (;;) {
        struct store_check_figures found = {0};

        if (check(checker, STORE_CHECK_STRUCTURE, &found, error) < 0)
            return -1;
        figures->findings += found.findings;
        if (found.structure_checked || found.findings > 0)
            return 0;
        enter(checker, STORE_CHECKER_WAITING);
        wait_for_quiet(checker);
    }
}

static void finish(
    struct store_checker *checker, const struct store_check_figures *figures, int64_t took_ms)
{
    metrics_set(checker->metrics, METRIC_STORE_CHECK_FINDINGS, figures->findings);
    if (figures->findings > 0) {
        log_error(
            "the store is damaged: restore a copy, or look with callbackctl check",
            LOG_INT("findings", figures->findings));
        enter(checker, STORE_CHECKER_DAMAGED);
        return;
    }
    log_info(
        "the store is sound", LOG_INT("received", figures->received),
        LOG_INT("results", figures->results), LOG_INT("took_ms", took_ms));
    enter(checker, STORE_CHECKER_SOUND);
}

static void fail(struct store_checker *checker, const struct error *error)
{
    if (atomic_load(&checker->stop))
        return;
    log_error("the store could not be checked", LOG_ERROR(error));
    (void)pthread_mutex_lock(&checker->mutex);
    snprintf(checker->status.message, sizeof checker->status.message, "%s", error->message);
    (void)pthread_mutex_unlock(&checker->mutex);
    enter(checker, STORE_CHECKER_FAILED);
}

static void set_running(struct store_checker *checker, bool running)
{
    (void)pthread_mutex_lock(&checker->mutex);
    checker->running = running;
    (void)pthread_cond_broadcast(&checker->changed);
    (void)pthread_mutex_unlock(&checker->mutex);
}

static void *run(void *argument)
{
    struct store_checker *checker = argument;
    struct store_check_figures figures = {0};
    struct error error = {0};
    int64_t begun_ms = clock_monotonic_ms();

    /* On Linux this is the calling thread's alone. */
    (void)setpriority(PRIO_PROCESS, 0, NICE);
    log_warning("the store was not closed by its last user: it is checked in the background");
    metrics_set(checker->metrics, METRIC_STORE_CHECK_FINDINGS, 0);
    enter(checker, STORE_CHECKER_RUNNING);
    if (check(checker, STORE_CHECK_ROWS, &figures, &error) < 0 ||
        check_structure_in_quiet(checker, &figures, &error) < 0)
        fail(checker, &error);
    else
        finish(checker, &figures, clock_monotonic_ms() - begun_ms);
    set_running(checker, false);
    return NULL;
}

static void init_waiting(struct store_checker *checker)
{
    pthread_condattr_t attributes;

    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&checker->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&checker->mutex, NULL);
}

struct store_checker *store_checker_new(
    const char *directory, struct metrics *metrics, struct error *error)
{
    struct store_checker *checker = calloc(1, sizeof *checker);

    if (checker != NULL) {
        checker->metrics = metrics;
        checker->directory = text_copy(directory);
        init_waiting(checker);
        if (checker->directory != NULL)
            return checker;
        store_checker_free(checker);
    }
    error_set(error, ERROR_MEMORY, "no memory to check the store");
    return NULL;
}

/* Nobody joins the thread: it is done long before its owner is. */
static int start_thread(struct store_checker *checker)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int outcome;

    if (pthread_attr_init(&attributes) != 0)
        return -1;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    outcome = pthread_create(&thread, &attributes, run, checker);
    (void)pthread_attr_destroy(&attributes);
    return outcome == 0 ? 0 : -1;
}

int store_checker_start(struct store_checker *checker, struct error *error)
{
    (void)pthread_mutex_lock(&checker->mutex);
    checker->status.started_at_ms = clock_wall_ms();
    checker->status.state = STORE_CHECKER_RUNNING;
    checker->running = true;
    (void)pthread_mutex_unlock(&checker->mutex);
    if (start_thread(checker) == 0)
        return 0;
    set_running(checker, false);
    error_set(error, ERROR_MEMORY, "no thread to check the store");
    fail(checker, error);
    return -1;
}

bool store_checker_end(struct store_checker *checker)
{
    struct store_checker_status status;

    (void)pthread_mutex_lock(&checker->mutex);
    atomic_store(&checker->stop, true);
    (void)pthread_cond_broadcast(&checker->changed);
    while (checker->running)
        (void)pthread_cond_wait(&checker->changed, &checker->mutex);
    (void)pthread_mutex_unlock(&checker->mutex);
    store_checker_look(checker, &status);
    return status.state == STORE_CHECKER_IDLE || status.state == STORE_CHECKER_SOUND;
}

void store_checker_free(struct store_checker *checker)
{
    if (checker == NULL)
        return;
    (void)store_checker_end(checker);
    (void)pthread_cond_destroy(&checker->changed);
    (void)pthread_mutex_destroy(&checker->mutex);
    free(checker->directory);
    free(checker);
}

void store_checker_look(struct store_checker *checker, struct store_checker_status *status_out)
{
    (void)pthread_mutex_lock(&checker->mutex);
    *status_out = checker->status;
    (void)pthread_mutex_unlock(&checker->mutex);
}
