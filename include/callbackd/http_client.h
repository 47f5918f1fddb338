/* SPDX-License-Identifier: MIT */
/*
 * Outgoing HTTP, one request at a time, over libcurl. TLS is verified against the
 * system's authorities or the one given. Redirects are not followed. A GET may take
 * over the connection of the client's last request; every other method opens its
 * own, so that nothing can ever send it twice. A proxy that the environment names
 * (https_proxy, no_proxy) is used, but never for this machine or a Unix socket.
 *
 * Threads: a client belongs to one thread at a time; http_client_init() once per
 * process before threads start.
 */
#ifndef CALLBACKD_HTTP_CLIENT_H
#define CALLBACKD_HTTP_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

struct http_client;

struct http_client_request {
    const char *method;         /* "GET", "POST", "PATCH" */
    const char *url;            /* http or https */
    const char *unix_path;      /* connect there instead; NULL: TCP */
    const char *ca_file;        /* PEM; NULL: the system's */
    const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
    struct bytes body;          /* sent when the method is not GET */
    const char *content_type;   /* of the body; NULL: none is sent */
    int64_t timeout_ms;         /* > 0; whole exchange; connecting takes at most 10 s of it */
    size_t response_max_bytes;  /* of the body; headers have their own bound, 64 KiB */
};

struct http_client_response {
    int status;
    struct buffer body;    /* caller's: http_client_response_fini */
    int64_t retry_after_s; /* -1: none (seconds form only) */
};

int http_client_init(struct error *error);
void http_client_cleanup(void);

/* NULL on failure. */
struct http_client *http_client_new(struct error *error);
void http_client_free(struct http_client *client); /* NULL is allowed */

/*
 * Any HTTP answer is success, whatever its status. -1: ERROR_UNREACHABLE (no connection, TLS
 * not verified: certainly not processed), ERROR_TIMEOUT or ERROR_IO (the request may have been
 * processed), ERROR_TOO_LARGE (the answer), ERROR_INVALID (the URL; a control character in a
 * header). Messages hold no header and no URL.
 */
int http_client_perform(
    struct http_client *client, const struct http_client_request *request,
    struct http_client_response *response_out, struct error *error);
/* Ends the exchange under way within about a second, with ERROR_IO, and all later ones at once:
 * for a thread that has to end. The one function that another thread may call. NULL is allowed. */
void http_client_cancel(struct http_client *client);
void http_client_response_fini(struct http_client_response *response);

#endif
