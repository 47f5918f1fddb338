/* SPDX-License-Identifier: MIT */
/*
 * A worker keeps its connections busy, or begins a request whenever one is due.
 * With a rate, a latency is counted from the moment at which the request was due,
 * whether or not a connection was free then: a server that stalls is not asked
 * less often for it (no coordinated omission).
 */
#include "load_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "callbackd/clock.h"

enum {
    EVENTS = 256,
    TICK_NS = 50 * 1000 * 1000,
    ERRORS_MAX = 100000, /* there is no server, or no more of it */
};

static const int64_t patience_ns = INT64_C(5) * 1000 * 1000 * 1000; /* after the end */

static bool has_rate(const struct load_worker *worker)
{
    return worker->interval_ns > 0;
}

void worker_request_over(struct connection *connection, int status)
{
    struct load_worker *worker = connection->worker;
    int64_t now_ns = clock_monotonic_ns();
    /* With a rate the requests due in the time count; without one, the answers in it. */
    int64_t when_ns = has_rate(worker) ? connection->intended_ns : now_ns;
    worker->in_flight--;
    worker->result.answers++;
    if (when_ns < worker->count_ns || when_ns >= worker->end_ns)
        return;
    if (status == 0) {
        worker->result.errors++;
        return;
    }
    worker->result.statuses[status]++;
    histogram_add(&worker->result.latencies, (now_ns - connection->intended_ns) / 1000);
}

void worker_connection_free(struct connection *connection)
{
    connection->next_free = connection->worker->free;
    connection->worker->free = connection;
}

static void begin_one(struct load_worker *worker, int64_t intended_ns)
{
    struct connection *connection = worker->free;
    worker->free = connection->next_free;
    worker->in_flight++;
    connection_begin(connection, intended_ns);
}

static void begin_due(struct load_worker *worker, int64_t now_ns)
{
    while (worker->due_ns <= now_ns && worker->due_ns < worker->end_ns) {
        if (!worker->free) {
            worker->result.late++;
            return;
        }
        begin_one(worker, worker->due_ns);
        worker->due_fraction_ns += worker->interval_ns;
        int64_t step_ns = (int64_t)worker->due_fraction_ns;
        worker->due_fraction_ns -= (double)step_ns;
        worker->due_ns += step_ns;
    }
}

static void begin_requests(struct load_worker *worker, int64_t now_ns)
{
    if (has_rate(worker)) {
        begin_due(worker, now_ns);
        return;
    }
    /* One that fails at once comes back to the list: each is begun once here. */
    struct connection *connection = worker->free;
    worker->free = NULL;
    while (connection && now_ns < worker->end_ns) {
        struct connection *next = connection->next_free;
        worker->in_flight++;
        connection_begin(connection, now_ns);
        connection = next;
    }
}

static int64_t wait_ns(const struct load_worker *worker, int64_t now_ns)
{
    int64_t until_ns = now_ns + TICK_NS;
    if (has_rate(worker) && worker->free && worker->due_ns < until_ns)
        until_ns = worker->due_ns;
    return until_ns > now_ns ? until_ns - now_ns : 0;
}

static void wait_for_events(struct load_worker *worker, int64_t ns)
{
    struct epoll_event events[EVENTS];
    struct timespec timeout = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    int count = epoll_pwait2(worker->epoll_fd, events, EVENTS, &timeout, NULL);
    for (int i = 0; i < count; i++)
        connection_advance(events[i].data.ptr);
}

static bool goes_on(const struct load_worker *worker, int64_t now_ns)
{
    if (worker->result.errors > ERRORS_MAX)
        return false;
    if (now_ns < worker->end_ns)
        return true;
    /* Those that were due still count, so they are waited for. */
    return has_rate(worker) && now_ns < worker->end_ns + patience_ns &&
           (worker->in_flight > 0 || worker->due_ns < worker->end_ns);
}

static void serve(struct load_worker *worker)
{
    int64_t now_ns = clock_monotonic_ns();
    while (goes_on(worker, now_ns)) {
        begin_requests(worker, now_ns);
        wait_for_events(worker, wait_ns(worker, clock_monotonic_ns()));
        now_ns = clock_monotonic_ns();
    }
    /* What never came, came too late for everybody. */
    for (int i = 0; has_rate(worker) && i < worker->connection_count; i++) {
        if (worker->connections[i].state == CONNECTION_BUSY)
            worker->result.errors++;
    }
}

static int prepare(struct load_worker *worker, struct error *error)
{
    const struct load_options *options = worker->options;
    worker->connection_count = options->connections / options->workers +
                               (worker->index < options->connections % options->workers);
    worker->connections =
        calloc((size_t)worker->connection_count + 1, sizeof(*worker->connections));
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!worker->connections || worker->epoll_fd < 0)
        return error_set(error, ERROR_MEMORY, "no memory for connections");
    if (requests_init(&worker->requests, options, worker->index, error) != 0)
        return -1;
    for (int i = 0; i < worker->connection_count; i++) {
        struct connection *connection = &worker->connections[i];
        connection->worker = worker;
        connection->fd = -1;
        if (request_init(&connection->request, &worker->requests, error) != 0)
            return -1;
        worker_connection_free(connection);
    }
    return 0;
}

/* The workers' requests alternate. */
static void set_times(struct load_worker *worker)
{
    const struct load_options *options = worker->options;
    worker->begin_ns = clock_monotonic_ns();
    worker->count_ns = worker->begin_ns + (int64_t)(options->warm_up_s * 1e9);
    worker->end_ns = worker->count_ns + (int64_t)(options->seconds * 1e9);
    worker->due_ns = worker->begin_ns;
    if (options->rate <= 0)
        return;
    worker->interval_ns = 1e9 / options->rate * options->workers;
    worker->due_ns += (int64_t)(1e9 / options->rate * worker->index);
}

static void clean_up(struct load_worker *worker)
{
    for (int i = 0; worker->connections && i < worker->connection_count; i++) {
        connection_close(&worker->connections[i]);
        request_fini(&worker->connections[i].request);
    }
    free(worker->connections);
    requests_fini(&worker->requests);
    if (worker->epoll_fd >= 0)
        (void)close(worker->epoll_fd);
}

static void *run(void *argument)
{
    struct load_worker *worker = argument;
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    worker->failed = prepare(worker, &worker->error) != 0;
    (void)pthread_barrier_wait(worker->start);
    set_times(worker);
    if (!worker->failed)
        serve(worker);
    clean_up(worker);
    return NULL;
}

int load_worker_start(struct load_worker *worker, struct error *error)
{
    worker->epoll_fd = -1;
    int code = pthread_create(&worker->thread, NULL, run, worker);
    return code == 0 ? 0 : error_set_errno(error, ERROR_MEMORY, code, "cannot start a thread");
}

int load_worker_join(struct load_worker *worker, struct error *error)
{
    (void)pthread_join(worker->thread, NULL);
    if (worker->failed)
        *error = worker->error;
    return worker->failed ? -1 : 0;
}
