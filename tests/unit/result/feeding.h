/* SPDX-License-Identifier: MIT */
/*
 * Feeding a scan in pieces. Each piece is an allocation of its own, of exact
 * size, so that a sanitizer sees a read past the end, and the text really moves
 * between two feeds.
 */
#ifndef CALLBACKD_TESTS_FEEDING_H
#define CALLBACKD_TESTS_FEEDING_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/json_scan.h"

/* What a scan said, in a form that can be compared. */
struct outcome {
    int result;
    uint64_t events; /* how many */
    uint64_t digest; /* of all of them, offsets included */
    struct error error;
};

static inline int note_event(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct outcome *outcome = context;
    uint64_t fields[] = {(uint64_t)event, (uint64_t)depth, start, end};
    (void)error;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        outcome->digest = (outcome->digest ^ fields[i]) * UINT64_C(0x100000001b3);
    outcome->events++;
    return 0;
}

static inline int feed_copy(
    struct json_scan *scan, struct bytes text, size_t length, bool last, struct error *error)
{
    unsigned char *copy = malloc(length ? length : 1);
    if (!copy)
        abort();
    if (length > 0)
        memcpy(copy, text.data, length);
    struct bytes view = bytes_of(copy, length);
    int result = last ? json_scan_finish(scan, view, error) : json_scan_feed(scan, view, error);
    free(copy);
    return result;
}

static inline void start_outcome(struct outcome *outcome, struct json_scan *scan, int depth_max)
{
    memset(outcome, 0, sizeof *outcome);
    json_scan_init(scan, depth_max, note_event, outcome);
}

static inline struct outcome scan_whole(struct bytes text, int depth_max)
{
    struct outcome outcome;
    struct json_scan scan;
    start_outcome(&outcome, &scan, depth_max);
    outcome.result = feed_copy(&scan, text, text.length, true, &outcome.error);
    return outcome;
}

static inline struct outcome scan_split(struct bytes text, size_t at, int depth_max)
{
    struct outcome outcome;
    struct json_scan scan;
    start_outcome(&outcome, &scan, depth_max);
    outcome.result = feed_copy(&scan, text, at, false, &outcome.error);
    if (outcome.result == 0)
        outcome.result = feed_copy(&scan, text, text.length, true, &outcome.error);
    return outcome;
}

static inline struct outcome scan_bytewise(struct bytes text, int depth_max)
{
    struct outcome outcome;
    struct json_scan scan;
    start_outcome(&outcome, &scan, depth_max);
    for (size_t length = 0; length <= text.length && outcome.result == 0; length++)
        outcome.result = feed_copy(&scan, text, length, false, &outcome.error);
    if (outcome.result == 0)
        outcome.result = feed_copy(&scan, text, text.length, true, &outcome.error);
    return outcome;
}

static inline bool outcomes_equal(const struct outcome *a, const struct outcome *b)
{
    return a->result == b->result && a->events == b->events && a->digest == b->digest &&
           a->error.code == b->error.code && strcmp(a->error.message, b->error.message) == 0;
}

#endif
