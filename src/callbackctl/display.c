/* SPDX-License-Identifier: MIT */
#include "display.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

enum { NOTE_BYTES = 8192 };

/* The terminal's CSI: every sequence that we ever send starts here. */
#define ESCAPE "\033["

void display_init(struct display *display, bool json)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool plain = (no_color && no_color[0] != '\0') || !term || strcmp(term, "dumb") == 0;
    *display = (struct display){
        .json = json,
        .terminal = isatty(STDOUT_FILENO) == 1,
        .error_terminal = isatty(STDERR_FILENO) == 1,
        .now_ms = clock_wall_ms(),
    };
    display->colour = display->terminal && !plain && !json;
}

int display_write(struct bytes data, struct error *error)
{
    if (os_write_all(STDOUT_FILENO, data, error) != 0)
        return error_prefix(error, "standard output");
    return 0;
}

int display_write_foreign(const struct display *display, struct bytes data, struct error *error)
{
    if (!display->terminal)
        return display_write(data, error);
    CLEANUP_BUFFER struct buffer safe;
    buffer_init(&safe, SIZE_MAX / 2);
    if (printable_append_lines(&safe, data) != 0)
        return error_set(error, ERROR_MEMORY, "no memory to print %zu bytes", data.length);
    return display_write(buffer_bytes(&safe), error);
}

void display_note(const char *format, ...)
{
    CLEANUP_BUFFER struct buffer text;
    CLEANUP_BUFFER struct buffer line;
    buffer_init(&text, NOTE_BYTES);
    buffer_init(&line, (size_t)5 * NOTE_BYTES);
    va_list arguments;
    va_start(arguments, format);
    buffer_vappendf(&text, format, arguments);
    va_end(arguments);
    buffer_append_text(&line, "callbackctl: ");
    printable_append_lines(&line, buffer_bytes(&text));
    buffer_append_char(&line, '\n');
    os_write_all(STDERR_FILENO, buffer_bytes(&line), NULL);
}

void display_progress(const struct display *display, const char *text)
{
    if (!display->error_terminal)
        return;
    CLEANUP_BUFFER struct buffer line;
    buffer_init(&line, NOTE_BYTES);
    buffer_append_text(&line, "\r" ESCAPE "K");
    text_append_printable(&line, bytes_of_text(text));
    os_write_all(STDERR_FILENO, buffer_bytes(&line), NULL);
}

int printable_append_lines(struct buffer *out, struct bytes text)
{
    size_t start = 0;
    for (size_t i = 0; i <= text.length; i++) {
        bool kept = i < text.length && (text.data[i] == '\n' || text.data[i] == '\t');
        if (i < text.length && !kept)
            continue;
        text_append_printable(out, bytes_of(text.data + start, i - start));
        if (kept)
            buffer_append_char(out, (char)text.data[i]);
        start = i + 1;
    }
    return buffer_failed(out) ? -1 : 0;
}

const char *colour_start(enum colour colour)
{
    static const char *const starts[] = {
        [COLOUR_NONE] = "",          [COLOUR_BOLD] = ESCAPE "1m",  [COLOUR_GOOD] = ESCAPE "32m",
        [COLOUR_BAD] = ESCAPE "31m", [COLOUR_BUSY] = ESCAPE "33m", [COLOUR_FAINT] = ESCAPE "2m",
    };
    return starts[colour];
}

const char *colour_end(void)
{
    return ESCAPE "0m";
}

enum colour colour_of_status(const char *status)
{
    static const struct {
        const char *name;
        enum colour colour;
    } rows[] = {
        {"success", COLOUR_GOOD},      {"succeeded", COLOUR_GOOD}, {"completed", COLOUR_GOOD},
        {"received", COLOUR_GOOD},     {"active", COLOUR_GOOD},    {"agreed", COLOUR_GOOD},
        {"failed", COLOUR_BAD},        {"dead", COLOUR_BAD},       {"lost", COLOUR_BAD},
        {"launch_failed", COLOUR_BAD}, {"mismatch", COLOUR_BAD},   {"differs", COLOUR_BAD},
        {"overdue", COLOUR_BUSY},      {"running", COLOUR_BUSY},   {"retrying", COLOUR_BUSY},
        {"truncated", COLOUR_BUSY},    {"paused", COLOUR_BUSY},    {"launching", COLOUR_BUSY},
        {"cancelled", COLOUR_FAINT},   {"SUCCESS", COLOUR_GOOD},   {"FAILED", COLOUR_BAD},
        {"FAILURE", COLOUR_BAD},       {"SKIPPED", COLOUR_FAINT},  {"gone", COLOUR_BAD},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, status) == 0)
            return rows[i].colour;
    }
    return COLOUR_NONE;
}

void display_span(int64_t ms, char *out, size_t out_bytes)
{
    static const struct {
        int64_t ms;
        const char *unit;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        /* Two of a unit before it is used: "90m" says more than "1h". */
        int64_t least = i + 1 < sizeof(units) / sizeof(units[0]) ? 2 * units[i].ms : units[i].ms;
        if (ms >= least) {
            snprintf(out, out_bytes, "%" PRId64 "%s", ms / units[i].ms, units[i].unit);
            return;
        }
    }
    snprintf(out, out_bytes, "0s");
}

int display_append_time(struct buffer *out, const char *time, int64_t now_ms)
{
    int64_t wall_ms = 0;
    if (!clock_parse_rfc3339(time, &wall_ms))
        return text_append_printable(out, bytes_of_text(time));
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm local;
    char text[32];
    if (!localtime_r(&seconds, &local) ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) == 0)
        return text_append_printable(out, bytes_of_text(time));
    char span[32];
    int64_t ago = now_ms - wall_ms;
    display_span(ago < 0 ? -ago : ago, span, sizeof(span));
    return buffer_appendf(
        out, "%s (%s%s%s)", text, ago < -1000 ? "in " : "", span, ago < -1000 ? "" : " ago");
}

void display_size(int64_t size, char *out, size_t out_bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    if (size < 1024) {
        snprintf(out, out_bytes, "%" PRId64 " B", size);
        return;
    }
    double value = (double)size / 1024;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    snprintf(out, out_bytes, "%.1f %s", value, units[unit]);
}
