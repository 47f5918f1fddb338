/* SPDX-License-Identifier: MIT */
#include "inputs.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/json_scan.h"
#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

static const size_t value_bytes_max = (size_t)1 << 30;

static void input_fini(struct input *input)
{
    buffer_fini(&input->name);
    buffer_fini(&input->value);
}

void inputs_fini(struct inputs *inputs)
{
    for (size_t i = 0; i < inputs->count; i++)
        input_fini(&inputs->items[i]);
    free(inputs->items);
    *inputs = (struct inputs){0};
}

/* The item of that name, made when there is none. NULL when memory is short. */
static struct input *take_place(struct inputs *inputs, struct bytes name)
{
    for (size_t i = 0; i < inputs->count; i++) {
        if (bytes_equal(buffer_bytes(&inputs->items[i].name), name))
            return &inputs->items[i];
    }
    struct input *items = realloc(inputs->items, (inputs->count + 1) * sizeof(*items));
    if (!items)
        return NULL;
    inputs->items = items;
    struct input *input = &items[inputs->count];
    buffer_init(&input->name, value_bytes_max);
    buffer_init(&input->value, value_bytes_max);
    if (buffer_append_bytes(&input->name, name) != 0)
        return NULL;
    inputs->count++;
    return input;
}

static int set_value(
    struct inputs *inputs, struct bytes name, struct bytes json, struct error *error)
{
    struct input *input = take_place(inputs, name);
    if (input)
        buffer_clear(&input->value);
    if (!input || buffer_append_bytes(&input->value, json) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for an input");
    return 0;
}

/* What follows the '=', or NULL. */
static const char *split(
    const char *option, const char *assignment, const char *form, struct bytes *name_out,
    struct error *error)
{
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment) {
        error_set(error, ERROR_USAGE, "%s: \"%s\" is not of the form %s", option, assignment, form);
        return NULL;
    }
    *name_out = bytes_of(assignment, (size_t)(equals - assignment));
    if (!text_is_utf8(bytes_of_text(assignment))) {
        error_set(error, ERROR_USAGE, "%s: \"%s\" is not UTF-8", option, assignment);
        return NULL;
    }
    return equals + 1;
}

int inputs_add_text(
    struct inputs *inputs, const char *option, const char *assignment, struct error *error)
{
    struct bytes name;
    const char *value = split(option, assignment, "key=value", &name, error);
    if (!value)
        return -1;
    CLEANUP_BUFFER struct buffer json;
    buffer_init(&json, value_bytes_max);
    struct json_writer writer;
    json_writer_init(&writer, &json);
    json_text(&writer, value);
    if (buffer_failed(&json))
        return error_set(error, ERROR_MEMORY, "no memory for an input");
    return set_value(inputs, name, buffer_bytes(&json), error);
}

int inputs_add_json(
    struct inputs *inputs, const char *option, const char *assignment, struct error *error)
{
    struct bytes name;
    const char *value = split(option, assignment, "key=JSON", &name, error);
    if (!value)
        return -1;
    if (json_scan_text(bytes_of_text(value), JSON_DEPTH_MAX, NULL, NULL, error) != 0) {
        error_prefix(error, "%s: \"%s\" is not followed by JSON", option, assignment);
        error->code = ERROR_USAGE;
        return -1;
    }
    return set_value(inputs, name, bytes_of_text(value), error);
}

struct object_reader {
    struct inputs *inputs;
    struct bytes text;
    struct bytes key;   /* token of the member being read */
    size_t value_start; /* of a container */
};

static int take_member(
    const struct object_reader *reader, size_t start, size_t end, struct error *error)
{
    CLEANUP_BUFFER struct buffer name;
    buffer_init(&name, value_bytes_max);
    if (json_decode_string(reader->key, &name) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for an input");
    struct bytes value = bytes_of(reader->text.data + start, end - start);
    return set_value(reader->inputs, buffer_bytes(&name), value, error);
}

static int read_event(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct object_reader *reader = context;
    if (depth == 0 && event != JSON_OBJECT_BEGIN && event != JSON_OBJECT_END)
        return error_set(error, ERROR_USAGE, "it is not a JSON object");
    if (depth != 1)
        return 0;
    switch (event) {
    case JSON_KEY:
        reader->key = bytes_of(reader->text.data + start, end - start);
        return 0;
    case JSON_OBJECT_BEGIN:
    case JSON_ARRAY_BEGIN:
        reader->value_start = start;
        return 0;
    case JSON_OBJECT_END:
    case JSON_ARRAY_END:
        return take_member(reader, reader->value_start, end, error);
    default:
        return take_member(reader, start, end, error);
    }
}

int inputs_add_object(
    struct inputs *inputs, const char *source, struct bytes json, struct error *error)
{
    struct object_reader reader = {.inputs = inputs, .text = json};
    if (json_scan_text(json, JSON_DEPTH_MAX, read_event, &reader, error) == 0)
        return 0;
    if (error->code == ERROR_INVALID)
        error->code = ERROR_USAGE;
    return error_prefix(error, "%s", source);
}

int inputs_append(const struct inputs *inputs, struct buffer *out)
{
    struct json_writer writer;
    buffer_append_char(out, '{');
    for (size_t i = 0; i < inputs->count; i++) {
        const struct input *input = &inputs->items[i];
        if (i > 0)
            buffer_append_char(out, ',');
        json_writer_init(&writer, out);
        json_bytes(&writer, buffer_bytes(&input->name));
        buffer_append_char(out, ':');
        buffer_append_bytes(out, buffer_bytes(&input->value));
    }
    return buffer_append_char(out, '}');
}
