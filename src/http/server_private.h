/* SPDX-License-Identifier: MIT */
/* What the files behind server.h share. */
#ifndef CALLBACKD_HTTP_SERVER_PRIVATE_H
#define CALLBACKD_HTTP_SERVER_PRIVATE_H

#include <civetweb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "connection_watch.h"
#include "idle_threads.h"
#include "listener_takeover.h"
#include "server.h"
#include "server_tls.h"

struct http_server {
    const char *name;
    http_handler *handler;
    void *context;
    int64_t request_timeout_ms;
    const struct http_header *standing_headers; /* NULL: none */
    atomic_bool started;
    atomic_bool draining;
    bool library_ready; /* mg_init_library was called */
    bool watch_ready;
    struct listener_takeover listeners;
    struct connection_watch watch;
    struct idle_threads idle;
    struct fibers *fibers; /* NULL: it has threads */
    struct server_tls tls;
    struct mg_context *civetweb; /* NULL: not running */
};

/* Lives on the stack of the connection's thread. */
struct http_request {
    struct http_server *server;
    struct mg_connection *connection;
    const struct mg_request_info *info;
    int64_t body_length; /* FRAMING_CHUNKED, or bytes */
    bool body_is_read;   /* to its end, or there is none */
    bool framing_is_bad; /* neither body nor next request can be found */
    bool is_last;        /* the connection ends with its answer */
    bool answered;
};

/* Answers with a problem (RFC 9457) whose status has no error code. */
void response_problem(
    struct http_request *request, int status, const char *title, const char *detail);

#endif
