/* SPDX-License-Identifier: MIT */
/*
 * The PromptLayer workflow API, as documented: POST /workflows/{name}/run and
 * GET /workflow-version-execution-results. Answers are read leniently (several
 * historic shapes), ids exactly. A run is never posted twice by us: the API has no
 * idempotency key, so after an unclear failure the caller decides.
 *
 * Threads: as the http client that is passed.
 */
#ifndef CALLBACKD_PROMPTLAYER_H
#define CALLBACKD_PROMPTLAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/http_client.h"

struct promptlayer_api {
    const char *base_url; /* no trailing slash */
    const char *api_key;  /* sent as X-API-KEY */
    const char *ca_file;  /* NULL: the system's */
    int64_t timeout_ms;
};

struct promptlayer_run {
    const char *workflow;       /* name or numeric id; percent-encoded here */
    const char *label;          /* NULL: none; excludes version */
    int64_t version;            /* 0: none */
    struct bytes inputs_json;   /* an object; empty: {} */
    struct bytes metadata_json; /* an object of strings; empty: none */
    bool all_outputs;
    const char *callback_url; /* NULL: none */
};

struct promptlayer_launch {
    int64_t execution_id;
    char *warning; /* NULL: none; the caller frees */
};

/* Appends the request body as it would be posted: for --dry-run too. */
int promptlayer_run_body(
    const struct promptlayer_run *run, struct buffer *out, struct error *error);
/* Appends the URL of the run request. */
int promptlayer_run_url(
    const struct promptlayer_api *api, const char *workflow, struct buffer *out);
/*
 * Launches. 200, 201 and 202 with an execution id are success. ERROR_REFUSED: the API said no,
 * its message is ours (certainly not started); ERROR_UNREACHABLE: certainly not started;
 * ERROR_TIMEOUT, ERROR_IO: it may have started.
 */
int promptlayer_run(
    struct http_client *client, const struct promptlayer_api *api,
    const struct promptlayer_run *run, struct promptlayer_launch *launch_out, struct error *error);

enum promptlayer_poll {
    POLL_FINAL,   /* `output` holds it: the answer's body, valid JSON */
    POLL_RUNNING, /* not yet (202, 204) */
    POLL_FAILED,  /* terminal: 500 "completed but no output node succeeded"; `output` holds the
                     answer's body, {"success":false,…,"output":{nodes}} */
};
/*
 * Asks for a result. ERROR_NOT_FOUND (404), ERROR_REFUSED (other 4xx, redirects), ERROR_BUSY (429;
 * the wait in seconds is in *retry_after_s_out, -1 unknown), ERROR_UNREACHABLE, ERROR_TIMEOUT,
 * ERROR_IO (5xx and broken answers): worth another try.
 */
int promptlayer_poll(
    struct http_client *client, const struct promptlayer_api *api, int64_t execution_id,
    bool all_outputs, size_t output_max_bytes, enum promptlayer_poll *poll_out,
    struct buffer *output, int64_t *retry_after_s_out, struct error *error);

#endif
