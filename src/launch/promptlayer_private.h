/* SPDX-License-Identifier: MIT */
/*
 * Shared by the two requests of the workflow API: sending one with the key, and
 * reading what an answer says went wrong. Threads: as the http client.
 */
#ifndef CALLBACKD_LAUNCH_PROMPTLAYER_PRIVATE_H
#define CALLBACKD_LAUNCH_PROMPTLAYER_PRIVATE_H

#include "callbackd/http_client.h"
#include "callbackd/json_scan.h"
#include "callbackd/promptlayer.h"

/* One request with the API key. `body` empty: GET. */
int promptlayer_exchange(
    struct http_client *client, const struct promptlayer_api *api, const char *url,
    struct bytes body, size_t response_max_bytes, struct http_client_response *response_out,
    struct error *error);

/* Fills `error` with "<what> (HTTP <status>): <what the answer says>", the key taken out of it.
 * Returns -1. */
int promptlayer_answer_error(
    const struct promptlayer_api *api, const struct http_client_response *response,
    enum error_code code, const char *what, struct error *error);

/* Appends what an error answer says, fit to be shown: `message`, else `error`, else `detail`
 * (a text or a validation list), else the beginning of the body. */
void promptlayer_read_message(struct bytes body, struct buffer *out);

/* Does the answer say "success": false? */
bool promptlayer_says_failure(struct bytes body);

#endif
