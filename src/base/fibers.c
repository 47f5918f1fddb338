/* SPDX-License-Identifier: MIT */
#include "callbackd/fibers.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "fibers_private.h"

enum { EVENTS_AT_ONCE = 64 };
/* Of wake_fd, where others have the mark of their fiber. */
#define MARK_OF_WAKING UINT64_MAX

/* That the calling thread runs: of a loop's thread. */
static _Thread_local struct fiber *running;
static _Thread_local void *locals_of_thread[FIBER_LOCALS];

struct fiber *fiber_self(void)
{
    return running;
}

size_t fiber_loop(void)
{
    return running != NULL ? running->loop->index : 0;
}

void **fiber_local(size_t which)
{
    return running != NULL ? &running->locals[which] : &locals_of_thread[which];
}

/* ---- from one to another ---- */

void fiber_leave(struct fiber *fiber)
{
    fiber_context_switch(&fiber->context, &fiber->loop->context);
}

void fiber_go_on(struct fiber *fiber)
{
    running = fiber;
    fiber_context_switch(&fiber->loop->context, &fiber->context);
    running = NULL;
}

static void note_end(struct fibers *fibers)
{
    (void)pthread_mutex_lock(&fibers->lock);
    fibers->ended++;
    (void)pthread_cond_broadcast(&fibers->changed);
    (void)pthread_mutex_unlock(&fibers->lock);
}

static void run_fiber(void)
{
    struct fiber *fiber = running;
    struct fiber_loop *loop = fiber->loop;
    fiber_context_enter(&loop->context);
    (void)fiber->run(fiber->argument);
    note_end(loop->fibers);
    fiber_context_leave(&fiber->context, &loop->context);
}

void fiber_park(void)
{
    fiber_leave(running);
}

void fiber_yield(void)
{
    fiber_unpark(running);
    fiber_park();
}

/* Under the lock: whoever stops the loop takes it, too, and closes what is written to. */
static void wake_locked(struct fiber_loop *loop)
{
    static const uint64_t one = 1;
    if (loop->sleeps)
        (void)!write(loop->wake_fd, &one, sizeof(one));
    loop->sleeps = false;
}

void fiber_unpark(struct fiber *fiber)
{
    struct fiber_loop *loop = fiber->loop;
    if (atomic_exchange(&fiber->is_woken, true))
        abort();
    (void)pthread_mutex_lock(&loop->lock);
    fiber->next_woken = NULL;
    *loop->last_woken = fiber;
    loop->last_woken = &fiber->next_woken;
    wake_locked(loop);
    (void)pthread_mutex_unlock(&loop->lock);
}

/* ---- a loop ---- */

/* Those that were let go on up to now; who is meanwhile has to wait for the others. */
static void run_woken(struct fiber_loop *loop)
{
    (void)pthread_mutex_lock(&loop->lock);
    struct fiber *fiber = loop->woken;
    loop->woken = NULL;
    loop->last_woken = &loop->woken;
    (void)pthread_mutex_unlock(&loop->lock);
    while (fiber != NULL) {
        struct fiber *next = fiber->next_woken; /* afterwards it may be another one's */
        atomic_store(&fiber->is_woken, false);
        fiber_go_on(fiber);
        fiber = next;
    }
}

static int time_left_ms(const struct fiber_loop *loop)
{
    int64_t left_ms = loop->look_at_ms - clock_monotonic_ms();
    return left_ms > 0 ? (int)left_ms : 0;
}

/* The count of events; -1: it is to stop. */
static int wait_for_events(struct fiber_loop *loop, struct epoll_event *events)
{
    (void)pthread_mutex_lock(&loop->lock);
    bool stops = loop->stops;
    loop->sleeps = loop->woken == NULL;
    int timeout_ms = loop->sleeps ? time_left_ms(loop) : 0;
    (void)pthread_mutex_unlock(&loop->lock);
    if (stops)
        return -1;
    int count = epoll_wait(loop->epoll_fd, events, EVENTS_AT_ONCE, timeout_ms);
    (void)pthread_mutex_lock(&loop->lock);
    loop->sleeps = false;
    (void)pthread_mutex_unlock(&loop->lock);
    return count > 0 ? count : 0;
}

static void take_event(struct fiber_loop *loop, const struct epoll_event *event)
{
    uint64_t told;
    if (event->data.u64 == MARK_OF_WAKING)
        (void)!read(loop->wake_fd, &told, sizeof(told));
    else
        fiber_take_event(loop, event);
}

static void *run_loop(void *argument)
{
    struct fiber_loop *loop = argument;
    struct epoll_event events[EVENTS_AT_ONCE];
    int count;
    (void)pthread_setname_np(pthread_self(), loop->fibers->name);
    fiber_context_of_thread(&loop->context);
    while ((count = wait_for_events(loop, events)) >= 0) {
        for (int i = 0; i < count; i++)
            take_event(loop, &events[i]);
        run_woken(loop);
        fiber_run_late(loop);
    }
    return NULL;
}

/* ---- start and end ---- */

static size_t count_cpus(void)
{
    cpu_set_t cpus;
    if (sched_getaffinity(0, sizeof(cpus), &cpus) != 0)
        return 1;
    size_t count = (size_t)CPU_COUNT(&cpus);
    return count < FIBER_LOOPS_MAX ? count : FIBER_LOOPS_MAX;
}

/* Signals are for the process's own threads. */
static int start_thread(struct fiber_loop *loop)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&loop->thread, NULL, run_loop, loop);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

static int start_loop(struct fibers *fibers, struct fiber_loop *loop, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = MARK_OF_WAKING};
    *loop = (struct fiber_loop){
        .fibers = fibers, .index = (size_t)(loop - fibers->loops), .last_woken = &loop->woken};
    (void)pthread_mutex_init(&loop->lock, NULL);
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &event) != 0)
        return error_set_errno(error, ERROR_IO, errno, "epoll");
    int code = start_thread(loop);
    loop->runs = code == 0;
    return code == 0 ? 0 : error_set_errno(error, ERROR_IO, code, "cannot start a thread");
}

struct fibers *fibers_start(const char *name, size_t fibers_max, struct error *error)
{
    struct fibers *fibers = calloc(1, sizeof(*fibers) + fibers_max * sizeof(fibers->all[0]));
    if (fibers == NULL) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    fibers->name = name;
    fibers->max = fibers_max;
    (void)pthread_mutex_init(&fibers->lock, NULL);
    (void)pthread_cond_init(&fibers->changed, NULL);
    size_t loops = count_cpus();
    while (fibers->loop_count < loops) {
        if (start_loop(fibers, &fibers->loops[fibers->loop_count++], error) != 0) {
            fibers_stop(fibers);
            return NULL;
        }
    }
    return fibers;
}

size_t fibers_loops(const struct fibers *fibers)
{
    return fibers->loop_count;
}

static int map_stack(struct fiber *fiber, size_t stack_bytes)
{
    size_t guard_bytes = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(
        NULL, guard_bytes + stack_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return -1;
    fiber->memory = memory;
    fiber->memory_bytes = guard_bytes + stack_bytes;
    if (mprotect(memory + guard_bytes, stack_bytes, PROT_READ | PROT_WRITE) == 0)
        return 0;
    (void)munmap(memory, fiber->memory_bytes);
    return -1;
}

int fibers_add(struct fibers *fibers, void *(*run)(void *), void *argument, size_t stack_bytes)
{
    size_t index = atomic_load(&fibers->count);
    if (index == fibers->max)
        return -1;
    struct fiber *fiber = &fibers->all[index];
    *fiber = (struct fiber){
        .loop = &fibers->loops[index % fibers->loop_count],
        .run = run,
        .argument = argument,
        .fd = -1,
    };
    if (map_stack(fiber, stack_bytes) != 0)
        return -1;
    char *stack = (char *)fiber->memory + fiber->memory_bytes - stack_bytes;
    fiber_context_init(&fiber->context, stack, stack_bytes, run_fiber);
    atomic_store(&fibers->count, index + 1);
    fiber_unpark(fiber);
    return 0;
}

void fibers_join(struct fibers *fibers)
{
    (void)pthread_mutex_lock(&fibers->lock);
    while (fibers->ended < atomic_load(&fibers->count))
        (void)pthread_cond_wait(&fibers->changed, &fibers->lock);
    (void)pthread_mutex_unlock(&fibers->lock);
}

static void stop_loop(struct fiber_loop *loop)
{
    (void)pthread_mutex_lock(&loop->lock);
    loop->stops = true;
    wake_locked(loop);
    (void)pthread_mutex_unlock(&loop->lock);
    if (loop->runs)
        (void)pthread_join(loop->thread, NULL);
    os_close(loop->epoll_fd);
    os_close(loop->wake_fd);
    (void)pthread_mutex_destroy(&loop->lock);
}

void fibers_stop(struct fibers *fibers)
{
    if (fibers == NULL)
        return;
    for (size_t i = 0; i < fibers->loop_count; i++)
        stop_loop(&fibers->loops[i]);
    for (size_t i = 0; i < atomic_load(&fibers->count); i++) {
        fiber_context_fini(&fibers->all[i].context);
        (void)munmap(fibers->all[i].memory, fibers->all[i].memory_bytes);
    }
    (void)pthread_mutex_destroy(&fibers->lock);
    (void)pthread_cond_destroy(&fibers->changed);
    free(fibers);
}
