/* SPDX-License-Identifier: MIT */
/* Answers that another thread gives. The handler leaves its reply with the fixture; a test gives
 * it when the time has come. */
#include "server_fixture.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <poll.h>

enum { REPLIES_MAX = 64 };

struct open_reply {
    struct http_reply reply;
    char path[64];
};

/* The server's fixture is borrowed from the other tests; the handler's context is this one. */
struct later {
    struct fixture *f;
    pthread_mutex_t lock;
    struct open_reply open[REPLIES_MAX]; /* lock */
    int count;                           /* lock */
    int fell_back;                       /* requests that had to be answered at once; lock */
};

static void leave_for_later(struct later *l, struct http_request *request)
{
    struct open_reply open = {0};
    (void)snprintf(open.path, sizeof(open.path), "%s", http_request_path(request));
    bool taken = http_reply_later(request, &open.reply);
    (void)pthread_mutex_lock(&l->lock);
    assert_true(l->count < REPLIES_MAX);
    if (taken)
        l->open[l->count++] = open;
    else
        l->fell_back++;
    (void)pthread_mutex_unlock(&l->lock);
    if (!taken)
        fixture_respond_text(request, open.path);
}

static void handler(struct http_request *request, void *context)
{
    struct later *l = context;
    struct error error;
    CLEANUP_BUFFER struct buffer body;
    buffer_init(&body, BODY_MAX);
    fixture_see(l->f, http_request_path(request));
    if (http_request_read_body(request, &body, NULL, &error))
        http_respond_problem(request, error.code, error.message, NULL);
    else if (strncmp(http_request_path(request), "/now", 4) == 0)
        fixture_respond_text(request, http_request_path(request));
    else
        leave_for_later(l, request);
}

static void count_connections(void *context, int64_t open)
{
    fixture_count(((struct later *)context)->f, open);
}

static void start_server(
    struct later *l, int connections, int64_t request_ms, int64_t idle_ms,
    const struct http_tls *tls)
{
    struct error error;
    struct http_socket socket_of = {l->f->tcp_fd, tls != NULL};
    struct http_server_options options = fixture_options(l->f, &socket_of, 1);
    options.handler = handler;
    options.context = l;
    options.on_connections = count_connections;
    options.connections = connections;
    if (request_ms > 0)
        options.request_timeout_ms = request_ms;
    if (idle_ms > 0)
        options.idle_timeout_ms = idle_ms;
    if (tls)
        options.tls = *tls;
    l->f->server = http_server_start(&options, &error);
    if (!l->f->server)
        fail_msg("%s", error.message);
}

static struct later *later_new(void)
{
    struct later *l = calloc(1, sizeof(*l));
    assert_non_null(l);
    (void)pthread_mutex_init(&l->lock, NULL);
    l->f = fixture_new();
    return l;
}

static int set_up(void **state)
{
    struct later *l = later_new();
    start_server(l, 8, 0, 0, NULL);
    *state = l;
    return 0;
}

static int set_up_impatient(void **state)
{
    struct later *l = later_new();
    start_server(l, 8, 0, 300, NULL);
    *state = l;
    return 0;
}

static int set_up_narrow(void **state)
{
    struct later *l = later_new();
    start_server(l, 2, 0, 0, NULL);
    *state = l;
    return 0;
}

static int count_open(struct later *l)
{
    (void)pthread_mutex_lock(&l->lock);
    int count = l->count;
    (void)pthread_mutex_unlock(&l->lock);
    return count;
}

static int count_fallen_back(struct later *l)
{
    (void)pthread_mutex_lock(&l->lock);
    int count = l->fell_back;
    (void)pthread_mutex_unlock(&l->lock);
    return count;
}

/* Until so many replies are open. */
static void wait_open(struct later *l, int count)
{
    int64_t started_ms = clock_monotonic_ms();
    while (count_open(l) < count && clock_monotonic_ms() - started_ms < 10000)
        (void)poll(NULL, 0, 1);
    assert_int_equal(count_open(l), count);
}

/* The oldest open one, which is taken out. */
static struct open_reply take_reply(struct later *l)
{
    (void)pthread_mutex_lock(&l->lock);
    assert_true(l->count > 0);
    struct open_reply open = l->open[0];
    memmove(&l->open[0], &l->open[1], (size_t)--l->count * sizeof(l->open[0]));
    (void)pthread_mutex_unlock(&l->lock);
    return open;
}

/* 200 with the path. */
static void give_next(struct later *l)
{
    struct open_reply open = take_reply(l);
    struct buffer json;
    buffer_init(&json, 200);
    buffer_appendf(&json, "\"%s\"", open.path);
    http_reply_json(&open.reply, 200, &json);
    buffer_fini(&json);
}

static int tear_down(void **state)
{
    struct later *l = *state;
    while (count_open(l) > 0) /* of a test that failed: a stop would wait for them */
        give_next(l);
    fixture_free(l->f);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
    return 0;
}

static void post(const struct client *c, const char *path)
{
    char text[256];
    (void)snprintf(
        text, sizeof(text), "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]", path);
    client_send(c, text);
}

/* ---- keep-alive, order ---- */

static void the_connection_goes_on_after_an_answer_given_later(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    for (int i = 0; i < 3; i++) {
        struct answer answer;
        post(&c, "/a");
        wait_open(l, 1);
        give_next(l);
        client_answer(&c, &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, "\"/a\"");
        assert_string_equal(answer_header(&answer, "Content-Type"), "application/json");
        assert_string_equal(answer_header(&answer, "Cache-Control"), "no-store");
        assert_string_equal(answer_header(&answer, "Connection"), "");
    }
    assert_int_equal(count_fallen_back(l), 0);
    client_close(&c);
}

static void a_problem_can_be_given_later(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    struct answer answer;
    post(&c, "/a");
    wait_open(l, 1);
    struct open_reply open = take_reply(l);
    http_reply_problem(&open.reply, ERROR_BUSY, "later, please");
    client_answer(&c, &answer);
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(answer.body, "later, please"));
    assert_string_equal(answer_header(&answer, "Content-Type"), "application/problem+json");
    assert_string_not_equal(answer_header(&answer, "Retry-After"), "");
    post(&c, "/now");
    expect_answer(&c, 200, "/now");
    client_close(&c);
}

static void an_answer_without_memory_is_a_problem(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    struct buffer json;
    post(&c, "/a");
    wait_open(l, 1);
    struct open_reply open = take_reply(l);
    buffer_init(&json, 1);
    (void)buffer_append_text(&json, "too long");
    http_reply_json(&open.reply, 200, &json);
    buffer_fini(&json);
    expect_answer(&c, error_info(ERROR_MEMORY)->http_status, NULL);
    client_close(&c);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    client_send(
        &c, "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]"
            "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"
            "GET /now3 HTTP/1.1\r\nHost: x\r\n\r\n"
            "POST /4 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[");
    for (int i = 0; i < 2; i++) {
        wait_open(l, 1);
        assert_false(fixture_saw(l->f, i == 0 ? "/2" : "/now3")); /* waits its turn */
        give_next(l);
    }
    expect_answer(&c, 200, "/1");
    expect_answer(&c, 200, "/2");
    expect_answer(&c, 200, "/now3");
    client_send(&c, "]");
    wait_open(l, 1);
    give_next(l);
    expect_answer(&c, 200, "/4");
    client_close(&c);
}

/* What comes while an answer is open is read after it. */
static void a_request_in_pieces_waits_for_the_answer_before_it(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    post(&c, "/1");
    wait_open(l, 1);
    client_send(&c, "POST /2 HTTP/1.1\r\nHo");
    give_next(l);
    expect_answer(&c, 200, "/1");
    client_send(&c, "st: x\r\nContent-Length: 2\r\n\r\n[]");
    wait_open(l, 1);
    give_next(l);
    expect_answer(&c, 200, "/2");
    client_close(&c);
}

static void what_cannot_be_parsed_is_refused_after_the_answer_before_it(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    client_send(
        &c, "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]"
            "no request at all\r\n\r\n");
    wait_open(l, 1);
    give_next(l);
    expect_answer(&c, 200, "/1");
    expect_answer(&c, 400, NULL);
    assert_true(client_at_end(&c));
    client_close(&c);
}

static void http_1_0_is_kept_on_demand(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    for (int i = 0; i < 2; i++) {
        struct answer answer;
        client_send(
            &c, "POST /a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\n[]");
        wait_open(l, 1);
        give_next(l);
        client_answer(&c, &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer_header(&answer, "Connection"), "keep-alive");
    }
    client_close(&c);
}

/* ---- not for later ---- */

static void what_ends_its_connection_is_answered_at_once(void **state)
{
    static const char *const requests[] = {
        "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n[]",
        "POST /a HTTP/1.0\r\nContent-Length: 2\r\n\r\n[]",
    };
    struct later *l = *state;
    for (int i = 0; i < 2; i++) {
        struct client c = connect_tcp(l->f->port);
        struct answer answer;
        client_send(&c, requests[i]);
        client_answer(&c, &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer_header(&answer, "Connection"), "close");
        assert_true(client_at_end(&c));
        assert_int_equal(count_fallen_back(l), i + 1);
        client_close(&c);
    }
}

static void head_is_answered_at_once(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    struct answer answer;
    client_send(&c, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(client_try_answer(&c, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_int_equal(count_fallen_back(l), 1);
    post(&c, "/now");
    expect_answer(&c, 200, "/now");
    client_close(&c);
}

/* ---- peers ---- */

static void a_peer_that_left_costs_nothing(void **state)
{
    struct later *l = *state;
    for (int i = 0; i < 2; i++) {
        struct client c = connect_tcp(l->f->port);
        struct linger reset = {.l_onoff = i};
        (void)setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        post(&c, "/a");
        wait_open(l, 1);
        client_close(&c);
        give_next(l);
        fixture_wait_for_connections(l->f, 0);
    }
    struct client c = connect_tcp(l->f->port);
    post(&c, "/now");
    expect_answer(&c, 200, "/now");
    client_close(&c);
}

/* A peer that has said all that it will say still gets its answer. */
static void a_peer_that_only_listens_is_answered(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    post(&c, "/a");
    (void)shutdown(c.fd, SHUT_WR);
    wait_open(l, 1);
    give_next(l);
    expect_answer(&c, 200, "/a");
    assert_true(client_at_end(&c));
    client_close(&c);
}

/* Many answers to somebody who reads none: whoever gives them never waits, and in the end the
 * connection is gone. */
static void a_peer_that_never_reads_loses_its_connection(void **state)
{
    enum { ANSWER_BYTES = 60000, ENOUGH = 2000 };
    static const char request[] = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]";
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    struct buffer json;
    int given = 0;
    buffer_init(&json, ANSWER_BYTES);
    assert_int_equal(buffer_reserve(&json, ANSWER_BYTES), 0);
    while (json.length < ANSWER_BYTES)
        (void)buffer_append_char(&json, 'x');
    fixture_wait_for_connections(l->f, 1);
    while (given < ENOUGH && client_try_send(&c, request, sizeof(request) - 1)) {
        while (count_open(l) == 0 && http_server_connections(l->f->server) > 0)
            (void)poll(NULL, 0, 1);
        if (count_open(l) == 0)
            break;
        struct open_reply open = take_reply(l);
        http_reply_json(&open.reply, 200, &json);
        given++;
    }
    assert_in_range(given, 1, ENOUGH - 1);
    buffer_fini(&json);
    fixture_wait_for_connections(l->f, 0);
    client_close(&c);
}

/* ---- time ---- */

/* However long the store takes: the peer has its whole time after that. */
static void the_peers_time_begins_with_the_answer(void **state)
{
    enum { TIMEOUT_MS = 5000 };
    struct later *l = later_new();
    start_server(l, 8, TIMEOUT_MS, TIMEOUT_MS, NULL);
    *state = l;
    struct client idle = connect_tcp(l->f->port);
    struct client early = connect_tcp(l->f->port);
    post(&idle, "/1");
    wait_open(l, 1);
    post(&early, "/2");
    wait_open(l, 2);
    client_send(&early, "POST /now2 HTTP/1.1\r\nHo");
    poll(NULL, 0, TIMEOUT_MS + 500);
    give_next(l);
    give_next(l);
    expect_answer(&idle, 200, "/1");
    expect_answer(&early, 200, "/2");
    post(&idle, "/now1");
    client_send(&early, "st: x\r\nContent-Length: 0\r\n\r\n");
    expect_answer(&idle, 200, "/now1");
    expect_answer(&early, 200, "/now2");
    client_close(&idle);
    client_close(&early);
    tear_down(state);
}

static void an_idle_connection_ends_after_its_answer(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    post(&c, "/a");
    wait_open(l, 1);
    give_next(l);
    expect_answer(&c, 200, "/a");
    assert_true(client_at_end(&c));
    client_close(&c);
}

/* ---- giving way: two threads ---- */

/* Both threads wait for answers: nobody is cut off for the third, who is next. */
static void an_open_answer_is_not_cut_off(void **state)
{
    struct later *l = *state;
    struct client holders[2];
    for (int i = 0; i < 2; i++) {
        holders[i] = connect_tcp(l->f->port);
        post(&holders[i], "/held");
    }
    wait_open(l, 2);
    struct client late = connect_tcp(l->f->port);
    post(&late, "/now");
    fixture_wait_for_connections(l->f, 3);
    assert_false(fixture_saw(l->f, "/now"));
    struct answer answer;
    give_next(l);
    give_next(l);
    expect_answer(&late, 200, "/now");
    int ended = 0;
    for (int i = 0; i < 2; i++) {
        client_answer(&holders[i], &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, "\"/held\"");
        ended += strcmp(answer_header(&answer, "Connection"), "close") == 0;
    }
    /* One made room, and its answer said so; the other goes on. */
    assert_int_equal(ended, 1);
    for (int i = 0; i < 2; i++)
        client_close(&holders[i]);
    client_close(&late);
}

/* Nothing is served after an answer that said that it is the last one. */
static void what_was_pipelined_behind_the_last_answer_is_not_served(void **state)
{
    struct later *l = *state;
    struct client c = connect_tcp(l->f->port);
    struct answer answer;
    client_send(
        &c, "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]"
            "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]");
    wait_open(l, 1);
    http_server_drain(l->f->server);
    give_next(l);
    client_answer(&c, &answer);
    assert_string_equal(answer.body, "\"/1\"");
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    assert_true(client_at_end(&c));
    fixture_wait_for_connections(l->f, 0);
    assert_false(fixture_saw(l->f, "/2"));
    client_close(&c);
}

static void an_idle_connection_gives_way_after_an_answer_given_later(void **state)
{
    struct later *l = *state;
    struct client idle = connect_tcp(l->f->port);
    struct client held = connect_tcp(l->f->port);
    post(&idle, "/1");
    wait_open(l, 1);
    give_next(l);
    expect_answer(&idle, 200, "/1");
    post(&held, "/held");
    wait_open(l, 1);
    struct client late = connect_tcp(l->f->port);
    post(&late, "/now");
    expect_answer(&late, 200, "/now");
    assert_true(client_at_end(&idle));
    give_next(l);
    expect_answer(&held, 200, "/held");
    client_close(&idle);
    client_close(&held);
    client_close(&late);
}

/* The beginning of a request is cut off by us: the sender may send it again. */
static void a_request_cut_off_by_giving_way_is_503(void **state)
{
    struct later *l = *state;
    struct client cut = connect_tcp(l->f->port);
    struct client held = connect_tcp(l->f->port);
    client_send(
        &cut, "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]"
              "POST /2 HTTP/1.1\r\nHo");
    wait_open(l, 1);
    give_next(l);
    expect_answer(&cut, 200, "/1");
    post(&held, "/held");
    wait_open(l, 1);
    struct client late = connect_tcp(l->f->port);
    post(&late, "/now");
    expect_answer(&late, 200, "/now");
    expect_answer(&cut, 503, NULL);
    assert_true(client_at_end(&cut));
    give_next(l);
    expect_answer(&held, 200, "/held");
    client_close(&cut);
    client_close(&held);
    client_close(&late);
}

/* One becomes idle at the moment at which another wants its thread. */
static void nobody_is_forgotten_while_others_become_idle(void **state)
{
    enum { ROUNDS = 300, FOREVER_MS = 120000 };
    struct later *l = later_new();
    start_server(l, 1, 0, FOREVER_MS, NULL);
    *state = l;
    struct client before = connect_tcp(l->f->port);
    for (int i = 0; i < ROUNDS; i++) {
        post(&before, "/now");
        struct client next = connect_tcp(l->f->port);
        post(&next, "/now");
        expect_answer(&next, 200, "/now");
        client_close(&before);
        before = next;
        fixture_wait_for_connections(l->f, 1);
        (void)pthread_mutex_lock(&l->f->lock);
        l->f->seen[0] = '\0';
        (void)pthread_mutex_unlock(&l->f->lock);
    }
    client_close(&before);
    tear_down(state);
}

static void more_connections_than_threads_are_all_answered(void **state)
{
    enum { CLIENTS = 12 };
    struct later *l = *state;
    struct client clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = connect_tcp(l->f->port);
        post(&clients[i], "/a");
    }
    int64_t started_ms = clock_monotonic_ms();
    for (int given = 0; given + count_fallen_back(l) < CLIENTS;) {
        assert_in_range(clock_monotonic_ms() - started_ms, 0, 10000);
        if (count_open(l) > 0) {
            give_next(l);
            given++;
        } else {
            (void)poll(NULL, 0, 1);
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        expect_answer(&clients[i], 200, "/a");
        client_close(&clients[i]);
    }
}

/* ---- the end ---- */

static void *stop_server(void *context)
{
    struct later *l = context;
    http_server_stop(l->f->server);
    return NULL;
}

static void stop_waits_for_open_answers_and_sends_them(void **state)
{
    struct later *l = *state;
    struct client c[3];
    pthread_t stopper;
    for (int i = 0; i < 3; i++) {
        c[i] = connect_tcp(l->f->port);
        post(&c[i], "/a");
        wait_open(l, i + 1);
    }
    struct client idle = connect_tcp(l->f->port);
    post(&idle, "/now");
    expect_answer(&idle, 200, "/now");
    assert_int_equal(pthread_create(&stopper, NULL, stop_server, l), 0);
    assert_true(client_at_end(&idle)); /* the stop has begun */
    for (int i = 0; i < 3; i++) {
        struct answer answer;
        give_next(l);
        client_answer(&c[i], &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer_header(&answer, "Connection"), "close");
        assert_true(client_at_end(&c[i]));
        client_close(&c[i]);
    }
    (void)pthread_join(stopper, NULL);
    l->f->server = NULL;
    client_close(&idle);
}

/* ---- with TLS ---- */

static void append_memory(struct buffer *out, BIO *bio)
{
    char *text;
    long length = BIO_get_mem_data(bio, &text);
    assert_int_equal(buffer_append(out, text, (size_t)length), 0);
    BIO_free(bio);
}

static struct http_tls make_tls(struct buffer *certificate_pem, struct buffer *key_pem)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    assert_true(key && x);
    (void)X509_set_version(x, 2);
    (void)ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(x), -60);
    (void)X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    (void)X509_set_pubkey(x, key);
    assert_true(X509_sign(x, key, EVP_sha256()) > 0);
    BIO *certificate_bio = BIO_new(BIO_s_mem());
    BIO *key_bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(certificate_bio, x), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL), 1);
    append_memory(certificate_pem, certificate_bio);
    append_memory(key_pem, key_bio);
    X509_free(x);
    EVP_PKEY_free(key);
    return (struct http_tls){
        .certificate = buffer_bytes(certificate_pem), .private_key = buffer_bytes(key_pem)};
}

static int set_up_tls(void **state)
{
    struct later *l = later_new();
    CLEANUP_BUFFER struct buffer certificate;
    CLEANUP_BUFFER struct buffer key;
    buffer_init(&certificate, 65536);
    buffer_init_secret(&key, 65536);
    struct http_tls tls = make_tls(&certificate, &key);
    start_server(l, 8, 0, 0, &tls);
    *state = l;
    return 0;
}

static struct client connect_tls(struct later *l, SSL_CTX *context)
{
    struct client c = connect_tcp(l->f->port);
    c.ssl = SSL_new(context);
    assert_non_null(c.ssl);
    assert_int_equal(SSL_set_fd(c.ssl, c.fd), 1);
    assert_int_equal(SSL_connect(c.ssl), 1);
    return c;
}

static void with_version(struct later *l, int version, const char *last)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    (void)SSL_CTX_set_max_proto_version(context, version);
    struct client c = connect_tls(l, context);
    int fell_back = count_fallen_back(l);
    for (int i = 0; i < 3; i++) {
        post(&c, "/a");
        wait_open(l, 1);
        give_next(l);
        expect_answer(&c, 200, "/a");
        post(&c, "/now");
        expect_answer(&c, 200, "/now");
    }
    /* When both have come at once, the first is answered at once. */
    post(&c, "/1");
    post(&c, last);
    while (count_open(l) == 0 && count_fallen_back(l) == fell_back)
        (void)poll(NULL, 0, 1);
    if (count_open(l) > 0) {
        assert_false(fixture_saw(l->f, last));
        give_next(l);
    }
    expect_answer(&c, 200, "/1");
    expect_answer(&c, 200, last);
    client_close(&c);
    SSL_CTX_free(context);
}

static void answers_given_later_go_through_tls(void **state)
{
    with_version(*state, TLS1_3_VERSION, "/now13");
    with_version(*state, TLS1_2_VERSION, "/now12");
}

static void a_tls_peer_that_left_costs_nothing(void **state)
{
    struct later *l = *state;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct client c = connect_tls(l, context);
    post(&c, "/a");
    wait_open(l, 1);
    client_close(&c);
    give_next(l);
    fixture_wait_for_connections(l->f, 0);
    SSL_CTX_free(context);
}

static void the_last_answer_over_tls_is_the_last(void **state)
{
    struct later *l = *state;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    struct client c = connect_tls(l, context);
    struct answer answer;
    post(&c, "/1");
    wait_open(l, 1);
    http_server_drain(l->f->server);
    post(&c, "/2");
    give_next(l);
    client_answer(&c, &answer);
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    assert_true(client_at_end(&c));
    fixture_wait_for_connections(l->f, 0);
    assert_false(fixture_saw(l->f, "/2"));
    client_close(&c);
    SSL_CTX_free(context);
}

/* OpenSSL frees what a thread has of random numbers by one thread-specific key while others still
 * hold it; those are cleared in the order of their making, so they have to be made before civetweb
 * makes and gives back its own. Otherwise the threads of the TLS tests leak. */
static int make_random_numbers_ready(void **state)
{
    unsigned char byte;
    (void)state;
    return RAND_priv_bytes(&byte, 1) == 1 ? 0 : -1;
}

int main(void)
{
#define WITH(test, before) cmocka_unit_test_setup_teardown(test, before, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(the_connection_goes_on_after_an_answer_given_later, set_up),
        WITH(a_problem_can_be_given_later, set_up),
        WITH(an_answer_without_memory_is_a_problem, set_up),
        WITH(pipelined_requests_are_answered_in_order, set_up),
        WITH(a_request_in_pieces_waits_for_the_answer_before_it, set_up),
        WITH(what_cannot_be_parsed_is_refused_after_the_answer_before_it, set_up),
        WITH(http_1_0_is_kept_on_demand, set_up),
        WITH(what_ends_its_connection_is_answered_at_once, set_up),
        WITH(head_is_answered_at_once, set_up),
        WITH(a_peer_that_left_costs_nothing, set_up),
        WITH(a_peer_that_only_listens_is_answered, set_up),
        WITH(a_peer_that_never_reads_loses_its_connection, set_up),
        cmocka_unit_test(the_peers_time_begins_with_the_answer),
        WITH(an_idle_connection_ends_after_its_answer, set_up_impatient),
        WITH(an_open_answer_is_not_cut_off, set_up_narrow),
        WITH(what_was_pipelined_behind_the_last_answer_is_not_served, set_up),
        WITH(an_idle_connection_gives_way_after_an_answer_given_later, set_up_narrow),
        WITH(a_request_cut_off_by_giving_way_is_503, set_up_narrow),
        cmocka_unit_test(nobody_is_forgotten_while_others_become_idle),
        WITH(more_connections_than_threads_are_all_answered, set_up_narrow),
        WITH(stop_waits_for_open_answers_and_sends_them, set_up),
        WITH(answers_given_later_go_through_tls, set_up_tls),
        WITH(a_tls_peer_that_left_costs_nothing, set_up_tls),
        WITH(the_last_answer_over_tls_is_the_last, set_up_tls),
    };
    return cmocka_run_group_tests(tests, make_random_numbers_ready, NULL);
}
