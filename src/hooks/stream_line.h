/* SPDX-License-Identifier: MIT */
/* What a stream's worker is told of a job: one line of docs/STREAM_HOOKS.md. Pure. */
#ifndef CALLBACKD_HOOKS_STREAM_LINE_H
#define CALLBACKD_HOOKS_STREAM_LINE_H

#include "callbackd/buffer.h"
#include "callbackd/hooks.h"

/* Appends the line with its end. What does not fit leaves `out` marked failed. */
void stream_line_append(const struct hook_values *values, struct buffer *out);

#endif
