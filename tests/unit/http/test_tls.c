/* SPDX-License-Identifier: MIT */
#include "server_fixture.h"
#include "tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>

/* ---- certificates, made here ---- */

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Signed by `issuer`, or by itself when that is NULL. */
static struct identity identity_make(const char *name, const struct identity *issuer, bool is_ca)
{
    struct identity made = {.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
    static long serial = 1;
    X509 *x = made.certificate;
    assert_non_null(made.key);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, made.key);
    X509_NAME *subject = X509_get_subject_name(x);
    assert_int_equal(
        X509_NAME_add_entry_by_txt(
            subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0),
        1);
    X509_set_issuer_name(x, X509_get_subject_name(issuer ? issuer->certificate : x));
    add_extension(x, NID_basic_constraints, is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    assert_true(X509_sign(x, issuer ? issuer->key : made.key, EVP_sha256()) > 0);
    return made;
}

static void identity_free(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

static void append_bio(struct buffer *out, BIO *bio)
{
    char *data = NULL;
    long length = BIO_get_mem_data(bio, &data);
    assert_int_equal(buffer_append(out, data, (size_t)length), 0);
    BIO_free(bio);
}

static void append_certificate(struct buffer *out, const struct identity *identity)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, identity->certificate), 1);
    append_bio(out, bio);
}

static void append_key(struct buffer *out, const struct identity *identity, const char *password)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(
        PEM_write_bio_PKCS8PrivateKey(
            bio, identity->key, password ? EVP_aes_128_cbc() : NULL, password,
            password ? (int)strlen(password) : 0, NULL, NULL),
        1);
    append_bio(out, bio);
}

/* ---- a server with TLS on TCP and none on its Unix socket ---- */

struct tls_fixture {
    struct fixture *f;
    struct identity root, middle, server, client, stranger;
    struct buffer chain, key, client_ca;
    SSL_CTX *trusting; /* the client's context */
    bool mutual;       /* clients need a certificate too */
};

static void tls_handler(struct http_request *request, void *context)
{
    char fingerprint[HTTP_FINGERPRINT_BYTES] = "";
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 4096);
    if (strcmp(http_request_path(request), "/who") != 0) {
        fixture_handler(request, context);
        return;
    }
    if (!http_request_client_certificate(request, &out, fingerprint))
        buffer_append_text(&out, "nobody");
    buffer_appendf(&out, " %s", fingerprint);
    http_respond(request, 200, "text/plain", NULL, buffer_bytes(&out));
}

static struct http_server_options tls_options(
    const struct tls_fixture *t, const struct http_socket *sockets)
{
    struct http_server_options options = fixture_options(t->f, sockets, 2);
    options.handler = tls_handler;
    options.tls = (struct http_tls){
        .certificate = buffer_bytes(&t->chain), .private_key = buffer_bytes(&t->key)};
    if (t->mutual)
        options.tls.client_ca = buffer_bytes(&t->client_ca);
    return options;
}

static void make_identities(struct tls_fixture *t)
{
    t->root = identity_make("Test Root", NULL, true);
    t->middle = identity_make("Test Middle", &t->root, true);
    t->server = identity_make("localhost", &t->middle, false);
    t->client = identity_make("Sender, Inc.", &t->root, false);
    t->stranger = identity_make("Stranger", NULL, false);
    buffer_init(&t->chain, 65536);
    buffer_init_secret(&t->key, 65536);
    buffer_init(&t->client_ca, 65536);
    append_certificate(&t->chain, &t->server);
    append_certificate(&t->chain, &t->middle);
    append_key(&t->key, &t->server, NULL);
    append_certificate(&t->client_ca, &t->root);
}

static void present(struct tls_fixture *t, const struct identity *identity)
{
    SSL_CTX_use_certificate(t->trusting, identity->certificate);
    SSL_CTX_use_PrivateKey(t->trusting, identity->key);
}

static int set_up_server(void **state, bool mutual, int64_t request_timeout_ms)
{
    struct tls_fixture *t = calloc(1, sizeof(*t));
    struct error error;
    assert_non_null(t);
    t->mutual = mutual;
    t->f = fixture_new();
    make_identities(t);
    struct http_socket sockets[] = {{t->f->tcp_fd, true}, {t->f->unix_fd, false}};
    struct http_server_options options = tls_options(t, sockets);
    options.request_timeout_ms = request_timeout_ms;
    t->f->server = http_server_start(&options, &error);
    if (!t->f->server)
        fail_msg("%s", error.message);
    t->trusting = SSL_CTX_new(TLS_client_method());
    X509_STORE_add_cert(SSL_CTX_get_cert_store(t->trusting), t->root.certificate);
    SSL_CTX_set_verify(t->trusting, SSL_VERIFY_PEER, NULL);
    *state = t;
    return 0;
}

static int set_up(void **state)
{
    return set_up_server(state, false, 60000);
}

enum { SHORT_MS = 3000 };

static int set_up_short(void **state)
{
    return set_up_server(state, false, SHORT_MS);
}

static int set_up_mutual(void **state)
{
    return set_up_server(state, true, 60000);
}

static int tear_down(void **state)
{
    struct tls_fixture *t = *state;
    fixture_free(t->f);
    SSL_CTX_free(t->trusting);
    identity_free(&t->root);
    identity_free(&t->middle);
    identity_free(&t->server);
    identity_free(&t->client);
    identity_free(&t->stranger);
    buffer_fini(&t->chain);
    buffer_fini(&t->key);
    buffer_fini(&t->client_ca);
    free(t);
    return 0;
}

/* ssl is NULL when the handshake failed. */
static struct client connect_tls(struct tls_fixture *t, int version, SSL_SESSION *session)
{
    struct client c = connect_tcp(t->f->port);
    c.ssl = SSL_new(t->trusting);
    SSL_set_min_proto_version(c.ssl, version);
    SSL_set_max_proto_version(c.ssl, version);
    SSL_set_security_level(c.ssl, 0);
    if (session)
        SSL_set_session(c.ssl, session);
    SSL_set_fd(c.ssl, c.fd);
    if (SSL_connect(c.ssl) != 1) {
        ERR_clear_error();
        SSL_free(c.ssl);
        c.ssl = NULL;
    }
    return c;
}

/* ---- the tests ---- */

static void serves_tls_1_2_and_1_3(void **state)
{
    struct tls_fixture *t = *state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < 2; i++) {
        struct client c = connect_tls(t, versions[i], NULL);
        assert_non_null(c.ssl);
        for (int again = 0; again < 2; again++) {
            client_send(&c, "POST /t HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
            expect_answer(&c, 200, "POST /t [] 127.0.0.1 tls hi");
        }
        client_send(&c, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_answer(&c, 200, "GET /1");
        expect_answer(&c, 200, "GET /2");
        client_close(&c);
    }
}

static void serves_plain_beside_tls(void **state)
{
    struct tls_fixture *t = *state;
    struct client c = connect_unix(t->f->unix_path);
    client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, "unix plain");
    client_close(&c);
}

static void refuses_old_versions_and_weak_ciphers(void **state)
{
    struct tls_fixture *t = *state;
    struct client c = connect_tls(t, TLS1_1_VERSION, NULL);
    assert_null(c.ssl);
    client_close(&c);
    SSL_CTX_set_cipher_list(t->trusting, "ECDHE-ECDSA-AES128-SHA256:AES128-GCM-SHA256");
    c = connect_tls(t, TLS1_2_VERSION, NULL);
    assert_null(c.ssl);
    client_close(&c);
}

/* Whatever a client's OpenSSL knows, one after the other: only what keeps what was said secret when
 * the key becomes known, and authenticates it, is taken. */
static void takes_strong_ciphers_only(void **state)
{
    struct tls_fixture *t = *state;
    SSL *all = SSL_new(t->trusting);
    SSL_set_security_level(all, 0);
    assert_int_equal(SSL_set_cipher_list(all, "ALL:COMPLEMENTOFALL"), 1);
    STACK_OF(SSL_CIPHER) *ciphers = SSL_get_ciphers(all);
    int taken = 0;
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
        const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
        if (strncmp(SSL_CIPHER_get_name(cipher), "TLS_", 4) == 0)
            continue; /* of TLS 1.3 */
        assert_int_equal(SSL_CTX_set_cipher_list(t->trusting, SSL_CIPHER_get_name(cipher)), 1);
        struct client c = connect_tls(t, TLS1_2_VERSION, NULL);
        if (c.ssl) {
            int exchange = SSL_CIPHER_get_kx_nid(cipher);
            assert_true(exchange == NID_kx_ecdhe && SSL_CIPHER_is_aead(cipher));
            assert_true(SSL_CIPHER_get_bits(cipher, NULL) >= 128);
            taken++;
        }
        client_close(&c);
    }
    assert_true(taken >= 3);
    SSL_free(all);
}

static void neither_compresses_nor_renegotiates(void **state)
{
    struct tls_fixture *t = *state;
    SSL_CTX_clear_options(t->trusting, SSL_OP_NO_COMPRESSION);
    struct client c = connect_tls(t, TLS1_2_VERSION, NULL);
    assert_non_null(c.ssl);
    assert_null(SSL_get_current_compression(c.ssl));
    assert_int_equal(SSL_get_secure_renegotiation_support(c.ssl), 1);
    client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, NULL);
    assert_int_equal(SSL_renegotiate(c.ssl), 1);
    assert_int_not_equal(SSL_do_handshake(c.ssl), 1);
    ERR_clear_error();
    client_close(&c);
}

static void agrees_on_http_1_1_by_alpn(void **state)
{
    struct tls_fixture *t = *state;
    const unsigned char *protocol = NULL;
    unsigned int length = 0;
    SSL_CTX_set_alpn_protos(t->trusting, (const unsigned char *)"\x02h2\x08http/1.1", 12);
    struct client c = connect_tls(t, TLS1_3_VERSION, NULL);
    assert_non_null(c.ssl);
    SSL_get0_alpn_selected(c.ssl, &protocol, &length);
    assert_int_equal(length, 8);
    assert_memory_equal(protocol, "http/1.1", 8);
    client_close(&c);
}

static void moves_large_bodies(void **state)
{
    struct tls_fixture *t = *state;
    static char body[BODY_MAX];
    memset(body, 'z', sizeof(body));
    struct client c = connect_tls(t, TLS1_3_VERSION, NULL);
    client_send(&c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n");
    assert_true(client_try_send(&c, body, sizeof(body)));
    expect_answer(&c, 200, NULL);
    client_send(&c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n");
    assert_true(client_try_send(&c, body, 65535));
    client_send(&c, "\r\n0\r\n\r\n");
    expect_answer(&c, 200, NULL);
    client_send(&c, "GET /large?131072 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, NULL);
    client_close(&c);
}

static void limits_hold_over_tls(void **state)
{
    struct tls_fixture *t = *state;
    char value[8193];
    memset(value, 'a', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    struct client c = connect_tls(t, TLS1_3_VERSION, NULL);
    client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\nX: ");
    client_send(&c, value);
    expect_answer(&c, 431, NULL);
    client_close(&c);
    c = connect_tls(t, TLS1_3_VERSION, NULL);
    client_send(&c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\nbody");
    expect_answer(&c, 413, NULL);
    client_close(&c);
}

static void a_body_that_stalls_ends_in_408(void **state)
{
    struct tls_fixture *t = *state;
    struct client c = connect_tls(t, TLS1_3_VERSION, NULL);
    client_send(&c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
    expect_answer(&c, 408, NULL);
    client_close(&c);
}

static void knows_the_client_by_its_certificate(void **state)
{
    struct tls_fixture *t = *state;
    struct answer answer;
    present(t, &t->client);
    struct client c = connect_tls(t, TLS1_3_VERSION, NULL);
    client_send(&c, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    client_answer(&c, &answer);
    assert_non_null(strstr(answer.body, "CN=Sender\\, Inc. "));
    assert_int_equal(answer.body_length, strlen("CN=Sender\\, Inc. ") + 64);
    client_close(&c);
}

static void asks_for_no_certificate_without_a_client_ca(void **state)
{
    struct tls_fixture *t = *state;
    present(t, &t->client);
    struct client c = connect_tls(t, TLS1_3_VERSION, NULL);
    client_send(&c, "GET /who HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, "nobody");
    client_close(&c);
}

static void refuses_a_client_without_a_certificate(void **state)
{
    struct tls_fixture *t = *state;
    char byte;
    struct client c = connect_tls(t, TLS1_2_VERSION, NULL);
    assert_null(c.ssl);
    client_close(&c);
    /* In TLS 1.3 the client learns it only when it reads. */
    c = connect_tls(t, TLS1_3_VERSION, NULL);
    if (c.ssl)
        assert_true(SSL_read(c.ssl, &byte, 1) <= 0);
    client_close(&c);
}

static void refuses_a_client_certificate_that_does_not_verify(void **state)
{
    struct tls_fixture *t = *state;
    present(t, &t->stranger);
    struct client c = connect_tls(t, TLS1_2_VERSION, NULL);
    assert_null(c.ssl);
    client_close(&c);
}

static void resumes_a_session_by_ticket(void **state)
{
    struct tls_fixture *t = *state;
    struct client c = connect_tls(t, TLS1_2_VERSION, NULL);
    SSL_SESSION *session = SSL_get1_session(c.ssl);
    /* Without a farewell OpenSSL does not offer the session again. */
    (void)SSL_shutdown(c.ssl);
    client_close(&c);
    c = connect_tls(t, TLS1_2_VERSION, session);
    assert_non_null(c.ssl);
    assert_true(SSL_session_reused(c.ssl));
    client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, NULL);
    client_close(&c);
    SSL_SESSION_free(session);
}

static void new_connections_meet_settings_that_were_exchanged(void **state)
{
    struct tls_fixture *t = *state;
    struct error error;
    struct http_tls tls = {
        .certificate = buffer_bytes(&t->chain), .private_key = buffer_bytes(&t->key)};
    present(t, &t->client);
    struct client old = connect_tls(t, TLS1_2_VERSION, NULL);
    assert_non_null(old.ssl);
    SSL_SESSION *session = SSL_get1_session(old.ssl);

    tls.client_ca = bytes_of_text("garbage");
    assert_int_equal(http_server_set_tls(t->f->server, &tls, &error), -1);
    buffer_clear(&t->client_ca);
    append_certificate(&t->client_ca, &t->stranger);
    tls.client_ca = buffer_bytes(&t->client_ca);
    assert_int_equal(http_server_set_tls(t->f->server, &tls, &error), 0);

    client_send(&old, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&old, 200, NULL);
    (void)SSL_shutdown(old.ssl);
    client_close(&old);
    struct client refused = connect_tls(t, TLS1_2_VERSION, session);
    assert_null(refused.ssl);
    client_close(&refused);
    SSL_SESSION_free(session);
    present(t, &t->stranger);
    struct client taken = connect_tls(t, TLS1_2_VERSION, NULL);
    assert_non_null(taken.ssl);
    client_send(&taken, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&taken, 200, NULL);
    client_close(&taken);
}

static void ends_a_handshake_that_stalls(void **state)
{
    struct tls_fixture *t = *state;
    int64_t started_ms = clock_monotonic_ms();
    struct client silent = connect_tcp(t->f->port);
    struct client started = connect_tcp(t->f->port);
    assert_true(client_try_send(&started, "\x16\x03\x01\x02\x00\x01", 6));
    assert_true(client_at_end(&silent));
    assert_true(client_at_end(&started));
    assert_in_range(clock_monotonic_ms() - started_ms, SHORT_MS - 200, 60000);
    client_close(&silent);
    client_close(&started);
}

/* Each piece is a turn of civetweb's, which counts them. */
static void a_hello_may_come_in_hundreds_of_pieces(void **state)
{
    struct tls_fixture *t = *state;
    struct client c = connect_tcp(t->f->port);
    SSL *ssl = SSL_new(t->trusting);
    BIO *out = BIO_new(BIO_s_mem());
    unsigned char protocols[300];
    char hello[4096];
    char byte;
    for (size_t i = 0; i < sizeof(protocols); i++)
        protocols[i] = i % 2 == 0 ? 1 : 'x'; /* each a name of one letter: a long list */
    assert_int_equal(SSL_set_alpn_protos(ssl, protocols, sizeof(protocols)), 0);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(ssl);
    (void)SSL_do_handshake(ssl);
    ERR_clear_error();
    int length = BIO_read(out, hello, sizeof(hello));
    assert_true(length > 400);
    for (int i = 0; i < length; i++) {
        assert_true(client_try_send(&c, &hello[i], 1));
        (void)poll(NULL, 0, 1); /* so that most of them come alone */
    }
    assert_int_equal(recv(c.fd, &byte, 1, 0), 1);
    assert_int_equal(byte, 22); /* a handshake, and no alert */
    SSL_free(ssl);
    client_close(&c);
}

static void shake_hands(SSL *server, SSL *client)
{
    BIO *ends[2];
    assert_int_equal(BIO_new_bio_pair(&ends[0], 65536, &ends[1], 65536), 1);
    SSL_set_bio(server, ends[0], ends[0]);
    SSL_set_bio(client, ends[1], ends[1]);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (int i = 0; i < 10; i++) {
        (void)SSL_do_handshake(client);
        (void)SSL_do_handshake(server);
    }
    ERR_clear_error();
    assert_true(SSL_is_init_finished(server) && SSL_is_init_finished(client));
}

/* Or one read could go on for as long as the peer sends such ones. */
static void a_record_without_data_ends_a_read(void **state)
{
    struct tls_fixture *t = *state;
    struct error error;
    const struct http_tls tls = {
        .certificate = buffer_bytes(&t->chain), .private_key = buffer_bytes(&t->key)};
    SSL_CTX *context = tls_context_create(&tls, &error);
    assert_non_null(context);
    SSL *server = SSL_new(context);
    SSL *client = SSL_new(t->trusting);
    char byte = 'x';
    shake_hands(server, client);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SSL_key_update(client, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(client), 1);
    }
    assert_int_equal(SSL_write(client, &byte, 1), 1);
    for (int i = 0; i < 3; i++) {
        int got = SSL_read(server, &byte, 1);
        assert_int_equal(got, -1);
        assert_int_equal(SSL_get_error(server, got), SSL_ERROR_WANT_READ);
    }
    assert_int_equal(SSL_read(server, &byte, 1), 1);
    SSL_free(server);
    SSL_free(client);
    SSL_CTX_free(context);
}

static void a_stop_ends_connections_properly(void **state)
{
    struct tls_fixture *t = *state;
    struct client c = connect_tls(t, TLS1_3_VERSION, NULL);
    char byte;
    client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, NULL);
    http_server_stop(t->f->server);
    t->f->server = NULL;
    int got = SSL_read(c.ssl, &byte, 1);
    assert_int_equal(got, 0);
    assert_int_equal(SSL_get_error(c.ssl, got), SSL_ERROR_ZERO_RETURN);
    client_close(&c);
}

static void survives_plain_text_on_a_tls_port(void **state)
{
    struct tls_fixture *t = *state;
    struct client c = connect_tcp(t->f->port);
    char byte;
    client_send(&c, "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n");
    while (client_receive(&c, &byte, 1) > 0)
        continue;
    assert_false(fixture_saw(t->f, "/plain"));
    client_close(&c);
    c = connect_tls(t, TLS1_3_VERSION, NULL);
    client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, NULL);
    client_close(&c);
}

static void expect_refused(const struct tls_fixture *t, struct http_tls tls, const char *reason)
{
    struct error error;
    struct http_socket sockets[] = {{t->f->tcp_fd, true}, {t->f->unix_fd, false}};
    struct http_server_options options = tls_options(t, sockets);
    options.tls = tls;
    assert_null(http_server_start(&options, &error));
    assert_int_equal(error.code, ERROR_CONFIG);
    if (!strstr(error.message, reason))
        fail_msg("no \"%s\" in: %s", reason, error.message);
}

static void says_what_is_wrong_with_the_material(void **state)
{
    struct tls_fixture *t = *state;
    struct http_tls good = {
        .certificate = buffer_bytes(&t->chain),
        .private_key = buffer_bytes(&t->key),
        .client_ca = buffer_bytes(&t->client_ca)};
    int before = count_descriptors();
    struct http_tls bad = good;
    bad.certificate = bytes_of_text("garbage");
    expect_refused(t, bad, "TLS certificate: no start line");
    bad = good;
    bad.certificate = bytes_of(t->chain.data, t->chain.length / 4);
    expect_refused(t, bad, "TLS certificate: ");
    bad = good;
    bad.private_key = bytes_of_text("");
    expect_refused(t, bad, "TLS private key: ");
    bad = good;
    bad.client_ca = bytes_of_text("garbage");
    expect_refused(t, bad, "TLS client CA: no start line");
    CLEANUP_BUFFER struct buffer other;
    buffer_init_secret(&other, 65536);
    append_key(&other, &t->client, NULL);
    bad = good;
    bad.private_key = buffer_bytes(&other);
    expect_refused(t, bad, "TLS private key: key values mismatch");
    buffer_clear(&other);
    append_key(&other, &t->server, "secret");
    bad.private_key = buffer_bytes(&other);
    expect_refused(t, bad, "TLS private key: ");
    assert_int_equal(count_descriptors(), before);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define SHORT(test) cmocka_unit_test_setup_teardown(test, set_up_short, tear_down)
#define MUTUAL(test) cmocka_unit_test_setup_teardown(test, set_up_mutual, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(serves_tls_1_2_and_1_3),
        SERVED(serves_plain_beside_tls),
        SERVED(refuses_old_versions_and_weak_ciphers),
        SERVED(takes_strong_ciphers_only),
        SERVED(neither_compresses_nor_renegotiates),
        SERVED(agrees_on_http_1_1_by_alpn),
        SERVED(moves_large_bodies),
        SERVED(limits_hold_over_tls),
        SHORT(a_body_that_stalls_ends_in_408),
        MUTUAL(knows_the_client_by_its_certificate),
        SERVED(asks_for_no_certificate_without_a_client_ca),
        MUTUAL(refuses_a_client_without_a_certificate),
        MUTUAL(refuses_a_client_certificate_that_does_not_verify),
        SERVED(resumes_a_session_by_ticket),
        MUTUAL(new_connections_meet_settings_that_were_exchanged),
        SHORT(ends_a_handshake_that_stalls),
        SHORT(a_hello_may_come_in_hundreds_of_pieces),
        SERVED(a_record_without_data_ends_a_read),
        SERVED(a_stop_ends_connections_properly),
        SERVED(survives_plain_text_on_a_tls_port),
        SERVED(says_what_is_wrong_with_the_material),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
