/* SPDX-License-Identifier: MIT */
/*
 * The part of a workflow's result that people want: which value is the output, how
 * it is printed, and why a run failed. Pure: bytes in, bytes out.
 * Threads: any.
 */
#ifndef CALLBACKCTL_WORKFLOW_OUTPUT_H
#define CALLBACKCTL_WORKFLOW_OUTPUT_H

#include <stdbool.h>

#include "callbackd/body.h"
#include "callbackd/buffer.h"

/*
 * The output inside a stored body; a view into it. With a node map, unless all are wanted, that
 * is the value of the first output node that succeeded, and the whole map when none did. The
 * body of an endpoint that is not for workflow results is its own output. false: there is none.
 */
bool workflow_output_pick(
    enum body_kind kind, struct bytes body, bool all_outputs, struct bytes *value_out);
/* The value of one node of a node map. false: the output is none, or has no such node. */
bool workflow_output_node(struct bytes body, const char *name, struct bytes *value_out);

/* Appends a value for a pipe: a string decoded, all else as compact JSON; then a newline. */
int workflow_output_append(struct bytes value, struct buffer *out);
/* Appends JSON without blanks between its tokens. */
int workflow_output_append_compact(struct bytes json, struct buffer *out);
/* Appends the text of a JSON value: a string decoded, all else compact. */
int workflow_output_append_text(struct bytes json, struct buffer *out);

/* Appends why the run failed, a line each: `node "Name": message`; nothing when the body does
 * not say. */
int workflow_output_append_reasons(struct bytes body, struct buffer *out);
/* Appends the names of a node map, comma-separated; nothing when the output is none. */
int workflow_output_append_names(struct bytes body, struct buffer *out);

#endif
