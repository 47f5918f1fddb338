/* SPDX-License-Identifier: MIT */
/*
 * Counts of latencies, log-linear: 128 steps for each power of two, so that a
 * percentile is right to 1 %. Threads: one at a time.
 */
#ifndef CALLBACKD_BENCH_HISTOGRAM_H
#define CALLBACKD_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 7,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS,
    HISTOGRAM_POWERS = 20, /* up to 67 s; longer ones count as that */
    HISTOGRAM_BUCKETS = (HISTOGRAM_POWERS + 1) * HISTOGRAM_STEPS
};

struct histogram {
    int64_t count;
    int64_t sum_us;
    int64_t longest_us;
    int64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, int64_t us);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* The value that `share` (0 to 1) of all do not exceed; 0 when there is none. */
int64_t histogram_percentile_us(const struct histogram *histogram, double share);

#endif
