/* SPDX-License-Identifier: MIT */
/*
 * The TLS settings of a server that runs: they can be exchanged, for new connections. civetweb
 * knows one context for ever; each handshake is given the one of now.
 *
 * Threads: any.
 */
#ifndef CALLBACKD_HTTP_SERVER_TLS_H
#define CALLBACKD_HTTP_SERVER_TLS_H

#include <openssl/types.h>
#include <pthread.h>

#include "callbackd/error.h"
#include "server.h"
#include "tls_tickets.h"

struct server_tls {
    SSL_CTX *front; /* civetweb's; NULL: no TLS */
    pthread_mutex_t lock;
    SSL_CTX *current; /* lock */
    struct tls_tickets tickets;
};

int server_tls_init(struct server_tls *tls, const struct http_tls *material, struct error *error);
/* On failure all stays as it was. */
int server_tls_exchange(
    struct server_tls *tls, const struct http_tls *material, struct error *error);
/* Of one that was zeroed, too. After the server has ended. */
void server_tls_fini(struct server_tls *tls);

#endif
