/* SPDX-License-Identifier: MIT */
/* Shared by receiver.c (life, routes) and post.c (one post). Nobody else. */
#ifndef CALLBACKD_HTTP_RECEIVER_PRIVATE_H
#define CALLBACKD_HTTP_RECEIVER_PRIVATE_H

#include <stdatomic.h>

#include "callbackd/body.h"
#include "callbackd/receiver.h"
#include "callbackd/spare.h"
#include "callbackd/verify.h"
#include "client_address.h"
#include "client_limit.h"
#include "server.h"

/* An endpoint made ready: read-only after start. */
struct receiver_endpoint {
    const struct config_endpoint *config;
    struct verifier *verifier;
    struct body_rules rules;
    size_t path_length;
};

/* The listeners that share TLS material, and their server. */
struct receiver_group {
    struct receiver *receiver;
    struct http_server *server;
    _Atomic int64_t connections;
};

/* Who a request is from. */
struct receiver_client {
    char address[CLIENT_ADDRESS_BYTES];
    struct client_count *count; /* what the request is counted by; left with it; may be NULL */
};

struct receiver {
    struct receiver_options options;
    struct client_limit *clients;
    struct receiver_endpoint *endpoints;
    size_t endpoint_count;
    struct receiver_group *groups;
    size_t group_count;
    _Atomic int64_t requests;         /* in the handler now */
    _Atomic int64_t bodies_in_flight; /* bytes reserved by posts being read or stored */
    _Atomic bool stopping;            /* bodies that have not come by now are cut off by us */
    struct spare_stack posts;         /* struct post, for the next requests */
};

/* Takes one request for an endpoint to its answer. `rest` is what follows the endpoint's path.
 * Takes the client's count where the answer is given later. */
void post_handle(
    struct receiver *receiver, const struct receiver_endpoint *endpoint,
    struct http_request *request, const char *rest, struct receiver_client *client);

enum { POSTS_SPARE_MAX = 64 };
/* For spare_fini of receiver->posts. */
void post_end(struct spare *spare);

#endif
