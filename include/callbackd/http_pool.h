/* SPDX-License-Identifier: MIT */
/*
 * Outgoing HTTP that waits for nothing, over libcurl: many calls at once in one thread, which is
 * told by a descriptor when there is something to do. Names are resolved by threads of libcurl's
 * own. Connections are kept for later calls; TLS is always verified; no proxy is used, whatever the
 * environment says.
 *
 * A call ends when its answer is there or none will come; there is no time limit but one of 10 s
 * for connecting: who started it frees it when it took too long.
 *
 * A call whose kept connection turns out to be closed is sent again on a new one by libcurl itself,
 * so a server may see it twice: give it something to know it by.
 *
 * Threads: a pool and its calls belong to one. http_client_init() comes first.
 */
#ifndef CALLBACKD_HTTP_POOL_H
#define CALLBACKD_HTTP_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

struct http_pool;
struct http_call;

enum {
    HTTP_CALL_LINE_BYTES = 128,
    HTTP_CALL_MESSAGE_BYTES = 256,
};

/* All borrowed for http_call_start alone, but for the body. */
struct http_call_request {
    const char *method; /* "POST", "PUT" */
    const char *url;    /* http or https */
    /* "Name: value", NULL-terminated; a Content-Type is among them. */
    const char *const *headers;
    const char *const *own_headers; /* more, not sent to any other origin than that of `url` */
    struct bytes body;              /* borrowed until http_call_free */
    struct bytes ca;                /* PEM, in place of the system's; empty: those */
    struct bytes certificate;       /* PEM with its chain, shown to the origin of `url`; or empty */
    struct bytes private_key;       /* PEM */
    int redirects;                  /* that are followed: 307 and 308, never from https to http */
    bool private_networks;          /* redirects may lead there */
    size_t body_max_bytes;          /* of the answer; what is over it is not waited for */
};

enum http_call_end {
    HTTP_CALL_ANSWERED,
    HTTP_CALL_NOT_SENT, /* no connection, or an unsafe one: certainly not taken in */
    HTTP_CALL_BROKEN,   /* no whole answer came: it may have been taken in */
};

struct http_call_answer {
    enum http_call_end end;
    int status;                                 /* the last one that came; 0: none */
    char status_line[HTTP_CALL_LINE_BYTES];     /* as the server wrote it, cut to that; "" */
    char retry_after[HTTP_CALL_LINE_BYTES / 2]; /* the header's value; "" */
    struct buffer body;                         /* its beginning */
    bool body_cut;                              /* there was more */
    int redirects;                              /* how many were followed */
    /* Why there is no answer, or why this redirect was not followed; "". Without any URL. */
    char message[HTTP_CALL_MESSAGE_BYTES];
};

struct http_pool *http_pool_new(struct error *error);
/* No call may be left. NULL is allowed. */
void http_pool_free(struct http_pool *pool);

/* Readable when http_pool_run has something to do, timers included. */
int http_pool_fd(const struct http_pool *pool);
void http_pool_run(struct http_pool *pool);
/* A call that has ended and was not given before; NULL: none. */
struct http_call *http_pool_take_ended(struct http_pool *pool);

/* NULL: ERROR_MEMORY, or ERROR_INVALID for a header with a control character. Nothing is sent
 * before the next http_pool_run. */
struct http_call *http_call_start(
    struct http_pool *pool, const struct http_call_request *request, void *context,
    struct error *error);
/* Breaks it off, if it has not ended, without waiting. NULL is allowed. */
void http_call_free(struct http_call *call);
void *http_call_context(const struct http_call *call);
/* Of a call that has ended. */
const struct http_call_answer *http_call_answer(const struct http_call *call);

#endif
