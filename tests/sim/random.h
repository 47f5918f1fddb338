/* SPDX-License-Identifier: MIT */
/* Numbers that vary and yet repeat: a stream for each seed (Sebastiano Vigna's SplitMix64,
 * public domain, from its description). Threads: a stream belongs to one. */
#ifndef CALLBACKD_SIM_RANDOM_H
#define CALLBACKD_SIM_RANDOM_H

#include <stdint.h>

struct sim_random {
    uint64_t state;
};

static inline uint64_t sim_random_next(struct sim_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* A stream of its own for each of several purposes. */
static inline struct sim_random sim_random_of(int64_t seed, int64_t id, uint64_t purpose)
{
    struct sim_random random = {(uint64_t)seed};
    random.state = sim_random_next(&random) ^ (uint64_t)id;
    random.state = sim_random_next(&random) ^ purpose;
    return random;
}

/* 0 to count - 1; count > 0. */
static inline uint64_t sim_random_below(struct sim_random *random, uint64_t count)
{
    return sim_random_next(random) % count;
}

#endif
