/* SPDX-License-Identifier: MIT */
/*
 * How a run ended, told: the output alone on standard output, why it failed on
 * standard error, and the exit status.
 */
#ifndef CALLBACKCTL_OUTCOME_H
#define CALLBACKCTL_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/body.h"
#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/json.h"
#include "display.h"

struct outcome {
    enum result_status status;
    enum body_kind kind;
    struct bytes body; /* as posted or as polled */
    /* The result as the admin API says it; NULL when it was polled without the daemon. */
    const struct json_document *document;
    int64_t execution_id; /* for a polled one */
};

/* Prints it. The exit status, or -1. */
int outcome_tell(
    const struct display *display, const struct outcome *outcome, bool all_outputs,
    struct error *error);

/* Prints a value of a body: exact into a pipe, harmless on a terminal. 0 or -1. */
int outcome_print_value(const struct display *display, struct bytes value, struct error *error);

#endif
