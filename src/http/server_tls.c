/* SPDX-License-Identifier: MIT */
#include "server_tls.h"

#include <openssl/ssl.h>

#include "tls.h"

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is OpenSSL's. */
static int choose_context(SSL *ssl, int *alert, void *context)
{
    struct server_tls *tls = context;
    (void)alert;
    (void)pthread_mutex_lock(&tls->lock);
    SSL_CTX *current = tls->current;
    (void)SSL_CTX_up_ref(current);
    (void)pthread_mutex_unlock(&tls->lock);
    if (current != SSL_get_SSL_CTX(ssl)) {
        (void)SSL_set_SSL_CTX(ssl, current);
        /* This it does not take along; the authorities to verify by, it does. */
        SSL_set_verify(ssl, SSL_CTX_get_verify_mode(current), SSL_CTX_get_verify_callback(current));
    }
    SSL_CTX_free(current);
    return SSL_CLIENT_HELLO_SUCCESS;
}

int server_tls_init(struct server_tls *tls, const struct http_tls *material, struct error *error)
{
    SSL_CTX *front = tls_context_create(material, error);
    if (!front)
        return -1;
    if (pthread_mutex_init(&tls->lock, NULL) ||
        tls_tickets_init(&tls->tickets, TLS_TICKET_PERIOD_MS, error)) {
        SSL_CTX_free(front);
        return error_set(error, ERROR_MEMORY, "out of memory");
    }
    tls_tickets_use(&tls->tickets, front);
    (void)SSL_CTX_up_ref(front);
    tls->front = tls->current = front;
    SSL_CTX_set_client_hello_cb(front, choose_context, tls);
    return 0;
}

int server_tls_exchange(
    struct server_tls *tls, const struct http_tls *material, struct error *error)
{
    if (!tls->front)
        return error_set(error, ERROR_CONFIG, "the listener was opened without TLS");
    SSL_CTX *made = tls_context_create(material, error);
    if (!made)
        return -1;
    tls_tickets_use(&tls->tickets, made);
    (void)pthread_mutex_lock(&tls->lock);
    SSL_CTX *old = tls->current;
    tls->current = made;
    (void)pthread_mutex_unlock(&tls->lock);
    SSL_CTX_free(old);
    return 0;
}

void server_tls_fini(struct server_tls *tls)
{
    if (!tls->front)
        return;
    SSL_CTX_free(tls->current);
    SSL_CTX_free(tls->front);
    (void)pthread_mutex_destroy(&tls->lock);
    tls_tickets_fini(&tls->tickets);
    *tls = (struct server_tls){.front = NULL};
}
