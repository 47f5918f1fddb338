/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body_file.h"
#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "engine_private.h"
#include "http_hook.h"
#include "orphans.h"
#include "stream.h"
#include "view.h"

enum {
    EVENTS_PER_RUN = 256,
    /* How long a stop tries to record the last ends when the store refuses; after that they
     * are left to the next start, which takes them for interrupted. */
    STOP_COMMIT_MS = 10000,
};

/* ---- start ---- */

static void engine_free(struct hook_engine *engine)
{
    slots_free(engine->slots, engine->slot_count);
    http_hooks_free(engine->http);
    os_close(engine->epoll_fd);
    os_close(engine->runtime_fd);
    free(engine->runtime_directory);
    job_groups_close(engine->groups);
    free(engine);
}

static int open_runtime_directory(
    struct hook_engine *engine, const char *directory, struct error *error)
{
    /* Absolute, for hooks run elsewhere than we do. */
    engine->runtime_directory = realpath(directory, NULL);
    if (engine->runtime_directory)
        engine->runtime_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (engine->runtime_fd < 0)
        return error_set_errno(
            error, ERROR_IO, errno, "cannot open the runtime directory %s", directory);
    return body_file_clear(engine->runtime_fd, error);
}

static void set_runtime_mode(const struct hook_engine *engine, mode_t mode)
{
    if (fchmod(engine->runtime_fd, mode) != 0)
        log_warning("the runtime directory keeps its mode", LOG_INT("errno", errno));
}

/* Hooks of other users go through it to their body files, whose names nobody can list; also while a
 * reload has left no such hook, for one may still run. */
static void let_pass(const struct hook_engine *engine)
{
    enum { PASS = 0711 };
    bool others = false;
    for (size_t i = 0; i < engine->slot_count; i++)
        others = others || engine->slots[i].nature.identity;
    if (others)
        set_runtime_mode(engine, PASS);
}

struct job_groups *engine_groups(const struct hook_engine *engine)
{
    return engine->config->hook_cgroups ? engine->groups : NULL;
}

/* How processes of a job are found when they are to be killed. A group that cannot be made is no
 * failure: then they are searched for. */
static void open_groups(struct hook_engine *engine)
{
    struct error error = {0};
    if (!engine->config->hook_cgroups)
        error_set(&error, ERROR_NOT_FOUND, "hook_cgroups is false");
    else if (!engine->groups && engine->cgroup)
        engine->groups = job_groups_open(engine->cgroup, &error);
    const char *path = engine_groups(engine) ? job_groups_path(engine->groups) : NULL;
    if (path)
        log_info("hooks are killed by control group", LOG_TEXT("cgroup", path));
    else
        log_info("hooks are killed by a search for their processes", LOG_ERROR(&error));
    view_say_kill(engine->view, path, path ? NULL : error.message);
}

static int engine_open(
    struct hook_engine *engine, const struct hook_engine_options *options, struct error *error)
{
    signal(SIGPIPE, SIG_IGN); /* a stream may end while it is written to */
    /* Descendants whose parent died are to come to us, where they can be found. */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot become a subreaper");
    engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (engine->epoll_fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot watch processes");
    if (slots_make(options->config, &engine->slots, error) != 0)
        return -1;
    engine->slot_count = options->config->hook_count;
    if (slots_load_rates(engine, error) != 0)
        return -1;
    open_groups(engine);
    if (streams_read_family(engine, error) != 0)
        return -1;
    /* Only when what an earlier engine left is gone may its body files go. */
    if (recovery_run(engine, error) != 0)
        return -1;
    if (open_runtime_directory(engine, options->runtime_directory, error) != 0)
        return -1;
    set_runtime_mode(engine, S_IRWXU);
    let_pass(engine);
    return streams_need_family(engine, engine->slots, engine->slot_count, error);
}

struct hook_engine *hook_engine_start(
    const struct hook_engine_options *options, struct error *error)
{
    struct hook_engine *engine = calloc(1, sizeof(*engine));
    if (!engine) {
        error_set(error, ERROR_MEMORY, "no memory for the hook engine");
        return NULL;
    }
    engine->config = options->config;
    engine->state = options->state;
    engine->log = options->log;
    engine->metrics = options->metrics;
    engine->view = options->view;
    engine->cgroup = options->cgroup;
    engine->epoll_fd = -1;
    engine->runtime_fd = -1;
    engine->look_now = true;
    if (engine_open(engine, options, error) != 0) {
        engine_free(engine);
        return NULL;
    }
    metrics_set(engine->metrics, METRIC_JOBS_RUNNING, 0);
    orphans_warn(engine->state, engine->config);
    return engine;
}

/* ---- processes ---- */

void engine_begin(struct hook_engine *engine, struct running *running)
{
    running->previous = NULL;
    running->next = engine->active;
    if (engine->active)
        engine->active->previous = running;
    engine->active = running;
    engine->active_count++;
    engine->shared_count += running->kind->is_shared;
    running->slot->running++;
    metrics_set(engine->metrics, METRIC_JOBS_RUNNING, engine->active_count);
}

static void unlink_active(struct hook_engine *engine, struct running *running)
{
    if (running->previous)
        running->previous->next = running->next;
    else
        engine->active = running->next;
    if (running->next)
        running->next->previous = running->previous;
}

void engine_end(struct hook_engine *engine, struct running *running)
{
    unlink_active(engine, running);
    running->next = engine->ended;
    engine->ended = running;
    engine->active_count--;
    engine->shared_count -= running->kind->is_shared;
    if (running->slot)
        running->slot->running--;
    job_groups_give(engine->groups, running->group);
    running->group = NULL;
    if (running->kind->has_body_file)
        body_file_remove(engine->runtime_fd, running->job_text);
    metrics_set(engine->metrics, METRIC_JOBS_RUNNING, engine->active_count);
}

static int take_events(struct hook_engine *engine)
{
    struct epoll_event events[EVENTS_PER_RUN];
    int count = epoll_wait(engine->epoll_fd, events, EVENTS_PER_RUN, 0);
    for (int i = 0; i < count; i++) {
        struct event_source *source = events[i].data.ptr;
        source->take(source, engine);
    }
    return count;
}

static enum stop_reason stop_wanted(const struct running *running, int64_t now_ms)
{
    if (running->phase != RUNNING_NORMAL)
        return STOP_NONE;
    if (running->cancel_requested)
        return STOP_CANCEL;
    return now_ms >= running->deadline_ms ? STOP_TIMEOUT : STOP_NONE;
}

static bool is_due(const struct running *running, int64_t now_ms)
{
    return stop_wanted(running, now_ms) != STOP_NONE || now_ms >= running_due_ms(running);
}

static void stop_or_look(
    struct hook_engine *engine, struct running *running, struct process_table *table)
{
    enum stop_reason reason = stop_wanted(running, clock_monotonic_ms());
    if (reason != STOP_NONE)
        running_stop(running, table, reason);
    else if (running_look(running, engine->epoll_fd, table))
        engine_end(engine, running);
}

/* Timeouts, cancellations, and what is being ended; one look at /proc serves all. */
static void take_command_timers(struct hook_engine *engine)
{
    int64_t now_ms = clock_monotonic_ms();
    struct process_table table = {.count = 0};
    bool read = false;
    for (struct running *running = engine->active, *next; running; running = next) {
        next = running->next;
        if (!is_due(running, now_ms))
            continue;
        struct error error;
        bool wants_table = running->kind->has_processes;
        if (wants_table && !read && process_table_read(&table, &error) != 0)
            log_error("only process groups can be ended now", LOG_ERROR(&error));
        read = read || wants_table;
        stop_or_look(engine, running, wants_table ? &table : NULL);
    }
    process_table_fini(&table);
}

static void take_timers(struct hook_engine *engine)
{
    take_command_timers(engine);
    streams_attend(engine);
}

static bool is_own(void *context, pid_t pid)
{
    const struct hook_engine *engine = context;
    if (streams_own(engine, pid))
        return true;
    for (const struct running *running = engine->active; running; running = running->next) {
        if (running->process.pid == pid)
            return true;
    }
    return false;
}

static void reap(struct hook_engine *engine)
{
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms - engine->last_reap_ms < ENGINE_REAP_MS)
        return;
    engine->last_reap_ms = now_ms;
    process_reap_adopted(is_own, engine);
    job_groups_tidy(engine->groups);
}

/* ---- the round ---- */

static void report_and_free(struct hook_engine *engine, struct running *list)
{
    while (list) {
        struct running *next = list->next;
        report_end(engine, list);
        running_free(list);
        list = next;
    }
}

/* The one picked last is in front. */
static struct running *in_order(struct running *list)
{
    struct running *reversed = NULL;
    while (list) {
        struct running *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    return reversed;
}

static void start_all(struct hook_engine *engine, struct running *picked)
{
    for (struct running *list = in_order(picked), *next; list; list = next) {
        next = list->next;
        starter_start(engine, list);
    }
    streams_feed(engine);
}

static int commit_failed(struct hook_engine *engine)
{
    int64_t pause_ms = engine->commit_backoff_ms * 2;
    if (pause_ms < ENGINE_BACKOFF_FIRST_MS)
        pause_ms = ENGINE_BACKOFF_FIRST_MS;
    if (pause_ms > ENGINE_BACKOFF_MAX_MS)
        pause_ms = ENGINE_BACKOFF_MAX_MS;
    engine->commit_backoff_ms = pause_ms;
    engine->commit_after_ms = clock_monotonic_ms() + pause_ms;
    engine->look_now = true;
    return -1;
}

static int commit(struct hook_engine *engine, struct queue_round *round, struct error *error)
{
    if (queue_commit(round, error) != 0)
        return -1;
    metrics_add(engine->metrics, METRIC_JOBS_CREATED, round->told_count);
    struct running *ended = engine->ended;
    engine->ended = NULL;
    report_and_free(engine, ended);
    report_and_free(engine, round->dropped);
    for (size_t i = 0; i < engine->slot_count; i++)
        rate_take(&engine->slots[i].rate, round->now_ms, engine->slots[i].picked);
    start_all(engine, round->picked);
    return 0;
}

/* Reads when nothing is to be written, and writes when there is. */
static int attend(struct hook_engine *engine, bool look_for_cancels, struct error *error)
{
    struct queue_round round = {.engine = engine, .look_for_cancels = look_for_cancels};
    bool write = engine->ended != NULL;
    if (!write) {
        if (queue_look(&round, error) != 0)
            return commit_failed(engine);
        write = round.due_at_ms != 0 && round.due_at_ms <= round.now_ms;
        round.look_for_cancels = false;
    }
    if (write && commit(engine, &round, error) != 0)
        return commit_failed(engine);
    engine->commit_after_ms = 0;
    engine->commit_backoff_ms = 0;
    engine->due_at_ms = round.due_at_ms;
    engine->look_now = false;
    return 0;
}

int hook_engine_run(struct hook_engine *engine, struct error *error)
{
    bool quiet = take_events(engine) <= 0;
    take_timers(engine);
    view_answer(engine->view, engine->active, engine->ended);
    reap(engine);
    int64_t now_ms = clock_monotonic_ms();
    if (now_ms < engine->commit_after_ms)
        return 0;
    bool due = engine->due_at_ms != 0 && engine->due_at_ms <= state_clock_ms(engine->state);
    bool look = quiet || now_ms - engine->last_look_ms >= ENGINE_LOOK_MS;
    engine->look_owed = !look;
    if (look)
        engine->last_look_ms = now_ms;
    if (!look && !due && !engine->look_now && !engine->ended)
        return 0;
    int result = attend(engine, look, error);
    take_timers(engine); /* cancellations that were seen */
    return result;
}

bool hook_engine_is_stalled(const struct hook_engine *engine)
{
    return engine->commit_after_ms != 0;
}

/* ---- for the owner's poll ---- */

int hook_engine_fd(const struct hook_engine *engine)
{
    return engine->epoll_fd;
}

int hook_engine_running(const struct hook_engine *engine)
{
    return engine->active_count;
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

/* When the database is to be looked at again, as far as it is known. */
static int64_t next_attention_ms(const struct hook_engine *engine, int64_t now_ms)
{
    int64_t at_ms = INT64_MAX;
    if (engine->ended || engine->look_now)
        at_ms = now_ms;
    if (engine->look_owed)
        at_ms = earlier(at_ms, engine->last_look_ms + ENGINE_LOOK_MS);
    if (engine->due_at_ms != 0)
        at_ms = earlier(at_ms, now_ms + engine->due_at_ms - state_clock_ms(engine->state));
    if (at_ms == INT64_MAX)
        return at_ms;
    return at_ms > engine->commit_after_ms ? at_ms : engine->commit_after_ms;
}

int64_t hook_engine_next_ms(const struct hook_engine *engine)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t at_ms = next_attention_ms(engine, now_ms);
    for (const struct running *running = engine->active; running; running = running->next)
        at_ms = earlier(at_ms, running_due_ms(running));
    at_ms = earlier(at_ms, streams_due_ms(engine));
    if (engine->active || engine->copies)
        at_ms = earlier(at_ms, engine->last_reap_ms + ENGINE_REAP_MS);
    if (at_ms == INT64_MAX)
        return -1;
    return at_ms > now_ms ? at_ms - now_ms : 0;
}

/* ---- reload and stop ---- */

int hook_engine_reload(struct hook_engine *engine, const struct config *config, struct error *error)
{
    struct hook_slot *slots = NULL;
    if (slots_make(config, &slots, error) != 0)
        return -1;
    if (streams_need_family(engine, slots, config->hook_count, error) != 0) {
        slots_free(slots, config->hook_count);
        return -1;
    }
    for (struct running *running = engine->active; running; running = running->next) {
        running->slot = slots_find(slots, config->hook_count, running->hook);
        if (running->slot)
            running->slot->running++;
    }
    for (struct running *running = engine->ended; running; running = running->next)
        running->slot = NULL;
    slots_keep_rates(slots, config->hook_count, engine->slots, engine->slot_count);
    streams_keep(engine, slots, config->hook_count, config->limits.stop_timeout_ms);
    slots_free(engine->slots, engine->slot_count);
    engine->slots = slots;
    engine->slot_count = config->hook_count;
    bool kill_changes = engine->config->hook_cgroups != config->hook_cgroups;
    engine->config = config;
    if (kill_changes)
        open_groups(engine);
    let_pass(engine);
    engine->look_now = true;
    orphans_warn(engine->state, config);
    return 0;
}

static void wait_until(struct hook_engine *engine, int64_t until_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t wait_ms = until_ms > now_ms ? until_ms - now_ms : 0;
    int64_t next_ms = hook_engine_next_ms(engine);
    if (next_ms >= 0 && next_ms < wait_ms)
        wait_ms = next_ms;
    struct pollfd ready = {.fd = engine->epoll_fd, .events = POLLIN};
    poll(&ready, 1, wait_ms < INT_MAX ? (int)wait_ms : INT_MAX);
}

static void run_and_log(struct hook_engine *engine)
{
    struct error error;
    bool stalled = hook_engine_is_stalled(engine);
    if (hook_engine_run(engine, &error) != 0 && !stalled)
        log_error("cannot record the ends of jobs", LOG_ERROR(&error));
}

static void stop_all(struct hook_engine *engine)
{
    struct process_table table = {.count = 0};
    struct error error;
    if (process_table_read(&table, &error) != 0)
        log_error("only process groups can be ended now", LOG_ERROR(&error));
    for (struct running *running = engine->active; running; running = running->next)
        running_stop(running, running->kind->has_processes ? &table : NULL, STOP_SHUTDOWN);
    process_table_fini(&table);
    streams_end(engine);
}

void hook_engine_stop(struct hook_engine *engine, int64_t grace_ms)
{
    engine->stopping = true;
    int64_t grace_end_ms = clock_monotonic_ms() + (grace_ms > 0 ? grace_ms : 0);
    streams_retire(engine, INT32_MAX); /* until then */
    while ((engine->active || engine->copies) && clock_monotonic_ms() < grace_end_ms) {
        wait_until(engine, grace_end_ms);
        run_and_log(engine);
    }
    stop_all(engine);
    while (engine->active || engine->copies) {
        wait_until(engine, INT64_MAX);
        run_and_log(engine);
    }
    int64_t give_up_ms = clock_monotonic_ms() + STOP_COMMIT_MS;
    while (engine->ended && clock_monotonic_ms() < give_up_ms) {
        run_and_log(engine);
        if (engine->ended)
            wait_until(engine, give_up_ms);
    }
    if (engine->ended)
        log_warning("the ends of some jobs could not be recorded: they will run again");
    process_reap_adopted(is_own, engine);
    view_close(engine->view);
    while (engine->ended) {
        struct running *next = engine->ended->next;
        running_free(engine->ended);
        engine->ended = next;
    }
    engine_free(engine);
}
