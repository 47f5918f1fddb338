/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/receiver.h"
#include "role.h"

enum {
    POLL_MS = 50,   /* while draining: how often connections are counted */
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

/* Until the supervisor says how to end. */
static void serve(struct receiver *receiver, const struct config *config)
{
    enum handover_message message = HANDOVER_NONE;
    while (message != HANDOVER_STOP && message != HANDOVER_DRAIN)
        message = hear(-1);
    receiver_drain(receiver);
    if (message == HANDOVER_STOP)
        finish_requests(receiver, config);
    else
        drain(receiver, config);
}

int receiver_role(struct handover *handover, struct metrics *metrics)
{
    struct error error = {0};
    struct result_log_options log_options = {
        .directory = handover->config->store.directory,
        .metrics = metrics,
        .wake_fd = handover->wake_fd,
        .keep_rejected = handover->config->store.keep_rejected,
        .checkpoint_at_start = true,
        /* A sender is told 503, and learns nothing from a connection that nobody accepts. */
        .wait_for_store = true,
    };
    struct result_log *log = result_log_open(&log_options, &error);
    struct receiver_options options = {
        .config = handover->config,
        .log = log,
        .metrics = metrics,
        .listeners = handover->listeners,
    };
    struct receiver *receiver = log != NULL ? receiver_start(&options, &error) : NULL;
    if (receiver == NULL || handover_say(HANDOVER_CONTROL_FD, HANDOVER_READY, &error) != 0) {
        log_error("receiver not started", LOG_ERROR(&error));
        receiver_stop(receiver);
        result_log_close(log);
        return EXIT_FAILED;
    }
    serve(receiver, handover->config);
    receiver_stop(receiver);
    result_log_close(log);
    return 0;
}
