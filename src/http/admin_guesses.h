/* SPDX-License-Identifier: MIT */
/*
 * Who gives wrong admin tokens, how often: an address that goes on guessing is told to wait,
 * longer each time. The same token again is no further guess: a program that was not told of a new
 * one knows no better. That is never said to the right token, so nobody can lock its owner out.
 * Memory is bounded: the address that guessed longest ago makes room for a new one.
 *
 * Threads: any; the table has its lock.
 */
#ifndef CALLBACKD_HTTP_ADMIN_GUESSES_H
#define CALLBACKD_HTTP_ADMIN_GUESSES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    GUESSES_ADDRESSES = 256,
    GUESSES_FREE = 10,           /* who types a token may err that often */
    GUESSES_FORGET_MS = 30000,   /* one guess is forgotten in each such time */
    GUESSES_WAIT_MAX_S = 5 * 60, /* the longest that is asked for */
    GUESSES_KEY_BYTES = 16,
};

struct guesses {
    pthread_mutex_t lock;
    struct guesses_of {
        unsigned char address[GUESSES_KEY_BYTES]; /* of IPv6 the network: the rest is free */
        unsigned count;                           /* 0: the place is free */
        uint64_t latest;                          /* of the token that was counted last */
        int64_t since_ms; /* monotonic: one was forgotten last, or the first was counted */
        int64_t last_ms;  /* monotonic: the last one came */
    } of[GUESSES_ADDRESSES];
};

void guesses_init(struct guesses *guesses);
void guesses_fini(struct guesses *guesses);
/* Counts a wrong token from `peer` (a numeric address, or anything else for all that have none).
 * `token` tells it from others: a part of its digest.
 * Returns how many seconds the peer should wait; 0 while it may still have erred.
 * *begins_out: this is the first guess that has to wait. */
int guesses_add(
    struct guesses *guesses, const char *peer, uint64_t token, int64_t now_ms, bool *begins_out);

#endif
