/* SPDX-License-Identifier: MIT */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/hooks.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/store.h"
#include "sandbox.h"
#include "service_manager.h"
#include "supervisor_private.h"

enum {
    /* Both are longer than the worker tries to end hooks: 2 s by SIGTERM, 5 s by SIGKILL. */
    LOCK_WAIT_MS = 10000,  /* children of a supervisor that was killed need a moment to end */
    STOP_EXTRA_MS = 10000, /* beyond limits.stop_timeout, before a child is killed */
};

/* ---- starting ---- */

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Migrations run in a process of their own that ends before anybody opens the store. */
static int prepare_store(const char *directory, struct error *error)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        struct error failure = {0};
        if (store_prepare(directory, &failure) == 0)
            _exit(0);
        (void)!write(pipe_fds[1], &failure, sizeof(failure));
        _exit(1);
    }
    os_close(pipe_fds[1]);
    struct error failure = {.code = ERROR_STORE, .message = "preparing the store was cut off"};
    bool told = pid > 0 && read(pipe_fds[0], &failure, sizeof(failure)) == sizeof(failure);
    os_close(pipe_fds[0]);
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid > 0 && !told && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return error_set(error, failure.code, "%s", failure.message);
}

static int block_signals(struct supervisor *supervisor, struct error *error)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    supervisor->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (supervisor->signal_fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make a signalfd");
    return 0;
}

static int take_lock(
    const struct supervisor *supervisor, const char *name, int *fd_out, struct error *error)
{
    const char *directory = supervisor->config->store.directory;
    struct error held = {0};
    if (store_lock(directory, name, 0, fd_out, &held) == 0)
        return 0;
    if (held.code != ERROR_CONFLICT) {
        *error = held;
        return -1;
    }
    log_warning(
        "waiting for another callbackd to end", LOG_ERROR(&held),
        LOG_INT("at_most_ms", LOCK_WAIT_MS));
    return store_lock(directory, name, LOCK_WAIT_MS, fd_out, error);
}

static int take_locks(struct supervisor *supervisor, struct error *error)
{
    const char *directory = supervisor->config->store.directory;
    if (os_make_directories(directory, 0700, error) != 0)
        return -1;
    if ((supervisor->roles & CONFIG_ROLE_RECEIVER) != 0 &&
        take_lock(supervisor, "receiver", &supervisor->receiver_lock, error) != 0)
        return -1;
    if ((supervisor->roles & CONFIG_ROLE_WORKER) != 0 &&
        take_lock(supervisor, "worker", &supervisor->worker_lock, error) != 0)
        return -1;
    return 0;
}

static int open_listeners(struct supervisor *supervisor, struct error *error)
{
    const struct config *config = supervisor->config;
    if (listeners_open(
            config, (supervisor->roles & CONFIG_ROLE_RECEIVER) != 0,
            (supervisor->roles & CONFIG_ROLE_WORKER) != 0, NULL, &supervisor->listeners,
            error) != 0)
        return -1;
    supervisor->public_url = listeners_public_url(&supervisor->listeners, config);
    if (supervisor->public_url == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the public URL");
    return listeners_announce(&supervisor->listeners, config, supervisor->public_url, error);
}

static void log_listeners(const struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->listeners.count; i++) {
        if (supervisor->listeners.fds[i] < 0)
            continue;
        CLEANUP_FREE char *address = listener_address(supervisor->listeners.fds[i]);
        log_info(
            "listening", LOG_TEXT("address", address),
            LOG_BOOL("tls", supervisor->config->listeners[i].tls.enabled));
    }
    if (supervisor->listeners.admin >= 0) {
        CLEANUP_FREE char *address = listener_address(supervisor->listeners.admin);
        log_info(
            "admin listening", LOG_TEXT("address", address),
            LOG_BOOL("tls", supervisor->config->admin.listener.tls.enabled));
    }
    log_info("callback URLs begin with", LOG_TEXT("public_url", supervisor->public_url));
}

/* Before anything is begun: a receiver that may not start would be started for ever. */
int supervisor_check_sandbox(
    const struct config *config, enum config_role roles, struct error *error)
{
    if (config->sandbox != SANDBOX_REQUIRED || (roles & CONFIG_ROLE_RECEIVER) == 0 ||
        sandbox_probe(error) == 0)
        return 0;
    return error_prefix(error, "\"sandbox\" is \"required\"");
}

static int start(struct supervisor *supervisor, struct error *error)
{
    if (supervisor_check_sandbox(supervisor->config, supervisor->roles, error) != 0)
        return -1;
    raise_descriptor_limit();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    supervisor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (supervisor->wake_fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make an eventfd");
    supervisor->metrics = metrics_create(&supervisor->metrics_fd, error);
    if (supervisor->metrics == NULL || block_signals(supervisor, error) != 0 ||
        take_locks(supervisor, error) != 0 ||
        prepare_store(supervisor->config->store.directory, error) != 0 ||
        open_listeners(supervisor, error) != 0)
        return -1;
    log_listeners(supervisor);
    if ((supervisor->roles & CONFIG_ROLE_WORKER) != 0)
        supervisor_start_child(supervisor, CHILD_WORKER);
    if ((supervisor->roles & CONFIG_ROLE_RECEIVER) != 0)
        supervisor_start_child(supervisor, CHILD_RECEIVER);
    return 0;
}

/* ---- running ---- */

/* Tells all children of a role to stop. */
static void stop_role(struct supervisor *supervisor, enum child_role role)
{
    int64_t grace_ms = supervisor->config->limits.stop_timeout_ms + STOP_EXTRA_MS;
    supervisor->deaths[role].start_at_ms = 0;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (supervisor->children[i].pid != 0 && supervisor->children[i].role == role)
            child_leave(&supervisor->children[i], HANDOVER_STOP, grace_ms);
}

/* The receivers first: what they still accept, the worker still sees. */
static void begin_stop(struct supervisor *supervisor)
{
    if (supervisor->stopping) {
        log_warning("told to stop again: children are killed");
        for (int i = 0; i < CHILDREN_MAX; i++)
            if (supervisor->children[i].pid != 0)
                kill(supervisor->children[i].pid, SIGKILL);
        return;
    }
    log_info("stopping");
    service_manager_stopping();
    supervisor->stopping = true;
    stop_role(supervisor, CHILD_RECEIVER);
    /* Nobody accepts any more. Who is refused can go elsewhere; who is left waiting cannot. */
    listeners_close_public(&supervisor->listeners);
}

static void take_signals(struct supervisor *supervisor)
{
    struct signalfd_siginfo info;
    while (read(supervisor->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD) {
            supervisor_reap(supervisor);
        } else if (info.ssi_signo == SIGHUP) {
            if (supervisor->stopping)
                continue;
            service_manager_reloading();
            supervisor_reload(supervisor);
            /* What was not ready before is not ready now. */
            if (supervisor->announced)
                service_manager_ready();
        } else {
            begin_stop(supervisor);
        }
    }
}

static bool role_is_ready(
    const struct supervisor *supervisor, enum child_role role, enum config_role wanted)
{
    if ((supervisor->roles & wanted) == 0)
        return true;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (supervisor->children[i].pid != 0 && supervisor->children[i].role == role &&
            supervisor->children[i].ready)
            return true;
    return false;
}

static void announce_readiness(struct supervisor *supervisor)
{
    if (supervisor->announced || !role_is_ready(supervisor, CHILD_RECEIVER, CONFIG_ROLE_RECEIVER) ||
        !role_is_ready(supervisor, CHILD_WORKER, CONFIG_ROLE_WORKER))
        return;
    supervisor->announced = true;
    log_info("ready");
    service_manager_ready();
}

static void wait_for_events(struct supervisor *supervisor, int64_t timeout_ms)
{
    struct pollfd fds[CHILDREN_MAX + 1] = {{.fd = supervisor->signal_fd, .events = POLLIN}};
    for (int i = 0; i < CHILDREN_MAX; i++) {
        bool listens = supervisor->children[i].pid != 0 && !supervisor->children[i].ready;
        fds[i + 1].fd = listens ? supervisor->children[i].control_fd : -1;
        fds[i + 1].events = POLLIN;
    }
    int64_t watchdog_ms = service_manager_watchdog_ms();
    if (watchdog_ms > 0 && (timeout_ms < 0 || timeout_ms > watchdog_ms))
        timeout_ms = watchdog_ms;
    if (poll(fds, CHILDREN_MAX + 1, (int)timeout_ms) < 0)
        return;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (fds[i + 1].revents != 0)
            supervisor_hear(supervisor, &supervisor->children[i]);
    if (fds[0].revents != 0)
        take_signals(supervisor);
}

static void run(struct supervisor *supervisor)
{
    bool worker_told = false;
    for (;;) {
        if (supervisor->stopping && supervisor_count(supervisor, CHILD_RECEIVER) == 0) {
            if (supervisor_count(supervisor, CHILD_WORKER) == 0)
                return;
            if (!worker_told)
                stop_role(supervisor, CHILD_WORKER);
            worker_told = true;
        }
        int64_t timeout_ms = supervisor_tick(supervisor);
        wait_for_events(supervisor, timeout_ms);
        announce_readiness(supervisor);
        service_manager_alive();
    }
}

static void finish(struct supervisor *supervisor)
{
    listeners_close(&supervisor->listeners);
    metrics_close(supervisor->metrics);
    os_close(supervisor->metrics_fd);
    os_close(supervisor->wake_fd);
    os_close(supervisor->signal_fd);
    os_close(supervisor->receiver_lock);
    os_close(supervisor->worker_lock);
    free(supervisor->public_url);
    config_free(supervisor->config);
}

int supervisor_run(struct config *config, enum config_role roles, struct error *error)
{
    struct supervisor supervisor = {
        .config = config,
        .roles = roles,
        .listeners = {.admin = -1},
        .metrics_fd = -1,
        .wake_fd = -1,
        .signal_fd = -1,
        .receiver_lock = -1,
        .worker_lock = -1,
    };
    for (int i = 0; i < CHILDREN_MAX; i++)
        supervisor.children[i].control_fd = -1;
    log_open(config->log_format, config->log_level, "supervisor");
    log_info(
        "starting", LOG_TEXT("version", CALLBACKD_VERSION), LOG_INT("pid", getpid()),
        LOG_TEXT("config", config->path), LOG_TEXT("store", config->store.directory));
    int result = start(&supervisor, error);
    if (result == 0) {
        run(&supervisor);
        log_info("stopped");
    }
    finish(&supervisor);
    return result;
}

void supervisor_print_problems(const char *path, const struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct config_problem *problem = &problems->items[i];
        fprintf(
            stderr, "%s:%d: %s%s%s\n", path, problem->line, problem->key,
            problem->key[0] != '\0' ? ": " : "", problem->text);
    }
}
