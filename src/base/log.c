/* SPDX-License-Identifier: MIT */
#include "callbackd/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/fibers.h"
#include "escape_private.h"

enum {
    LINE_BYTES = 4096,
    /* Kept free for what must end every line: a closing quote, the mark, brace and newline. */
    LINE_END_BYTES = 16,
};

/* The line under construction. Once `cut`, everything that would follow is dropped. */
struct line {
    char data[LINE_BYTES];
    size_t length;
    enum log_format format;
    bool cut;
};

/* Atomic because a reload may change the level while other threads log. */
static struct {
    _Atomic(enum log_format) format;
    _Atomic(enum log_level) level;
    _Atomic(const char *) role;
    atomic_int dropped; /* lines, since the last one that says so */
} log_sink = {LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO, "callbackd", 0};

static const char *const level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_ERROR] = "error",
};

static const char *const format_names[] = {
    [LOG_FORMAT_LOGFMT] = "logfmt",
    [LOG_FORMAT_JSON] = "json",
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

void log_open(enum log_format format, enum log_level level, const char *role)
{
    atomic_store_explicit(&log_sink.format, format, memory_order_relaxed);
    atomic_store_explicit(&log_sink.level, level, memory_order_relaxed);
    atomic_store_explicit(&log_sink.role, role, memory_order_release);
}

bool log_enabled(enum log_level level)
{
    return level >= atomic_load_explicit(&log_sink.level, memory_order_relaxed);
}

static bool find_name(const char *const *names, size_t count, const char *text, size_t *index_out)
{
    for (size_t i = 0; text && i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            *index_out = i;
            return true;
        }
    }
    return false;
}

bool log_parse_level(const char *text, enum log_level *level_out)
{
    size_t index = 0;
    if (!find_name(level_names, COUNT_OF(level_names), text, &index))
        return false;
    *level_out = (enum log_level)index;
    return true;
}

bool log_parse_format(const char *text, enum log_format *format_out)
{
    size_t index = 0;
    if (!find_name(format_names, COUNT_OF(format_names), text, &index))
        return false;
    *format_out = (enum log_format)index;
    return true;
}

/* All or nothing, so that a cut never falls within an escape. */
static bool line_put(struct line *line, const char *data, size_t length)
{
    if (line->cut || line->length + length > LINE_BYTES - LINE_END_BYTES) {
        line->cut = true;
        return false;
    }
    memcpy(line->data + line->length, data, length);
    line->length += length;
    return true;
}

/* For the few bytes that LINE_END_BYTES keeps free. */
static void line_end_put(struct line *line, const char *text)
{
    size_t length = strlen(text);
    memcpy(line->data + line->length, text, length);
    line->length += length;
}

/* The escape of one unit within quotes, in the line's format. */
static size_t escape_unit(enum log_format format, struct bytes text, struct escaped *out)
{
    bool shared = text.data[0] == '"' || text.data[0] == '\\' || text.data[0] == '\n' ||
                  text.data[0] == '\r' || text.data[0] == '\t';
    if (format == LOG_FORMAT_JSON || shared)
        return escape_json(text, out);
    return escape_printable(text, out);
}

static void line_put_escaped(struct line *line, struct bytes text)
{
    while (text.length > 0) {
        struct escaped unit;
        size_t taken = escape_unit(line->format, text, &unit);
        if (!line_put(line, unit.data, unit.length))
            return;
        text.data += taken;
        text.length -= taken;
    }
}

/* A name and what stands between it and its value; the closing quote has room kept. */
static bool line_put_name(struct line *line, const char *name, bool quoted)
{
    bool json = line->format == LOG_FORMAT_JSON;
    char text[128];
    int length = snprintf(
        text, sizeof(text), json ? "%s\"%s\":%s" : "%s%s=%s",
        line->length == 0 ? (json ? "{" : "") : (json ? "," : " "), name, quoted ? "\"" : "");
    if (length < 0 || (size_t)length >= sizeof(text)) {
        line->cut = true;
        return false;
    }
    return line_put(line, text, (size_t)length);
}

static bool needs_quotes(struct bytes text)
{
    if (text.length == 0 || escape_plain_length(text) != text.length)
        return true;
    return memchr(text.data, ' ', text.length) || memchr(text.data, '=', text.length);
}

static void line_put_text(struct line *line, const char *name, struct bytes text)
{
    bool quoted = line->format == LOG_FORMAT_JSON || needs_quotes(text);
    if (!line_put_name(line, name, quoted))
        return;
    line_put_escaped(line, text);
    if (quoted)
        line_end_put(line, "\"");
}

/* A name and a bare value: both or neither. */
static void line_put_bare(struct line *line, const char *name, const char *value)
{
    size_t start = line->length;
    if (line_put_name(line, name, false) && !line_put(line, value, strlen(value)))
        line->length = start;
}

static void line_put_int(struct line *line, const char *name, int64_t number)
{
    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, number);
    line_put_bare(line, name, text);
}

static void line_put_field(struct line *line, const struct log_field *field)
{
    switch (field->type) {
    case LOG_FIELD_OPTIONAL:
        if (!field->text)
            break;
        line_put_text(line, field->name, bytes_of_text(field->text));
        break;
    case LOG_FIELD_TEXT:
        line_put_text(line, field->name, bytes_of_text(field->text));
        break;
    case LOG_FIELD_BYTES:
        line_put_text(line, field->name, field->bytes);
        break;
    case LOG_FIELD_INT:
        line_put_int(line, field->name, field->number);
        break;
    case LOG_FIELD_BOOL:
        line_put_bare(line, field->name, field->number ? "true" : "false");
        break;
    case LOG_FIELD_END:
        break;
    }
}

static void line_begin(struct line *line, enum log_level level, const char *message)
{
    char now[CLOCK_RFC3339_BYTES];
    clock_format_rfc3339(clock_wall_ms(), now);
    const char *role = atomic_load_explicit(&log_sink.role, memory_order_acquire);
    line->length = 0;
    line->cut = false;
    line->format = atomic_load_explicit(&log_sink.format, memory_order_relaxed);
    line_put_text(line, "time", bytes_of_text(now));
    line_put_text(line, "level", bytes_of_text(level_names[level]));
    line_put_text(line, "role", bytes_of_text(role));
    line_put_text(line, "msg", bytes_of_text(message));
}

static void line_end(struct line *line)
{
    bool json = line->format == LOG_FORMAT_JSON;
    if (line->cut)
        line_end_put(line, json ? ",\"cut\":true" : " cut=true");
    line_end_put(line, json ? "}\n" : "\n");
}

static void write_line(const struct line *line)
{
    ssize_t written;
    do {
        written = write(STDERR_FILENO, line->data, line->length);
    } while (written < 0 && errno == EINTR);
}

/* false: whoever reads it has to go on first. A line fits into what a pipe that can be written to
 * takes at once. */
static bool write_line_at_once(const struct line *line)
{
    ssize_t sent = send(STDERR_FILENO, line->data, line->length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || errno != ENOTSOCK)
        return sent >= 0 || (errno != EAGAIN && errno != ENOBUFS);
    struct pollfd sink = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&sink, 1, 0) == 0)
        return false;
    write_line(line);
    return true;
}

static bool put_line(enum log_level level, const char *message, const struct log_field *fields)
{
    struct line line;
    line_begin(&line, level, message);
    for (; fields->type != LOG_FIELD_END; fields++)
        line_put_field(&line, fields);
    line_end(&line);
    if (fiber_self() != NULL)
        return write_line_at_once(&line);
    write_line(&line);
    return true;
}

static bool tell_of_dropped(void)
{
    int count = atomic_exchange(&log_sink.dropped, 0);
    const struct log_field fields[] = {LOG_INT("count", count), {.type = LOG_FIELD_END}};
    if (count == 0 ||
        put_line(LOG_LEVEL_WARNING, "lines of this log were dropped: it is not read", fields))
        return true;
    atomic_fetch_add(&log_sink.dropped, count);
    return false;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    if (!log_enabled(level))
        return;
    int saved = errno;
    if (!tell_of_dropped() || !put_line(level, message, fields))
        atomic_fetch_add(&log_sink.dropped, 1);
    errno = saved;
}
