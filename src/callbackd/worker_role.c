/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callbackd/admin.h"
#include "callbackd/clock.h"
#include "callbackd/hooks.h"
#include "callbackd/http_client.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/reconciler.h"
#include "callbackd/text.h"
#include "dispatcher.h"
#include "precedence.h"
#include "refusals.h"
#include "retention.h"
#include "role.h"
#include "soundness.h"

enum {
    TICK_MS = 1000,         /* it looks by itself this often, whoever forgot to wake it */
    RETIRE_EVERY_MS = 1000, /* how often it is asked what is old enough to go */
    RETIRE_NEXT_MS = 50,    /* while there is more: slices are spaced, so that nobody feels them */
    ERROR_DELAY_MS = 200,   /* after a store error, before the next try */
    GATHER_MS = 5,          /* results that come so soon after others are decided together */
    GATHER_BELOW = 64,      /* so many are worth a transaction */
    EXIT_FAILED = 1,
};

struct worker {
    struct handover *handover;
    struct metrics *metrics;
    struct config *config; /* the one in force, which the handover owns */
    struct state *state;
    struct result_log *log;
    struct soundness soundness;
    struct hook_view *view; /* what the engine shows the admin */
    struct hook_engine *engine;
    struct admin *admin;
    struct reconciler *reconciler;
    struct dispatcher dispatcher;
    struct refusals refusals;
    struct retention retention;
    char *runtime_directory;
    bool chose_runtime_directory; /* it was not configured */
    char *cgroup;                 /* name of the group that holds those of hooks */
    struct precedence precedence;
    int64_t take_at_ms;   /* monotonic: senders go first until then */
    int64_t hooks_at_ms;  /* monotonic: hooks rest until then */
    int64_t tick_at_ms;   /* monotonic */
    int64_t retire_at_ms; /* monotonic */
    bool failing;         /* the last round met a store error */
    bool gathering;       /* the last round took few: the next is worth waiting for a moment */
    bool stopping;        /* told so before it could begin */
};

/* ---- starting and stopping ---- */

/* Body files of hooks: on a tmpfs where there is one, in a folder that belongs to this store. */
static char *choose_runtime_directory(const struct config *config)
{
    const char *given = getenv("RUNTIME_DIRECTORY");
    struct stat store;
    if (config->store.runtime_directory != NULL)
        return text_copy(config->store.runtime_directory);
    if (given != NULL && *given == '/')
        return text_format("%s/bodies", given);
    if (access("/dev/shm", W_OK | X_OK) == 0 && stat(config->store.directory, &store) == 0)
        return text_format(
            "/dev/shm/callbackd-%u-%llx-%llx", getuid(), (unsigned long long)store.st_dev,
            (unsigned long long)store.st_ino);
    return os_path_join(config->store.directory, "run");
}

/* Must be ours and nobody else's: its name in a shared folder can be guessed. */
static int make_runtime_directory(const char *path, struct error *error)
{
    struct stat status;
    if (os_make_directories(path, 0700, error) != 0)
        return -1;
    if (lstat(path, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
        (status.st_mode & 0022) != 0)
        return error_set(error, ERROR_IO, "%s is not a directory of our own", path);
    return 0;
}

/* One that we chose ourselves goes with us. It is empty, unless an earlier worker died and left
 * something in it that the next one clears. */
static void remove_runtime_directory(const struct worker *worker)
{
    if (worker->runtime_directory != NULL && worker->chose_runtime_directory)
        (void)rmdir(worker->runtime_directory);
}

static int open_stores(struct worker *worker, struct error *error)
{
    const char *directory = worker->config->store.directory;
    struct result_log_options options = {
        .directory = directory,
        .metrics = worker->metrics,
        .wake_fd = worker->handover->wake_fd,
        .keep_rejected = worker->config->store.keep_rejected,
    };
    if (worker->log == NULL)
        worker->log = result_log_open(&options, error);
    if (worker->log != NULL && worker->state == NULL)
        worker->state = state_open(directory, error);
    return worker->state != NULL ? 0 : -1;
}

/* The same for each worker of this store, which are never two at once. NULL: no memory. */
static char *choose_cgroup(const struct config *config)
{
    struct stat store = {0};
    (void)stat(config->store.directory, &store);
    return text_format(
        "callbackd-%u-%llx-%llx", getuid(), (unsigned long long)store.st_dev,
        (unsigned long long)store.st_ino);
}

static int start_engine(struct worker *worker, struct error *error)
{
    free(worker->runtime_directory);
    free(worker->cgroup);
    worker->runtime_directory = choose_runtime_directory(worker->config);
    worker->chose_runtime_directory = worker->config->store.runtime_directory == NULL;
    worker->cgroup = choose_cgroup(worker->config);
    if (worker->runtime_directory == NULL || worker->cgroup == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for the runtime directory");
    if (make_runtime_directory(worker->runtime_directory, error) != 0)
        return -1;
    struct hook_engine_options options = {
        .config = worker->config,
        .state = worker->state,
        .log = worker->log,
        .metrics = worker->metrics,
        .runtime_directory = worker->runtime_directory,
        .view = worker->view,
        .cgroup = worker->cgroup,
    };
    worker->engine = hook_engine_start(&options, error);
    return worker->engine != NULL ? 0 : -1;
}

static int start_admin(struct worker *worker, struct error *error)
{
    struct admin_options options = {
        .config = worker->config,
        .public_url = worker->handover->public_url,
        .state = worker->state,
        .log = worker->log,
        .checker = worker->soundness.checker,
        .metrics = worker->metrics,
        .listener = worker->handover->admin,
        .wake_fd = worker->handover->wake_fd,
        .hooks = worker->view,
    };
    worker->admin = admin_start(&options, error);
    return worker->admin != NULL ? 0 : -1;
}

/* What the store decides about. The admin before the engine, which must write first: somebody
 * has to be able to say what is wrong. */
static int start_on_store(struct worker *worker, struct error *error)
{
    if (open_stores(worker, error) != 0 ||
        (worker->admin == NULL && start_admin(worker, error) != 0) ||
        soundness_begin(&worker->soundness, worker->state, error) != 0)
        return -1;
    return start_engine(worker, error);
}

static void note_failure(struct worker *worker, const struct error *error)
{
    if (!worker->failing)
        log_error("worker cannot go on, it keeps trying", LOG_ERROR(error));
    worker->failing = true;
}

/* No supervisor, no service: a new one waits for our lock, and hooks must not outlive us. What
 * they were doing is found in state.db as interrupted and queued again. */
static _Noreturn void die_with_hooks(void)
{
    process_kill_descendants(NULL);
    _exit(EXIT_FAILED);
}

/* Before the next try. -1: the supervisor wants something else. */
static int wait_for_store(struct worker *worker, struct error *error)
{
    struct pollfd control = {.fd = HANDOVER_CONTROL_FD, .events = POLLIN};
    struct handover_reload reload = {0};
    if (poll(&control, 1, ERROR_DELAY_MS) <= 0)
        return 0;
    enum handover_message message = handover_listen(HANDOVER_CONTROL_FD, &reload);
    handover_reload_fini(&reload);
    if (message == HANDOVER_GONE)
        die_with_hooks();
    worker->stopping = message == HANDOVER_STOP;
    if (message == HANDOVER_NONE)
        return 0;
    /* Whoever is started in our place has the new configuration. */
    return error_set(error, ERROR_BUSY, "told otherwise before it could begin");
}

static int worker_start(struct worker *worker, struct error *error)
{
    if (http_client_init(error) != 0 ||
        soundness_init(
            &worker->soundness, worker->config->store.directory, worker->metrics, error) != 0)
        return -1;
    worker->view = hook_view_new(worker->handover->wake_fd, error);
    if (worker->view == NULL)
        return -1;
    while (start_on_store(worker, error) != 0) {
        note_failure(worker, error);
        if (wait_for_store(worker, error) != 0)
            return -1;
    }
    worker->reconciler =
        reconciler_start(worker->config, worker->state, worker->log, worker->metrics, error);
    if (worker->reconciler == NULL)
        return -1;
    worker->dispatcher = (struct dispatcher){
        .config = worker->config,
        .state = worker->state,
        .log = worker->log,
        .engine = worker->engine,
        .metrics = worker->metrics,
    };
    worker->retention =
        (struct retention){.config = worker->config, .state = worker->state, .log = worker->log};
    worker->refusals = (struct refusals){.state = worker->state, .log = worker->log};
    return handover_say(HANDOVER_CONTROL_FD, HANDOVER_READY, error);
}

static void worker_stop(struct worker *worker, int64_t hooks_grace_ms)
{
    if (worker->engine != NULL)
        hook_engine_stop(worker->engine, hooks_grace_ms);
    admin_stop(worker->admin);
    hook_view_free(worker->view);
    soundness_end(&worker->soundness, worker->state);
    /* Last: a slow workflow API may hold it up until we are killed, and by now that costs nothing.
     */
    reconciler_stop(worker->reconciler);
    state_close(worker->state);
    result_log_close(worker->log);
    http_client_cleanup();
    remove_runtime_directory(worker);
    free(worker->runtime_directory);
    free(worker->cgroup);
}

/* ---- running ---- */

/* Takes `reload`. */
static void take_configuration(struct worker *worker, struct handover_reload *reload)
{
    struct error error = {0};
    struct reconciler *reconciler = NULL;
    struct config *config = reload->config;
    log_open(config->log_format, config->log_level, "worker");
    if (hook_engine_reload(worker->engine, config, &error) != 0) {
        log_error("hooks not reloaded, the old ones stay", LOG_ERROR(&error));
        handover_reload_fini(reload);
        return;
    }
    admin_reload(worker->admin, config, reload->public_url);
    reconciler_stop(worker->reconciler);
    reconciler = reconciler_start(config, worker->state, worker->log, worker->metrics, &error);
    if (reconciler == NULL)
        log_error("results are not polled", LOG_ERROR(&error));
    worker->reconciler = reconciler;
    worker->dispatcher.config = config;
    worker->retention.config = config;
    worker->config = config;
    handover_take(worker->handover, reload); /* and ends the old one, with its secrets */
    log_info("configuration taken over");
}

static void hold_back(struct worker *worker)
{
    const struct precedence_view view = {
        .now_ms = clock_monotonic_ms(),
        .accepted = metrics_get(worker->metrics, METRIC_ACCEPTED),
        .is_behind = worker->dispatcher.is_behind,
    };
    worker->take_at_ms = view.now_ms + precedence_wait_ms(&worker->precedence, &view);
    worker->dispatcher.has_much = precedence_has_much(&worker->precedence);
}

static int take(struct worker *worker, int *taken_out, struct error *error)
{
    *taken_out = 0;
    if (clock_monotonic_ms() < worker->take_at_ms)
        return 0;
    if (dispatcher_take(&worker->dispatcher, taken_out, error) != 0)
        return -1;
    hold_back(worker);
    return 0;
}

static int run_hooks(struct worker *worker, struct error *error)
{
    int64_t begin_ms = clock_monotonic_ms();
    if (begin_ms < worker->hooks_at_ms)
        return 0;
    int outcome = hook_engine_run(worker->engine, error);
    int64_t end_ms = clock_monotonic_ms();
    worker->hooks_at_ms = end_ms + precedence_rest_ms(&worker->precedence, end_ms - begin_ms);
    return outcome;
}

/* Takes in what has come up. 1: there may be more. The hooks are looked after even when the
 * store fails: a timeout is a timeout. The first result after a quiet time is decided at once; a
 * transaction for each of those that follow would cost more than accepting them did. */
static int do_round(struct worker *worker, struct error *error)
{
    struct error engine_error = {0};
    int taken = 0;
    int settled = 0;
    int outcome = take(worker, &taken, error);
    if (outcome == 0)
        outcome = dispatcher_settle(&worker->dispatcher, &settled, error);
    worker->gathering = taken > 0 && taken < GATHER_BELOW && settled == 0;
    if (taken > 0 || settled > 0)
        admin_notify(worker->admin);
    if (run_hooks(worker, &engine_error) != 0 && outcome == 0) {
        *error = engine_error;
        outcome = -1;
    }
    if (outcome != 0)
        return -1;
    return taken > 0 || settled > 0 ? 1 : 0;
}

static int do_chores(struct worker *worker, int64_t now_ms, struct error *error)
{
    if (now_ms >= worker->tick_at_ms) {
        int told = 0;
        worker->tick_at_ms = now_ms + TICK_MS;
        if (dispatcher_sweep(&worker->dispatcher, error) != 0 ||
            refusals_take(&worker->refusals, &told, error) != 0)
            return -1;
        if (told > 0)
            admin_notify(worker->admin);
    }
    if (now_ms >= worker->retire_at_ms) {
        bool more = false;
        int outcome = retention_slice(&worker->retention, &more, error);
        worker->retire_at_ms = now_ms + (more ? RETIRE_NEXT_MS : RETIRE_EVERY_MS);
        return outcome;
    }
    return 0;
}

/* How long nothing is to be done, as far as is known now. */
static int64_t until_next_ms(const struct worker *worker)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms = worker->retire_at_ms - now_ms;
    int64_t engine_ms = hook_engine_next_ms(worker->engine);
    if (worker->take_at_ms > now_ms && worker->take_at_ms - now_ms < wait_ms)
        wait_ms = worker->take_at_ms - now_ms;
    if (wait_ms < 0)
        wait_ms = 0;
    /* While hooks rest nothing else of theirs wakes us. */
    if (worker->hooks_at_ms > now_ms)
        engine_ms = worker->hooks_at_ms - now_ms;
    if (engine_ms >= 0 && engine_ms < wait_ms)
        wait_ms = engine_ms;
    return wait_ms < TICK_MS ? wait_ms : TICK_MS;
}

/* Returns how long to wait before the next round. */
static int64_t work(struct worker *worker)
{
    struct error error = {0};
    int outcome = do_round(worker, &error);
    if (outcome >= 0 && do_chores(worker, clock_monotonic_ms(), &error) != 0)
        outcome = -1;
    if (outcome < 0) {
        note_failure(worker, &error);
        return ERROR_DELAY_MS;
    }
    if (worker->failing && hook_engine_is_stalled(worker->engine))
        return ERROR_DELAY_MS;
    if (worker->failing)
        log_info("worker goes on");
    worker->failing = false;
    if (outcome > 0 && clock_monotonic_ms() >= worker->take_at_ms)
        return worker->gathering ? GATHER_MS : 0;
    return until_next_ms(worker);
}

static void drain_eventfd(int fd)
{
    uint64_t count;
    (void)!read(fd, &count, sizeof(count));
}

/* Until the supervisor says stop; returns how long hooks may still run. */
static int64_t serve(struct worker *worker)
{
    for (;;) {
        int64_t wait_ms = work(worker);
        struct pollfd fds[3] = {
            {.fd = HANDOVER_CONTROL_FD, .events = POLLIN},
            {.fd = worker->handover->wake_fd, .events = POLLIN},
            {.fd = hook_engine_fd(worker->engine), .events = POLLIN},
        };
        if (worker->gathering || clock_monotonic_ms() < worker->take_at_ms)
            fds[1].fd = -1;
        if (clock_monotonic_ms() < worker->hooks_at_ms)
            fds[2].fd = -1;
        /* While the store fails only the control socket is listened to: no spinning. */
        if (poll(fds, worker->failing ? 1 : 3, (int)wait_ms) < 0 && errno != EINTR)
            log_warning("poll failed", LOG_INT("errno", errno));
        if (fds[1].revents != 0)
            drain_eventfd(fds[1].fd);
        if (fds[0].revents == 0)
            continue;
        struct handover_reload reload = {0};
        enum handover_message message = handover_listen(HANDOVER_CONTROL_FD, &reload);
        if (message == HANDOVER_RELOAD)
            take_configuration(worker, &reload);
        else if (message == HANDOVER_STOP)
            return worker->config->limits.stop_timeout_ms;
        else if (message == HANDOVER_GONE)
            die_with_hooks();
    }
}

int worker_role(struct handover *handover, struct metrics *metrics)
{
    struct worker worker = {.handover = handover, .metrics = metrics, .config = handover->config};
    struct error error = {0};
    int64_t hooks_grace_ms = 0;
    int status = 0;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (worker_start(&worker, &error) == 0) {
        hooks_grace_ms = serve(&worker);
    } else if (!worker.stopping) {
        log_error("worker not started", LOG_ERROR(&error));
        status = EXIT_FAILED;
    }
    worker_stop(&worker, hooks_grace_ms);
    return status;
}
