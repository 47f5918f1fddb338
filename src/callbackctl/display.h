/* SPDX-License-Identifier: MIT */
/*
 * What goes to the terminal. Standard output carries what was asked for, standard
 * error what is said about it. Nothing that came from elsewhere reaches a terminal
 * unless it went through here: control bytes are spelled out, so a sender cannot
 * move the cursor or rename the window.
 *
 * Threads: the main one.
 */
#ifndef CALLBACKCTL_DISPLAY_H
#define CALLBACKCTL_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

struct display {
    bool json;           /* --json */
    bool colour;         /* standard output is a terminal that wants it */
    bool terminal;       /* standard output is one */
    bool error_terminal; /* standard error is one */
    int64_t now_ms;      /* wall time at the start */
};

/* Looks at the descriptors and at NO_COLOR and TERM. */
void display_init(struct display *display, bool json);

/* Writes to standard output. -1: ERROR_IO. */
int display_write(struct bytes data, struct error *error);
/* The same, made harmless first when standard output is a terminal: for bytes that must be
 * exact when they go into a file or a pipe. */
int display_write_foreign(const struct display *display, struct bytes data, struct error *error);
/* A line on standard error: "callbackctl: …". Failing to say so is not a failure. */
void display_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Progress on standard error: replaces the one before; an empty text takes it away. Nothing
 * unless standard error is a terminal. */
void display_progress(const struct display *display, const char *text);

/* As text_append_printable, with newlines and tabs kept. */
int printable_append_lines(struct buffer *out, struct bytes text);

enum colour { COLOUR_NONE, COLOUR_BOLD, COLOUR_GOOD, COLOUR_BAD, COLOUR_BUSY, COLOUR_FAINT };
/* The escape sequence that starts it; "" for COLOUR_NONE. */
const char *colour_start(enum colour colour);
const char *colour_end(void);
/* How a status or a state is shown: "failed" is bad, "running" is busy. */
enum colour colour_of_status(const char *status);

/* Local time and how long ago: "2026-11-23 18:04:05 (3m ago)". `time` is RFC 3339; any other
 * text is appended as it is, made printable. */
int display_append_time(struct buffer *out, const char *time, int64_t now_ms);
/* "12s", "3m", "5h", "4d": the largest whole unit. */
void display_span(int64_t ms, char *out, size_t out_bytes);
/* "512 B", "1.5 KiB", "16.0 MiB". */
void display_size(int64_t size, char *out, size_t out_bytes);

#endif
