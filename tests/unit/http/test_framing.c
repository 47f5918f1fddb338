/* SPDX-License-Identifier: MIT */
/*
 * Each case is one request as a smuggler would send it, with a second one hidden in it, to a
 * real server that keeps connections alive. The second must never reach the handler.
 */
#include "server_fixture.h"

#define HIDDEN "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST "POST /first HTTP/1.1\r\n"

struct smuggle {
    const char *request;
    int status;
};

static const struct smuggle smuggles[] = {
    /* Two lengths, or two ways to say one. */
    {POST "Host: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HIDDEN,
     400},
    {POST "Host: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 43\r\n\r\n0\r\n\r\n" HIDDEN,
     400},
    {POST "Host: x\r\nContent-Length: 0\r\nContent-Length: 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: 34\r\ncontent-length: 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: 0, 34\r\n\r\n" HIDDEN, 400},
    /* Lengths that are no numbers. */
    {POST "Host: x\r\nContent-Length: +0\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: -0\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: 0x22\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: 0 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: 0;34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: 1e1\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length:\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: \"0\"\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: 9223372036854775808\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: 18446744073709551616\r\n\r\n" HIDDEN, 400},
    /* Other transfer encodings. */
    {POST "Host: x\r\nTransfer-Encoding: identity\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nTransfer-Encoding: identity\r\nContent-Length: 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
          "0\r\n\r\n" HIDDEN,
     400},
    {POST "Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
          "0\r\n\r\n" HIDDEN,
     400},
    {POST "Host: x\r\nTransfer-Encoding:\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nTransfer-Encoding: \x0b"
          "chunked\r\n\r\n0\r\n\r\n" HIDDEN,
     400},
    {"POST /first HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
     "0\r\n\r\n" HIDDEN,
     400},
    /* Lines that not everybody sees as lines. */
    {POST "Host: x\r\nContent-Length : 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nX: y\r\n Content-Length: 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nX: y\r\n folded\r\nContent-Length: 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nX: y\r\n\tfolded\r\nContent-Length: 34\r\n\r\n" HIDDEN, 400},
    {POST " Host: x\r\nContent-Length: 0\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nX: y\nContent-Length: 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\nContent-Length: 34\n\n" HIDDEN, 400},
    {POST "Host: x\r\nContent-Length: 0\n\r\nX: y\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nX: y\rContent-Length: 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\n: empty\r\nContent-Length: 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nno colon\r\nContent-Length: 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nContent(Length: 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\n\"Content-Length\": 34\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nX: \x01\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nX: \x7f\r\n\r\n" HIDDEN, 400},
    /* Hosts. */
    {POST "Content-Length: 0\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {POST "Host: x\r\nhost: y\r\n\r\n" HIDDEN, 400},
    {POST "Host:\r\n\r\n" HIDDEN, 400},
    {POST "Host: x y\r\n\r\n" HIDDEN, 400},
    {POST "Host: x, y\r\n\r\n" HIDDEN, 400},
    {POST "Host: a@b\r\n\r\n" HIDDEN, 400},
    {POST "Host: a/b\r\n\r\n" HIDDEN, 400},
    {POST "Host: x:80x\r\n\r\n" HIDDEN, 400},
    {POST "Host: [::1\r\n\r\n" HIDDEN, 400},
    {POST "Host: [::1]x\r\n\r\n" HIDDEN, 400},
    {POST "Host: :80\r\n\r\n" HIDDEN, 400},
    /* Request lines. */
    {"POST  /first HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST /first  HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST\t/first HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST /first HTTP/1.1 \r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST \r\n/first HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST /fir\x80st HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST /fir\x01st HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST /first?\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST /first#x HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST http://x/first HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST https://x:443/first HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST first HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST /first\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"POST /first HTTP/1.1x\r\nHost: x\r\n\r\n" HIDDEN, 505},
    {"POST /first HTTP/3.0\r\nHost: x\r\n\r\n" HIDDEN, 505},
    {"POST /first HTTP/1.0\r\n:empty\r\n\r\n" HIDDEN, 400},
    {"POST /first HTTP/1.0\r\n folded\r\n\r\n" HIDDEN, 400},
    {"POST /first HTTP/1.0\n\n" HIDDEN, 400},
    /* civetweb takes the empty lines for a head, and the headers for the body. */
    {"\r\n\r\nPOST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n" HIDDEN, 400},
    {"\n\nPOST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n" HIDDEN, 400},
    {"POST /first HTTP/1.1\n Host: x\r\n\r\n" HIDDEN, 400},
    {"POST /first HTTP/1.1\n\rHost: x\r\n\r\n" HIDDEN, 400},
    {"POST /first HTTP/1.1\r X: y\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"\r\nPOST /first HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {" POST /first HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
    {"\nPOST /first HTTP/1.1\r\nHost: x\r\n\r\n" HIDDEN, 400},
};

static int set_up(void **state)
{
    struct fixture *f = fixture_new();
    fixture_start(f, 0, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

static void try_to_smuggle(struct fixture *f, const struct smuggle *smuggle)
{
    struct client c = connect_tcp(f->port);
    struct answer answer;
    client_send(&c, smuggle->request);
    client_answer(&c, &answer);
    if (answer.status != smuggle->status || !client_at_end(&c) || fixture_saw(f, "/"))
        fail_msg("%d %s for: %s", answer.status, answer.body, smuggle->request);
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    assert_string_equal(answer_header(&answer, "Content-Type"), "application/problem+json");
    client_close(&c);
}

static void a_hidden_request_is_never_served(void **state)
{
    for (size_t i = 0; i < sizeof(smuggles) / sizeof(smuggles[0]); i++)
        try_to_smuggle(*state, &smuggles[i]);
}

static void nor_when_it_comes_after_a_good_one(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof(smuggles) / sizeof(smuggles[0]); i++) {
        struct client c = connect_tcp(f->port);
        struct answer answer;
        client_send(&c, "GET /good HTTP/1.1\r\nHost: x\r\n\r\n");
        client_send(&c, smuggles[i].request);
        expect_answer(&c, 200, "GET /good");
        client_answer(&c, &answer);
        assert_int_equal(answer.status, smuggles[i].status);
        assert_true(client_at_end(&c));
        client_close(&c);
    }
    assert_false(fixture_saw(f, "/hidden"));
    assert_false(fixture_saw(f, "/first"));
}

/* The headers end as civetweb's buffer does: nothing may be looked for behind it. */
static void looks_for_nothing_behind_the_buffer(void **state)
{
    struct fixture *f = *state;
    static const char *const ends[] = {"\n\n", "\r\n\r\n"};
    static const char start[] = "GET /full HTTP/1.1\r\nHost: x\r\nX: ";
    for (size_t i = 0; i < 2; i++) {
        char request[8193];
        int padding = (int)(8192 - strlen(start) - strlen(ends[i]));
        (void)snprintf(request, sizeof(request), "%s%0*d%s", start, padding, 0, ends[i]);
        assert_int_equal(strlen(request), 8192);
        struct client c = connect_tcp(f->port);
        client_send(&c, request);
        expect_answer(&c, i == 0 ? 400 : 200, NULL);
        client_close(&c);
    }
}

static void a_length_as_the_65th_header_hides_nothing(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    client_send(&c, POST "Host: x\r\n");
    for (int i = 0; i < 63; i++)
        client_send(&c, "X: y\r\n");
    client_send(&c, "Content-Length: 34\r\n\r\n" HIDDEN);
    expect_answer(&c, 431, NULL);
    assert_true(client_at_end(&c));
    assert_false(fixture_saw(f, "/"));
    client_close(&c);
}

static void a_request_in_a_body_is_a_body(void **state)
{
    struct fixture *f = *state;
    struct client c = connect_tcp(f->port);
    client_send(&c, POST "Host: x\r\nContent-Length: 33\r\n\r\n" HIDDEN);
    expect_answer(&c, 200, HIDDEN);
    client_send(
        &c, POST "Host: x\r\nTransfer-Encoding: CHUNKED\r\n\r\n21\r\n" HIDDEN "\r\n0\r\n\r\n");
    expect_answer(&c, 200, HIDDEN);
    assert_false(fixture_saw(f, "/hidden"));
    client_close(&c);
}

static void takes_what_is_unusual_but_right(void **state)
{
    struct fixture *f = *state;
    static const char *const requests[] = {
        "GET /ok HTTP/1.1\r\nHost: example.com:8443\r\n\r\n",
        "GET /ok HTTP/1.1\r\nhOST:[2001:db8::1]:80\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: 192.0.2.1:\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: x\r\nX:\r\nY:   spaced   \r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: x\r\nX: caf\xc3\xa9\r\n\r\n",
        "GET /ok?a=%2f&b=//;:@!$'()*+,[]{}|^ HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 00\r\n\r\n",
        "GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    };
    struct client c = connect_tcp(f->port);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        client_send(&c, requests[i]);
        expect_answer(&c, 200, "GET /ok");
    }
    client_close(&c);
    c = connect_tcp(f->port);
    client_send(&c, "GET /ok HTTP/1.0\r\n\r\n");
    expect_answer(&c, 200, "GET /ok");
    client_close(&c);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(a_hidden_request_is_never_served),
        SERVED(nor_when_it_comes_after_a_good_one),
        SERVED(looks_for_nothing_behind_the_buffer),
        SERVED(a_length_as_the_65th_header_hides_nothing),
        SERVED(a_request_in_a_body_is_a_body),
        SERVED(takes_what_is_unusual_but_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
