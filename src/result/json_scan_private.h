/* SPDX-License-Identifier: MIT */
/*
 * The inside of the scanner: a state machine that may be left after any byte.
 * Each step begins in one state at an offset before the end, takes as many bytes
 * as it can, and returns the offset where it stopped. On failure it sets the state
 * FAILED or STOPPED, which ends the run.
 */
#ifndef CALLBACKD_RESULT_JSON_SCAN_PRIVATE_H
#define CALLBACKD_RESULT_JSON_SCAN_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "callbackd/json_scan.h"

enum json_state {
    EXPECT_VALUE,
    EXPECT_ELEMENT, /* just after '[': a value or ']' */
    EXPECT_KEY,
    EXPECT_MEMBER, /* just after '{': a key or '}' */
    EXPECT_COLON,
    AFTER_VALUE,
    IN_STRING,
    IN_ESCAPE,
    IN_HEX,
    IN_UTF8,
    IN_LITERAL,
    NUMBER_MINUS,
    NUMBER_ZERO,
    NUMBER_INTEGER,
    NUMBER_POINT,
    NUMBER_FRACTION,
    NUMBER_E,
    NUMBER_E_SIGN,
    NUMBER_EXPONENT,
    FAILED, /* this and what follows ends a run */
    STOPPED
};

enum json_reason {
    WANT_VALUE,
    WANT_ELEMENT,
    WANT_KEY,
    WANT_MEMBER,
    WANT_COLON,
    WANT_COMMA_OR_BRACKET,
    WANT_COMMA_OR_BRACE,
    WANT_END,
    BAD_LITERAL,
    BAD_NUMBER,
    BAD_CONTROL,
    BAD_ESCAPE,
    BAD_UTF8,
    TOO_DEEP,
    CUT_SHORT,
    EMPTY
};

enum json_literal { LITERAL_TRUE, LITERAL_FALSE, LITERAL_NULL };

/* One call of the scanner. */
struct json_run {
    struct json_scan *scan;
    const unsigned char *data;
    size_t length;
    struct error *error;
};

static inline size_t json_scan_fail(struct json_run *run, size_t at, enum json_reason reason)
{
    run->scan->state = FAILED;
    run->scan->detail = reason;
    return at;
}

static inline void json_scan_emit(struct json_run *run, enum json_event event, size_t end)
{
    struct json_scan *scan = run->scan;
    if (scan->handler &&
        scan->handler(scan->context, event, scan->depth, scan->token_start, end, run->error) != 0)
        scan->state = STOPPED;
}

static inline bool json_is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* States in which any number of digits may follow. */
static inline bool json_repeats_digits(int state)
{
    return state == NUMBER_INTEGER || state == NUMBER_FRACTION || state == NUMBER_EXPONENT;
}

/* ---- steps inside a token (json_scan_token.c) ---- */

/* IN_STRING; the only one that may be called at the end of the text. */
size_t json_step_string(struct json_run *run, size_t at);
size_t json_step_utf8(struct json_run *run, size_t at);
size_t json_step_escape(struct json_run *run, size_t at);
size_t json_step_hex(struct json_run *run, size_t at);
/* Any NUMBER_ state; leaves the byte after the number. */
size_t json_step_number(struct json_run *run, size_t at);
/* IN_LITERAL; scan->detail is one of enum json_literal, scan->pending how much of it was read. */
size_t json_step_literal(struct json_run *run, size_t at);

/* ---- for the rest of the room ---- */

/* The handler stopped it; otherwise the text is wrong at scan->position. */
bool json_scan_was_stopped(const struct json_scan *scan);
/* Why the text is wrong, without the place. */
void json_scan_describe(const struct json_scan *scan, char *out, size_t out_bytes);

#endif
