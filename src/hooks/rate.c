/* SPDX-License-Identifier: MIT */
#include "rate.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

static int64_t slice_ms(const struct rate *rate)
{
    return rate->allowed.period_ms / (RATE_SLICES - 1);
}

void rate_init(struct rate *rate, struct config_rate allowed)
{
    *rate = (struct rate){.allowed = allowed};
}

static int at(int64_t slice)
{
    return (int)(slice % RATE_SLICES);
}

/* Those that count in slice `now`: in it, and in as many before it as a period has. */
static int64_t count(const struct rate *rate, int64_t now)
{
    int64_t sum = 0;
    for (int64_t slice = now - RATE_SLICES + 1; slice <= rate->newest; slice++) {
        if (slice > rate->newest - RATE_SLICES && slice >= 0)
            sum += rate->starts[at(slice)];
    }
    return sum;
}

/* A clock that went back, which it should not, counts as one that stands still. */
static int64_t slice_of(const struct rate *rate, int64_t now_ms)
{
    int64_t slice = now_ms / slice_ms(rate);
    return slice > rate->newest ? slice : rate->newest;
}

int rate_room(const struct rate *rate, int64_t now_ms)
{
    if (rate->allowed.limit == 0)
        return INT_MAX;
    int64_t room = rate->allowed.limit - count(rate, slice_of(rate, now_ms));
    return room > 0 ? (int)room : 0;
}

int64_t rate_next_ms(const struct rate *rate, int64_t now_ms)
{
    if (rate->allowed.limit == 0)
        return now_ms;
    int64_t first = slice_of(rate, now_ms);
    for (int64_t slice = first; slice <= first + RATE_SLICES; slice++) {
        if (count(rate, slice) < rate->allowed.limit)
            return slice == first ? now_ms : slice * slice_ms(rate);
    }
    return now_ms + rate->allowed.period_ms;
}

void rate_take(struct rate *rate, int64_t now_ms, int starts)
{
    if (rate->allowed.limit == 0 || starts == 0)
        return;
    int64_t now = slice_of(rate, now_ms);
    int64_t emptied = now - rate->newest < RATE_SLICES ? rate->newest + 1 : now - RATE_SLICES + 1;
    for (; emptied <= now; emptied++)
        rate->starts[at(emptied)] = 0;
    rate->newest = now;
    rate->starts[at(now)] += starts;
}

void rate_write(const struct rate *rate, struct buffer *out)
{
    buffer_appendf(out, "%" PRId64 " %" PRId64, rate->allowed.period_ms, rate->newest);
    for (int64_t slice = rate->newest - RATE_SLICES + 1; slice <= rate->newest; slice++)
        buffer_appendf(out, " %d", slice >= 0 ? rate->starts[at(slice)] : 0);
}

void rate_read(struct rate *rate, const char *text)
{
    char *end;
    struct rate read = {.allowed = rate->allowed};
    if (rate->allowed.limit == 0 || strtoll(text, &end, 10) != rate->allowed.period_ms)
        return;
    read.newest = strtoll(end, &end, 10);
    for (int64_t slice = read.newest - RATE_SLICES + 1; slice <= read.newest; slice++) {
        const char *number = end;
        long starts = strtol(number, &end, 10);
        if (end == number || starts < 0 || starts > INT_MAX || read.newest < 0)
            return;
        if (slice >= 0)
            read.starts[at(slice)] = (int)starts;
    }
    *rate = read;
}
