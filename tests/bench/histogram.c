/* SPDX-License-Identifier: MIT */
#include "histogram.h"

static int bucket_of(int64_t us)
{
    if (us < HISTOGRAM_STEPS)
        return us < 0 ? 0 : (int)us;
    int power = 63 - __builtin_clzll((unsigned long long)us) - HISTOGRAM_STEP_BITS;
    int step = (int)(us >> power) - HISTOGRAM_STEPS;
    int bucket = (power + 1) * HISTOGRAM_STEPS + step;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The longest that falls into it. */
static int64_t bucket_us(int bucket)
{
    if (bucket < HISTOGRAM_STEPS)
        return bucket;
    int power = bucket / HISTOGRAM_STEPS - 1;
    return ((int64_t)(HISTOGRAM_STEPS + bucket % HISTOGRAM_STEPS + 1) << power) - 1;
}

void histogram_add(struct histogram *histogram, int64_t us)
{
    histogram->count++;
    histogram->sum_us += us;
    if (us > histogram->longest_us)
        histogram->longest_us = us;
    histogram->buckets[bucket_of(us)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    into->sum_us += from->sum_us;
    if (from->longest_us > into->longest_us)
        into->longest_us = from->longest_us;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
}

int64_t histogram_percentile_us(const struct histogram *histogram, double share)
{
    int64_t seen = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= share * (double)histogram->count)
            return bucket_us(i) < histogram->longest_us ? bucket_us(i) : histogram->longest_us;
    }
    return histogram->longest_us;
}
