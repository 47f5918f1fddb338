/* SPDX-License-Identifier: MIT */
/* The C library has no wrapper for clone3, and a child on a stack of its own cannot return from
 * syscall(): so the few instructions are ours, for each kind of machine. */
#include "clone_into.h"

#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined(__x86_64__)

/* A system call keeps all registers but three. In the child's first frame there is no caller. */
static long start(const struct clone_args *arguments, int (*run)(void *), void *context)
{
    register long result __asm__("rax") = SYS_clone3;
    register void *child_context __asm__("r8") = context;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "movq %%r8, %%rdi\n\t"
                     "callq *%[run]\n\t"
                     "ud2\n"
                     "1:"
                     : "+r"(result)
                     : "D"(arguments), "S"(sizeof(*arguments)), "r"(child_context), [run] "b"(run)
                     : "rcx", "r11", "cc", "memory");
    return result;
}

#elif defined(__aarch64__)

static long start(const struct clone_args *arguments, int (*run)(void *), void *context)
{
    register long call __asm__("x8") = SYS_clone3;
    register long result __asm__("x0") = (long)arguments;
    register long size __asm__("x1") = sizeof(*arguments);
    register int (*child_run)(void *) __asm__("x9") = run;
    register void *child_context __asm__("x10") = context;
    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x0, x10\n\t"
                     "blr x9\n\t"
                     "brk #1\n"
                     "1:"
                     : "+r"(result)
                     : "r"(call), "r"(size), "r"(child_run), "r"(child_context)
                     : "cc", "memory");
    return result;
}

#else

static long start(const struct clone_args *arguments, int (*run)(void *), void *context)
{
    (void)arguments;
    (void)run;
    (void)context;
    return -ENOSYS;
}

#endif

pid_t clone_into_group(
    int group_fd, void *stack, size_t stack_bytes, int (*run)(void *), void *context,
    int *pidfd_out) /* NOLINT(readability-non-const-parameter): the kernel writes to it */
{
    struct clone_args arguments = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_INTO_CGROUP,
        .pidfd = (uint64_t)(uintptr_t)pidfd_out,
        .exit_signal = SIGCHLD,
        .stack = (uint64_t)(uintptr_t)stack,
        .stack_size = stack_bytes,
        .cgroup = (unsigned)group_fd,
    };
    long result = start(&arguments, run, context);
    if (result >= 0)
        return (pid_t)result;
    errno = (int)-result;
    return -1;
}
