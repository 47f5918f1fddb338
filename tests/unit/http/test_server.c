/* SPDX-License-Identifier: MIT */
#include "server_fixture.h"

#include <poll.h>
#include <sys/resource.h>
#include <time.h>

static int set_up(void **state)
{
    struct fixture *f = fixture_new();
    fixture_start(f, 0, 0);
    *state = f;
    return 0;
}

/* Its server is started by the test, which has then all the time to connect before. */
static int set_up_sockets(void **state)
{
    *state = fixture_new();
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

/* ---- requests and answers ---- */

static void keeps_a_connection_for_the_next_request(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    for (int i = 0; i < 3; i++) {
        struct answer answer;
        client_send(&c, "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        client_answer(&c, &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer.body, "POST /a [b=c] 127.0.0.1 plain hello");
        assert_string_equal(answer_header(&answer, "Connection"), "");
        assert_string_equal(answer_header(&answer, "Cache-Control"), "no-store");
        assert_int_equal(strlen(answer_header(&answer, "Date")), 29);
    }
    client_close(&c);
}

static void names_the_peer_of_a_unix_socket(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_unix(f->unix_path);
    client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, "GET / [] unix plain ");
    client_close(&c);
}

/* A listener on [::] takes IPv4 clients, too, and they are known by their IPv4 address. */
static void names_peers_of_a_dual_stack_socket(void **state)
{
    (void)state;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    socklen_t length = sizeof(any);
    int off = 0;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        skip();
    struct fixture *f = fixture_new();
    struct error error;
    assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &length), 0);
    struct http_socket socket_6 = {fd, false};
    struct http_server_options options = fixture_options(f, &socket_6, 1);
    f->server = http_server_start(&options, &error);
    assert_non_null(f->server);
    struct client c = connect_tcp(ntohs(any.sin6_port));
    client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, "GET / [] 127.0.0.1 plain ");
    client_close(&c);
    any.sin6_addr = in6addr_loopback;
    c = client_of(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(c.fd, (struct sockaddr *)&any, sizeof(any)) == 0) {
        client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_answer(&c, 200, "GET / [] ::1 plain ");
    }
    client_close(&c);
    fixture_free(f);
    os_close(fd);
}

static void answers_pipelined_requests_in_order(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    client_send(
        &c, "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none"
            "POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\ntwo\r\n0\r\n\r\n"
            "GET /3 HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, "POST /1 [] 127.0.0.1 plain one");
    expect_answer(&c, 200, "POST /2 [] 127.0.0.1 plain two");
    expect_answer(&c, 200, "GET /3 ");
    client_close(&c);
}

static void joins_chunks(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    for (int i = 0; i < 2; i++) {
        client_send(
            &c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"
                "5;ext=\"1\"\r\nhello\r\n");
        client_send(&c, "1\r\n \r\n00005\r\nworld\r\n0\r\nTrailer: x\r\n\r\n");
        expect_answer(&c, 200, "plain hello world");
    }
    client_close(&c);
}

static void refuses_bad_chunks(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body;
        int status;
        const char *detail;
    } bad[] = {
        {"x\r\nhello\r\n0\r\n\r\n", 400, "a chunk must begin with its size"},
        {"-5\r\nhello\r\n0\r\n\r\n", 400, "a chunk must begin with its size"},
        {"0x5\r\nhello\r\n", 400, "may follow the size"},
        {"5\nhello\r\n0\r\n\r\n", 400, "may follow the size"},
        {"5;\nhello\r\n0\r\n\r\n", 400, "bad extension"},
        {"5\r5\r\nhello\r\n0\r\n\r\n", 400, "must end with CR LF"},
        {"5\r\nhelloXX0\r\n\r\n", 400, "must have its size"},
        {"5\r\nhello\r\n0\r\nX : y\r\n\r\n", 400, "behind the last chunk"},
        {"5\r\nhello\r\n0\r\n", 400, "ended early"},
        {"ffffffffffffffff\r\nhello\r\n0\r\n\r\n", 400, "beyond all limits"},
        {"7fffffffffffffff\r\n\r\n", 413, "larger than"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct client c = connect_tcp(f->port);
        client_send(&c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        client_send(&c, bad[i].body);
        (void)shutdown(c.fd, SHUT_WR);
        expect_answer(&c, bad[i].status, bad[i].detail);
        assert_true(client_at_end(&c));
        client_close(&c);
    }
}

static void takes_a_body_in_pieces_after_100_continue(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    struct answer answer;
    client_send(
        &c, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            "Content-Length: 6\r\n\r\n");
    assert_true(client_try_answer(&c, &answer, false));
    assert_int_equal(answer.status, 100);
    for (const char *at = "abcdef"; *at; at++)
        assert_true(client_try_send(&c, at, 1));
    expect_answer(&c, 200, "plain abcdef");
    client_close(&c);
}

static void answers_head_without_a_body(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    struct answer answer;
    client_send(&c, "HEAD /h HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(client_try_answer(&c, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_true(strtol(answer_header(&answer, "Content-Length"), NULL, 10) > 0);
    expect_answer(&c, 200, "GET /next");
    client_close(&c);
}

static void closes_when_the_client_wants_it(void **state)
{
    struct fixture *f = *state;
    static const char *const requests[] = {
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Close\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        struct client c = connect_tcp(f->port);
        struct answer answer;
        client_send(&c, requests[i]);
        client_answer(&c, &answer);
        assert_int_equal(answer.status, 200);
        assert_string_equal(answer_header(&answer, "Connection"), "close");
        assert_true(client_at_end(&c));
        client_close(&c);
    }
}

static void keeps_an_http_1_0_connection_on_demand(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    for (int i = 0; i < 2; i++) {
        struct answer answer;
        client_send(&c, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        client_answer(&c, &answer);
        assert_string_equal(answer_header(&answer, "Connection"), "keep-alive");
    }
    client_close(&c);
}

static void closes_after_a_body_that_nobody_read(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    struct answer answer;
    client_send(
        &c, "POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 34\r\n\r\n"
            "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n");
    client_answer(&c, &answer);
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    assert_true(client_at_end(&c));
    assert_false(fixture_saw(f, "/hidden"));
    client_close(&c);
}

static void answers_500_for_a_silent_handler(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    client_send(&c, "GET /silent HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 500, "Internal Server Error");
    client_send(&c, "GET /twice HTTP/1.1\r\nHost: x\r\n\r\nGET /ok HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, "GET /twice");
    expect_answer(&c, 200, "GET /ok");
    client_close(&c);
}

static void answers_what_civetweb_refuses_as_a_problem(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *request;
        int status;
    } cases[] = {
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505},
        {"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        {"nonsense\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct client c = connect_tcp(f->port);
        struct answer answer;
        client_send(&c, cases[i].request);
        client_answer(&c, &answer);
        assert_int_equal(answer.status, cases[i].status);
        assert_string_equal(answer_header(&answer, "Content-Type"), "application/problem+json");
        assert_string_equal(answer_header(&answer, "Connection"), "close");
        assert_true(client_at_end(&c));
        client_close(&c);
    }
}

/* ---- limits ---- */

static void refuses_a_declared_body_at_once(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    client_send(&c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n");
    expect_answer(&c, 413, "larger than 65536");
    client_close(&c);
}

static void a_sender_of_too_much_still_gets_its_answer(void **state)
{
    struct fixture *f = *state;
    static const char piece[65536];
    struct client c = connect_tcp(f->port);
    client_send(&c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4194304\r\n\r\n");
    for (int i = 0; i < 64; i++)
        assert_true(client_try_send(&c, piece, sizeof(piece)));
    expect_answer(&c, 413, NULL);
    client_close(&c);
}

static void bounds_a_chunked_body(void **state)
{
    struct fixture *f = *state;
    static char piece[65536];
    memset(piece, 'x', sizeof(piece));
    struct client c = connect_tcp(f->port);
    client_send(&c, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n");
    assert_true(client_try_send(&c, piece, sizeof(piece)));
    client_send(&c, "x\r\n0\r\n\r\n");
    expect_answer(&c, 413, "larger than 65536");
    assert_true(client_at_end(&c));
    client_close(&c);
}

static void takes_the_largest_body(void **state)
{
    struct fixture *f = *state;
    static char body[BODY_MAX];
    struct answer answer;
    memset(body, 'y', sizeof(body));
    struct client c = connect_tcp(f->port);
    client_send(&c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65536\r\n\r\n");
    assert_true(client_try_send(&c, body, sizeof(body)));
    client_answer(&c, &answer);
    assert_int_equal(answer.status, 200);
    assert_int_equal(answer.body_length, strlen("POST / [] 127.0.0.1 plain ") + BODY_MAX);
    client_close(&c);
}

static void send_headers(const struct client *c, int count)
{
    client_send(c, "GET /many HTTP/1.1\r\nHost: x\r\n");
    for (int i = 1; i < count; i++) {
        char line[32];
        (void)snprintf(line, sizeof(line), "X-%d: y\r\n", i);
        client_send(c, line);
    }
    client_send(c, "\r\n");
}

static void bounds_the_number_of_headers(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    send_headers(&c, 63);
    expect_answer(&c, 200, "GET /many");
    send_headers(&c, 64);
    expect_answer(&c, 431, "63 headers");
    assert_true(client_at_end(&c));
    client_close(&c);
}

static void bounds_the_size_of_headers(void **state)
{
    struct fixture *f = *state;
    for (int extra = 0; extra <= 1; extra++) {
        static const char start[] = "GET /size HTTP/1.1\r\nHost: x\r\nX: ";
        char value[8193];
        size_t length = 8192 - strlen(start) - 4 + (size_t)extra;
        memset(value, 'a', length);
        value[length] = '\0';
        struct client c = connect_tcp(f->port);
        client_send(&c, start);
        client_send(&c, value);
        client_send(&c, "\r\n\r\n");
        expect_answer(&c, extra ? 431 : 200, extra ? "Header Fields" : "GET /size");
        client_close(&c);
    }
}

static void reads_query_parameters_handler(struct http_request *request, void *context)
{
    (void)context;
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, 1000);
    const char *const names[] = {"a", "b c", "empty", "bare", "bad", "none", "e"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        buffer_append_char(&out, '<');
        int found = http_request_parameter(request, names[i], &out);
        if (found <= 0)
            buffer_append_char(&out, found < 0 ? '?' : '!');
        buffer_append_char(&out, '>');
    }
    const struct http_header headers[] = {
        {"X-Good", "yes"}, {"X-Split", "a\r\nX-Evil: b"}, {NULL, NULL}};
    http_respond(request, 200, "text/plain", headers, buffer_bytes(&out));
}

static void reads_query_parameters_and_refuses_to_split_headers(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct error error;
    struct answer answer;
    struct http_socket socket = {f->tcp_fd, false};
    struct http_server_options options = fixture_options(f, &socket, 1);
    options.handler = reads_query_parameters_handler;
    f->server = http_server_start(&options, &error);
    assert_non_null(f->server);
    struct client c = connect_tcp(f->port);
    client_send(
        &c, "GET /?a=1%202+3&b+c=%26&a=later&empty=&bare&bad=%zz&e=e=e HTTP/1.1\r\n"
            "Host: x\r\n\r\n");
    client_answer(&c, &answer);
    assert_string_equal(answer.body, "<1 2 3><&><><><?><!><e=e>");
    assert_string_equal(answer_header(&answer, "X-Good"), "yes");
    assert_string_equal(answer_header(&answer, "X-Evil"), "");
    client_close(&c);
    fixture_free(f);
}

/* ---- time ---- */

static void drip(const struct client *c)
{
    /* Waiting for the server to lose patience: each wait is on the socket. */
    struct timeval pause = {.tv_usec = 20000};
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof(pause));
    char byte;
    while (recv(c->fd, &byte, 1, MSG_PEEK) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        if (!client_try_send(c, "a", 1))
            break;
    }
}

static void expect_408_in_time(struct fixture *f, const char *beginning)
{
    struct client c = connect_tcp(f->port);
    client_send(&c, beginning);
    int64_t started_ms = clock_monotonic_ms();
    fixture_start(f, 300, 300);
    drip(&c);
    expect_answer(&c, 408, NULL);
    /* Were each byte given its own time, it would take minutes. */
    assert_in_range(clock_monotonic_ms() - started_ms, 250, 10000);
    client_close(&c);
}

static void headers_that_drip_end_in_408(void **state)
{
    expect_408_in_time(*state, "GET / HTTP/1.1\r\nHost: ");
}

static void a_body_that_drips_ends_in_408(void **state)
{
    expect_408_in_time(*state, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
}

static void a_chunked_body_that_drips_ends_in_408(void **state)
{
    expect_408_in_time(
        *state, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5000\r\n");
}

static void an_idle_connection_ends_without_a_word(void **state)
{
    struct fixture *f = *state;
    struct client fresh = connect_tcp(f->port);
    struct client used = connect_tcp(f->port);
    client_send(&used, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    int64_t started_ms = clock_monotonic_ms();
    fixture_start(f, 300, 300);
    expect_answer(&used, 200, NULL);
    assert_true(client_at_end(&fresh));
    assert_true(client_at_end(&used));
    assert_in_range(clock_monotonic_ms() - started_ms, 250, 10000);
    client_close(&fresh);
    client_close(&used);
}

static void idle_connections_give_way_when_all_threads_are_taken(void **state)
{
    struct fixture *f = *state;
    struct client idle[8]; /* as many as the fixture has threads */
    struct client late[8];
    fixture_start(f, 120000, 120000);
    for (int i = 0; i < 8; i++) {
        idle[i] = connect_tcp(f->port);
        client_send(&idle[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_answer(&idle[i], 200, NULL);
    }
    int64_t started_ms = clock_monotonic_ms();
    for (int i = 0; i < 8; i++) {
        late[i] = connect_tcp(f->port);
        client_send(&late[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_answer(&late[i], 200, NULL);
    }
    /* Long before their idle time is over. */
    assert_in_range(clock_monotonic_ms() - started_ms, 0, 60000);
    for (int i = 0; i < 8; i++) {
        client_close(&idle[i]);
        client_close(&late[i]);
    }
}

static void idle_connections_stay_while_there_are_threads(void **state)
{
    struct fixture *f = *state;
    struct client clients[8];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++) {
            if (round == 0)
                clients[i] = connect_tcp(f->port);
            client_send(&clients[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
            expect_answer(&clients[i], 200, NULL);
        }
    }
    for (int i = 0; i < 8; i++)
        client_close(&clients[i]);
}

static void idle_time_does_not_count_for_the_headers(void **state)
{
    struct fixture *f = *state;
    struct timeval longer_than_a_request = {.tv_sec = 2, .tv_usec = 500000};
    struct timeval patience = {.tv_sec = CLIENT_PATIENCE_S};
    fixture_start(f, 2000, 120000);
    struct client c = connect_tcp(f->port);
    client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&c, 200, NULL);
    for (int i = 0; i < 2; i++) {
        char byte;
        (void)setsockopt(
            c.fd, SOL_SOCKET, SO_RCVTIMEO, &longer_than_a_request, sizeof(longer_than_a_request));
        assert_int_equal(recv(c.fd, &byte, 1, 0), -1);
        (void)setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_answer(&c, 200, NULL);
    }
    client_close(&c);
}

static void a_reader_that_stalls_does_not_hold_a_thread(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_unix(f->unix_path);
    /* More than the socket takes. */
    client_send(&c, "GET /large?400000 HTTP/1.1\r\nHost: x\r\n\r\n");
    fixture_start(f, 300, 300);
    struct pollfd ends = {.fd = c.fd, .events = POLLRDHUP};
    assert_int_equal(poll(&ends, 1, 60000), 1);
    client_close(&c);
}

static void stop_does_not_wait_for_a_reader_that_stalls(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    char byte;
    f->stop_patience_ms = 100;
    fixture_start(f, 120000, 120000);
    client_send(&c, "GET /large?33554432 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(client_receive(&c, &byte, 1), 1);
    int64_t started_ms = clock_monotonic_ms();
    http_server_stop(f->server);
    f->server = NULL;
    assert_in_range(clock_monotonic_ms() - started_ms, 0, 60000);
    client_close(&c);
}

static void sends_a_large_answer(void **state)
{
    struct fixture *f = *state;
    static char piece[65536];
    struct client c = connect_tcp(f->port);
    struct answer answer;
    client_send(&c, "GET /large?33554432 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_true(receive_head(&c, &answer));
    size_t total = 0;
    for (size_t got = 0; (got = client_receive(&c, piece, sizeof(piece))) > 0;)
        total += got;
    assert_int_equal(total, 33554432);
    client_close(&c);
}

/* ---- connections, and the end ---- */

static void counts_connections(void **state)
{
    struct fixture *f = *state;
    struct client c[3];
    for (int i = 0; i < 3; i++) {
        c[i] = connect_tcp(f->port);
        client_send(&c[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_answer(&c[i], 200, NULL);
    }
    fixture_wait_for_connections(f, 3);
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
    fixture_wait_for_connections(f, 0);
    assert_int_equal(atomic_load(&f->open_now), 0);
    assert_int_equal(atomic_load(&f->open_most), 3);
}

static int64_t cpu_ms(void)
{
    struct timespec used;
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used), 0);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

/* From now on no descriptor is to be had. */
static struct rlimit use_up_descriptors(void)
{
    struct rlimit before;
    int lowest_free = dup(0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)lowest_free, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    os_close(lowest_free);
    return before;
}

static void waits_for_descriptors_without_spinning(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(f->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct client c = client_of(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct rlimit before = use_up_descriptors();
    int64_t used_ms = cpu_ms();
    assert_int_equal(connect(c.fd, (struct sockaddr *)&address, sizeof(address)), 0);
    client_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    struct pollfd ready = {.fd = c.fd, .events = POLLIN};
    int answered = poll(&ready, 1, 300);
    used_ms = cpu_ms() - used_ms;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(answered, 0);
    assert_in_range(used_ms, 0, 100);
    expect_answer(&c, 200, NULL);
    client_close(&c);
}

static void *stop_server(void *context)
{
    struct fixture *f = context;
    http_server_stop(f->server);
    return NULL;
}

static void stop_lets_a_handler_answer(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    struct client half = connect_tcp(f->port);
    pthread_t stopper;
    client_send(&c, "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
    fixture_wait_blocked(f, 1);
    client_send(&half, "POST /half HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n[1,2]");
    fixture_wait_for_connections(f, 2);
    assert_int_equal(pthread_create(&stopper, NULL, stop_server, f), 0);
    /* The half body ends because the server stops reading; only then may the other go on. */
    expect_answer(&half, 400, "shorter than its Content-Length");
    fixture_release(f);
    expect_answer(&c, 200, "GET /block");
    assert_true(client_at_end(&c));
    (void)pthread_join(stopper, NULL);
    f->server = NULL;
    client_close(&c);
    client_close(&half);
}

static void stop_closes_connections_that_nobody_served(void **state)
{
    (void)state;
    int before = count_descriptors();
    struct fixture *f = fixture_new();
    struct client c[24];
    fixture_start(f, 0, 0);
    for (int i = 0; i < 8; i++) {
        c[i] = connect_tcp(f->port);
        client_send(&c[i], "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    fixture_wait_blocked(f, 8);
    for (int i = 8; i < 24; i++)
        c[i] = connect_tcp(f->port);
    fixture_wait_for_connections(f, 24);
    fixture_release(f);
    http_server_stop(f->server);
    f->server = NULL;
    assert_int_equal(atomic_load(&f->open_now), 0);
    for (int i = 0; i < 24; i++)
        client_close(&c[i]);
    fixture_free(f);
    assert_int_equal(count_descriptors(), before);
}

static void stop_is_quick_with_idle_connections(void **state)
{
    struct fixture *f = *state;
    struct client idle = connect_tcp(f->port);
    struct client used = connect_unix(f->unix_path);
    client_send(&used, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&used, 200, NULL);
    int64_t started_ms = clock_monotonic_ms();
    http_server_stop(f->server);
    f->server = NULL;
    assert_in_range(clock_monotonic_ms() - started_ms, 0, 60000);
    client_close(&idle);
    client_close(&used);
}

static void start_says_what_is_wrong(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct error error;
    int before = count_descriptors();
    int not_listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct http_socket sockets[] = {{f->tcp_fd, false}, {not_listening, false}};
    struct http_server_options options = fixture_options(f, sockets, 2);
    assert_null(http_server_start(&options, &error));
    assert_non_null(strstr(error.message, "not a listening socket"));
    os_close(not_listening);
    options.socket_count = 0;
    assert_null(http_server_start(&options, &error));
    assert_non_null(strstr(error.message, "no socket"));
    sockets[0].tls = true;
    options.socket_count = 1;
    assert_null(http_server_start(&options, &error));
    assert_non_null(strstr(error.message, "certificate"));
    options.connections = 0;
    assert_null(http_server_start(&options, &error));
    http_server_stop(NULL);
    assert_int_equal(count_descriptors(), before);
    fixture_free(f);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define WITH_SOCKETS(test) cmocka_unit_test_setup_teardown(test, set_up_sockets, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(keeps_a_connection_for_the_next_request),
        SERVED(names_the_peer_of_a_unix_socket),
        cmocka_unit_test(names_peers_of_a_dual_stack_socket),
        SERVED(answers_pipelined_requests_in_order),
        SERVED(joins_chunks),
        SERVED(refuses_bad_chunks),
        SERVED(takes_a_body_in_pieces_after_100_continue),
        SERVED(answers_head_without_a_body),
        SERVED(closes_when_the_client_wants_it),
        SERVED(keeps_an_http_1_0_connection_on_demand),
        SERVED(closes_after_a_body_that_nobody_read),
        SERVED(answers_500_for_a_silent_handler),
        SERVED(answers_what_civetweb_refuses_as_a_problem),
        SERVED(refuses_a_declared_body_at_once),
        SERVED(a_sender_of_too_much_still_gets_its_answer),
        SERVED(bounds_a_chunked_body),
        SERVED(takes_the_largest_body),
        SERVED(bounds_the_number_of_headers),
        SERVED(bounds_the_size_of_headers),
        cmocka_unit_test(reads_query_parameters_and_refuses_to_split_headers),
        WITH_SOCKETS(headers_that_drip_end_in_408),
        WITH_SOCKETS(a_body_that_drips_ends_in_408),
        WITH_SOCKETS(a_chunked_body_that_drips_ends_in_408),
        WITH_SOCKETS(an_idle_connection_ends_without_a_word),
        WITH_SOCKETS(idle_connections_give_way_when_all_threads_are_taken),
        SERVED(idle_connections_stay_while_there_are_threads),
        WITH_SOCKETS(idle_time_does_not_count_for_the_headers),
        WITH_SOCKETS(a_reader_that_stalls_does_not_hold_a_thread),
        WITH_SOCKETS(stop_does_not_wait_for_a_reader_that_stalls),
        SERVED(sends_a_large_answer),
        SERVED(counts_connections),
        SERVED(waits_for_descriptors_without_spinning),
        SERVED(stop_lets_a_handler_answer),
        cmocka_unit_test(stop_closes_connections_that_nobody_served),
        SERVED(stop_is_quick_with_idle_connections),
        cmocka_unit_test(start_says_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
