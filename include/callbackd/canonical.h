/* SPDX-License-Identifier: MIT */
/*
 * JSON as two other programs would write it, for signatures over what they wrote
 * and not over what was posted:
 *
 *   Python      json.dumps(json.loads(text), sort_keys=True)
 *   JavaScript  the sample of PromptLayer's documentation: json-stable-stringify of
 *               JSON.parse(text), and two regular expressions that put blanks after
 *               colons and commas, some of them inside of strings
 *
 * Both are rebuilt from the text, never through a tree of doubles: an integer keeps
 * its digits in Python's form. Of duplicate keys the last counts, in both.
 *
 * Threads: no state. Memory: some 24 bytes for each value, while it lasts.
 */
#ifndef CALLBACKD_CANONICAL_H
#define CALLBACKD_CANONICAL_H

#include "callbackd/buffer.h"
#include "callbackd/error.h"

enum {
    CANONICAL_BYTES_MAX = 1 << 20,
    CANONICAL_DEPTH_MAX = 128,
    CANONICAL_DIGITS_MAX = 4300 /* of an integer: Python reads no longer ones */
};

enum canonical_form { CANONICAL_PYTHON, CANONICAL_JAVASCRIPT };

/* The most that a text of that length can become. */
size_t canonical_bytes_max(size_t text_bytes);
/* Appends. -1: ERROR_INVALID when the text is not JSON, or one that the other program could not
 * have read; ERROR_TOO_LARGE; ERROR_MEMORY. What was appended until then is worthless. */
int canonical_json(
    struct bytes text, enum canonical_form form, struct buffer *out, struct error *error);

#endif
