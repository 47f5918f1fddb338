/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <stdlib.h>
#include <sysexits.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "stream_copy.h"
#include "view.h"

struct stream *stream_new(
    const struct config_hook *hook, const char *directory, const struct spawn_nature *nature,
    struct error *error)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    if (!stream) {
        error_set(error, ERROR_MEMORY, "no memory for a stream");
        return NULL;
    }
    if (stream_recipe_make(&stream->recipe, hook, directory, nature, error) != 0) {
        free(stream);
        return NULL;
    }
    stream_configure(stream, hook);
    return stream;
}

void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    stream_recipe_fini(&stream->recipe);
    free(stream);
}

void stream_configure(struct stream *stream, const struct config_hook *hook)
{
    stream->hook = hook->name;
    stream->copies_max = hook->concurrency > 1 ? hook->concurrency : 1;
    stream->window = hook->window > 1 ? hook->window : 1;
    stream->timeout_ms = hook->timeout_ms;
}

/* ---- its copies ---- */

struct tally {
    int copies;     /* that serve it, or have not ended yet */
    int room;       /* of those */
    bool probation; /* one of them has still to answer */
};

static int room_of(const struct stream *stream, const struct stream_copy *copy)
{
    int window = copy->on_probation ? 1 : stream->window;
    if (copy->phase != COPY_SERVING || copy->closed_ms != 0 || copy->job_count >= window)
        return 0;
    return window - copy->job_count;
}

static struct tally count_copies(const struct hook_engine *engine, const struct stream *stream)
{
    struct tally tally = {.copies = 0};
    for (const struct stream_copy *copy = engine->copies; copy; copy = copy->next) {
        if (copy->stream != stream || copy->phase == COPY_GONE)
            continue;
        tally.copies++;
        tally.room += room_of(stream, copy);
        tally.probation = tally.probation || copy->on_probation;
    }
    return tally;
}

/* After a failure one copy, with one job, shows whether it works again. */
static int startable(const struct stream *stream, const struct tally *tally)
{
    int left = stream->copies_max - tally->copies;
    if (left <= 0 || clock_monotonic_ms() < stream->restart_ms)
        return 0;
    if (stream->failures > 0)
        return tally->probation ? 0 : 1;
    return left;
}

int stream_room(const struct hook_engine *engine, const struct stream *stream)
{
    const struct tally tally = count_copies(engine, stream);
    int more = startable(stream, &tally);
    return tally.room + (stream->failures > 0 ? more : more * stream->window);
}

void stream_say(const struct hook_engine *engine, const struct stream *stream)
{
    const struct hook_stream told = {
        .copies = count_copies(engine, stream).copies, .restarts = stream->restarts};
    view_say_stream(engine->view, stream->hook, &told);
}

/* ---- failures ---- */

/* At least half of it, so that what dies at once is not started again and again. */
static int64_t pause_ms(int failures)
{
    int64_t most_ms = STREAM_BACKOFF_FIRST_MS;
    uint32_t chance;
    for (int i = 1; i < failures && most_ms < STREAM_BACKOFF_MAX_MS; i++)
        most_ms *= 2;
    if (most_ms > STREAM_BACKOFF_MAX_MS)
        most_ms = STREAM_BACKOFF_MAX_MS;
    os_random(&chance, sizeof(chance));
    return most_ms / 2 + (int64_t)chance % (most_ms / 2 + 1);
}

static void note_failure(struct stream *stream)
{
    stream->failures++;
    stream->restart_ms = clock_monotonic_ms() + pause_ms(stream->failures);
}

void stream_note_answer(struct stream *stream, struct stream_copy *copy)
{
    copy->answered++;
    if (!copy->on_probation)
        return;
    copy->on_probation = false;
    if (stream)
        stream->failures = 0;
}

/* One that wants to be started anew is no trouble. */
static void log_end(const struct stream_copy *copy, bool well)
{
    static const char *const reasons[] = {
        [COPY_CANCELLED] = "a job of it was cancelled",
        [COPY_TIMED_OUT] = "it did not answer in time",
        [COPY_DIED] = "by itself",
        [COPY_BROKE] = "it wrote a line that is no answer",
    };
    bool signalled = copy->end.signalled;
    bool is_told = copy->reason == COPY_BROKE && !copy->quotes_hook;
    LOG_WRITE(
        well ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "stream ended", LOG_TEXT("hook", copy->hook),
        LOG_INT("pid", copy->process.pid),
        LOG_INT(
            signalled ? "signal" : "exit_code", signalled ? copy->end.signal : copy->end.exit_code),
        LOG_INT("answered", copy->answered),
        LOG_TEXT("reason", is_told ? copy->fault : reasons[copy->reason]));
}

void stream_note_end(
    struct hook_engine *engine, struct stream *stream, const struct stream_copy *copy)
{
    bool by_itself = copy->reason == COPY_DIED;
    bool well = by_itself && copy->answered > 0 && !copy->end.signalled &&
                (copy->end.exit_code == EX_TEMPFAIL || copy->end.exit_code == 0);
    engine->look_now = true;
    if (copy->reason != COPY_ASKED) {
        log_end(copy, well);
        metrics_add(engine->metrics, METRIC_STREAM_RESTARTS, 1);
    }
    if (!stream)
        return;
    if (copy->reason != COPY_ASKED)
        stream->restarts++;
    if (copy->reason != COPY_ASKED && copy->reason != COPY_CANCELLED && !well)
        note_failure(stream);
    stream_say(engine, stream);
}

/* ---- the kind ---- */

/* The one with the fewest jobs. */
static struct stream_copy *least_busy(const struct hook_engine *engine, const struct stream *stream)
{
    struct stream_copy *best = NULL;
    for (struct stream_copy *copy = engine->copies; copy; copy = copy->next) {
        if (copy->stream == stream && room_of(stream, copy) > 0 &&
            (!best || copy->job_count < best->job_count))
            best = copy;
    }
    return best;
}

static struct stream_copy *start_copy(
    struct hook_engine *engine, struct stream *stream, struct error *error)
{
    struct stream_copy *copy = stream_copy_start(engine, stream, error);
    if (!copy) {
        stream->why = *error;
        note_failure(stream);
        return NULL;
    }
    copy->next = engine->copies;
    engine->copies = copy;
    metrics_set(engine->metrics, METRIC_STREAM_WORKERS, ++engine->copy_count);
    stream_say(engine, stream);
    return copy;
}

static int start(struct hook_engine *engine, struct running *running, struct error *error)
{
    struct stream *stream = running->slot->stream;
    struct stream_copy *copy = least_busy(engine, stream);
    const struct tally tally = count_copies(engine, stream);
    *error = stream->why; /* why there was none for one just before it */
    if ((!copy || copy->job_count > 0) && startable(stream, &tally) > 0) {
        struct stream_copy *started = start_copy(engine, stream, error);
        copy = started ? started : copy;
    }
    if (!copy)
        return -1;
    /* How the process ends says nothing of a job: its answers do. */
    running->policy.fail_on.given = true;
    running_begin(running, 0);
    stream_copy_add(copy, running);
    return 0;
}

/* One that it was given can only be ended with the copy. */
static void stop(struct running *running, struct process_table *table)
{
    struct stream_copy *copy = running->place.copy;
    (void)table;
    if (running->place.given)
        stream_copy_end(
            copy, running->stop_reason == STOP_CANCEL ? COPY_CANCELLED : COPY_ASKED, NULL);
    else
        stream_copy_remove(copy, running);
}

static int64_t due_ms(const struct running *running)
{
    return running->place.copy ? INT64_MAX : 0;
}

static bool look(struct running *running, int epoll_fd, struct process_table *table)
{
    (void)epoll_fd;
    (void)table;
    if (running->place.copy)
        return false;
    running->outcome = ATTEMPT_INTERRUPTED;
    running_note_end(running);
    return true;
}

const struct running_kind running_stream = {
    .is_shared = true,
    .start = start,
    .stop = stop,
    .due_ms = due_ms,
    .look = look,
};
