/* SPDX-License-Identifier: MIT */
/* The last bytes of an output: keeps TAIL_BYTES_MAX of them and says whether more came. */
#ifndef CALLBACKD_HOOKS_TAIL_H
#define CALLBACKD_HOOKS_TAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "callbackd/buffer.h"

enum { TAIL_BYTES_MAX = 64 * 1024 };

struct tail {
    unsigned char *data; /* grows up to TAIL_BYTES_MAX, then is a ring */
    size_t capacity;
    size_t length;
    size_t start; /* of the oldest byte; 0 until the ring is full */
    bool cut;     /* something was dropped */
};

/* Zeroed storage is an empty tail. What memory does not suffice for is dropped, as cut. */
void tail_append(struct tail *tail, struct bytes data);
/* The content in one piece, valid until the next change. */
struct bytes tail_content(struct tail *tail);
void tail_fini(struct tail *tail);

#endif
