/* SPDX-License-Identifier: MIT */
/* A job's output while it runs. */
#ifndef CALLBACKCTL_FOLLOW_H
#define CALLBACKCTL_FOLLOW_H

#include "callbackd/error.h"
#include "session.h"

/* Prints what the job (the first operand) prints, from its latest attempt on, until it has ended.
 * The exit status, or -1. */
int follow_job(struct session *session, struct error *error);

/* How many bytes at the start of `now` stand at the end of `before`: both are the last part of
 * what was printed, so the rest of `now` is what is new. 0 when memory is short. */
size_t follow_overlap(const char *before, const char *now);

#endif
