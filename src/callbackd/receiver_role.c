/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/receiver.h"
#include "callbackd/store.h"
#include "role.h"
#include "sandbox.h"

enum {
    POLL_MS = 50,   /* while draining: how often connections are counted */
    LOOK_MS = 500,  /* how often the log's folder is looked at */
    QUIET_MS = 250, /* at a stop: no request for so long, and we may go */
    EXIT_FAILED = 1,
};

/* What the supervisor says within that time; -1: however long it takes. */
static enum handover_message hear(int timeout_ms)
{
    struct pollfd control = {.fd = HANDOVER_CONTROL_FD, .events = POLLIN};
    if (poll(&control, 1, timeout_ms) <= 0)
        return HANDOVER_NONE;
    enum handover_message message = handover_listen(HANDOVER_CONTROL_FD, NULL);
    /* No supervisor, no service: a new one wants the lock and the address at once. */
    if (message == HANDOVER_GONE)
        _exit(EXIT_FAILED);
    return message;
}

/* Nobody serves after us: requests under way are finished, idle connections are not waited for. */
static void finish_requests(struct receiver *receiver, const struct config *config)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t until_ms = now_ms + config->limits.stop_timeout_ms;
    int64_t busy_at_ms = now_ms;
    while (receiver_connections(receiver) > 0 && now_ms < until_ms &&
           now_ms - busy_at_ms < QUIET_MS) {
        if (receiver_requests(receiver) > 0)
            busy_at_ms = now_ms;
        poll(NULL, 0, POLL_MS);
        now_ms = clock_monotonic_ms();
    }
}

/* A successor serves already: wait until proxies have let go of their idle connections, or until
 * everything is to stop. */
static void drain(struct receiver *receiver, const struct config *config)
{
    int64_t until_ms =
        clock_monotonic_ms() + config->limits.idle_timeout_ms + config->limits.request_timeout_ms;
    while (receiver_connections(receiver) > 0 && clock_monotonic_ms() < until_ms) {
        if (hear(POLL_MS) == HANDOVER_STOP) {
            finish_requests(receiver, config);
            return;
        }
    }
}

struct receiving {
    struct handover *handover;
    struct metrics *metrics;
    char *log_directory;
    struct sandbox sandbox;
    struct result_log *log;
    struct receiver *receiver;
};

/* Until the supervisor says how to end, or there is another log that we are not allowed to open: a
 * receiver that is started in our place is. */
static void serve(const struct receiving *receiving)
{
    const struct config *config = receiving->handover->config;
    enum handover_message message = HANDOVER_NONE;
    while (message != HANDOVER_STOP && message != HANDOVER_DRAIN) {
        message = hear(LOOK_MS);
        if (message == HANDOVER_NONE &&
            sandbox_is_outlived(&receiving->sandbox, receiving->log_directory)) {
            log_warning("the log's folder is another one now: a new receiver is needed");
            message = HANDOVER_STOP;
        }
    }
    receiver_drain(receiving->receiver);
    if (message == HANDOVER_STOP) {
        finish_requests(receiving->receiver, config);
        return;
    }
    log_info("draining", LOG_INT("connections", receiver_connections(receiving->receiver)));
    drain(receiving->receiver, config);
}

/* How many receivers there are, and how protected; the supervisor takes it back when we have
 * ended. */
static void count_receiver(struct metrics *metrics, const struct sandbox *sandbox)
{
    metrics_add_part(metrics, METRIC_RECEIVERS, 1);
    metrics_add_part(metrics, METRIC_RECEIVERS_SECCOMP, sandbox->seccomp);
    metrics_add_part(metrics, METRIC_RECEIVERS_LANDLOCK, sandbox->landlock);
}

/* The sandbox first: whatever is opened from then on lies in the log's folder, and no thread has
 * been started that would stay outside. */
static int begin(struct receiving *receiving, struct error *error)
{
    const struct config *config = receiving->handover->config;
    struct result_log_options log_options = {
        .directory = config->store.directory,
        .metrics = receiving->metrics,
        .wake_fd = receiving->handover->wake_fd,
        .keep_rejected = config->store.keep_rejected,
        .checkpoint_at_start = true,
        /* A sender is told 503, and learns nothing from a connection that nobody accepts. */
        .wait_for_store = true,
    };
    struct receiver_options options = {
        .config = config,
        .metrics = receiving->metrics,
        .listeners = receiving->handover->listeners,
    };
    receiving->log_directory = store_log_directory(config->store.directory);
    if (receiving->log_directory == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    store_read_system();
    if (sandbox_enter(config->sandbox, receiving->log_directory, &receiving->sandbox, error) != 0)
        return -1;
    receiving->log = options.log = result_log_open(&log_options, error);
    if (receiving->log == NULL)
        return -1;
    receiving->receiver = receiver_start(&options, error);
    if (receiving->receiver == NULL)
        return -1;
    count_receiver(receiving->metrics, &receiving->sandbox);
    return handover_say(HANDOVER_CONTROL_FD, HANDOVER_READY, error);
}

/* Told to end before it could begin: then its listeners may be closed already. */
static bool is_told_to_end(void)
{
    enum handover_message message = hear(0);
    return message == HANDOVER_STOP || message == HANDOVER_DRAIN;
}

int receiver_role(struct handover *handover, struct metrics *metrics)
{
    struct error error = {0};
    struct receiving receiving = {.handover = handover, .metrics = metrics};
    int outcome = begin(&receiving, &error);
    if (outcome == 0)
        serve(&receiving);
    else if (is_told_to_end())
        log_info("receiver ended before it began", LOG_ERROR(&error));
    else
        log_error("receiver not started", LOG_ERROR(&error));
    receiver_stop(receiving.receiver);
    result_log_close(receiving.log);
    free(receiving.log_directory);
    return outcome == 0 ? 0 : EXIT_FAILED;
}
