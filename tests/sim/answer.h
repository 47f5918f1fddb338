/* SPDX-License-Identifier: MIT */
/* Answers in the shapes of the API: compact JSON and a newline. Threads: as the request. */
#ifndef CALLBACKD_SIM_ANSWER_H
#define CALLBACKD_SIM_ANSWER_H

#include "callbackd/buffer.h"
#include "server.h"

/* Appends a newline to `json` and answers with it; 500 when the buffer is full. */
void answer_json(struct http_request *request, int status, struct buffer *json);
/* {"success":false,"message":…} */
void answer_message(struct http_request *request, int status, const char *message);
/* {"success":false,"error":…}: the older shape. */
void answer_error(struct http_request *request, int status, const char *message);
/* {"detail":…} */
void answer_detail(struct http_request *request, int status, const char *detail);
/* 422: {"detail":[{"loc":[where,field],"msg":…,"type":…}]}; `field` NULL: only where. */
void answer_validation(
    struct http_request *request, const char *where, const char *field, const char *message,
    const char *type);
/* An error as it may come from anywhere before the API itself; 429 and 503 say when to retry. */
void answer_status(struct http_request *request, int status);

#endif
