/* SPDX-License-Identifier: MIT */
/* How an answer looks: shared by those that are given at once (response.c) and later (reply.c). */
#ifndef CALLBACKD_HTTP_RESPONSE_H
#define CALLBACKD_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "callbackd/buffer.h"
#include "server.h"

#define PROBLEM_TYPE "application/problem+json"

enum { RESPONSE_HEAD_MAX_BYTES = 64 * 1024, RESPONSE_HEAD_USUAL_BYTES = 1024 };

/* What an answer has to say about its connection. */
struct response_form {
    bool keep;
    bool is_1_0;                        /* of a client that has to be told of `keep` */
    const struct http_header *standing; /* the server's; NULL: none */
};

/* May the connection go on after the answer to this request? */
bool response_keeps_connection(const struct http_request *request);
/* Status line and headers, with the empty line. */
void response_append_head(
    struct buffer *out, const struct response_form *form, int status, const char *content_type,
    const struct http_header *headers, size_t body_length);

/* A problem (RFC 9457). Ended by problem_fini. */
struct problem {
    int status;
    struct http_header headers[2];
    char retry_after[16];
    struct buffer json;
};

/* As http_respond_problem says. `allow` is borrowed until problem_fini. */
void problem_init_error(
    struct problem *problem, enum error_code code, const char *detail, const char *allow);
void problem_fini(struct problem *problem);
struct bytes problem_body(const struct problem *problem);

#endif
