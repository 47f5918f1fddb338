/* SPDX-License-Identifier: MIT */
/*
 * Follows a JSON pointer (RFC 6901) through the events of one scan, so that a
 * value is found while the text streams in. Memory: fixed, the caller's; the
 * pointer is borrowed. Threads: one at a time.
 */
#ifndef CALLBACKD_RESULT_JSON_POINTER_H
#define CALLBACKD_RESULT_JSON_POINTER_H

#include "callbackd/json_scan.h"

struct json_pointer {
    const char *text;  /* valid, as json_pointer_is_valid has it */
    const char *token; /* the '/' of the token that is looked for; the end when none is left */
    int followed;      /* open containers that the pointer goes through */
    bool key_matches;  /* the key just read is the token */
    bool counting;     /* the innermost container followed is an array */
    uint64_t index;    /* of its next element */
    bool found;
    enum json_event kind;
    size_t start; /* of the value found, in the scanned text */
    size_t end;
};

void json_pointer_init(struct json_pointer *pointer, const char *text);
/* `text` is the text as it is now; the rest is as the scanner's handler has it. */
void json_pointer_event(
    struct json_pointer *pointer, struct bytes text, enum json_event event, int depth, size_t start,
    size_t end);

#endif
