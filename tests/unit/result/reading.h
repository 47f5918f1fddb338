/* SPDX-License-Identifier: MIT */
/* Reading a body whole and in pieces; the two must agree about everything. */
#ifndef CALLBACKD_TESTS_READING_H
#define CALLBACKD_TESTS_READING_H

#include <stdlib.h>
#include <string.h>

#include "callbackd/body.h"

struct reading {
    int result;
    struct body_summary summary;
    struct error error;
};

static inline int read_copy(
    struct body_reader *reader, struct bytes body, size_t length, struct reading *reading,
    bool last)
{
    /* Of exact size, so that a sanitizer sees a read past the end. */
    unsigned char *copy = malloc(length ? length : 1);
    if (!copy)
        abort();
    if (length > 0)
        memcpy(copy, body.data, length);
    struct bytes view = bytes_of(copy, length);
    int result = last ? body_reader_finish(reader, view, &reading->summary, &reading->error)
                      : body_reader_feed(reader, view, &reading->error);
    free(copy);
    return result;
}

static inline struct reading read_whole(const struct body_rules *rules, struct bytes body)
{
    struct reading reading;
    memset(&reading, 0, sizeof reading);
    reading.result = body_read(rules, body, &reading.summary, &reading.error);
    return reading;
}

/* `step` 0: in two pieces, cut at `first`; otherwise pieces of `step` bytes. */
static inline struct reading read_pieces(
    const struct body_rules *rules, struct bytes body, size_t first, size_t step)
{
    struct reading reading;
    memset(&reading, 0, sizeof reading);
    struct body_reader *reader = body_reader_new();
    if (!reader)
        abort();
    body_reader_begin(reader, rules);
    for (size_t at = first; at < body.length && reading.result == 0;
         at += step ? step : body.length)
        reading.result = read_copy(reader, body, at, &reading, false);
    if (reading.result == 0)
        reading.result = read_copy(reader, body, body.length, &reading, true);
    body_reader_free(reader);
    return reading;
}

static inline bool readings_equal(const struct reading *a, const struct reading *b)
{
    const struct body_summary *x = &a->summary;
    const struct body_summary *y = &b->summary;
    return a->result == b->result && a->error.code == b->error.code &&
           strcmp(a->error.message, b->error.message) == 0 && x->status == y->status &&
           x->has_execution_id == y->has_execution_id && x->execution_id == y->execution_id &&
           x->has_id == y->has_id && strcmp(x->id, y->id) == 0 && strcmp(x->event, y->event) == 0 &&
           strcmp(x->name, y->name) == 0;
}

/* Whole, byte by byte, and cut once at each place. */
static inline bool reads_alike_in_pieces(const struct body_rules *rules, struct bytes body)
{
    struct reading whole = read_whole(rules, body);
    struct reading bytewise = read_pieces(rules, body, 0, 1);
    bool alike = readings_equal(&whole, &bytewise);
    for (size_t at = 0; at <= body.length && alike; at++) {
        struct reading split = read_pieces(rules, body, at, 0);
        alike = readings_equal(&whole, &split);
    }
    return alike;
}

#endif
