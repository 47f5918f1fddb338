/* SPDX-License-Identifier: MIT */
/* The headers of a post as they are stored: in order, with secrets removed. Threads: any. */
#ifndef CALLBACKD_HTTP_HEADERS_JSON_H
#define CALLBACKD_HTTP_HEADERS_JSON_H

#include "callbackd/buffer.h"
#include "callbackd/verify.h"
#include "server.h"

/*
 * Appends [["Name","value"],…]. Values of headers that carry credentials become "[removed]":
 * those of the usual names and those that the endpoint's schemes read a secret from. So does every
 * value in which `secret` stands (a token of the path that a proxy may have copied into a header;
 * NULL: none).
 */
int headers_json_append(
    const struct http_request *request, const struct verifier *verifier, const char *secret,
    struct buffer *out);

#endif
