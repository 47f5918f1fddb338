/* SPDX-License-Identifier: MIT */
/*
 * Everything that runs in the child is a bare system call: it shares our memory, so it must change
 * nothing of the C library's, whose wrappers would (of signals and identities) also speak for our
 * other threads. For the same reason no sanitizer may look at it.
 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clone_into.h"

/* clone by the C library's other name for it: of what is called clone the thread sanitizer believes
 * that it makes a fork, with a memory of its own. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __clone(int (*run)(void *), void *stack, int flags, void *context, ...);

enum {
    STACK_BYTES = 32 * 1024,
    SIGNALS = 64,
    KERNEL_SIGSET_BYTES = 8,
    FIRST_CLOSED_FD = 3,
    FAILED_EXIT = 127,
};

/* As the kernel has it; zeroed: the default action. */
struct kernel_action {
    void *handler;
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

struct child {
    const struct spawn_request *request;
    enum spawn_step step; /* the child's, as the next */
    int error;            /* an errno; 0: the program was executed */
};

IN_CHILD static long fail(struct child *child, enum spawn_step step)
{
    child->step = step;
    child->error = errno;
    return -1;
}

/* What is caught becomes default by executing; but until then, with signals let in, a handler of
 * ours would run in the child on our memory. And what is ignored stays ignored. */
IN_CHILD static void reset_signals(void)
{
    static const struct kernel_action by_default;
    struct kernel_action now;
    for (int signal = 1; signal <= SIGNALS; signal++) {
        if (syscall(SYS_rt_sigaction, signal, NULL, &now, KERNEL_SIGSET_BYTES) == 0 && now.handler)
            syscall(SYS_rt_sigaction, signal, &by_default, NULL, KERNEL_SIGSET_BYTES);
    }
}

IN_CHILD static long take_streams(struct child *child)
{
    for (int i = 0; i < SPAWN_STREAMS; i++) {
        if (syscall(SYS_dup3, child->request->streams[i], i, 0) < 0)
            return fail(child, SPAWN_STREAM);
    }
    if (syscall(SYS_close_range, FIRST_CLOSED_FD, ~0U, 0) < 0)
        return fail(child, SPAWN_STREAM);
    return 0;
}

IN_CHILD static long take_limits(struct child *child)
{
    const struct spawn_nature *nature = child->request->nature;
    for (size_t i = 0; i < nature->limit_count; i++) {
        struct rlimit ours = {0, 0};
        int resource = nature->limits[i].resource;
        syscall(SYS_prlimit64, 0, resource, NULL, &ours);
        rlim_t value =
            nature->limits[i].value < ours.rlim_max ? nature->limits[i].value : ours.rlim_max;
        struct rlimit limit = {value, value};
        if (syscall(SYS_prlimit64, 0, resource, &limit, NULL) < 0)
            return fail(child, SPAWN_LIMIT);
    }
    return 0;
}

/* A limit that Linux has, inherits and shows, but has not used since 2.4. Where it is already lower
 * than the mark (we were started by a hook ourselves) and we may not raise it, there is none. */
IN_CHILD static void take_mark(const struct spawn_request *request)
{
    struct rlimit limit = {request->mark, request->mark};
    if (request->mark != 0)
        syscall(SYS_prlimit64, 0, RLIMIT_LOCKS, &limit, NULL);
}

/* Last the user: the rest needs what it takes away. */
IN_CHILD static long take_identity(struct child *child)
{
    const struct os_identity *identity = child->request->nature->identity;
    if (!identity)
        return 0;
    if (syscall(SYS_setgroups, identity->group_count, identity->groups) < 0 ||
        syscall(SYS_setresgid, identity->gid, identity->gid, identity->gid) < 0 ||
        syscall(SYS_setresuid, identity->uid, identity->uid, identity->uid) < 0)
        return fail(child, SPAWN_IDENTITY);
    return 0;
}

IN_CHILD static long become(struct child *child)
{
    static const uint64_t none_blocked;
    const struct spawn_request *request = child->request;
    syscall(SYS_setsid);
    reset_signals();
    if (take_streams(child) < 0 || take_limits(child) < 0)
        return -1;
    take_mark(request);
    if (request->nature->nice != 0 &&
        syscall(SYS_setpriority, PRIO_PROCESS, 0, request->nature->nice) < 0)
        return fail(child, SPAWN_NICE);
    syscall(SYS_umask, request->nature->mode_mask);
    if (take_identity(child) < 0)
        return -1;
    if (syscall(SYS_chdir, request->directory) < 0)
        return fail(child, SPAWN_DIRECTORY);
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none_blocked, NULL, KERNEL_SIGSET_BYTES);
    syscall(SYS_execve, request->program, request->arguments, request->environment);
    return fail(child, SPAWN_EXECUTE);
}

IN_CHILD static int run_child(void *context)
{
    become(context);
    syscall(SYS_exit_group, FAILED_EXIT);
    return FAILED_EXIT;
}

static void reap(const struct spawned *spawned)
{
    while (waitpid(spawned->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    os_close(spawned->pidfd);
}

int spawn_process(
    const struct spawn_request *request, struct spawned *spawned_out, enum spawn_step *step_out)
{
    /* The child's, while we stand still: it grows down from the end. */
    _Alignas(16) unsigned char stack[STACK_BYTES];
    struct child child = {.request = request};
    struct spawned spawned = {.pid = -1, .pidfd = -1};
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (request->group)
        spawned.pid = clone_into_group(
            request->group->fd, stack, sizeof stack, run_child, &child, &spawned.pidfd);
    spawned.in_group = spawned.pid > 0;
    if (!spawned.in_group)
        spawned.pid = __clone(
            run_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child,
            &spawned.pidfd);
    int failed = spawned.pid < 0 ? errno : child.error;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    *step_out = spawned.pid < 0 ? SPAWN_CLONE : child.step;
    if (failed == 0)
        *spawned_out = spawned;
    else if (spawned.pid > 0)
        reap(&spawned);
    return failed;
}
