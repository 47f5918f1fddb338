/* SPDX-License-Identifier: MIT */
/*
 * What the sender meets: verifies, checks and stores posts, and answers 200 only
 * when a post is stored. Runs in the receiver process.
 *
 * Threads: one owner starts, drains and stops it; requests run on the server's threads.
 */
#ifndef CALLBACKD_RECEIVER_H
#define CALLBACKD_RECEIVER_H

#include <stddef.h>
#include <stdint.h>

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/metrics.h"
#include "callbackd/store.h"

struct receiver;

struct receiver_options {
    const struct config *config; /* borrowed until stop */
    struct result_log *log;      /* borrowed until stop */
    struct metrics *metrics;     /* may be NULL */
    const int *listeners;        /* one listening socket for each of config->listeners; borrowed */
};

/* NULL on failure. */
struct receiver *receiver_start(const struct receiver_options *options, struct error *error);
/* Stops accepting; open connections are told to close with their next answer. */
void receiver_drain(struct receiver *receiver);
/* Connections that are open, idle ones included. 0 after receiver_drain: there will be none. */
int64_t receiver_connections(const struct receiver *receiver);
/* Requests that are being read or answered. */
int64_t receiver_requests(const struct receiver *receiver);
void receiver_stop(struct receiver *receiver); /* NULL is allowed */

#endif
