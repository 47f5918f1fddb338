/* SPDX-License-Identifier: MIT */
/*
 * A descriptor is watched from its first wait until it is forgotten, edge-triggered: each event
 * comes once. One that comes while its fiber waits for it ends the wait. One that comes at another
 * time may have been read meanwhile: it is only a reason to ask poll(), as it is that the last read
 * may have left something.
 */
#include "fibers_private.h"

#include "callbackd/clock.h"

enum {
    LOOK_MAX_MS = 60000,
    READY_AT_ONCE_MAX = 16,
    ENDS = EPOLLRDHUP | EPOLLERR | EPOLLHUP, /* what stays true, and comes only once */
};

/* ---- the loop ---- */

static uint64_t mark_of(const struct fiber *fiber)
{
    return (uint64_t)(fiber - fiber->loop->fibers->all) << 32 | fiber->watch_count;
}

void fiber_take_event(struct fiber_loop *loop, const struct epoll_event *event)
{
    struct fiber *fiber = &loop->fibers->all[event->data.u64 >> 32];
    if (event->data.u64 != mark_of(fiber))
        return;
    fiber->events |= event->events;
    if (fiber->polls && (fiber->events & fiber->wanted) != 0)
        fiber_go_on(fiber);
}

void fiber_run_late(struct fiber_loop *loop)
{
    struct fibers *fibers = loop->fibers;
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < loop->look_at_ms)
        return;
    loop->look_at_ms = now_ms + LOOK_MAX_MS;
    size_t count = atomic_load(&fibers->count);
    for (size_t i = loop->index; i < count; i += fibers->loop_count) {
        struct fiber *fiber = &fibers->all[i];
        if (fiber->polls && fiber->deadline_ms <= now_ms)
            fiber_go_on(fiber);
        if (fiber->polls && fiber->deadline_ms < loop->look_at_ms)
            loop->look_at_ms = fiber->deadline_ms;
    }
}

/* ---- the fiber ---- */

static struct fiber *watcher_of(int fd)
{
    struct fiber *fiber = fiber_self();
    return fiber != NULL && fiber->fd == fd ? fiber : NULL;
}

static int watch(struct fiber *fiber, int fd)
{
    if (fiber->fd == fd)
        return 0;
    fiber->watch_count++;
    fiber->events = 0;
    fiber->is_empty = false;
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
        .data.u64 = mark_of(fiber),
    };
    if (epoll_ctl(fiber->loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return -1;
    fiber->fd = fd;
    return 0;
}

/* The count of descriptors that are ready, 0 when the time is over. */
static int wait_for_event(struct fiber *fiber, struct pollfd *waiting, int timeout_ms)
{
    struct fiber_loop *loop = fiber->loop;
    uint32_t kept = fiber->is_writing ? ENDS | EPOLLIN : ENDS;
    fiber->deadline_ms = timeout_ms < 0 ? INT64_MAX : clock_monotonic_ms() + timeout_ms;
    if (fiber->deadline_ms < loop->look_at_ms)
        loop->look_at_ms = fiber->deadline_ms;
    fiber->events &= kept;
    fiber->ready_at_once = 0;
    fiber->polls = true;
    fiber_leave(fiber);
    fiber->polls = false;
    bool is_ready = (fiber->events & fiber->wanted) != 0;
    fiber->events &= kept;
    if (!is_ready)
        return poll(waiting, 1, 0); /* its loop may have been late, too */
    waiting->revents = waiting->events & (POLLIN | POLLOUT);
    return 1;
}

/* Whoever sends without a pause is not to have the loop for itself. */
static void give_way_now_and_then(struct fiber *fiber)
{
    if (++fiber->ready_at_once < READY_AT_ONCE_MAX)
        return;
    fiber->ready_at_once = 0;
    fiber_yield();
}

int fiber_poll(struct pollfd *waiting, int timeout_ms)
{
    struct fiber *fiber = fiber_self();
    if (fiber == NULL)
        return poll(waiting, 1, timeout_ms);
    if (watch(fiber, waiting->fd) != 0)
        return -1;
    fiber->is_writing = (waiting->events & POLLOUT) != 0;
    fiber->wanted = (fiber->is_writing ? EPOLLOUT : EPOLLIN | EPOLLRDHUP) | EPOLLERR | EPOLLHUP;
    bool may_be_ready =
        fiber->is_writing || !fiber->is_empty || (fiber->events & fiber->wanted) != 0;
    int ready = may_be_ready || timeout_ms == 0 ? poll(waiting, 1, 0) : 0;
    if (ready > 0)
        give_way_now_and_then(fiber);
    else if (ready == 0 && timeout_ms != 0)
        ready = wait_for_event(fiber, waiting, timeout_ms);
    if (ready > 0 && !fiber->is_writing)
        fiber->is_empty = false;
    return ready;
}

void fiber_has_read_all(int fd)
{
    struct fiber *fiber = watcher_of(fd);
    if (fiber != NULL)
        fiber->is_empty = true;
}

void fiber_forgets(int fd)
{
    struct fiber *fiber = watcher_of(fd);
    if (fiber == NULL)
        return;
    fiber->fd = -1;
    fiber->watch_count++;
}
