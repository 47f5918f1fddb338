/* SPDX-License-Identifier: MIT */
/* A copy's life: how it begins, and how it and its jobs end. */
#include "stream_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "process_tree.h"
#include "stream.h"

enum {
    READ_BYTES = 16 * 1024,
    READS_PER_EVENT = 16,
    READS_AT_END = 64,
    LINES_BYTES_MAX = INT32_MAX,
};

/* ---- watching ---- */

static void unwatch(const struct hook_engine *engine, struct copy_source *source)
{
    if (source->fd >= 0)
        epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = -1;
}

static void unwatch_all(const struct hook_engine *engine, struct stream_copy *copy)
{
    for (int i = 0; i < COPY_SOURCES; i++)
        unwatch(engine, &copy->sources[i]);
}

static int watch_all(
    const struct hook_engine *engine, struct stream_copy *copy, struct error *error)
{
    const int fds[COPY_SOURCES] = {
        copy->stdin_fd, copy->process.output_fds[0], copy->process.output_fds[1],
        copy->process.pidfd};
    for (int i = 0; i < COPY_SOURCES; i++) {
        /* Its stdin is only of interest when it can be written to again. */
        struct epoll_event event = {
            .events = i == COPY_STDIN ? EPOLLOUT | EPOLLET : EPOLLIN,
            .data.ptr = &copy->sources[i]};
        if (epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fds[i], &event) != 0)
            return error_set_errno(error, ERROR_IO, errno, "cannot watch a process");
        copy->sources[i].fd = fds[i];
    }
    return 0;
}

static void read_errors(const struct hook_engine *engine, struct stream_copy *copy, int reads_max)
{
    unsigned char data[READ_BYTES];
    struct copy_source *source = &copy->sources[COPY_STDERR];
    for (int i = 0; i < reads_max && source->fd >= 0; i++) {
        ssize_t got = read(source->fd, data, sizeof(data));
        if (got > 0)
            tail_append(&copy->errors, bytes_of(data, (size_t)got));
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            unwatch(engine, source);
        else if (errno == EAGAIN)
            return;
    }
}

/* What it has answered counts, what it has not is over; now nothing of it may live on. */
static void take_end(struct hook_engine *engine, struct stream_copy *copy)
{
    if (copy->leader_ended || !process_has_ended(&copy->process, &copy->end))
        return;
    copy->leader_ended = true;
    unwatch(engine, &copy->sources[COPY_PROCESS]);
    unwatch(engine, &copy->sources[COPY_STDIN]);
    stream_copy_read(engine, copy, READS_AT_END);
    read_errors(engine, copy, READS_AT_END);
    bool asked = copy->phase == COPY_RETIRING && copy->job_count == 0;
    if (copy->reason == COPY_REASON_NONE)
        copy->reason = asked ? COPY_ASKED : COPY_DIED;
    copy->phase = COPY_KILLING;
    copy->phase_end_ms = clock_monotonic_ms() + RUNNING_KILL_WAIT_MS;
    copy->look_ms = 0;
}

static void take_source(struct event_source *event, struct hook_engine *engine)
{
    const struct copy_source *source = (const struct copy_source *)event;
    struct stream_copy *copy = source->copy;
    if (source->fd < 0)
        return; /* an event of the same batch has ended it */
    if (source->kind == COPY_STDIN)
        stream_copy_feed(engine, copy);
    else if (source->kind == COPY_STDOUT)
        stream_copy_read(engine, copy, READS_PER_EVENT);
    else if (source->kind == COPY_STDERR)
        read_errors(engine, copy, READS_PER_EVENT);
    else
        take_end(engine, copy);
}

/* ---- its beginning ---- */

static struct stream_copy *make_copy(
    struct hook_engine *engine, struct stream *stream, struct error *error)
{
    struct stream_copy *copy = calloc(1, sizeof(*copy));
    if (copy)
        copy->hook = text_copy(stream->hook);
    if (!copy || !copy->hook) {
        free(copy);
        error_set(error, ERROR_MEMORY, "no memory for a stream");
        return NULL;
    }
    copy->stream = stream;
    copy->stdin_fd = -1;
    copy->process = (struct process){.pid = -1, .pidfd = -1, .output_fds = {-1, -1}};
    for (int i = 0; i < COPY_SOURCES; i++)
        copy->sources[i] = (struct copy_source){{take_source}, copy, (enum copy_source_kind)i, -1};
    copy->id = process_copy_id(engine->stream_family, ++engine->last_copy);
    copy->timeout_ms = stream->timeout_ms;
    copy->on_probation = stream->failures > 0;
    copy->phase_end_ms = INT64_MAX;
    copy->look_ms = INT64_MAX;
    buffer_init(&copy->lines, LINES_BYTES_MAX);
    buffer_init(&copy->text, (size_t)2 * STREAM_ANSWER_BYTES_MAX);
    stream_answer_init(&copy->answer);
    return copy;
}

void stream_copy_free(struct stream_copy *copy)
{
    if (!copy)
        return;
    os_close(copy->stdin_fd);
    buffer_fini(&copy->lines);
    buffer_fini(&copy->text);
    stream_answer_fini(&copy->answer);
    tail_fini(&copy->errors);
    free(copy->hook);
    free(copy);
}

static int spawn(
    struct hook_engine *engine, struct stream_copy *copy, int stdin_fd, struct error *error)
{
    struct stream_recipe *recipe = &copy->stream->recipe;
    struct job_group *group = job_groups_take(engine_groups(engine));
    stream_recipe_name(recipe, &copy->id);
    struct process_spec spec = {
        .arguments = recipe->arguments,
        .environment = recipe->environment,
        .directory = recipe->directory,
        .stdin_fd = stdin_fd,
        .nature = &recipe->nature,
        .group = group,
        .mark = process_mark(&copy->id),
    };
    if (process_spawn(&spec, &copy->process, error) != 0) {
        job_groups_give(engine->groups, group);
        return -1;
    }
    copy->group = copy->process.in_group ? group : NULL;
    if (group && !copy->group)
        job_groups_discard(engine->groups, group);
    return 0;
}

static int start(struct hook_engine *engine, struct stream_copy *copy, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot make a pipe");
    copy->stdin_fd = ends[1];
    /* Our end only. */
    int result = os_set_nonblocking(ends[1], true, error);
    if (result == 0)
        result = process_give_pipe(ends[0], copy->stream->recipe.nature.identity, error);
    if (result == 0)
        result = spawn(engine, copy, ends[0], error);
    os_close(ends[0]);
    if (result != 0 || watch_all(engine, copy, error) == 0)
        return result;
    unwatch_all(engine, copy);
    process_signal_group(&copy->process, SIGKILL);
    process_close(&copy->process);
    job_groups_give(engine->groups, copy->group);
    return -1;
}

struct stream_copy *stream_copy_start(
    struct hook_engine *engine, struct stream *stream, struct error *error)
{
    struct stream_copy *copy = make_copy(engine, stream, error);
    if (copy && start(engine, copy, error) != 0) {
        stream_copy_free(copy);
        return NULL;
    }
    if (copy)
        log_info("stream started", LOG_TEXT("hook", copy->hook), LOG_INT("pid", copy->process.pid));
    return copy;
}

/* ---- its jobs ---- */

void stream_copy_add(struct stream_copy *copy, struct running *running)
{
    running->place = (struct stream_place){.copy = copy, .older = copy->newest};
    if (copy->newest) {
        copy->newest->place.newer = running;
    } else {
        copy->oldest = running;
        copy->oldest_since_ms = clock_monotonic_ms();
    }
    copy->newest = running;
    if (!copy->ungiven)
        copy->ungiven = running;
    copy->job_count++;
}

void stream_copy_remove(struct stream_copy *copy, struct running *running)
{
    struct stream_place *place = &running->place;
    if (copy->ungiven == running)
        copy->ungiven = place->newer;
    if (place->newer)
        place->newer->place.older = place->older;
    else
        copy->newest = place->older;
    if (place->older) {
        place->older->place.newer = place->newer;
    } else {
        copy->oldest = place->newer;
        copy->oldest_since_ms = clock_monotonic_ms();
    }
    copy->job_count--;
    if (copy->phase == COPY_RETIRING && copy->job_count == 0)
        copy->look_ms = 0;
    *place = (struct stream_place){.copy = NULL};
}

/* ---- its end ---- */

void stream_copy_retire(struct stream_copy *copy, int64_t grace_ms)
{
    copy->stream = NULL;
    copy->retire_ms = grace_ms;
    if (copy->phase != COPY_SERVING)
        return;
    copy->phase = COPY_RETIRING;
    copy->look_ms = 0;
}

void stream_copy_note_closed(struct stream_copy *copy, const char *what)
{
    if (copy->closed_ms != 0)
        return;
    copy->closed_ms = clock_monotonic_ms();
    copy->closed = what;
}

void stream_copy_end(struct stream_copy *copy, enum copy_reason reason, const char *fault)
{
    if (copy->phase != COPY_SERVING && copy->phase != COPY_RETIRING)
        return;
    copy->reason = reason;
    text_copy_cut(fault ? fault : "", copy->fault, sizeof(copy->fault));
    copy->phase = COPY_TERMINATING;
    copy->phase_end_ms = INT64_MAX; /* SIGTERM comes first */
    copy->look_ms = 0;
}

/* The one that it has had longest is taken to be at fault, if it is anybody's fault. */
static bool is_to_blame(const struct stream_copy *copy, const struct running *running)
{
    if (running != copy->oldest || copy->reason == COPY_ASKED || copy->reason == COPY_CANCELLED)
        return false;
    /* Said so by a worker that has worked: it was none of them. */
    bool excused = copy->reason == COPY_DIED && copy->answered > 0 && !copy->end.signalled &&
                   copy->end.exit_code == EX_TEMPFAIL;
    return !excused;
}

static void blame(struct stream_copy *copy, struct running *running)
{
    static const char died[] = "the stream's process ended before it had answered";
    running->outcome = copy->end.signalled ? ATTEMPT_SIGNAL : ATTEMPT_EXIT;
    if (copy->reason == COPY_TIMED_OUT)
        running->outcome = ATTEMPT_TIMEOUT;
    running->signal = copy->end.signalled ? copy->end.signal : 0;
    running->exit_code = running->outcome == ATTEMPT_EXIT ? copy->end.exit_code : -1;
    if (copy->reason == COPY_DIED || copy->reason == COPY_BROKE)
        running->message = text_copy(copy->reason == COPY_DIED ? died : copy->fault);
    running->quotes_hook = copy->reason == COPY_BROKE && copy->quotes_hook;
    /* Only here is it told what was printed: it is of all its jobs. */
    running->tails[SOURCE_ERROR] = copy->errors;
    copy->errors = (struct tail){.data = NULL};
}

static void end_job(struct hook_engine *engine, struct stream_copy *copy, struct running *running)
{
    running->outcome = ATTEMPT_INTERRUPTED;
    running->exit_code = -1;
    if (is_to_blame(copy, running) || running->stop_reason == STOP_CANCEL)
        blame(copy, running);
    stream_copy_remove(copy, running);
    running_note_end(running);
    engine_end(engine, running);
}

/* From the newest to the oldest, which stays that until it is its turn. */
static void finish(struct hook_engine *engine, struct stream_copy *copy)
{
    while (copy->newest)
        end_job(engine, copy, copy->newest);
    copy->phase = COPY_GONE;
    copy->look_ms = INT64_MAX;
    stream_note_end(engine, copy->stream, copy);
    unwatch_all(engine, copy);
    process_close(&copy->process);
    job_groups_give(engine->groups, copy->group);
    copy->group = NULL;
}

static size_t signal_all(struct stream_copy *copy, struct process_table *table, int signal)
{
    const struct process_tree tree = {copy->process.pid, &copy->id, copy->group};
    return process_tree_signal_all(table, &tree, signal);
}

static void terminate(struct stream_copy *copy, struct process_table *table, int64_t now_ms)
{
    signal_all(copy, table, SIGTERM);
    copy->phase_end_ms = now_ms + RUNNING_TERM_MS;
    copy->look_ms = copy->phase_end_ms;
}

static void kill_all(
    struct hook_engine *engine, struct stream_copy *copy, struct process_table *table,
    int64_t now_ms)
{
    if (copy->phase == COPY_TERMINATING) {
        copy->phase = COPY_KILLING;
        copy->phase_end_ms = now_ms + RUNNING_KILL_WAIT_MS;
    }
    size_t alive = signal_all(copy, table, SIGKILL);
    copy->look_ms = now_ms + RUNNING_LOOK_MS;
    if (!copy->leader_ended || (alive > 0 && now_ms < copy->phase_end_ms))
        return;
    if (alive > 0)
        log_warning(
            "a process of a stream does not end", LOG_TEXT("hook", copy->hook),
            LOG_INT("count", alive));
    finish(engine, copy);
}

/* ---- timers ---- */

static int64_t deadline_ms(const struct stream_copy *copy)
{
    bool waits = copy->oldest && copy->timeout_ms > 0;
    return waits ? copy->oldest_since_ms + copy->timeout_ms : INT64_MAX;
}

static bool is_in_use(const struct stream_copy *copy)
{
    return copy->phase == COPY_SERVING || copy->phase == COPY_RETIRING;
}

bool stream_copy_wants_table(const struct stream_copy *copy)
{
    return copy->phase == COPY_TERMINATING || copy->phase == COPY_KILLING;
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

int64_t stream_copy_due_ms(const struct stream_copy *copy)
{
    if (!is_in_use(copy))
        return copy->look_ms;
    int64_t due_ms = earlier(deadline_ms(copy), copy->look_ms);
    if (copy->closed_ms != 0)
        due_ms = earlier(due_ms, copy->closed_ms + STREAM_CLOSED_MS);
    return earlier(due_ms, copy->phase_end_ms);
}

/* All is answered: the end of its stdin tells it to end. */
static void close_stdin(struct hook_engine *engine, struct stream_copy *copy, int64_t now_ms)
{
    copy->look_ms = INT64_MAX;
    if (copy->job_count > 0 || copy->stdin_fd < 0)
        return;
    unwatch(engine, &copy->sources[COPY_STDIN]);
    os_close(copy->stdin_fd);
    copy->stdin_fd = -1;
    copy->phase_end_ms = now_ms + copy->retire_ms;
}

static void attend_in_use(struct hook_engine *engine, struct stream_copy *copy, int64_t now_ms)
{
    if (copy->phase == COPY_RETIRING)
        close_stdin(engine, copy, now_ms);
    if (now_ms >= deadline_ms(copy)) {
        copy->oldest->stop_reason = STOP_TIMEOUT;
        stream_copy_end(copy, COPY_TIMED_OUT, NULL);
    } else if (copy->closed_ms != 0 && now_ms >= copy->closed_ms + STREAM_CLOSED_MS) {
        stream_copy_end(copy, COPY_BROKE, copy->closed);
    } else if (now_ms >= copy->phase_end_ms) {
        stream_copy_end(copy, COPY_ASKED, NULL);
    }
}

void stream_copy_attend(
    struct hook_engine *engine, struct stream_copy *copy, struct process_table *table)
{
    int64_t now_ms = clock_monotonic_ms();
    if (is_in_use(copy))
        attend_in_use(engine, copy, now_ms);
    else if (copy->phase == COPY_TERMINATING && copy->phase_end_ms == INT64_MAX)
        terminate(copy, table, now_ms);
    else if (copy->phase != COPY_GONE)
        kill_all(engine, copy, table, now_ms);
}
