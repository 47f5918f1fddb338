/* SPDX-License-Identifier: MIT */
/*
 * The keys of session tickets. Who gets hold of one can read what was said in TLS 1.2 under its
 * tickets, so a key is not kept for longer than a client may need it: a new one is made after each
 * period, the one before it still opens tickets, and older ones are wiped.
 *
 * Threads: any, once it is initialised.
 */
#ifndef CALLBACKD_HTTP_TLS_TICKETS_H
#define CALLBACKD_HTTP_TLS_TICKETS_H

#include <openssl/types.h>
#include <pthread.h>
#include <stdint.h>

#include "callbackd/error.h"

enum { TLS_TICKET_PERIOD_MS = 60 * 60 * 1000 };

struct tls_ticket_key {
    unsigned char name[16];
    unsigned char cipher[32];
    unsigned char mac[32];
};

struct tls_tickets {
    pthread_mutex_t lock;
    int64_t period_ms;
    int64_t made_ms;               /* monotonic, of the first; lock */
    struct tls_ticket_key keys[2]; /* newest first; lock */
};

int tls_tickets_init(struct tls_tickets *tickets, int64_t period_ms, struct error *error);
void tls_tickets_fini(struct tls_tickets *tickets);

/* Handshakes that begin or go on with `context` use them, and must end before they do. Each gives
 * one ticket; under TLS 1.3 one that resumes a session, too, unless a client certificate is asked
 * for: then a session cannot be drawn out for longer than two periods. */
void tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *context);

#endif
