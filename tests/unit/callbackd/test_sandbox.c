/* SPDX-License-Identifier: MIT */
/* Each case is tried by a process of its own, from inside the sandbox that receivers enter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/text.h"
#include "sandbox.h"
#include "sandbox_private.h"

enum {
    DONE = 0, /* the call did what it does anywhere */
    ENTER_FAILED = 99,
    UNSURE = 98, /* neither done nor refused */
};

struct place {
    char top[64];
    char *log;    /* the folder that is allowed */
    char *inner;  /* a file in it */
    char *beside; /* a file beside it */
    int listener; /* on loopback */
    struct sockaddr_in address;
    int inherited; /* `beside`, opened for writing */
};

/* ---- the world outside ---- */

static void write_text(const char *path, const char *text)
{
    CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    snprintf(place->top, sizeof(place->top), "/tmp/callbackd-sandbox-XXXXXX");
    assert_non_null(mkdtemp(place->top));
    place->log = text_format("%s/log", place->top);
    place->inner = text_format("%s/log/inner", place->top);
    place->beside = text_format("%s/beside", place->top);
    assert_int_equal(mkdir(place->log, 0700), 0);
    write_text(place->inner, "inside");
    write_text(place->beside, "outside");
    place->inherited = open(place->beside, O_RDWR | O_CLOEXEC);
    socklen_t length = sizeof(place->address);
    place->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    place->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(place->listener, (struct sockaddr *)&place->address, length), 0);
    assert_int_equal(listen(place->listener, 8), 0);
    assert_int_equal(getsockname(place->listener, (struct sockaddr *)&place->address, &length), 0);
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    unlink(place->inner);
    unlink(place->beside);
    assert_int_equal(rmdir(place->log), 0);
    assert_int_equal(rmdir(place->top), 0);
    os_close(place->listener);
    os_close(place->inherited);
    free(place->log);
    free(place->inner);
    free(place->beside);
    free(place);
    return 0;
}

/* A trial returns DONE, or the errno with which it was refused. */
typedef int (*trial)(const struct place *place);

/* In a child, in the sandbox. The status is waitpid's. */
static int status_of(const struct place *place, trial try)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox sandbox;
        if (sandbox_enter(SANDBOX_REQUIRED, place->log, &sandbox, NULL) != 0)
            _exit(ENTER_FAILED);
        _exit(try(place));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int outcome_of(const struct place *place, trial try)
{
    int status = status_of(place, try);
    assert_true(WIFEXITED(status));
    assert_int_not_equal(WEXITSTATUS(status), ENTER_FAILED);
    return WEXITSTATUS(status);
}

static void assert_works(const struct place *place, trial try)
{
    assert_int_equal(outcome_of(place, try), DONE);
}

static void assert_fails(const struct place *place, trial try, int errnum)
{
    assert_int_equal(outcome_of(place, try), errnum);
}

/* With core or without: there is none, by the limit. */
static void assert_killed(const struct place *place, trial try)
{
    int status = status_of(place, try);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSYS);
    assert_false(WCOREDUMP(status));
}

static int result_of(long result)
{
    return result >= 0 ? DONE : errno;
}

/* ---- another program, another process ---- */

static char *const no_arguments[] = {"true", NULL};

static int try_execve(const struct place *place)
{
    (void)place;
    return result_of(execve("/bin/true", no_arguments, no_arguments + 1));
}

static int try_execveat(const struct place *place)
{
    (void)place;
    return result_of(
        syscall(SYS_execveat, AT_FDCWD, "/bin/true", no_arguments, no_arguments + 1, 0));
}

static int try_fexecve(const struct place *place)
{
    return result_of(fexecve(place->inherited, no_arguments, no_arguments + 1));
}

static int try_fork(const struct place *place)
{
    (void)place;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return result_of(pid);
}

#ifdef SYS_fork
static int try_bare_fork(const struct place *place)
{
    (void)place;
    long pid = syscall(SYS_fork);
    if (pid == 0)
        _exit(0);
    return result_of(pid);
}

static int try_vfork(const struct place *place)
{
    (void)place;
    pid_t pid = vfork();
    if (pid == 0)
        _exit(0);
    return result_of(pid);
}
#endif

static int try_spawn(const struct place *place)
{
    (void)place;
    return posix_spawn(NULL, "/bin/true", NULL, NULL, no_arguments, no_arguments + 1);
}

static int bare_clone(unsigned long flags)
{
    long pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
    if (pid == 0)
        _exit(0);
    return result_of(pid);
}

static int try_clone_with_memory(const struct place *place)
{
    (void)place;
    return bare_clone(CLONE_VM | CLONE_VFORK | SIGCHLD);
}

static int try_clone_namespace(const struct place *place)
{
    (void)place;
    return bare_clone(CLONE_NEWUSER | SIGCHLD);
}

static int try_thread_in_namespace(const struct place *place)
{
    (void)place;
    return bare_clone(
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWNET);
}

static int try_clone3(const struct place *place)
{
    (void)place;
    uint64_t arguments[8] = {0};
    arguments[4] = SIGCHLD;
    long pid = syscall(SYS_clone3, arguments, sizeof(arguments));
    if (pid == 0)
        _exit(0);
    return result_of(pid);
}

static void no_program_is_executed(void **state)
{
    assert_killed(*state, try_execveat);
    if (SANDBOX_IS_LOOSE)
        skip();
    assert_killed(*state, try_execve);
    assert_killed(*state, try_fexecve);
}

static void no_process_is_made(void **state)
{
    if (SANDBOX_IS_LOOSE)
        skip();
    assert_killed(*state, try_fork);
#ifdef SYS_fork
    assert_killed(*state, try_bare_fork);
    assert_killed(*state, try_vfork);
#endif
    assert_killed(*state, try_spawn);
    assert_killed(*state, try_clone_with_memory);
    assert_killed(*state, try_clone_namespace);
    assert_fails(*state, try_thread_in_namespace, ENOSYS);
    assert_fails(*state, try_clone3, ENOSYS);
}

/* ---- connections ---- */

static int try_socket(const struct place *place)
{
    (void)place;
    return result_of(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_unix_socket(const struct place *place)
{
    (void)place;
    return result_of(socket(AF_UNIX, SOCK_DGRAM, 0));
}

static int try_netlink(const struct place *place)
{
    (void)place;
    return result_of(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int try_socketpair(const struct place *place)
{
    (void)place;
    int pair[2];
    return result_of(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
}

/* With the socket that a receiver has. */
static int try_connect(const struct place *place)
{
    return result_of(
        connect(place->listener, (const struct sockaddr *)&place->address, sizeof(place->address)));
}

static int try_bind(const struct place *place)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    return result_of(bind(place->listener, (struct sockaddr *)&any, sizeof(any)));
}

static int try_listen(const struct place *place)
{
    return result_of(listen(place->listener, 1));
}

/* A listener that is shut down is a socket that TCP fast open could connect. */
static int try_sendto_address(const struct place *place)
{
    (void)shutdown(place->listener, SHUT_RD);
    return result_of(sendto(
        place->listener, "x", 1, MSG_NOSIGNAL, (const struct sockaddr *)&place->address,
        sizeof(place->address)));
}

static int try_fast_open(const struct place *place)
{
    struct iovec part = {.iov_base = "x", .iov_len = 1};
    struct msghdr header = {
        .msg_name = (void *)&place->address,
        .msg_namelen = sizeof(place->address),
        .msg_iov = &part,
        .msg_iovlen = 1};
    (void)shutdown(place->listener, SHUT_RD);
    return result_of(sendmsg(place->listener, &header, MSG_FASTOPEN | MSG_NOSIGNAL));
}

static int try_sendmmsg(const struct place *place)
{
    struct mmsghdr message = {0};
    return result_of(sendmmsg(place->listener, &message, 1, 0));
}

static int try_attach_filter(const struct place *place)
{
    struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, 0xffff);
    struct sock_fprog program = {.len = 1, .filter = &pass};
    return result_of(
        setsockopt(place->listener, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
}

static void no_connection_is_made(void **state)
{
    assert_fails(*state, try_socket, ENOSYS);
    assert_fails(*state, try_unix_socket, ENOSYS);
    assert_fails(*state, try_netlink, ENOSYS);
    assert_fails(*state, try_socketpair, ENOSYS);
    assert_fails(*state, try_connect, ENOSYS);
    assert_fails(*state, try_bind, ENOSYS);
    assert_fails(*state, try_listen, ENOSYS);
}

static void nothing_is_sent_to_an_address(void **state)
{
    if (SANDBOX_IS_LOOSE)
        skip();
    assert_fails(*state, try_sendto_address, ENOSYS);
    assert_fails(*state, try_fast_open, ENOSYS);
    assert_fails(*state, try_sendmmsg, ENOSYS);
    assert_fails(*state, try_attach_filter, ENOSYS);
}

/* getnameinfo() asks for the name of the interface, which takes a socket. */
static int try_link_local_name(const struct place *place)
{
    (void)place;
    char host[128];
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_scope_id = 1};
    inet_pton(AF_INET6, "fe80::1", &address.sin6_addr);
    int outcome = getnameinfo(
        (struct sockaddr *)&address, sizeof(address), host, sizeof(host), NULL, 0, NI_NUMERICHOST);
    return outcome == 0 && strncmp(host, "fe80::1%", 8) == 0 ? DONE : UNSURE;
}

static void a_link_local_client_does_not_end_it(void **state)
{
    assert_works(*state, try_link_local_name);
}

/* ---- files ---- */

static int try_open(const char *path, int flags)
{
    return result_of(open(path, flags | O_CLOEXEC, 0600));
}

static int try_read_passwd(const struct place *place)
{
    (void)place;
    return try_open("/etc/passwd", O_RDONLY);
}

static int try_read_beside(const struct place *place)
{
    return try_open(place->beside, O_RDONLY);
}

static int try_write_beside(const struct place *place)
{
    return try_open(place->beside, O_WRONLY);
}

static int try_truncate_beside(const struct place *place)
{
    return result_of(truncate(place->beside, 0));
}

static int try_make_beside(const struct place *place)
{
    CLEANUP_FREE char *path = text_format("%s/new", place->top);
    return try_open(path, O_WRONLY | O_CREAT);
}

static int try_through_the_folder(const struct place *place)
{
    CLEANUP_FREE char *path = text_format("%s/../beside", place->log);
    return try_open(path, O_RDONLY);
}

static int try_unlink_beside(const struct place *place)
{
    return result_of(unlink(place->beside));
}

static int try_list_top(const struct place *place)
{
    return try_open(place->top, O_RDONLY | O_DIRECTORY);
}

static int try_environment(const struct place *place)
{
    (void)place;
    return try_open("/proc/self/environ", O_RDONLY);
}

static int try_memory_of_parent(const struct place *place)
{
    (void)place;
    CLEANUP_FREE char *path = text_format("/proc/%d/mem", getppid());
    return try_open(path, O_RDWR);
}

static int try_link_into(const struct place *place)
{
    CLEANUP_FREE char *path = text_format("%s/linked", place->log);
    return result_of(link(place->beside, path));
}

static int try_symlink(const struct place *place)
{
    CLEANUP_FREE char *path = text_format("%s/linked", place->log);
    return result_of(symlink(place->beside, path));
}

static int try_rename_out(const struct place *place)
{
    CLEANUP_FREE char *path = text_format("%s/moved", place->top);
    return result_of(rename(place->inner, path));
}

static int try_mkdir(const struct place *place)
{
    CLEANUP_FREE char *path = text_format("%s/folder", place->log);
    return result_of(mkdir(path, 0700));
}

static int try_chmod(const struct place *place)
{
    return result_of(chmod(place->beside, 0666));
}

static int try_chown(const struct place *place)
{
    return result_of(chown(place->beside, getuid(), getgid()));
}

static int try_setuid_bit(const struct place *place)
{
    CLEANUP_FD int fd = open(place->inner, O_RDWR | O_CLOEXEC);
    return fd >= 0 ? result_of(fchmod(fd, 04755)) : UNSURE;
}

static void no_file_outside_is_opened(void **state)
{
    const struct place *place = *state;
    assert_fails(place, try_write_beside, EACCES);
    assert_fails(place, try_make_beside, EACCES);
    assert_fails(place, try_unlink_beside, EACCES);
    assert_fails(place, try_memory_of_parent, EACCES);
    if (SANDBOX_IS_LOOSE)
        skip();
    assert_fails(place, try_read_passwd, EACCES);
    assert_fails(place, try_read_beside, EACCES);
    assert_fails(place, try_through_the_folder, EACCES);
    assert_fails(place, try_list_top, EACCES);
    assert_fails(place, try_environment, EACCES);
}

static void nothing_is_done_to_files_but_by_opening_them(void **state)
{
    if (SANDBOX_IS_LOOSE)
        skip();
    assert_fails(*state, try_truncate_beside, ENOSYS);
    assert_fails(*state, try_link_into, ENOSYS);
    assert_fails(*state, try_symlink, ENOSYS);
    assert_fails(*state, try_rename_out, ENOSYS);
    assert_fails(*state, try_mkdir, ENOSYS);
    assert_fails(*state, try_chmod, ENOSYS);
    assert_fails(*state, try_chown, ENOSYS);
    assert_fails(*state, try_setuid_bit, ENOSYS);
}

/* ---- other processes, the kernel, and code of an attacker's own ---- */

static int try_ptrace(const struct place *place)
{
    (void)place;
    return result_of(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int try_read_memory(const struct place *place)
{
    (void)place;
    char byte = 0;
    struct iovec ours = {&byte, 1};
    struct iovec theirs = {&byte, 1};
    return result_of(process_vm_readv(getppid(), &ours, 1, &theirs, 1, 0));
}

static int try_write_memory(const struct place *place)
{
    (void)place;
    char byte = 0;
    struct iovec ours = {&byte, 1};
    struct iovec theirs = {&byte, 1};
    return result_of(process_vm_writev(getppid(), &ours, 1, &theirs, 1, 0));
}

static int try_kill(const struct place *place)
{
    (void)place;
    return result_of(kill(getppid(), SIGCONT));
}

static int try_tgkill(const struct place *place)
{
    (void)place;
    return result_of(syscall(SYS_tgkill, getppid(), getppid(), SIGCONT));
}

static int try_executable_memory(const struct place *place)
{
    (void)place;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? DONE : errno;
}

static int try_making_executable(const struct place *place)
{
    (void)place;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory != MAP_FAILED ? result_of(mprotect(memory, 4096, PROT_READ | PROT_EXEC)) : UNSURE;
}

static int try_memfd(const struct place *place)
{
    (void)place;
    return result_of(memfd_create("x", 0));
}

static int try_dumpable(const struct place *place)
{
    (void)place;
    return result_of(prctl(PR_SET_DUMPABLE, 1));
}

static int try_raise_limit(const struct place *place)
{
    (void)place;
    struct rlimit limit = {0, 0};
    return result_of(setrlimit(RLIMIT_NOFILE, &limit));
}

static int try_signal_owner(const struct place *place)
{
    return result_of(fcntl(place->listener, F_SETOWN, getppid()));
}

static int try_tty(const struct place *place)
{
    char byte = 'x';
    return result_of(ioctl(place->listener, TIOCSTI, &byte));
}

static int try_setuid(const struct place *place)
{
    (void)place;
    return result_of(setuid(getuid()));
}

#define TRIAL_OF_CALL(name, ...)                                                                   \
    static int try_##name(const struct place *place)                                               \
    {                                                                                              \
        (void)place;                                                                               \
        return result_of(syscall(SYS_##name, __VA_ARGS__));                                        \
    }
TRIAL_OF_CALL(io_uring_setup, 1, NULL)
TRIAL_OF_CALL(bpf, 0, NULL, 0)
TRIAL_OF_CALL(userfaultfd, 0)
TRIAL_OF_CALL(perf_event_open, NULL, 0, -1, -1, 0)
TRIAL_OF_CALL(keyctl, 0, 0)
TRIAL_OF_CALL(mount, NULL, NULL, NULL, 0, NULL)
TRIAL_OF_CALL(chroot, "/")
TRIAL_OF_CALL(setns, -1, 0)
TRIAL_OF_CALL(unshare, 0)
TRIAL_OF_CALL(pidfd_getfd, -1, 0, 0)
TRIAL_OF_CALL(open_by_handle_at, -1, NULL, 0)

static void the_kernel_is_not_talked_to(void **state)
{
    static const trial trials[] = {
        try_io_uring_setup,
        try_bpf,
        try_userfaultfd,
        try_perf_event_open,
        try_keyctl,
        try_mount,
        try_chroot,
        try_setns,
        try_unshare,
        try_pidfd_getfd,
        try_open_by_handle_at,
    };
    for (size_t i = 0; i < sizeof(trials) / sizeof(trials[0]); i++)
        assert_killed(*state, trials[i]);
}

static void other_processes_are_left_alone(void **state)
{
    assert_killed(*state, try_write_memory);
    if (SANDBOX_IS_LOOSE)
        skip();
    assert_killed(*state, try_ptrace);
    assert_killed(*state, try_read_memory);
    assert_fails(*state, try_kill, ENOSYS);
    assert_fails(*state, try_tgkill, ENOSYS);
    assert_fails(*state, try_signal_owner, ENOSYS);
}

static void no_code_is_brought_in(void **state)
{
    if (SANDBOX_IS_LOOSE)
        skip();
    assert_fails(*state, try_executable_memory, ENOSYS);
    assert_fails(*state, try_making_executable, ENOSYS);
    assert_fails(*state, try_memfd, ENOSYS);
}

static void nothing_of_the_process_is_loosened(void **state)
{
    if (SANDBOX_IS_LOOSE)
        skip();
    assert_fails(*state, try_dumpable, ENOSYS);
    assert_fails(*state, try_raise_limit, ENOSYS);
    assert_fails(*state, try_setuid, ENOSYS);
    assert_fails(*state, try_tty, ENOSYS);
}

/* ---- what a receiver does ---- */

static void *give_back(void *argument)
{
    return argument;
}

static int try_threads(const struct place *place)
{
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++) {
        int outcome = pthread_create(&threads[i], NULL, give_back, (void *)place);
        if (outcome != 0)
            return outcome;
    }
    for (size_t i = 0; i < 8; i++) {
        void *given = NULL;
        if (pthread_join(threads[i], &given) != 0 || given != place)
            return UNSURE;
    }
    return pthread_setname_np(pthread_self(), "renamed");
}

static void *socket_in_thread(void *argument)
{
    int *outcome = argument;
    *outcome = result_of(socket(AF_INET, SOCK_STREAM, 0));
    return NULL;
}

static int try_thread_outside(const struct place *place)
{
    (void)place;
    pthread_t thread;
    int outcome = UNSURE;
    if (pthread_create(&thread, NULL, socket_in_thread, &outcome) == 0)
        pthread_join(thread, NULL);
    return outcome;
}

static int try_log_files(const struct place *place)
{
    CLEANUP_FREE char *path = text_format("%s/new", place->log);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CLEANUP_FD int folder = open(place->log, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || folder < 0 || pwrite(fd, "x", 1, 4095) != 1 || fcntl(fd, F_SETLK, &lock) != 0 ||
        fdatasync(fd) != 0 || fsync(folder) != 0)
        return errno;
    char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return errno;
    if (memory[4095] != 'x' || munmap(memory, 4096) != 0)
        return UNSURE;
    return ftruncate(fd, 0) == 0 ? result_of(unlink(path)) : errno;
}

static int try_serving(const struct place *place)
{
    struct pollfd waiting = {.fd = place->listener, .events = POLLIN};
    char byte = 0;
    int on = 1;
    if (poll(&waiting, 1, 10000) != 1)
        return UNSURE;
    CLEANUP_FD int fd = accept4(place->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CLEANUP_FD int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    waiting.fd = fd;
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0 ||
        epoll_wait(epoll_fd, &event, 1, 10000) != 1)
        return errno;
    if (fd < 0 || poll(&waiting, 1, 10000) != 1 || recv(fd, &byte, 1, 0) != 1 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
        return errno;
    return result_of(shutdown(fd, SHUT_WR));
}

static int try_small_things(const struct place *place)
{
    (void)place;
    char bytes[16];
    struct rlimit limit;
    struct timespec moment = {.tv_nsec = 1};
    CLEANUP_FD int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0 || getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes) ||
        clock_gettime(CLOCK_REALTIME, &moment) != 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return errno;
    char *memory = malloc((size_t)64 << 20);
    if (memory == NULL)
        return UNSURE;
    memset(memory, 1, (size_t)64 << 20);
    free(memory);
    return DONE;
}

static int try_abort(const struct place *place)
{
    (void)place;
    abort();
}

static void threads_are_started_and_restricted(void **state)
{
    assert_works(*state, try_threads);
    assert_fails(*state, try_thread_outside, ENOSYS);
}

static void files_of_the_log_are_used(void **state)
{
    assert_works(*state, try_log_files);
}

static void connections_are_served(void **state)
{
    const struct place *place = *state;
    char byte = 'a';
    CLEANUP_FD int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        connect(client, (const struct sockaddr *)&place->address, sizeof(place->address)), 0);
    assert_int_equal(send(client, &byte, 1, 0), 1);
    assert_works(place, try_serving);
    assert_int_equal(recv(client, &byte, 1, 0), 1);
}

static void the_rest_of_a_receivers_life_works(void **state)
{
    assert_works(*state, try_small_things);
    int status = status_of(*state, try_abort);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_false(WCOREDUMP(status));
}

/* ---- kernels that lack something ---- */

/* From now on that call does not exist. */
static int take_call_away(long number)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

enum {
    HAS_SECCOMP = 1,
    HAS_LANDLOCK = 2,
    REFUSED_TO_START = 4,
    PROBE_SAYS_NO = 8,
    CANNOT_TEST = 16
};

/* What a process has in the end that entered without that call. */
static int enter_without(const struct place *place, long number, enum config_sandbox mode)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct sandbox sandbox = {0};
        struct error error = {0};
        if (take_call_away(number) != 0)
            _exit(CANNOT_TEST);
        bool probed = sandbox_probe(&error) == 0;
        if (sandbox_enter(mode, place->log, &sandbox, &error) != 0)
            _exit(REFUSED_TO_START);
        _exit(
            (sandbox.seccomp ? HAS_SECCOMP : 0) | (sandbox.landlock ? HAS_LANDLOCK : 0) |
            (probed ? 0 : PROBE_SAYS_NO));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_kernel_without_landlock(void **state)
{
    assert_int_equal(
        enter_without(*state, SYS_landlock_create_ruleset, SANDBOX_AUTO),
        HAS_SECCOMP | PROBE_SAYS_NO);
    assert_int_equal(
        enter_without(*state, SYS_landlock_create_ruleset, SANDBOX_REQUIRED), REFUSED_TO_START);
}

static void a_kernel_without_seccomp(void **state)
{
    assert_int_equal(
        enter_without(*state, SYS_seccomp, SANDBOX_AUTO), HAS_LANDLOCK | PROBE_SAYS_NO);
    assert_int_equal(enter_without(*state, SYS_seccomp, SANDBOX_REQUIRED), REFUSED_TO_START);
}

static void turned_off_nothing_is_done(void **state)
{
    assert_int_equal(
        enter_without(*state, SYS_landlock_create_ruleset, SANDBOX_OFF), PROBE_SAYS_NO);
}

/* ---- the folder ---- */

static int enter_and_look(const struct place *place, const char *folder)
{
    struct sandbox sandbox = {0};
    if (sandbox_enter(SANDBOX_REQUIRED, folder, &sandbox, NULL) != 0)
        return ENTER_FAILED;
    return sandbox_is_outlived(&sandbox, place->log) ? 1 : 0;
}

static int try_its_own(const struct place *place)
{
    return enter_and_look(place, place->log);
}

static int try_one_that_comes_later(const struct place *place)
{
    CLEANUP_FREE char *path = text_format("%s/not-yet", place->top);
    return enter_and_look(place, path);
}

static int outcome_without(const struct place *place, trial try)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(try(place));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_folder_put_in_place_of_the_allowed_one_shows(void **state)
{
    assert_int_equal(outcome_without(*state, try_its_own), 0);
    assert_int_equal(outcome_without(*state, try_one_that_comes_later), 1);
}

int main(void)
{
    struct error error = {0};
    if (sandbox_probe(&error) != 0) {
        fprintf(stderr, "nothing can be tested: %s\n", error.message);
        return 1;
    }
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)
    const struct CMUnitTest tests[] = {
        CASE(no_program_is_executed),
        CASE(no_process_is_made),
        CASE(no_connection_is_made),
        CASE(nothing_is_sent_to_an_address),
        CASE(a_link_local_client_does_not_end_it),
        CASE(no_file_outside_is_opened),
        CASE(nothing_is_done_to_files_but_by_opening_them),
        CASE(the_kernel_is_not_talked_to),
        CASE(other_processes_are_left_alone),
        CASE(no_code_is_brought_in),
        CASE(nothing_of_the_process_is_loosened),
        CASE(threads_are_started_and_restricted),
        CASE(files_of_the_log_are_used),
        CASE(connections_are_served),
        CASE(the_rest_of_a_receivers_life_works),
        CASE(a_kernel_without_landlock),
        CASE(a_kernel_without_seccomp),
        CASE(turned_off_nothing_is_done),
        CASE(a_folder_put_in_place_of_the_allowed_one_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
