/* SPDX-License-Identifier: MIT */
/*
 * The admin API: the worker's own listener. It reads and changes state.db and
 * wakes the worker, which acts.
 *
 * Threads: one owner starts and stops it; requests run on the server's threads.
 */
#ifndef CALLBACKD_ADMIN_H
#define CALLBACKD_ADMIN_H

#include "callbackd/config.h"
#include "callbackd/error.h"
#include "callbackd/hook_view.h"
#include "callbackd/metrics.h"
#include "callbackd/state.h"
#include "callbackd/store.h"
#include "callbackd/upkeep.h"

struct admin;

struct admin_options {
    const struct config *config; /* borrowed until stop or admin_reload */
    const char *public_url;      /* base of callback URLs; borrowed until stop or admin_reload */
    struct state *state;
    struct result_log *log;
    struct store_checker *checker; /* may be NULL */
    struct metrics *metrics;       /* may be NULL */
    int listener;                  /* listening socket; borrowed */
    int wake_fd;                   /* eventfd of the worker, written after each change */
    struct hook_view *hooks;       /* what running jobs print */
};

/* NULL on failure. */
struct admin *admin_start(const struct admin_options *options, struct error *error);
/* Requests from now on see this configuration (tokens, endpoints, hooks) and public URL, both
 * borrowed likewise; new connections meet its certificate. Returns when no request uses the old
 * ones. The listener stays as it is, and so does whether it speaks TLS. */
void admin_reload(struct admin *admin, const struct config *config, const char *public_url);
/* Tell waiting long polls that results or runs changed. */
void admin_notify(struct admin *admin);
void admin_stop(struct admin *admin); /* NULL is allowed */

#endif
