/* SPDX-License-Identifier: MIT */
/*
 * TLS for the server, from PEM texts in memory: the process that serves may not be able to
 * read the files. TLS 1.2 with forward secrecy and authenticated encryption only, and 1.3.
 * Threads: any; the context may be shared once it is made.
 */
#ifndef CALLBACKD_HTTP_TLS_H
#define CALLBACKD_HTTP_TLS_H

#include <openssl/types.h>

#include "callbackd/error.h"
#include "server.h"

/* NULL on failure, with OpenSSL's reason in `error`. SSL_CTX_free frees it. */
SSL_CTX *tls_context_create(const struct http_tls *tls, struct error *error);

/* As http_request_client_certificate, for a given certificate. */
bool tls_describe_certificate(
    X509 *certificate, struct buffer *subject, char fingerprint_out[static HTTP_FINGERPRINT_BYTES]);

#endif
