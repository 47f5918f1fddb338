/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/buffer.h"
#include "callbackd/os.h"

enum { FIRST_CLOSED_FD = 3, PROGRAM_PATH_MAX = 128 * 1024 };

/* ---- which file to execute ---- */

static const char *path_of(char *const *environment)
{
    for (; *environment; environment++) {
        if (strncmp(*environment, "PATH=", 5) == 0)
            return *environment + 5;
    }
    return "";
}

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
           faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* Appends the path of the program: looked up as the hook's own environment has it, not as ours
 * does, which is why this is not left to posix_spawnp. */
static int find_program(const struct process_spec *spec, struct buffer *out)
{
    const char *name = spec->arguments[0];
    if (strchr(name, '/'))
        return buffer_append_text(out, name);
    for (const char *entry = path_of(spec->environment); name[0] != '\0' && *entry != '\0';) {
        size_t length = strcspn(entry, ":");
        buffer_clear(out);
        if (length == 0 || entry[0] != '/')
            buffer_appendf(out, "%s/", spec->directory);
        buffer_appendf(out, "%.*s/%s", (int)length, entry, name);
        if (!buffer_failed(out) && is_program(buffer_text(out)))
            return 0;
        entry += length + (entry[length] == ':' ? 1 : 0);
    }
    return -1;
}

/* ---- spawning ---- */

struct pipes {
    int read_fds[2];
    int write_fds[2];
};

static void pipes_close(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        os_close(pipes->read_fds[i]);
        os_close(pipes->write_fds[i]);
    }
}

static int pipes_open(struct pipes *pipes, struct error *error)
{
    *pipes = (struct pipes){{-1, -1}, {-1, -1}};
    for (int i = 0; i < 2; i++) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) {
            error_set_errno(error, ERROR_IO, errno, "cannot make a pipe");
            pipes_close(pipes);
            return -1;
        }
        pipes->read_fds[i] = ends[0];
        pipes->write_fds[i] = ends[1];
        /* Our end only: the hook's writes are to block as anybody's. */
        if (os_set_nonblocking(ends[0], true, error) != 0) {
            pipes_close(pipes);
            return -1;
        }
    }
    return 0;
}

static int add_actions(
    posix_spawn_file_actions_t *actions, const struct process_spec *spec, const struct pipes *pipes)
{
    int failed = posix_spawn_file_actions_adddup2(actions, spec->stdin_fd, STDIN_FILENO);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(actions, pipes->write_fds[0], STDOUT_FILENO);
    if (failed == 0)
        failed = posix_spawn_file_actions_adddup2(actions, pipes->write_fds[1], STDERR_FILENO);
    if (failed == 0)
        failed = posix_spawn_file_actions_addclosefrom_np(actions, FIRST_CLOSED_FD);
    if (failed == 0)
        failed = posix_spawn_file_actions_addchdir_np(actions, spec->directory);
    return failed;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    int failed = posix_spawnattr_setsigdefault(attributes, &all);
    if (failed == 0)
        failed = posix_spawnattr_setsigmask(attributes, &none);
    if (failed == 0)
        failed = posix_spawnattr_setflags(
            attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    return failed;
}

/* 0 or an errno. */
static int spawn(
    const struct process_spec *spec, const char *program, const struct pipes *pipes, pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    int failed = add_actions(&actions, spec, pipes);
    if (failed == 0)
        failed = set_attributes(&attributes);
    if (failed == 0)
        failed =
            posix_spawn(pid, program, &actions, &attributes, spec->arguments, spec->environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static int explain(const struct process_spec *spec, int reason, struct error *error)
{
    if (reason == E2BIG)
        return error_set_errno(
            error, ERROR_INVALID, reason, "arguments and environment together are too large");
    if (access(spec->directory, X_OK) != 0)
        return error_set_errno(
            error, ERROR_IO, errno, "cannot enter the hook's directory %s", spec->directory);
    return error_set_errno(error, ERROR_IO, reason, "cannot start %s", spec->arguments[0]);
}

/* Without a pidfd nothing here could watch it. */
static int adopt(pid_t pid, struct pipes *pipes, struct process *process_out, struct error *error)
{
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        error_set_errno(error, ERROR_IO, errno, "cannot watch a new process");
        kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return -1;
    }
    *process_out = (struct process){pid, pidfd, {pipes->read_fds[0], pipes->read_fds[1]}};
    pipes->read_fds[0] = -1;
    pipes->read_fds[1] = -1;
    return 0;
}

int process_spawn(const struct process_spec *spec, struct process *process_out, struct error *error)
{
    CLEANUP_BUFFER struct buffer program;
    buffer_init(&program, PROGRAM_PATH_MAX);
    if (find_program(spec, &program) != 0)
        return explain(spec, ENOENT, error);
    struct pipes pipes;
    if (pipes_open(&pipes, error) != 0)
        return -1;
    pid_t pid = -1;
    int reason = spawn(spec, buffer_text(&program), &pipes, &pid);
    int result =
        reason != 0 ? explain(spec, reason, error) : adopt(pid, &pipes, process_out, error);
    pipes_close(&pipes);
    return result;
}

/* ---- its end ---- */

bool process_has_ended(const struct process *process, struct process_end *end_out)
{
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0)
        return false;
    bool signalled = info.si_code != CLD_EXITED;
    *end_out = (struct process_end){
        .signalled = signalled,
        .exit_code = signalled ? -1 : info.si_status,
        .signal = signalled ? info.si_status : 0,
    };
    return true;
}

void process_signal_group(const struct process *process, int signal)
{
    kill(-process->pid, signal);
}

void process_close(struct process *process)
{
    siginfo_t info;
    while (waitid(P_PIDFD, (id_t)process->pidfd, &info, WEXITED) != 0 && errno == EINTR)
        ;
    os_close(process->pidfd);
    os_close(process->output_fds[0]);
    os_close(process->output_fds[1]);
    *process = (struct process){-1, -1, {-1, -1}};
}

void process_reap_adopted(bool (*is_own)(void *context, pid_t pid), void *context)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
            return;
        /* One of ours hides what is behind it until its own end was taken in: next time. */
        if (is_own(context, info.si_pid))
            return;
        waitpid(info.si_pid, NULL, WNOHANG);
    }
}
