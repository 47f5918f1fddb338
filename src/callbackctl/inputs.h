/* SPDX-License-Identifier: MIT */
/*
 * A JSON object put together from the command line: inputs, metadata, tags. A key
 * given again takes the later value and keeps its place. Values keep their spelling,
 * so that no number loses digits.
 *
 * Threads: one at a time. Ownership: the list copies all it is given.
 */
#ifndef CALLBACKCTL_INPUTS_H
#define CALLBACKCTL_INPUTS_H

#include <stddef.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

struct input {
    struct buffer name;
    struct buffer value; /* JSON */
};

struct inputs {
    struct input *items;
    size_t count;
};

void inputs_fini(struct inputs *inputs);

/* "k=v": a string. `option` is for messages: "--input". All -1: ERROR_USAGE or ERROR_MEMORY. */
int inputs_add_text(
    struct inputs *inputs, const char *option, const char *assignment, struct error *error);
/* "k=JSON". */
int inputs_add_json(
    struct inputs *inputs, const char *option, const char *assignment, struct error *error);
/* All members of a JSON object. `source` is for messages: a file's name. */
int inputs_add_object(
    struct inputs *inputs, const char *source, struct bytes json, struct error *error);
/* Appends the object: "{}" when there are none. */
int inputs_append(const struct inputs *inputs, struct buffer *out);

#endif
