/* SPDX-License-Identifier: MIT */
/*
 * libcurl's multi interface over an epoll and a timer of the pool's own, so that whoever waits for
 * it watches one descriptor.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "http_pool_private.h"

enum { EVENTS_PER_RUN = 64, KEPT_CONNECTIONS_MAX = 32, MS_PER_S = 1000, NS_PER_MS = 1000000 };

/* ---- what libcurl wants to be told of ---- */

static uint32_t events_of(int what)
{
    return (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
           (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
}

/* `known`: what was assigned to the socket; NULL: it is new. */
static int watch_socket(CURL *curl, curl_socket_t fd, int what, void *context, void *known)
{
    struct http_pool *pool = context;
    struct epoll_event event = {.events = events_of(what), .data.fd = fd};
    (void)curl;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(pool->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    int operation = known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    /* -1 ends what the socket is for. */
    if (epoll_ctl(pool->epoll_fd, operation, fd, &event) != 0)
        return -1;
    curl_multi_assign(pool->multi, fd, pool);
    return 0;
}

/* The time of the timer; -1: none. 0 would stop it. */
static int set_timer(CURLM *multi, long after_ms, void *context)
{
    const struct http_pool *pool = context;
    struct itimerspec at = {.it_value = {0, 0}};
    (void)multi;
    if (after_ms == 0)
        at.it_value.tv_nsec = 1;
    else if (after_ms > 0)
        at.it_value = (struct timespec){
            .tv_sec = after_ms / MS_PER_S, .tv_nsec = after_ms % MS_PER_S * NS_PER_MS};
    return timerfd_settime(pool->timer_fd, 0, &at, NULL);
}

/* ---- life ---- */

/* A name that takes long to resolve must not hold up everybody else. */
static bool resolves_in_threads(void)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    return info && (info->features & CURL_VERSION_ASYNCHDNS);
}

static int pool_open(struct http_pool *pool, struct error *error)
{
    struct epoll_event timer = {.events = EPOLLIN};
    pool->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    pool->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    timer.data.fd = pool->timer_fd;
    if (pool->epoll_fd < 0 || pool->timer_fd < 0 ||
        epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, pool->timer_fd, &timer) != 0)
        return error_set(error, ERROR_IO, "cannot watch HTTP connections");
    pool->multi = curl_multi_init();
    if (!pool->multi)
        return error_set(error, ERROR_MEMORY, "memory is short for HTTP connections");
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS_MAX);
    return 0;
}

struct http_pool *http_pool_new(struct error *error)
{
    if (!resolves_in_threads()) {
        error_set(error, ERROR_INTERNAL, "this libcurl would wait for names to be resolved");
        return NULL;
    }
    struct http_pool *pool = calloc(1, sizeof *pool);
    if (!pool) {
        error_set(error, ERROR_MEMORY, "memory is short for HTTP connections");
        return NULL;
    }
    pool->epoll_fd = pool->timer_fd = -1;
    if (pool_open(pool, error) != 0) {
        http_pool_free(pool);
        return NULL;
    }
    return pool;
}

void http_pool_free(struct http_pool *pool)
{
    if (!pool)
        return;
    /* It closes connections, and has them unwatched. */
    curl_multi_cleanup(pool->multi);
    os_close(pool->timer_fd);
    os_close(pool->epoll_fd);
    free(pool);
}

int http_pool_fd(const struct http_pool *pool)
{
    return pool->epoll_fd;
}

/* ---- what happened ---- */

static void take_event(struct http_pool *pool, const struct epoll_event *event)
{
    int still_running;
    uint64_t expirations;
    int what = (event->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
               (event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    if (event->data.fd != pool->timer_fd)
        curl_multi_socket_action(pool->multi, event->data.fd, what, &still_running);
    else if (read(pool->timer_fd, &expirations, sizeof expirations) > 0)
        curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &still_running);
}

static void take_done(struct http_pool *pool)
{
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(pool->multi, &left))) {
        struct http_call *call = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
        if (!http_call_done(call, message->data.result))
            continue;
        call->next = pool->ended;
        pool->ended = call;
    }
}

void http_pool_run(struct http_pool *pool)
{
    struct epoll_event events[EVENTS_PER_RUN];
    int count = epoll_wait(pool->epoll_fd, events, EVENTS_PER_RUN, 0);
    for (int i = 0; i < count; i++)
        take_event(pool, &events[i]);
    take_done(pool);
}

struct http_call *http_pool_take_ended(struct http_pool *pool)
{
    struct http_call *call = pool->ended;
    if (call)
        pool->ended = call->next;
    return call;
}
