/* SPDX-License-Identifier: MIT */
/*
 * Escapes one unit of text (a UTF-8 sequence, or one byte that begins none) at a
 * time, so that a writer with little room can stop between units and never
 * within one. Used by the JSON writer, the log and text_append_printable().
 * Threads: no state.
 */
#ifndef CALLBACKD_ESCAPE_PRIVATE_H
#define CALLBACKD_ESCAPE_PRIVATE_H

#include <stddef.h>

#include "callbackd/buffer.h"

enum { ESCAPE_UNIT_BYTES = 12 }; /* 3 bytes as \xNN */

struct escaped {
    char data[ESCAPE_UNIT_BYTES]; /* not terminated */
    size_t length;
};

/* How many bytes at the start of `text` stand for themselves: printable ASCII but
 * for the quotation mark and the backslash. */
size_t escape_plain_length(struct bytes text);

/* Both take the first unit of `text`, which is not empty, and return its length. */
size_t escape_json(struct bytes text, struct escaped *out);
size_t escape_printable(struct bytes text, struct escaped *out);

#endif
