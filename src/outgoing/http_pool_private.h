/* SPDX-License-Identifier: MIT */
/* What the pool and its calls know of each other. */
#ifndef CALLBACKD_OUTGOING_HTTP_POOL_PRIVATE_H
#define CALLBACKD_OUTGOING_HTTP_POOL_PRIVATE_H

#include <curl/curl.h>
#include <netinet/in.h>

#include "callbackd/http_pool.h"

struct http_pool {
    CURLM *multi;
    int epoll_fd; /* of the sockets and the timer */
    int timer_fd;
    struct http_call *ended; /* not taken yet */
};

struct http_call {
    struct http_call *next; /* among those that ended */
    struct http_pool *pool;
    void *context;
    CURL *curl;
    bool under_way; /* the pool's multi has it */

    char *url;                      /* that it was started with */
    struct curl_slist *headers;     /* for any origin */
    struct curl_slist *all_headers; /* for the first one */
    int redirects_left;
    bool private_networks;
    bool shows_certificate;

    /* Of the exchange at hand. */
    size_t head_bytes;
    bool head_ended;
    bool head_too_large;
    bool body_failed;               /* memory was short for it */
    char refused[INET6_ADDRSTRLEN]; /* the address that a redirect must not lead to; "" */
    char curl_error[CURL_ERROR_SIZE];

    struct http_call_answer answer;
};

/* The multi is done with it. true: it has ended; false: it was redirected, and goes on. */
bool http_call_done(struct http_call *call, CURLcode code);

#endif
