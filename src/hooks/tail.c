/* SPDX-License-Identifier: MIT */
#include "tail.h"

#include <stdlib.h>
#include <string.h>

enum { TAIL_BYTES_FIRST = 1024 };

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void grow(struct tail *tail, size_t wanted)
{
    size_t capacity = tail->capacity == 0 ? TAIL_BYTES_FIRST : tail->capacity;
    while (capacity < wanted && capacity < TAIL_BYTES_MAX)
        capacity *= 2;
    if (capacity == tail->capacity)
        return;
    unsigned char *data = realloc(tail->data, capacity);
    if (!data)
        return; /* what there is becomes the ring */
    tail->data = data;
    tail->capacity = capacity;
}

/* Overwrites the oldest bytes; `data` is not longer than the ring. */
static void write_around(struct tail *tail, struct bytes data)
{
    size_t end = (tail->start + tail->length) % tail->capacity;
    size_t first = smaller(data.length, tail->capacity - end);
    memcpy(tail->data + end, data.data, first);
    memcpy(tail->data, data.data + first, data.length - first);
    size_t total = tail->length + data.length;
    size_t dropped = total > tail->capacity ? total - tail->capacity : 0;
    tail->start = (tail->start + dropped) % tail->capacity;
    tail->length = total - dropped;
    tail->cut = tail->cut || dropped > 0;
}

void tail_append(struct tail *tail, struct bytes data)
{
    if (data.length == 0)
        return;
    /* Only a ring that never wrapped may move to more memory as it is. */
    if (tail->start == 0)
        grow(tail, tail->length + data.length);
    if (tail->capacity == 0) {
        tail->cut = true;
        return;
    }
    if (data.length > tail->capacity) {
        size_t excess = data.length - tail->capacity;
        data = bytes_of(data.data + excess, tail->capacity);
        tail->cut = true;
    }
    write_around(tail, data);
}

static void reverse(unsigned char *data, size_t length)
{
    for (size_t i = 0; i < length / 2; i++) {
        unsigned char kept = data[i];
        data[i] = data[length - 1 - i];
        data[length - 1 - i] = kept;
    }
}

struct bytes tail_content(struct tail *tail)
{
    /* Three reversals turn a ring in place. */
    if (tail->start > 0) {
        reverse(tail->data, tail->start);
        reverse(tail->data + tail->start, tail->capacity - tail->start);
        reverse(tail->data, tail->capacity);
        tail->start = 0;
    }
    return bytes_of(tail->data, tail->length);
}

void tail_fini(struct tail *tail)
{
    free(tail->data);
    *tail = (struct tail){0};
}
