/* SPDX-License-Identifier: MIT */
/*
 * Work that is due at a time, done by a fixed number of threads: a heap ordered by
 * time, so that thousands of runs under way cost no thread each. Every thread has
 * an HTTP client of its own.
 *
 * Threads: any may add; start and stop are for one owner.
 */
#ifndef CALLBACKD_SIM_SENDER_H
#define CALLBACKD_SIM_SENDER_H

#include <stdint.h>

#include "callbackd/error.h"
#include "callbackd/http_client.h"

struct sender;

/* Takes `item`. */
typedef void sender_work(void *context, struct http_client *client, void *item);
/* Frees an item that was never worked on. */
typedef void sender_drop(void *item);

struct sender *sender_start(
    int threads, sender_work *work, sender_drop *drop, void *context, struct error *error);
/* Takes `item`, also when it fails (-1: memory is short, or it is stopping). `due_ms` is
 * monotonic; items due at the same time are worked on in the order of adding. */
int sender_add(struct sender *sender, int64_t due_ms, void *item);
/* Waits for what is being worked on; drops the rest. NULL is allowed. */
void sender_stop(struct sender *sender);

#endif
