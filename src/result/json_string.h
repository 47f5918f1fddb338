/* SPDX-License-Identifier: MIT */
/*
 * Reads a scanned string token piece by piece, decoded, without allocating.
 * Safe on any bytes; right on tokens that the scanner accepted. Threads: no
 * shared state.
 */
#ifndef CALLBACKD_RESULT_JSON_STRING_H
#define CALLBACKD_RESULT_JSON_STRING_H

#include <stdbool.h>

#include "callbackd/buffer.h"

struct json_string {
    const unsigned char *at;
    const unsigned char *end;
    unsigned char decoded[4]; /* the escape that was read last */
    bool lone_surrogate;      /* one was met, and given as U+FFFD */
};

void json_string_open(struct json_string *string, struct bytes token);
/* The next piece: a run of the token, or one decoded escape, which lives until the next call.
 * Empty at the end. */
struct bytes json_string_next(struct json_string *string);

/* Is the decoded token this text? */
bool json_string_equals(struct bytes token, struct bytes text);
/* Has it \u0000? Has it a surrogate escape without its other half? */
void json_string_oddities(struct bytes token, bool *nul_out, bool *lone_surrogate_out);

#endif
