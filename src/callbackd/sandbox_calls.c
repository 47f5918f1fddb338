/* SPDX-License-Identifier: MIT */
/*
 * seccomp, by libseccomp: the calls that a receiver needs, some of them with certain arguments
 * only. Any other call fails as one that the kernel does not have (ENOSYS): libraries try what is
 * new, and some of what is refused too (a link-local client's address is asked for with a socket
 * by getnameinfo), and go on without it. What none of them does unasked ends the process: it is no
 * longer ours then.
 *
 * clone3, whose flags a filter cannot see, is not in the list: the C library falls back on clone.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox_private.h"

enum { CONDITIONS_MAX = 3, OPTIMIZE_BY_TREE = 2 };

/* ---- what may be called as it is; first what each post needs ---- */

static const int allowed[] = {
    /* connections and the log, all the time */
    SCMP_SYS(futex),
    SCMP_SYS(poll),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(recvfrom),
    SCMP_SYS(pwrite64),
    SCMP_SYS(pread64),
    SCMP_SYS(fdatasync),
    SCMP_SYS(write),
    SCMP_SYS(read),
    SCMP_SYS(accept4),
    SCMP_SYS(close),
    SCMP_SYS(shutdown),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockname),
    SCMP_SYS(getsockopt),
    SCMP_SYS(recvmsg),
    SCMP_SYS(ppoll),
    SCMP_SYS(writev),
    SCMP_SYS(eventfd2),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    /* files: which ones, Landlock says */
    SCMP_SYS(openat),
    SCMP_SYS(open),
    SCMP_SYS(fstat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(lseek),
    SCMP_SYS(ftruncate),
    SCMP_SYS(fallocate),
    SCMP_SYS(fsync),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(fchown), /* SQLite gives what it makes to the database's owner when it is root */
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    /* threads, signals and the end */
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* who and when */
    SCMP_SYS(getpid),
    SCMP_SYS(getppid),
    SCMP_SYS(gettid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrandom),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep),
};

/* ---- what may be called with certain arguments; one row is one way ---- */

struct condition {
    int call;
    unsigned count;
    struct scmp_arg_cmp conditions[CONDITIONS_MAX];
};

/* Of a thread of ours, and nothing that makes another process or a namespace of it. */
#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_LOOKED_AT                                                                            \
    (THREAD_FLAGS | CLONE_VFORK | CLONE_PTRACE | CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWCGROUP |     \
     CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
/* MSG_FASTOPEN would connect, MSG_OOB and the like are not ours. */
#define SEND_OTHER_FLAGS (0xffffffffULL & ~(uint64_t)(MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE))
#define MODE_OTHER_BITS (0xffffffffULL & ~0666ULL)

#define ONE(call, a)                                                                               \
    {                                                                                              \
        SCMP_SYS(call), 1,                                                                         \
        {                                                                                          \
            a                                                                                      \
        }                                                                                          \
    }
#define BOTH(call, a, b)                                                                           \
    {                                                                                              \
        SCMP_SYS(call), 2,                                                                         \
        {                                                                                          \
            a, b                                                                                   \
        }                                                                                          \
    }
#define IS(argument, value)                                                                        \
    ((struct scmp_arg_cmp){.arg = (argument), .op = SCMP_CMP_EQ, .datum_a = (value)})
/* An int or unsigned of 32 bits: what stands above it says nothing. */
#define IS_INT(argument, value)                                                                    \
    SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, 0xffffffffULL, (uint32_t)(value))
#define HAS_NONE(argument, bits) SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, (bits), 0)

static const struct condition conditional[] = {
    BOTH(sendto, HAS_NONE(3, SEND_OTHER_FLAGS), IS(4, 0)), /* to no address */
    ONE(sendmsg, HAS_NONE(2, SEND_OTHER_FLAGS)),
    BOTH(setsockopt, IS_INT(1, IPPROTO_TCP), IS_INT(2, TCP_NODELAY)),
    BOTH(setsockopt, IS_INT(1, SOL_SOCKET), IS_INT(2, SO_REUSEADDR)),
    BOTH(setsockopt, IS_INT(1, SOL_SOCKET), IS_INT(2, SO_KEEPALIVE)),
    BOTH(setsockopt, IS_INT(1, SOL_SOCKET), IS_INT(2, SO_LINGER)),
    ONE(fcntl, IS_INT(1, F_GETFD)),
    ONE(fcntl, IS_INT(1, F_SETFD)),
    ONE(fcntl, IS_INT(1, F_GETFL)),
    ONE(fcntl, IS_INT(1, F_SETFL)),
    ONE(fcntl, IS_INT(1, F_SETLK)),
    ONE(fcntl, IS_INT(1, F_GETLK)),
    ONE(fcntl, IS_INT(1, F_DUPFD_CLOEXEC)),
    ONE(ioctl, IS_INT(1, FIONREAD)),
    ONE(fchmod, HAS_NONE(1, MODE_OTHER_BITS)), /* SQLite again; never setuid */
    ONE(mmap, HAS_NONE(2, PROT_EXEC)),
    ONE(mprotect, HAS_NONE(2, PROT_EXEC)),
    ONE(clone, SCMP_CMP(0, SCMP_CMP_MASKED_EQ, CLONE_LOOKED_AT, THREAD_FLAGS)),
    ONE(prctl, IS_INT(0, PR_SET_NAME)),
    ONE(prlimit64, IS(2, 0)), /* asks, and sets nothing */
};

/* ---- what ends the process ---- */

static const struct {
    int call;
    bool sanitizers; /* they call it */
} deadly[] = {
    {SCMP_SYS(execve), true},
    {SCMP_SYS(execveat), false},
    {SCMP_SYS(fork), true},
    {SCMP_SYS(vfork), true},
    {SCMP_SYS(ptrace), true},
    {SCMP_SYS(process_vm_readv), true},
    {SCMP_SYS(process_vm_writev), false},
    {SCMP_SYS(pidfd_getfd), false},
    {SCMP_SYS(io_uring_setup), false},
    {SCMP_SYS(bpf), false},
    {SCMP_SYS(userfaultfd), false},
    {SCMP_SYS(perf_event_open), false},
    {SCMP_SYS(keyctl), false},
    {SCMP_SYS(add_key), false},
    {SCMP_SYS(request_key), false},
    {SCMP_SYS(mount), false},
    {SCMP_SYS(umount2), false},
    {SCMP_SYS(pivot_root), false},
    {SCMP_SYS(chroot), false},
    {SCMP_SYS(setns), false},
    {SCMP_SYS(unshare), false},
    {SCMP_SYS(open_by_handle_at), false},
    {SCMP_SYS(init_module), false},
    {SCMP_SYS(finit_module), false},
    {SCMP_SYS(kexec_load), false},
};

/* Where all else is let through (SANDBOX_IS_LOOSE), these must be refused by name. */
static const int refused[] = {
    SCMP_SYS(socket), SCMP_SYS(socketpair), SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
};

enum {
    ALLOWED = sizeof(allowed) / sizeof(allowed[0]),
    CONDITIONAL = sizeof(conditional) / sizeof(conditional[0]),
    DEADLY = sizeof(deadly) / sizeof(deadly[0]),
    REFUSED = sizeof(refused) / sizeof(refused[0]),
};

/* ---- the filter ---- */

/* A call that this machine does not have is no failure: -EDOM. */
static bool added(int outcome)
{
    return outcome == 0 || outcome == -EDOM;
}

static int add_allowed(scmp_filter_ctx filter)
{
    int outcome = 0;
    for (size_t i = 0; i < ALLOWED && added(outcome); i++)
        outcome = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    for (size_t i = 0; i < CONDITIONAL && added(outcome); i++)
        outcome = seccomp_rule_add_array(
            filter, SCMP_ACT_ALLOW, conditional[i].call, conditional[i].count,
            conditional[i].conditions);
    /* Ourselves: abort() does that. */
    if (added(outcome))
        outcome =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, IS_INT(0, getpid()));
    return added(outcome) ? 0 : outcome;
}

/* Instead of the above. */
static int add_refused(scmp_filter_ctx filter)
{
    int outcome = 0;
    for (size_t i = 0; i < REFUSED && added(outcome); i++)
        outcome = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), refused[i], 0);
    return added(outcome) ? 0 : outcome;
}

static int add_deadly(scmp_filter_ctx filter)
{
    int outcome = 0;
    for (size_t i = 0; i < DEADLY && added(outcome); i++)
        if (!SANDBOX_IS_LOOSE || !deadly[i].sanitizers)
            outcome = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i].call, 0);
    /* This is how the C library forks. */
    if (!SANDBOX_IS_LOOSE && added(outcome))
        outcome = seccomp_rule_add(
            filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
            SCMP_CMP(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    return added(outcome) ? 0 : outcome;
}

static int fill(scmp_filter_ctx filter)
{
    int outcome = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* A post costs a dozen calls: each is looked for in a tree, not in a row. */
    if (outcome == 0)
        outcome = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_BY_TREE);
    if (outcome == 0)
        outcome = SANDBOX_IS_LOOSE ? add_refused(filter) : add_allowed(filter);
    return outcome == 0 ? add_deadly(filter) : outcome;
}

int sandbox_calls_probe(struct error *error)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0)
        return 0;
    return error_set_errno(error, ERROR_INTERNAL, errno, "this kernel has no seccomp filters");
}

int sandbox_calls_restrict(struct error *error)
{
    if (sandbox_calls_probe(error) != 0)
        return -1;
    scmp_filter_ctx filter =
        seccomp_init(SANDBOX_IS_LOOSE ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
    if (filter == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a seccomp filter");
    int outcome = fill(filter);
    if (outcome == 0)
        outcome = seccomp_load(filter);
    seccomp_release(filter);
    if (outcome == 0)
        return 0;
    return error_set_errno(error, ERROR_INTERNAL, -outcome, "cannot use seccomp");
}
