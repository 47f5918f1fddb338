/* SPDX-License-Identifier: MIT */
/* What an http hook sends beside the body: where to, and the headers. */
#ifndef CALLBACKD_HOOKS_HTTP_MESSAGE_H
#define CALLBACKD_HOOKS_HTTP_MESSAGE_H

#include "callbackd/hooks.h"
#include "string_list.h"

enum { HTTP_HEADER_BYTES_MAX = 8 * 1024 }; /* of one value */

struct http_message {
    const char *method; /* borrowed, as the URL */
    const char *url;
    struct string_list headers;     /* "Name: value": for any server that it may be led to */
    struct string_list own_headers; /* what the hook says itself: for its own server */
    size_t secret_from;             /* those of own_headers from here on are secrets */
};

/* ERROR_INVALID: a value cannot be a header's. The caller ends it with http_message_fini, also
 * after a failure. `now_s`: the signature's time, in seconds since 1970. */
int http_message_make(
    const struct hook_values *values, int64_t now_s, struct http_message *out, struct error *error);
/* For people: "POST https://…", then the headers; what is secret is told by where it stands. The
 * caller frees with hook_strings_free. */
int http_message_show(
    const struct http_message *message, const struct config_http *http, char ***lines_out,
    struct error *error);
void http_message_fini(struct http_message *message);

#endif
