/* SPDX-License-Identifier: MIT */
/* The routes of the simulator, a function each. */
#ifndef CALLBACKD_SIM_API_PRIVATE_H
#define CALLBACKD_SIM_API_PRIVATE_H

#include "answer.h"
#include "sim.h"

enum { API_BODY_MAX_BYTES = 256 * 1024 * 1024, API_ANSWER_MAX_BYTES = 1024 * 1024 * 1024 };

/* POST /workflows/{name}/run; `name` is decoded. */
void api_run(struct sim *sim, struct http_request *request, const char *name);
/* GET /workflow-version-execution-results */
void api_results(struct sim *sim, struct http_request *request);
/* POST /_sim/defaults, GET /_sim/sent, GET /_sim/runs */
void api_control(struct sim *sim, struct http_request *request);

/* Reads the whole body; false: it was answered. */
bool api_read_body(struct http_request *request, struct buffer *body);

#endif
