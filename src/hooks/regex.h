/* SPDX-License-Identifier: MIT */
/*
 * Regular expressions that cannot hang: PCRE2 behind two functions, with bounds on steps,
 * memory and time. Without the just-in-time compiler: it needs memory that is writable and
 * executable, which hardened units forbid, and the values are short.
 */
#ifndef CALLBACKD_HOOKS_REGEX_H
#define CALLBACKD_HOOKS_REGEX_H

#include "callbackd/buffer.h"
#include "callbackd/error.h"

struct regex;

/* NULL: ERROR_INVALID with what is wrong and where. */
struct regex *regex_new(const char *pattern, struct error *error);
void regex_free(struct regex *regex); /* NULL is allowed */
enum { REGEX_STARVED = -2 };
/* 1: it matches somewhere in `text`; 0: it does not; -1: a bound was reached, unknown;
 * REGEX_STARVED: no memory, likewise. Bytes that are not UTF-8 match nothing. */
int regex_match(const struct regex *regex, struct bytes text);

#endif
