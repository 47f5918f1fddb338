/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/buffer.h"
#include "callbackd/os.h"

enum { PROGRAM_PATH_MAX = 128 * 1024 };

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
 * does. */
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

int process_give_pipe(int fd, const struct os_identity *owner, struct error *error)
{
    if (owner && fchown(fd, owner->uid, owner->gid) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot give a pipe away");
    return 0;
}

static int pipes_open(struct pipes *pipes, const struct os_identity *owner, struct error *error)
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
        if (os_set_nonblocking(ends[0], true, error) != 0 ||
            process_give_pipe(ends[0], owner, error) != 0) {
            pipes_close(pipes);
            return -1;
        }
    }
    return 0;
}

static int explain(
    const struct process_spec *spec, enum spawn_step step, int reason, struct error *error)
{
    static const char *const steps[] = {
        [SPAWN_CLONE] = "make a process",     [SPAWN_STREAM] = "hand over its descriptors",
        [SPAWN_LIMIT] = "set its limits",     [SPAWN_NICE] = "set its niceness",
        [SPAWN_IDENTITY] = "become its user",
    };
    if (step == SPAWN_DIRECTORY)
        return error_set_errno(
            error, ERROR_IO, reason, "cannot enter the hook's directory %s", spec->directory);
    if (step != SPAWN_EXECUTE)
        return error_set_errno(
            error, ERROR_IO, reason, "cannot start %s: cannot %s", spec->arguments[0], steps[step]);
    if (reason == E2BIG)
        return error_set_errno(
            error, ERROR_INVALID, reason, "arguments and environment together are too large");
    return error_set_errno(error, ERROR_IO, reason, "cannot start %s", spec->arguments[0]);
}

int process_spawn(const struct process_spec *spec, struct process *process_out, struct error *error)
{
    CLEANUP_BUFFER struct buffer program;
    buffer_init(&program, PROGRAM_PATH_MAX);
    /* What cannot be entered is the reason, also when the program is looked for in there. */
    if (find_program(spec, &program) != 0)
        return access(spec->directory, X_OK) != 0 ? explain(spec, SPAWN_DIRECTORY, errno, error)
                                                  : explain(spec, SPAWN_EXECUTE, ENOENT, error);
    struct pipes pipes;
    if (pipes_open(&pipes, spec->nature->identity, error) != 0)
        return -1;
    struct spawn_request request = {
        .program = buffer_text(&program),
        .arguments = spec->arguments,
        .environment = spec->environment,
        .directory = spec->directory,
        .streams = {spec->stdin_fd, pipes.write_fds[0], pipes.write_fds[1]},
        .nature = spec->nature,
        .group = spec->group,
        .mark = spec->mark,
    };
    struct spawned spawned;
    enum spawn_step step;
    int reason = spawn_process(&request, &spawned, &step);
    if (reason == 0) {
        *process_out = (struct process){
            .pid = spawned.pid,
            .pidfd = spawned.pidfd,
            .output_fds = {pipes.read_fds[0], pipes.read_fds[1]},
            .in_group = spawned.in_group,
        };
        pipes.read_fds[0] = pipes.read_fds[1] = -1;
    }
    pipes_close(&pipes);
    return reason == 0 ? 0 : explain(spec, step, reason, error);
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
    *process = (struct process){.pid = -1, .pidfd = -1, .output_fds = {-1, -1}};
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
