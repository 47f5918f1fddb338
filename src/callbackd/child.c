/* SPDX-License-Identifier: MIT */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/os.h"

static const struct {
    const char *name;
    const char *title; /* argv[0]: what ps shows, and how the child knows its role */
} roles[CHILD_ROLES] = {
    [CHILD_RECEIVER] = {"receiver", "callbackd: receiver"},
    [CHILD_WORKER] = {"worker", "callbackd: worker"},
};

/* What a child may see of our environment; "env:" secrets are not in it. */
static const char *const passed_variables[] = {
    "PATH",         "HOME",          "LANG",         "TZ",           "RUNTIME_DIRECTORY",
    "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS",
};
enum { PASSED_VARIABLES = sizeof(passed_variables) / sizeof(passed_variables[0]) };

const char *child_role_name(enum child_role role)
{
    return roles[role].name;
}

int child_role_of(const char *argv0)
{
    for (int role = 0; argv0 != NULL && role < CHILD_ROLES; role++)
        if (strcmp(argv0, roles[role].title) == 0)
            return role;
    return -1;
}

static void fill_environment(char *environment[static PASSED_VARIABLES + 1])
{
    size_t count = 0;
    for (char **entry = environ; *entry != NULL; entry++) {
        for (size_t i = 0; i < PASSED_VARIABLES; i++) {
            size_t length = strlen(passed_variables[i]);
            if (count < PASSED_VARIABLES && strncmp(*entry, passed_variables[i], length) == 0 &&
                (*entry)[length] == '=')
                environment[count++] = *entry;
        }
    }
    environment[count] = NULL;
}

/* In the forked child, until exec: only what is safe there, and nothing that can fail silently. */
static void become(enum child_role role, int control_fd, pid_t supervisor)
{
    char *arguments[] = {(char *)roles[role].title, NULL};
    char *environment[PASSED_VARIABLES + 1];
    sigset_t none;
    fill_environment(environment);
    /* The receiver has nothing to tidy up and must not hold the port of a dead supervisor. The
     * worker ends its hooks first: it sees the end of the control socket. */
    if (role == CHILD_RECEIVER)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor)
        _exit(1);
    if (control_fd == HANDOVER_CONTROL_FD)
        fcntl(control_fd, F_SETFD, 0);
    else if (dup2(control_fd, HANDOVER_CONTROL_FD) < 0)
        _exit(1);
    /* The supervisor coordinates: a terminal's Ctrl-C reaches the whole group. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve("/proc/self/exe", arguments, environment);
    _exit(127);
}

int child_start(
    struct child *child, enum child_role role, uint64_t generation,
    const struct handover_offer *offer, struct error *error)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make a control socket");
    pid_t supervisor = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(role, sockets[1], supervisor);
    int fork_errno = errno;
    os_close(sockets[1]);
    if (pid < 0) {
        os_close(sockets[0]);
        return error_set_errno(error, ERROR_IO, fork_errno, "cannot start a process");
    }
    *child = (struct child){
        .role = role,
        .pid = pid,
        .control_fd = sockets[0],
        .generation = generation,
        .started_at_ms = clock_monotonic_ms(),
        .drain_ms =
            offer->config->limits.idle_timeout_ms + offer->config->limits.request_timeout_ms,
    };
    /* A child that died meanwhile is seen as such: by its SIGCHLD, not here. */
    if (handover_send(child->control_fd, offer, error) != 0)
        log_warning("hand-over failed", LOG_TEXT("child", child_role_name(role)), LOG_ERROR(error));
    os_set_nonblocking(child->control_fd, true, error);
    log_info("child started", LOG_TEXT("child", child_role_name(role)), LOG_INT("pid", pid));
    return 0;
}

void child_leave(struct child *child, enum handover_message message, int64_t grace_ms)
{
    struct error error = {0};
    if (child->pid == 0)
        return;
    child->leaving = true;
    child->leave_until_ms = clock_monotonic_ms() + grace_ms;
    if (handover_say(child->control_fd, message, &error) != 0)
        kill(child->pid, SIGKILL);
}

void child_ended(struct child *child)
{
    os_close(child->control_fd);
    *child = (struct child){.role = child->role, .control_fd = -1};
}
