/* SPDX-License-Identifier: MIT */
/*
 * A strict JSON scanner (RFC 8259) for bytes from strangers. It works over a
 * contiguous text that may still be growing (a body that streams in): feed it the
 * text so far, as often as you like, and it goes on where it stopped. Nothing is
 * copied or decoded; events give offsets into the text, so the text may move
 * between two feeds.
 *
 * Refused: everything outside the grammar, invalid UTF-8 (RFC 3629) anywhere, a
 * byte order mark, raw control characters, nesting deeper than the limit.
 * Accepted as the grammar has it: duplicate keys, lone surrogate escapes, numbers
 * of any size (their spelling is in the text).
 *
 * Memory: fixed, about 200 bytes; the caller's storage. Threads: one at a time.
 */
#ifndef CALLBACKD_JSON_SCAN_H
#define CALLBACKD_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

enum { JSON_DEPTH_MAX = 1024 };

enum json_event {
    JSON_OBJECT_BEGIN, /* start..end is the bracket */
    JSON_OBJECT_END,
    JSON_ARRAY_BEGIN,
    JSON_ARRAY_END,
    JSON_KEY,    /* start..end with the quotes, escapes as spelled */
    JSON_STRING, /* the same */
    JSON_NUMBER, /* the spelling */
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

/* Not 0 stops the scan; the scan then fails with what `error` says. `depth` is the count of
 * open containers: the containers' own events have the depth outside of them. */
typedef int json_scan_handler(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error);

struct json_scan {
    json_scan_handler *handler; /* may be NULL */
    void *context;
    int depth_max;
    /* Private from here. */
    int depth;
    int state;
    int pending; /* hex digits or UTF-8 bytes to come; bytes of a literal so far */
    bool in_key; /* the string is a key */
    size_t position;
    size_t token_start;
    uint32_t detail;                       /* UTF-8 bounds, the literal, or why it failed */
    uint64_t objects[JSON_DEPTH_MAX / 64]; /* bit set: that level is an object */
};

/* depth_max: 1 to JSON_DEPTH_MAX; the nearest of them is taken for anything else. */
void json_scan_init(
    struct json_scan *scan, int depth_max, json_scan_handler *handler, void *context);
/* `text` is all of it so far: never shorter than at the last call. -1 with ERROR_INVALID and
 * "byte <offset>: " in the message; after that every call fails. */
int json_scan_feed(struct json_scan *scan, struct bytes text, struct error *error);
/* No more will come: `text` must hold exactly one value and white space. */
int json_scan_finish(struct json_scan *scan, struct bytes text, struct error *error);

/* Whole text at once. */
int json_scan_text(
    struct bytes text, int depth_max, json_scan_handler *handler, void *context,
    struct error *error);

/* Appends the decoded form of a string token (with its quotes) as UTF-8. A lone surrogate
 * escape becomes U+FFFD; \u0000 becomes a NUL byte. The token must have been scanned. */
int json_decode_string(struct bytes token, struct buffer *out);
/* An integer token into int64 without loss ("1.0", "1e3" and overflow are not). */
bool json_number_to_int64(struct bytes token, int64_t *value_out);

/*
 * RFC 6901 look-up in a text that was scanned: gives the token's view and kind. Of duplicate
 * keys the last counts, as most readers have it. "" is the whole document. An array index is
 * decimal without leading zeros. false: there is no such value.
 */
bool json_pointer_find(
    struct bytes text, const char *pointer, struct bytes *value_out, enum json_event *kind_out);
/* "" or starts with '/', and every '~' is followed by 0 or 1. */
bool json_pointer_is_valid(const char *pointer);

#endif
