/* SPDX-License-Identifier: MIT */
/* What the files behind fibers.h share. */
#ifndef CALLBACKD_BASE_FIBERS_PRIVATE_H
#define CALLBACKD_BASE_FIBERS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "callbackd/fibers.h"
#include "fiber_context.h"

struct fiber {
    struct fiber_loop *loop;
    struct fiber_context context;
    void *(*run)(void *);
    void *argument;
    void *memory; /* its stack, with a page before it that is nobody's */
    size_t memory_bytes;
    void *locals[FIBER_LOCALS];
    struct fiber *next_woken; /* the loop's lock */
    atomic_bool is_woken;     /* unpark to the end of the park */

    /* The loop's thread alone. */
    int fd;               /* the loop's epoll has it for this fiber; -1: none */
    uint32_t watch_count; /* the events of earlier descriptors have another one */
    uint32_t events;      /* those that have come since its last wait began */
    uint32_t wanted;      /* while it polls */
    int64_t deadline_ms;  /* likewise, monotonic */
    bool polls;
    bool is_writing;   /* its last poll was for room to write */
    bool is_empty;     /* nothing was left behind the last read */
    int ready_at_once; /* how often it has polled without a wait */
};

struct fiber_loop {
    struct fibers *fibers;
    size_t index;
    pthread_t thread;
    bool runs;
    struct fiber_context context;
    int epoll_fd;
    int wake_fd;        /* eventfd */
    int64_t look_at_ms; /* the deadline of no fiber is earlier; its thread alone */

    pthread_mutex_t lock;
    struct fiber *woken; /* first to last */
    struct fiber **last_woken;
    bool sleeps; /* wants to be woken by wake_fd */
    bool stops;
};

struct fibers {
    const char *name;
    size_t loop_count;
    size_t max;
    atomic_size_t count; /* of `all`: those that were added */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t ended; /* lock */
    struct fiber_loop loops[FIBER_LOOPS_MAX];
    struct fiber all[];
};

/* The caller waits: its loop goes on. */
void fiber_leave(struct fiber *fiber);
/* Of the loop: it goes on until it waits. */
void fiber_go_on(struct fiber *fiber);

/* fiber_poll.c: what an event of the loop's epoll means. */
void fiber_take_event(struct fiber_loop *loop, const struct epoll_event *event);
/* Those whose deadline has come go on. */
void fiber_run_late(struct fiber_loop *loop);

#endif
