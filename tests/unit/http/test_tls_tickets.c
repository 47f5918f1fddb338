/* SPDX-License-Identifier: MIT */
/* Handshakes in memory: what a ticket is good for, and for how long. */
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tls_tickets.h"

enum { LONG_MS = 3600000 };

struct sides {
    struct tls_tickets tickets;
    SSL_CTX *server;
    SSL_CTX *client;
    int version; /* the newest that the client takes */
    int given;   /* sessions that the client got */
};

static void make_certificate(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_non_null(key);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    EVP_PKEY_free(key);
    X509_free(certificate);
}

static int count_session(SSL *ssl, SSL_SESSION *session)
{
    struct sides *s = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    (void)session;
    s->given++;
    return 0; /* it is not kept */
}

static int set_up_period(void **state, int64_t period_ms)
{
    struct sides *s = calloc(1, sizeof(*s));
    struct error error;
    assert_non_null(s);
    assert_int_equal(tls_tickets_init(&s->tickets, period_ms, &error), 0);
    s->server = SSL_CTX_new(TLS_server_method());
    s->client = SSL_CTX_new(TLS_client_method());
    make_certificate(s->server);
    SSL_CTX_set_session_cache_mode(s->server, SSL_SESS_CACHE_OFF);
    tls_tickets_use(&s->tickets, s->server);
    SSL_CTX_set_timeout(s->server, 3600);
    s->version = TLS1_2_VERSION;
    SSL_CTX_set_app_data(s->client, s);
    SSL_CTX_set_session_cache_mode(
        s->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(s->client, count_session);
    *state = s;
    return 0;
}

static int set_up(void **state)
{
    return set_up_period(state, LONG_MS);
}

static int set_up_hasty(void **state)
{
    return set_up_period(state, 1);
}

static int tear_down(void **state)
{
    struct sides *s = *state;
    SSL_CTX_free(s->server);
    SSL_CTX_free(s->client);
    tls_tickets_fini(&s->tickets);
    free(s);
    return 0;
}

/* Both ends until they are done, and what the server says after that. */
static void shake_hands(SSL *client, SSL *server)
{
    char byte;
    for (int i = 0; i < 10; i++) {
        (void)SSL_do_handshake(client);
        (void)SSL_do_handshake(server);
    }
    assert_true(SSL_is_init_finished(client) && SSL_is_init_finished(server));
    (void)SSL_read(client, &byte, 1);
}

/* A connection that offers `session` (NULL: none); a ticket that it got, to be freed, goes to
 * `session_out` (may be NULL). Was it resumed? */
static bool connects(struct sides *s, SSL_SESSION *session, SSL_SESSION **session_out)
{
    SSL *client = SSL_new(s->client);
    SSL *server = SSL_new(s->server);
    BIO *near = NULL;
    BIO *far = NULL;
    assert_int_equal(BIO_new_bio_pair(&near, 0, &far, 0), 1);
    SSL_set_bio(client, near, near);
    SSL_set_bio(server, far, far);
    SSL_set_max_proto_version(client, s->version);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    if (session)
        assert_int_equal(SSL_set_session(client, session), 1);
    shake_hands(client, server);
    bool resumed = SSL_session_reused(server) == 1;
    if (session_out)
        *session_out = SSL_get1_session(client);
    (void)SSL_shutdown(client);
    SSL_free(client);
    SSL_free(server);
    return resumed;
}

static void a_ticket_resumes_its_session(void **state)
{
    SSL_SESSION *session = NULL;
    assert_false(connects(*state, NULL, &session));
    assert_true(connects(*state, session, NULL));
    SSL_SESSION_free(session);
}

static void each_connection_of_tls_1_3_gets_one(void **state)
{
    struct sides *s = *state;
    SSL_SESSION *session = NULL;
    SSL_SESSION *renewed = NULL;
    s->version = TLS1_3_VERSION;
    assert_false(connects(s, NULL, &session));
    assert_int_equal(s->given, 1);
    assert_true(connects(s, session, &renewed));
    assert_int_equal(s->given, 2);
    assert_true(connects(s, renewed, NULL));
    SSL_SESSION_free(session);
    SSL_SESSION_free(renewed);
}

static int believe(int ok, X509_STORE_CTX *context)
{
    (void)ok, (void)context;
    return 1;
}

/* `late`: under the key before the newest. */
static void resume_with_a_certificate(struct sides *s, int version, bool late)
{
    SSL_SESSION *session = NULL;
    s->version = version;
    s->given = 0;
    assert_false(connects(s, NULL, &session));
    assert_int_equal(s->given, 1);
    if (late)
        s->tickets.made_ms -= LONG_MS;
    assert_true(connects(s, session, NULL));
    assert_int_equal(s->given, 1);
    SSL_SESSION_free(session);
}

static void who_shows_a_certificate_cannot_draw_out_a_session(void **state)
{
    struct sides *s = *state;
    make_certificate(s->client);
    SSL_CTX_set_verify(s->server, SSL_VERIFY_PEER, believe);
    assert_int_equal(
        SSL_CTX_set_session_id_context(s->server, (const unsigned char *)"test", 4), 1);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        resume_with_a_certificate(s, version, false);
        resume_with_a_certificate(s, version, true);
    }
}

static void a_ticket_of_another_key_is_not_believed(void **state)
{
    SSL_SESSION *session = NULL;
    void *other = NULL;
    assert_false(connects(*state, NULL, &session));
    assert_int_equal(set_up(&other), 0);
    assert_false(connects(other, session, NULL));
    tear_down(&other);
    SSL_SESSION_free(session);
}

static void the_key_before_the_newest_is_still_good(void **state)
{
    struct sides *s = *state;
    SSL_SESSION *session = NULL;
    SSL_SESSION *renewed = NULL;
    assert_false(connects(s, NULL, &session));
    s->tickets.made_ms -= LONG_MS;
    assert_true(connects(s, session, &renewed));
    /* It got a ticket of the newest, which is good for one time more. */
    s->tickets.made_ms -= LONG_MS;
    assert_false(connects(s, session, NULL));
    assert_true(connects(s, renewed, NULL));
    SSL_SESSION_free(session);
    SSL_SESSION_free(renewed);
}

static void after_a_long_pause_no_old_key_is_good(void **state)
{
    struct sides *s = *state;
    SSL_SESSION *session = NULL;
    assert_false(connects(s, NULL, &session));
    s->tickets.made_ms -= (int64_t)2 * LONG_MS;
    assert_false(connects(s, session, NULL));
    SSL_SESSION_free(session);
}

static void keys_are_exchanged_as_time_goes_by(void **state)
{
    struct sides *s = *state;
    unsigned char first[sizeof(s->tickets.keys[0].name)];
    memcpy(first, s->tickets.keys[0].name, sizeof(first));
    do
        connects(s, NULL, NULL);
    while (memcmp(first, s->tickets.keys[0].name, sizeof(first)) == 0 ||
           memcmp(first, s->tickets.keys[1].name, sizeof(first)) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_ticket_resumes_its_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_connection_of_tls_1_3_gets_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            who_shows_a_certificate_cannot_draw_out_a_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_ticket_of_another_key_is_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_key_before_the_newest_is_still_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(after_a_long_pause_no_old_key_is_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            keys_are_exchanged_as_time_goes_by, set_up_hasty, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
