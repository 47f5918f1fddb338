/* SPDX-License-Identifier: MIT */
/*
 * How callbackctl ends. The statuses are a promise to scripts; their texts are
 * what help and the man page say.
 */
#ifndef CALLBACKCTL_EXIT_STATUS_H
#define CALLBACKCTL_EXIT_STATUS_H

#include "callbackd/error.h"

enum exit_status {
    EXIT_STATUS_DONE,
    EXIT_STATUS_WORKFLOW_FAILED,
    EXIT_STATUS_USAGE,
    EXIT_STATUS_REFUSED,
    EXIT_STATUS_UNREACHABLE,
    EXIT_STATUS_TIMED_OUT,
    EXIT_STATUS_LOCAL,
    EXIT_STATUS_COUNT
};

/* What it means, for people. */
const char *exit_status_text(enum exit_status status);
/* The status of a failure. */
enum exit_status exit_status_of(const struct error *error);

#endif
