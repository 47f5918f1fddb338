/* SPDX-License-Identifier: MIT */
#include "callbackd/json_writer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/clock.h"
#include "escape_private.h"

void json_writer_init(struct json_writer *writer, struct buffer *out)
{
    *writer = (struct json_writer){.out = out};
}

static void value_begin(struct json_writer *writer)
{
    if (writer->comma)
        buffer_append_char(writer->out, ',');
    writer->comma = true;
}

static void write_literal(struct json_writer *writer, const char *literal)
{
    value_begin(writer);
    buffer_append_text(writer->out, literal);
}

static void write_string(struct buffer *out, struct bytes text)
{
    buffer_append_char(out, '"');
    while (text.length > 0 && !buffer_failed(out)) {
        size_t taken = escape_plain_length(text);
        if (taken > 0) {
            buffer_append(out, text.data, taken);
        } else {
            struct escaped unit;
            taken = escape_json(text, &unit);
            buffer_append(out, unit.data, unit.length);
        }
        text.data += taken;
        text.length -= taken;
    }
    buffer_append_char(out, '"');
}

static void container_begin(struct json_writer *writer, char bracket)
{
    value_begin(writer);
    buffer_append_char(writer->out, bracket);
    writer->comma = false;
}

static void container_end(struct json_writer *writer, char bracket)
{
    buffer_append_char(writer->out, bracket);
    writer->comma = true;
}

void json_object_begin(struct json_writer *writer)
{
    container_begin(writer, '{');
}

void json_object_end(struct json_writer *writer)
{
    container_end(writer, '}');
}

void json_array_begin(struct json_writer *writer)
{
    container_begin(writer, '[');
}

void json_array_end(struct json_writer *writer)
{
    container_end(writer, ']');
}

void json_key(struct json_writer *writer, const char *key)
{
    value_begin(writer);
    write_string(writer->out, bytes_of_text(key));
    buffer_append_char(writer->out, ':');
    writer->comma = false;
}

void json_bytes(struct json_writer *writer, struct bytes text)
{
    value_begin(writer);
    write_string(writer->out, text);
}

void json_text(struct json_writer *writer, const char *text)
{
    if (text)
        json_bytes(writer, bytes_of_text(text));
    else
        json_null(writer);
}

void json_int(struct json_writer *writer, int64_t value)
{
    value_begin(writer);
    buffer_appendf(writer->out, "%" PRId64, value);
}

/* A locale may have put its own decimal point, of any length, where JSON has a dot. */
static void write_number(struct buffer *out, const char *number)
{
    static const char allowed[] = "+-0123456789e";
    while (*number != '\0') {
        size_t length = strspn(number, allowed);
        buffer_append(out, number, length);
        number += length;
        size_t point = strcspn(number, allowed);
        if (point > 0)
            buffer_append_char(out, '.');
        number += point;
    }
}

void json_double(struct json_writer *writer, double value)
{
    if (!isfinite(value)) {
        json_null(writer);
        return;
    }
    /* 15 digits are enough for most numbers and 17 for all: the first that reads back. */
    char number[64];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(number, sizeof(number), "%.*g", digits, value);
        double back = strtod(number, NULL);
        if (back >= value && back <= value)
            break;
    }
    value_begin(writer);
    write_number(writer->out, number);
}

void json_bool(struct json_writer *writer, bool value)
{
    write_literal(writer, value ? "true" : "false");
}

void json_null(struct json_writer *writer)
{
    write_literal(writer, "null");
}

void json_raw(struct json_writer *writer, struct bytes json)
{
    value_begin(writer);
    buffer_append_bytes(writer->out, json);
}

void json_member_bytes(struct json_writer *writer, const char *key, struct bytes text)
{
    json_key(writer, key);
    json_bytes(writer, text);
}

void json_member_text(struct json_writer *writer, const char *key, const char *text)
{
    json_key(writer, key);
    json_text(writer, text);
}

void json_member_int(struct json_writer *writer, const char *key, int64_t value)
{
    json_key(writer, key);
    json_int(writer, value);
}

void json_member_double(struct json_writer *writer, const char *key, double value)
{
    json_key(writer, key);
    json_double(writer, value);
}

void json_member_bool(struct json_writer *writer, const char *key, bool value)
{
    json_key(writer, key);
    json_bool(writer, value);
}

void json_member_null(struct json_writer *writer, const char *key)
{
    json_key(writer, key);
    json_null(writer);
}

void json_member_raw(struct json_writer *writer, const char *key, struct bytes json)
{
    json_key(writer, key);
    json_raw(writer, json);
}

void json_member_time(struct json_writer *writer, const char *key, int64_t wall_ms)
{
    if (wall_ms == 0) {
        json_member_null(writer, key);
        return;
    }
    char text[CLOCK_RFC3339_BYTES];
    clock_format_rfc3339(wall_ms, text);
    json_member_text(writer, key, text);
}
