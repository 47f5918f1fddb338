/* SPDX-License-Identifier: MIT */
/*
 * Everything that the table of verbs says, in four forms: the overview, one verb,
 * the man page, the shell completion. Threads: any; nothing is kept.
 */
#ifndef CALLBACKCTL_HELP_H
#define CALLBACKCTL_HELP_H

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "verbs.h"

/* All append. Check buffer_failed at the end. */
void help_append_all(struct buffer *out);
void help_append_verb(const struct verb *verb, struct buffer *out);
void help_append_man(struct buffer *out);
void help_append_completion(struct buffer *out);

/* To standard output. The exit status, or -1. */
int help_print_all(struct error *error);
int help_print_verb(const struct verb *verb, struct error *error);

#endif
