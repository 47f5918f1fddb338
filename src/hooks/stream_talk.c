/* SPDX-License-Identifier: MIT */
/* What goes to a copy and what comes from it. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "retry_after.h"
#include "stream_copy.h"
#include "stream_line.h"

enum {
    READ_BYTES = 64 * 1024,
    /* A buffer that a large body has made larger than this is not kept. */
    LINES_KEPT_BYTES = 1024 * 1024,
    SHOWN_BYTES = 60, /* of a line that is no answer */
};

static const char stdin_closed[] = "the stream's process closed its stdin";

/* ---- lines for it ---- */

static int append_line(
    struct result_reading *reading, struct stream_copy *copy, const struct running *running,
    struct error *error)
{
    CLEANUP_BUFFER struct buffer body;
    size_t before = copy->lines.length;
    int64_t size = running->result.size;
    buffer_init(&body, (size_t)(size > 0 ? size : 0));
    if (result_reading_body(reading, running->result.seq, &body, error) != 0)
        return error_prefix(error, "cannot load the result's body");
    const struct hook_values values = starter_values(running, NULL, buffer_bytes(&body));
    stream_line_append(&values, &copy->lines);
    if (!buffer_failed(&copy->lines))
        return 0;
    buffer_truncate(&copy->lines, before);
    copy->lines.failed = false;
    return error_set(error, ERROR_MEMORY, "no memory for a job's line");
}

/* The job ends, the copy has heard nothing of it. */
static void fail(
    struct hook_engine *engine, struct stream_copy *copy, struct running *running,
    const struct error *error)
{
    stream_copy_remove(copy, running);
    running_fail(running, error->message, starter_is_fatal(error->code));
    engine_end(engine, running);
}

static void make_line(
    struct hook_engine *engine, struct result_reading *reading, struct stream_copy *copy)
{
    struct running *running = copy->ungiven;
    struct error error;
    int result = 0;
    copy->ungiven = running->place.newer;
    if (!reading->log)
        result = result_reading_begin(reading, engine->log, &error);
    if (result == 0)
        result = append_line(reading, copy, running, &error);
    if (result != 0)
        fail(engine, copy, running, &error);
    else
        running->place.given = true;
}

/* A job whose hook is gone from the configuration is given to nobody: it is queued again. */
static void make_lines(struct hook_engine *engine, struct stream_copy *copy)
{
    struct result_reading reading = {.log = NULL};
    while (copy->ungiven && copy->lines.length - copy->sent < STREAM_PENDING_BYTES) {
        struct running *running = copy->ungiven;
        if (!running->slot) {
            stream_copy_remove(copy, running);
            running->outcome = ATTEMPT_INTERRUPTED;
            running_note_end(running);
            engine_end(engine, running);
        } else {
            make_line(engine, &reading, copy);
        }
    }
    result_reading_end(&reading);
}

/* false: the pipe takes no more, or is no more. */
static bool write_lines(struct stream_copy *copy)
{
    while (copy->sent < copy->lines.length) {
        ssize_t done =
            write(copy->stdin_fd, copy->lines.data + copy->sent, copy->lines.length - copy->sent);
        if (done > 0)
            copy->sent += (size_t)done;
        else if (errno != EINTR && errno != EAGAIN)
            stream_copy_note_closed(copy, stdin_closed);
        if (done <= 0 && errno != EINTR)
            return false;
    }
    return true;
}

static void forget_sent(struct stream_copy *copy)
{
    size_t left = copy->lines.length - copy->sent;
    if (left > 0 && copy->sent > 0)
        memmove(copy->lines.data, copy->lines.data + copy->sent, left);
    buffer_truncate(&copy->lines, left);
    copy->sent = 0;
    if (left == 0 && copy->lines.capacity > LINES_KEPT_BYTES)
        buffer_fini(&copy->lines);
}

/* Told by no write as long as there is nothing to write. */
static bool has_closed_stdin(const struct stream_copy *copy)
{
    struct pollfd pipe = {.fd = copy->stdin_fd};
    return poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR) != 0;
}

void stream_copy_feed(struct hook_engine *engine, struct stream_copy *copy)
{
    bool takes =
        (copy->phase == COPY_SERVING || copy->phase == COPY_RETIRING) && copy->closed_ms == 0;
    if (takes && !copy->ungiven && copy->lines.length == 0 && has_closed_stdin(copy))
        stream_copy_note_closed(copy, stdin_closed);
    while (takes && copy->stdin_fd >= 0 && (copy->ungiven || copy->sent < copy->lines.length)) {
        make_lines(engine, copy);
        takes = write_lines(copy);
        forget_sent(copy);
    }
}

/* ---- answers of it ---- */

static int64_t asked_pause(const struct stream_answer *answer)
{
    CLEANUP_BUFFER struct buffer line;
    if (answer->retry_after.length == 0)
        return RETRY_NOT_ASKED;
    buffer_init(&line, answer->retry_after.length + sizeof("Retry-After: "));
    buffer_append_text(&line, "Retry-After: ");
    buffer_append_bytes(&line, buffer_bytes(&answer->retry_after));
    return retry_after_find(buffer_bytes(&line), clock_wall_ms());
}

static void take_status(struct running *running, const struct stream_answer *answer)
{
    static const int exit_codes[] = {
        [STREAM_OK] = 0,
        [STREAM_RETRY] = EX_TEMPFAIL,
        [STREAM_FAIL] = EX_DATAERR,
        [STREAM_OTHER] = EX_TEMPFAIL};
    bool said = answer->message.length > 0;
    running->outcome = ATTEMPT_EXIT;
    running->exit_code = exit_codes[answer->status];
    running->succeeded = answer->status == STREAM_OK;
    running->fatal = answer->status == STREAM_FAIL;
    if (answer->status == STREAM_RETRY)
        running->asked_ms = asked_pause(answer);
    if (answer->status == STREAM_OTHER)
        running->message = text_copy("the stream answered with a status that is none");
    if (answer->status == STREAM_FAIL)
        running->message = text_copy(said ? buffer_text(&answer->message) : "the stream says fail");
    running->quotes_hook = answer->status == STREAM_FAIL && said;
    tail_append(&running->tails[SOURCE_OUTPUT], buffer_bytes(&answer->message));
}

/* One that it was given; in order, it is the first. */
static struct running *find_job(const struct stream_copy *copy, const struct id *job)
{
    struct running *running = copy->oldest;
    while (running && running->place.given && !id_equal(&running->job, job))
        running = running->place.newer;
    return running && running->place.given ? running : NULL;
}

static void take_answer(struct hook_engine *engine, struct stream_copy *copy)
{
    struct running *running = find_job(copy, &copy->answer.job);
    if (!running) {
        if (!copy->warned)
            log_warning(
                "a stream answered for a job that it does not have", LOG_TEXT("hook", copy->hook),
                LOG_INT("pid", copy->process.pid));
        copy->warned = true;
        return;
    }
    /* A job that was cancelled or timed out ends with its copy. */
    if (running->stop_reason == STOP_CANCEL || running->stop_reason == STOP_TIMEOUT)
        return;
    take_status(running, &copy->answer);
    stream_copy_remove(copy, running);
    running_note_end(running);
    stream_note_answer(copy->stream, copy);
    engine_end(engine, running);
}

static bool is_blank(struct bytes line)
{
    size_t at = 0;
    while (at < line.length && strchr(" \t\r", line.data[at]))
        at++;
    return at == line.length;
}

static void break_by_line(struct stream_copy *copy, struct bytes line, const char *why)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, sizeof(copy->fault));
    buffer_append_text(&text, "the stream wrote a line that is no answer (");
    buffer_append_text(&text, why);
    buffer_append_text(&text, "): ");
    text_append_printable(
        &text, bytes_of(line.data, line.length < SHOWN_BYTES ? line.length : SHOWN_BYTES));
    bool is_first = copy->phase == COPY_SERVING || copy->phase == COPY_RETIRING;
    copy->quotes_hook = copy->quotes_hook || is_first;
    stream_copy_end(copy, COPY_BROKE, buffer_text(&text));
}

/* false: it does not keep the protocol. */
static bool take_line(struct hook_engine *engine, struct stream_copy *copy, struct bytes line)
{
    struct error error;
    if (is_blank(line))
        return true;
    if (line.length > STREAM_ANSWER_BYTES_MAX) {
        break_by_line(copy, line, "over 64 KiB");
        return false;
    }
    if (stream_answer_parse(&copy->answer, line, &error) != 0) {
        break_by_line(copy, line, error.message);
        return false;
    }
    take_answer(engine, copy);
    return true;
}

/* All whole lines. After one that is no answer, nothing of the rest can be believed. */
static bool take_lines(struct hook_engine *engine, struct stream_copy *copy, size_t looked_at)
{
    size_t begin = 0;
    size_t from = looked_at;
    const unsigned char *data = copy->text.data;
    const unsigned char *newline;
    while ((newline = memchr(data + from, '\n', copy->text.length - from))) {
        size_t end = (size_t)(newline - data);
        if (!take_line(engine, copy, bytes_of(data + begin, end - begin)))
            return false;
        begin = from = end + 1;
    }
    size_t left = copy->text.length - begin;
    if (left > STREAM_ANSWER_BYTES_MAX) {
        break_by_line(copy, bytes_of(data + begin, left), "over 64 KiB");
        return false;
    }
    memmove(copy->text.data, data + begin, left);
    buffer_truncate(&copy->text, left);
    return true;
}

static void end_stdout(struct hook_engine *engine, struct stream_copy *copy)
{
    struct copy_source *source = &copy->sources[COPY_STDOUT];
    epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = -1;
    stream_copy_note_closed(copy, "the stream's process closed its stdout");
}

void stream_copy_read(struct hook_engine *engine, struct stream_copy *copy, int reads_max)
{
    struct copy_source *source = &copy->sources[COPY_STDOUT];
    for (int i = 0; i < reads_max && source->fd >= 0; i++) {
        size_t before = copy->text.length;
        if (buffer_reserve(&copy->text, READ_BYTES) != 0)
            return; /* it waits in the pipe */
        ssize_t got = read(source->fd, copy->text.data + before, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got > 0)
            copy->text.length += (size_t)got;
        if (got <= 0 || !take_lines(engine, copy, before)) {
            end_stdout(engine, copy);
            return;
        }
    }
}
