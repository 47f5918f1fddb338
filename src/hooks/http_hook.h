/* SPDX-License-Identifier: MIT */
/*
 * The kind of hook that posts on to a URL. All of an engine share the connections of one pool,
 * which the engine's epoll watches; no process is started, and nothing waits.
 */
#ifndef CALLBACKD_HOOKS_HTTP_HOOK_H
#define CALLBACKD_HOOKS_HTTP_HOOK_H

#include "http_message.h"
#include "running.h"

extern const struct running_kind running_http;

struct http_hooks;

/* Events of `epoll_fd` that are its own point to its struct event_source, which is its beginning.
 * NULL on failure. */
struct http_hooks *http_hooks_new(int epoll_fd, struct error *error);
/* After all attempts were freed. NULL is allowed. */
void http_hooks_free(struct http_hooks *hooks);

/* Sends it. `running` is of this kind, and `body` is borrowed until it is freed. */
int http_hook_send(
    struct http_hooks *hooks, struct running *running, const struct config_hook *hook,
    const struct http_message *message, struct bytes body, struct error *error);
/* Takes in what happened; the next attempt that has ended, or NULL. */
struct running *http_hooks_next_ended(struct http_hooks *hooks);

#endif
