/* SPDX-License-Identifier: MIT */
/*
 * Writes compact JSON into a buffer: commas and escapes are kept right here,
 * structure is the caller's. Text that is not UTF-8 has each bad byte replaced
 * with U+FFFD. Check buffer_failed() once at the end. Threads: as the buffer.
 *
 *     struct json_writer w;
 *     json_writer_init(&w, &buffer);
 *     json_object_begin(&w);
 *     json_member_text(&w, "id", id);
 *     json_object_end(&w);
 */
#ifndef CALLBACKD_JSON_WRITER_H
#define CALLBACKD_JSON_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"

struct json_writer {
    struct buffer *out; /* borrowed */
    bool comma;         /* the next value needs one before it */
};

void json_writer_init(struct json_writer *writer, struct buffer *out);

void json_object_begin(struct json_writer *writer);
void json_object_end(struct json_writer *writer);
void json_array_begin(struct json_writer *writer);
void json_array_end(struct json_writer *writer);
void json_key(struct json_writer *writer, const char *key);

void json_bytes(struct json_writer *writer, struct bytes text);
void json_text(struct json_writer *writer, const char *text); /* NULL: null */
void json_int(struct json_writer *writer, int64_t value);
void json_double(struct json_writer *writer, double value); /* not finite: null */
void json_bool(struct json_writer *writer, bool value);
void json_null(struct json_writer *writer);
/* `json` is valid JSON already and goes in as it is. */
void json_raw(struct json_writer *writer, struct bytes json);

void json_member_bytes(struct json_writer *writer, const char *key, struct bytes text);
void json_member_text(struct json_writer *writer, const char *key, const char *text);
void json_member_int(struct json_writer *writer, const char *key, int64_t value);
void json_member_double(struct json_writer *writer, const char *key, double value);
void json_member_bool(struct json_writer *writer, const char *key, bool value);
void json_member_null(struct json_writer *writer, const char *key);
void json_member_raw(struct json_writer *writer, const char *key, struct bytes json);
/* RFC 3339 as in clock.h; 0 is null. */
void json_member_time(struct json_writer *writer, const char *key, int64_t wall_ms);

#endif
