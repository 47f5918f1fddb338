/* SPDX-License-Identifier: MIT */
/*
 * The log: one line an event on standard error, written with one write().
 *
 *     log_info("result stored", LOG_TEXT("id", id), LOG_INT("size", size));
 *
 * gives in logfmt
 *
 *     time=2026-11-23T18:04:05.678Z level=info role=receiver msg="result stored" id=… size=512
 *
 * or the same as one JSON object. Every value is escaped here, so a sender's
 * bytes may be given; secrets, tokens and bodies may not. A line that would
 * pass 4 KiB is cut there and ends with cut=true.
 *
 * A line waits for whoever reads standard error. Not so in a fiber, whose loop would wait: there a
 * line that cannot be written at once is dropped, and the next one that can says how many were.
 *
 * Threads: any, after log_open(). The sink is one of the named mutable globals.
 */
#ifndef CALLBACKD_LOG_H
#define CALLBACKD_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

enum log_field_type {
    LOG_FIELD_END,
    LOG_FIELD_TEXT,
    LOG_FIELD_OPTIONAL, /* a text; NULL: the field is left out */
    LOG_FIELD_BYTES,
    LOG_FIELD_INT,
    LOG_FIELD_BOOL
};

struct log_field {
    enum log_field_type type;
    const char *name;
    const char *text; /* NULL prints as empty */
    struct bytes bytes;
    int64_t number;
};

/* clang-format off */
#define LOG_TEXT(field, value) {.type = LOG_FIELD_TEXT, .name = (field), .text = (value)}
#define LOG_OPTIONAL(field, value) \
    {.type = LOG_FIELD_OPTIONAL, .name = (field), .text = (value)}
#define LOG_BYTES(field, value) {.type = LOG_FIELD_BYTES, .name = (field), .bytes = (value)}
#define LOG_INT(field, value) {.type = LOG_FIELD_INT, .name = (field), .number = (int64_t)(value)}
#define LOG_BOOL(field, value) {.type = LOG_FIELD_BOOL, .name = (field), .number = (value) ? 1 : 0}
/* Two fields in one: error=<message> and error_code=<name of the code>. */
#define LOG_ERROR(error) \
    LOG_TEXT("error", (error)->message), LOG_TEXT("error_code", error_info((error)->code)->name)
/* clang-format on */

/* Set format, level and role. `role` is borrowed for ever (a literal). Before the first
 * call: logfmt, info, role "callbackd". */
void log_open(enum log_format format, enum log_level level, const char *role);
bool log_enabled(enum log_level level);
bool log_parse_level(const char *text, enum log_level *level_out);
bool log_parse_format(const char *text, enum log_format *format_out);

/* `fields` ends with a LOG_FIELD_END. Use the macros. */
void log_write(enum log_level level, const char *message, const struct log_field *fields);

#ifdef __cppcheck__ /* its parser does not know __VA_OPT__ */
#define LOG_WRITE(...) ((void)0)
#define log_debug(...) ((void)0)
#define log_info(...) ((void)0)
#define log_warning(...) ((void)0)
#define log_error(...) ((void)0)
#else
#define LOG_WRITE(level, message, ...)                                                             \
    log_write((level), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define log_debug(message, ...) LOG_WRITE(LOG_LEVEL_DEBUG, message __VA_OPT__(, ) __VA_ARGS__)
#define log_info(message, ...) LOG_WRITE(LOG_LEVEL_INFO, message __VA_OPT__(, ) __VA_ARGS__)
#define log_warning(message, ...) LOG_WRITE(LOG_LEVEL_WARNING, message __VA_OPT__(, ) __VA_ARGS__)
#define log_error(message, ...) LOG_WRITE(LOG_LEVEL_ERROR, message __VA_OPT__(, ) __VA_ARGS__)
#endif

#endif
