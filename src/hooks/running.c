/* SPDX-License-Identifier: MIT */
#include "running.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/text.h"
#include "engine_private.h"
#include "process_tree.h"
#include "retry_after.h"

enum {
    READ_BYTES = 16 * 1024,
    /* For each event: so that one that floods its output does not keep the others waiting. */
    READS_PER_EVENT = 16,
    /* At the end: a pipe may hold up to 1 MiB, and a process that left may fill it for ever. */
    READS_AT_END = 64,
};

static void take_source(struct event_source *event, struct hook_engine *engine);

struct running *running_new(const char *hook)
{
    struct running *running = calloc(1, sizeof(*running));
    if (!running)
        return NULL;
    running->hook = text_copy(hook);
    if (!running->hook) {
        free(running);
        return NULL;
    }
    running->process = (struct process){.pid = -1, .pidfd = -1, .output_fds = {-1, -1}};
    for (int i = 0; i < SOURCES; i++)
        running->sources[i] =
            (struct running_source){{take_source}, running, (enum running_source_kind)i, -1};
    running->kind = &running_command;
    running->exit_code = -1;
    running->asked_ms = RETRY_NOT_ASKED;
    return running;
}

void running_free(struct running *running)
{
    if (!running)
        return;
    if (running->kind->fini)
        running->kind->fini(running);
    if (running->has_result)
        result_record_fini(&running->result);
    tail_fini(&running->tails[0]);
    tail_fini(&running->tails[1]);
    free(running->death.job);
    free(running->death.hook);
    free(running->death.reason);
    free(running->message);
    free(running->on_dead);
    free(running->hook);
    free(running);
}

/* ---- of any kind ---- */

void running_stop(struct running *running, struct process_table *table, enum stop_reason reason)
{
    if (running->phase != RUNNING_NORMAL)
        return;
    running->phase = RUNNING_TERMINATING;
    running->stop_reason = reason;
    running->kind->stop(running, table);
}

bool running_look(struct running *running, int epoll_fd, struct process_table *table)
{
    return running->kind->look(running, epoll_fd, table);
}

int64_t running_due_ms(const struct running *running)
{
    return running->phase == RUNNING_NORMAL ? running->deadline_ms : running->kind->due_ms(running);
}

/* ---- watching ---- */

static int watch(struct running_source *source, int epoll_fd, int fd, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot watch a process");
    source->fd = fd;
    return 0;
}

/* Before the descriptor is closed: a copy in a process between fork and exec would otherwise
 * keep the registration, and its pointer, alive. */
static void unwatch(struct running_source *source, int epoll_fd)
{
    if (source->fd >= 0)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = -1;
}

void running_begin(struct running *running, int64_t timeout_ms)
{
    running->started_ms = clock_monotonic_ms();
    running->deadline_ms = timeout_ms > 0 ? running->started_ms + timeout_ms : INT64_MAX;
}

void running_note_end(struct running *running)
{
    running->duration_ms = clock_monotonic_ms() - running->started_ms;
    /* Not by the wall clock, which may have been set meanwhile. */
    running->ended_at_ms = running->started_at_ms + running->duration_ms;
}

int running_watch(struct running *running, int epoll_fd, int64_t timeout_ms, struct error *error)
{
    running_begin(running, timeout_ms);
    const int fds[SOURCES] = {
        running->process.output_fds[0], running->process.output_fds[1], running->process.pidfd};
    for (int i = 0; i < SOURCES; i++) {
        if (watch(&running->sources[i], epoll_fd, fds[i], error) != 0) {
            for (int done = 0; done < i; done++)
                unwatch(&running->sources[done], epoll_fd);
            return -1;
        }
    }
    return 0;
}

void running_fail(struct running *running, const char *message, bool fatal)
{
    running->outcome = ATTEMPT_SPAWN_ERROR;
    running->message = text_copy(message);
    running->fatal = fatal;
    running->ended_at_ms = clock_wall_ms();
    running->duration_ms = running->ended_at_ms - running->started_at_ms;
}

/* ---- its output ---- */

static void read_output(struct running_source *source, int epoll_fd, int reads_max)
{
    unsigned char data[READ_BYTES];
    for (int i = 0; i < reads_max && source->fd >= 0; i++) {
        ssize_t got = read(source->fd, data, sizeof(data));
        if (got > 0)
            tail_append(&source->owner->tails[source->kind], bytes_of(data, (size_t)got));
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            unwatch(source, epoll_fd);
        else if (errno == EAGAIN)
            return;
    }
}

/* ---- its end ---- */

static void set_outcome(struct running *running, const struct process_end *end)
{
    running->exit_code = end->signalled ? -1 : end->exit_code;
    running->signal = end->signal;
    running->outcome = end->signalled ? ATTEMPT_SIGNAL : ATTEMPT_EXIT;
    if (running->stop_reason == STOP_TIMEOUT)
        running->outcome = ATTEMPT_TIMEOUT;
    else if (running->stop_reason == STOP_SHUTDOWN)
        running->outcome = ATTEMPT_INTERRUPTED;
    if (running->outcome != ATTEMPT_EXIT)
        running->exit_code = -1;
    if (running->outcome != ATTEMPT_SIGNAL && running->outcome != ATTEMPT_TIMEOUT)
        running->signal = 0;
    running->succeeded = running->outcome == ATTEMPT_EXIT && running->exit_code == 0;
}

/* Only a hook that says "later" says when. */
static void take_asked_pause(struct running *running)
{
    if (running->outcome == ATTEMPT_EXIT && running->exit_code == EX_TEMPFAIL)
        running->asked_ms =
            retry_after_find(tail_content(&running->tails[SOURCE_ERROR]), clock_wall_ms());
}

/* The main process has ended: whatever is left of its group goes with it. */
static void finish(struct running *running, int epoll_fd)
{
    struct process_end end = {.exit_code = -1};
    process_has_ended(&running->process, &end);
    process_signal_group(&running->process, SIGKILL);
    read_output(&running->sources[SOURCE_OUTPUT], epoll_fd, READS_AT_END);
    read_output(&running->sources[SOURCE_ERROR], epoll_fd, READS_AT_END);
    for (int i = 0; i < SOURCES; i++)
        unwatch(&running->sources[i], epoll_fd);
    process_close(&running->process);
    set_outcome(running, &end);
    take_asked_pause(running);
    running_note_end(running);
}

static bool leader_event(struct running *running, int epoll_fd)
{
    struct process_end end;
    if (running->leader_ended || !process_has_ended(&running->process, &end))
        return false;
    running->leader_ended = true;
    if (running->phase == RUNNING_NORMAL) {
        finish(running, epoll_fd);
        return true;
    }
    /* The zombie stays until nothing of it is alive; its descriptor would be ready for ever. */
    unwatch(&running->sources[SOURCE_PROCESS], epoll_fd);
    running->look_ms = 0;
    return false;
}

bool running_event(struct running *running, int epoll_fd, const struct running_source *source)
{
    if (source->kind == SOURCE_PROCESS)
        return leader_event(running, epoll_fd);
    read_output(&running->sources[source->kind], epoll_fd, READS_PER_EVENT);
    return false;
}

static void take_source(struct event_source *event, struct hook_engine *engine)
{
    const struct running_source *source = (const struct running_source *)event;
    if (running_event(source->owner, hook_engine_fd(engine), source))
        engine_end(engine, source->owner);
}

static size_t signal_all(struct running *running, struct process_table *table, int signal)
{
    const struct process_tree tree = {running->process.pid, &running->job, running->group};
    return process_tree_signal_all(table, &tree, signal);
}

static void stop_command(struct running *running, struct process_table *table)
{
    int64_t now_ms = clock_monotonic_ms();
    running->phase_end_ms = now_ms + RUNNING_TERM_MS;
    running->look_ms = running->phase_end_ms;
    signal_all(running, table, SIGTERM);
}

/* The time for SIGTERM is over. */
static void start_killing(struct running *running, int64_t now_ms)
{
    running->phase = RUNNING_KILLING;
    running->phase_end_ms = now_ms + RUNNING_KILL_WAIT_MS;
}

static bool look_command(struct running *running, int epoll_fd, struct process_table *table)
{
    int64_t now_ms = clock_monotonic_ms();
    if (running->phase == RUNNING_TERMINATING && now_ms >= running->phase_end_ms)
        start_killing(running, now_ms);
    bool killing = running->phase == RUNNING_KILLING;
    size_t alive = signal_all(running, table, killing ? SIGKILL : 0);
    running->look_ms = now_ms + RUNNING_LOOK_MS;
    if (!running->leader_ended)
        return false;
    bool given_up = killing && now_ms >= running->phase_end_ms;
    if (alive > 0 && !given_up)
        return false;
    if (alive > 0)
        log_warning(
            "a process of a hook does not end", LOG_TEXT("hook", running->hook),
            LOG_TEXT("job", running->job_text), LOG_INT("count", alive));
    finish(running, epoll_fd);
    return true;
}

static int64_t command_due_ms(const struct running *running)
{
    return running->look_ms < running->phase_end_ms || running->phase == RUNNING_KILLING
               ? running->look_ms
               : running->phase_end_ms;
}

const struct running_kind running_command = {
    .has_processes = true,
    .has_body_file = true,
    .start = command_start,
    .stop = stop_command,
    .due_ms = command_due_ms,
    .look = look_command,
};
