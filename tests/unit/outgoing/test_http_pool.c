/* SPDX-License-Identifier: MIT */
/* Names are resolved by a getaddrinfo of this test's own, which libcurl finds before the C
 * library's: it can take its time, and can say another address the second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>

#include "callbackd/clock.h"
#include "callbackd/http_client.h"
#include "callbackd/http_pool.h"
#include "callbackd/text.h"
#include "loopback.h"

enum { WAIT_MAX_MS = 60000, CALLS = 12 };

/* ---- names ---- */

static pthread_mutex_t names_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t names_changed = PTHREAD_COND_INITIALIZER;
static bool slow_may_go_on; /* under the lock, as the next; for one test */
static int slow_asked;

static void wait_like_a_slow_server(void)
{
    pthread_mutex_lock(&names_lock);
    slow_asked++;
    pthread_cond_broadcast(&names_changed);
    while (!slow_may_go_on)
        pthread_cond_wait(&names_changed, &names_lock);
    pthread_mutex_unlock(&names_lock);
}

static bool slow_is_asked(void)
{
    pthread_mutex_lock(&names_lock);
    bool asked = slow_asked > 0;
    pthread_mutex_unlock(&names_lock);
    return asked;
}

static struct addrinfo *make_address(in_addr_t address, const char *service)
{
    struct {
        struct addrinfo info;
        struct sockaddr_in inet;
    } *made = calloc(1, sizeof *made);
    assert_non_null(made);
    made->inet = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(service, NULL, 10)),
        .sin_addr.s_addr = htonl(address)};
    made->info = (struct addrinfo){
        .ai_family = AF_INET,
        .ai_socktype = SOCK_STREAM,
        .ai_protocol = IPPROTO_TCP,
        .ai_addrlen = sizeof made->inet,
        .ai_addr = (struct sockaddr *)&made->inet};
    return &made->info;
}

int getaddrinfo(
    const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    (void)hints;
    if (strcmp(node, "slow.test") == 0)
        wait_like_a_slow_server();
    if (strcmp(node, "nowhere.test") == 0)
        return EAI_NONAME;
    *out = make_address(INADDR_LOOPBACK, service ? service : "0");
    return 0;
}

void freeaddrinfo(struct addrinfo *info)
{
    free(info);
}

/* ---- calls ---- */

static const char *const plain_headers[] = {"Content-Type: text/plain", "X-All: 1", NULL};
static const char *const own_headers[] = {"Authorization: Bearer hush", NULL};

static struct http_call_request post(const char *url, const char *body)
{
    return (struct http_call_request){
        .method = "POST",
        .url = url,
        .headers = plain_headers,
        .own_headers = own_headers,
        .body = bytes_of_text(body),
        .body_max_bytes = 1024,
    };
}

struct fixture {
    struct http_pool *pool;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct error error;
    signal(SIGPIPE, SIG_IGN);
    f->pool = http_pool_new(&error);
    assert_non_null(f->pool);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    http_pool_free(f->pool);
    free(f);
    return 0;
}

static struct http_call *start(
    struct fixture *f, const struct http_call_request *request, void *context)
{
    struct error error;
    struct http_call *call = http_call_start(f->pool, request, context, &error);
    if (!call)
        fail_msg("%s", error.message);
    return call;
}

static void turn(struct fixture *f)
{
    struct pollfd ready = {.fd = http_pool_fd(f->pool), .events = POLLIN};
    poll(&ready, 1, 10);
    http_pool_run(f->pool);
}

static struct http_call *wait_for_one(struct fixture *f)
{
    int64_t end_ms = clock_monotonic_ms() + WAIT_MAX_MS;
    struct http_call *call;
    while (!(call = http_pool_take_ended(f->pool))) {
        if (clock_monotonic_ms() > end_ms)
            fail_msg("no call ended");
        turn(f);
    }
    return call;
}

static const struct http_call_answer *ask(
    struct fixture *f, const struct http_call_request *request, struct http_call **call_out)
{
    *call_out = start(f, request, NULL);
    assert_ptr_equal(wait_for_one(f), *call_out);
    return http_call_answer(*call_out);
}

/* One request to a server with these replies; what came to the server is in its requests. */
static void expect_end(
    struct fixture *f, const struct http_call_request *request, enum http_call_end end,
    const char *said)
{
    struct http_call *call;
    const struct http_call_answer *answer = ask(f, request, &call);
    if (answer->end != end || !strstr(answer->message, said))
        fail_msg("end %d, status %d: %s", answer->end, answer->status, answer->message);
    http_call_free(call);
}

/* ---- answers ---- */

static void an_answer_is_told_whole(void **state)
{
    static const struct loopback_reply reply = {
        "HTTP/1.1 503 Not Now\r\nContent-Length: 5\r\nRetry-After: 7\r\n\r\nlater", LOOPBACK_KEEP};
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&reply);
    struct http_call_request request = post(server->url, "{\"a\":1}");
    struct http_call *call;
    const struct http_call_answer *answer = ask(f, &request, &call);
    assert_int_equal(answer->end, HTTP_CALL_ANSWERED);
    assert_int_equal(answer->status, 503);
    assert_string_equal(answer->status_line, "HTTP/1.1 503 Not Now");
    assert_string_equal(answer->retry_after, "7");
    assert_true(bytes_equal_text(buffer_bytes(&answer->body), "later"));
    assert_false(answer->body_cut);
    assert_string_equal(answer->message, "");
    const char *seen = loopback_request(server, 0);
    assert_ptr_equal(strstr(seen, "POST / HTTP/1.1\r\n"), seen);
    assert_non_null(strstr(seen, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(seen, "\r\nX-All: 1\r\n"));
    assert_non_null(strstr(seen, "\r\nAuthorization: Bearer hush\r\n"));
    assert_non_null(strstr(seen, "\r\nUser-Agent: callbackd/"));
    assert_null(strstr(seen, "Expect:"));
    assert_non_null(strstr(seen, "\r\n\r\n{\"a\":1}"));
    http_call_free(call);
    loopback_stop(server);
}

static void an_empty_body_is_put_with_its_length(void **state)
{
    static const struct loopback_reply reply = {"HTTP/1.1 204 Done\r\n\r\n", LOOPBACK_KEEP};
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&reply);
    struct http_call_request request = post(server->url, "");
    request.method = "PUT";
    expect_end(f, &request, HTTP_CALL_ANSWERED, "");
    const char *seen = loopback_request(server, 0);
    assert_ptr_equal(strstr(seen, "PUT / HTTP/1.1\r\n"), seen);
    assert_non_null(strstr(seen, "\r\nContent-Length: 0\r\n"));
    loopback_stop(server);
}

static void a_long_body_is_not_waited_for(void **state)
{
    static const struct loopback_reply reply = {
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n0123456789", LOOPBACK_HOLD};
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&reply);
    struct http_call_request request = post(server->url, "x");
    request.body_max_bytes = 4;
    struct http_call *call;
    const struct http_call_answer *answer = ask(f, &request, &call);
    assert_int_equal(answer->end, HTTP_CALL_ANSWERED);
    assert_int_equal(answer->status, 200);
    assert_true(answer->body_cut);
    assert_true(bytes_equal_text(buffer_bytes(&answer->body), "0123"));
    http_call_free(call);
    loopback_stop(server);
}

static void a_connection_serves_several_calls(void **state)
{
    static const struct loopback_reply reply = {
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP};
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&reply);
    struct http_call_request request = post(server->url, "x");
    for (int i = 0; i < 3; i++)
        expect_end(f, &request, HTTP_CALL_ANSWERED, "");
    assert_int_equal(loopback_connections(server), 1);
    loopback_stop(server);
}

static void calls_run_at_the_same_time(void **state)
{
    static const struct loopback_reply replies[] = {
        {"", LOOPBACK_HOLD},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP},
    };
    struct fixture *f = *state;
    struct loopback *server = loopback_start(NULL, replies, 2);
    struct http_call_request request = post(server->url, "x");
    struct http_call *calls[CALLS];
    for (int i = 0; i < CALLS; i++)
        calls[i] = start(f, &request, &calls[i]);
    for (int i = 0; i < CALLS - 1; i++) {
        struct http_call *call = wait_for_one(f);
        assert_int_equal(http_call_answer(call)->status, 200);
        struct http_call **place = http_call_context(call);
        assert_ptr_equal(*place, call);
        *place = NULL;
        http_call_free(call);
    }
    for (int i = 0; i < CALLS; i++)
        http_call_free(calls[i]); /* the one that is never answered */
    loopback_stop(server);
}

/* ---- no answer ---- */

static void who_is_not_there_got_nothing(void **state)
{
    static const struct loopback_reply reply = {"", LOOPBACK_CLOSE};
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&reply);
    char url[64];
    snprintf(url, sizeof url, "%s", server->url);
    loopback_stop(server);
    struct http_call_request request = post(url, "x");
    expect_end(f, &request, HTTP_CALL_NOT_SENT, "onnect");
    request = post("http://nowhere.test/", "x");
    expect_end(f, &request, HTTP_CALL_NOT_SENT, "resolve");
}

static void an_answer_that_is_cut_off_is_none(void **state)
{
    static const char *const cut[] = {
        "", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n123",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n",
        "220 smtp ready\r\n"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++) {
        const struct loopback_reply reply = {cut[i], LOOPBACK_CLOSE};
        struct loopback *server = loopback_one(&reply);
        struct http_call_request request = post(server->url, "x");
        expect_end(f, &request, HTTP_CALL_BROKEN, "");
        loopback_stop(server);
    }
}

static void endless_headers_are_broken_off(void **state)
{
    struct fixture *f = *state;
    char *text = calloc(1, 200000);
    assert_non_null(text);
    memcpy(text, "HTTP/1.1 200 OK\r\n", 17);
    for (size_t at = 17; at < 150000; at += 1000) {
        memset(text + at, 'a', 1000);
        memcpy(text + at, "X-A: ", 5);
        memcpy(text + at + 998, "\r\n", 2);
    }
    const struct loopback_reply reply = {text, LOOPBACK_HOLD};
    struct loopback *server = loopback_one(&reply);
    struct http_call_request request = post(server->url, "x");
    expect_end(f, &request, HTTP_CALL_BROKEN, "headers are larger");
    loopback_stop(server);
    free(text);
}

static void a_header_cannot_bring_another(void **state)
{
    static const char *const bad[] = {"X: a\r\nY: b", NULL};
    struct fixture *f = *state;
    struct error error = {0};
    struct http_call_request request = post("http://127.0.0.1:1/", "x");
    request.own_headers = bad;
    assert_null(http_call_start(f->pool, &request, NULL, &error));
    assert_int_equal(error.code, ERROR_INVALID);
}

/* ---- names ---- */

static void a_slow_name_holds_up_nobody(void **state)
{
    static const struct loopback_reply reply = {
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP};
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&reply);
    struct http_call_request slow = post("http://slow.test/", "x");
    struct http_call_request request = post(server->url, "x");
    struct http_call *waits = start(f, &slow, NULL);
    while (!slow_is_asked())
        turn(f);
    expect_end(f, &request, HTTP_CALL_ANSWERED, "");
    /* Nor does breaking it off: the name is still being asked for. */
    http_call_free(waits);
    expect_end(f, &request, HTTP_CALL_ANSWERED, "");
    pthread_mutex_lock(&names_lock);
    slow_may_go_on = true;
    pthread_cond_broadcast(&names_changed);
    pthread_mutex_unlock(&names_lock);
    loopback_stop(server);
}

/* ---- redirects ---- */

static const struct loopback_reply good = {
    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere", LOOPBACK_KEEP};

/* A server that sends on to that place. */
static struct loopback *start_redirect(
    struct loopback_reply *reply, char *text, size_t size, int status, const char *to)
{
    snprintf(
        text, size,
        "HTTP/1.1 %d Elsewhere\r\nContent-Length: 2\r\nRetry-After: 9\r\n"
        "Location: %s\r\n\r\nno",
        status, to);
    *reply = (struct loopback_reply){text, LOOPBACK_KEEP};
    return loopback_one(reply);
}

static void what_is_led_elsewhere(
    struct fixture *f, struct http_call_request *request, int status, const char *to,
    enum http_call_end end, const char *said)
{
    char text[512];
    struct loopback_reply reply;
    struct loopback *server = start_redirect(&reply, text, sizeof text, status, to);
    request->url = server->url;
    expect_end(f, request, end, said);
    loopback_stop(server);
}

static void a_redirect_is_an_answer_when_none_is_to_be_followed(void **state)
{
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&good);
    struct http_call_request request = post(NULL, "x");
    what_is_led_elsewhere(f, &request, 307, server->url, HTTP_CALL_ANSWERED, "none is to be");
    /* After these a client may make a GET of it: never. */
    request.redirects = 3;
    request.private_networks = true;
    what_is_led_elsewhere(f, &request, 301, server->url, HTTP_CALL_ANSWERED, "");
    what_is_led_elsewhere(f, &request, 302, server->url, HTTP_CALL_ANSWERED, "");
    what_is_led_elsewhere(f, &request, 303, server->url, HTTP_CALL_ANSWERED, "");
    what_is_led_elsewhere(f, &request, 308, "ftp://127.0.0.1/", HTTP_CALL_ANSWERED, "not HTTP");
    what_is_led_elsewhere(f, &request, 308, "file:///etc/passwd", HTTP_CALL_ANSWERED, "not HTTP");
    assert_int_equal(loopback_requests(server), 0);
    loopback_stop(server);
}

static void a_followed_redirect_takes_the_body_and_not_the_secrets(void **state)
{
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&good);
    char text[512];
    char to[128];
    struct loopback_reply reply;
    snprintf(to, sizeof to, "%s/there?a=b", server->url);
    struct loopback *first = start_redirect(&reply, text, sizeof text, 308, to);
    struct http_call_request request = post(first->url, "{\"a\":1}");
    request.method = "PUT";
    request.redirects = 1;
    request.private_networks = true;
    struct http_call *call;
    const struct http_call_answer *answer = ask(f, &request, &call);
    assert_int_equal(answer->status, 200);
    assert_int_equal(answer->redirects, 1);
    assert_string_equal(answer->retry_after, "");
    assert_true(bytes_equal_text(buffer_bytes(&answer->body), "here"));
    assert_non_null(strstr(loopback_request(first, 0), "Authorization: Bearer hush"));
    const char *seen = loopback_request(server, 0);
    assert_ptr_equal(strstr(seen, "PUT /there?a=b HTTP/1.1\r\n"), seen);
    assert_null(strstr(seen, "hush"));
    assert_non_null(strstr(seen, "\r\nX-All: 1\r\n"));
    assert_non_null(strstr(seen, "\r\n\r\n{\"a\":1}"));
    http_call_free(call);
    loopback_stop(first);
    loopback_stop(server);
}

static void the_same_origin_gets_all_of_it_again(void **state)
{
    static const struct loopback_reply replies[] = {
        {"HTTP/1.1 307 On\r\nContent-Length: 0\r\nLocation: /b\r\n\r\n", LOOPBACK_KEEP},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP},
    };
    struct fixture *f = *state;
    struct loopback *server = loopback_start(NULL, replies, 2);
    struct http_call_request request = post(server->url, "x");
    request.redirects = 1;
    request.private_networks = true;
    expect_end(f, &request, HTTP_CALL_ANSWERED, "");
    assert_non_null(strstr(loopback_request(server, 1), "POST /b HTTP/1.1"));
    assert_non_null(strstr(loopback_request(server, 1), "Authorization: Bearer hush"));
    loopback_stop(server);
}

static void a_circle_is_left(void **state)
{
    static const struct loopback_reply reply = {
        "HTTP/1.1 307 On\r\nContent-Length: 0\r\nLocation: /\r\n\r\n", LOOPBACK_KEEP};
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&reply);
    struct http_call_request request = post(server->url, "x");
    request.redirects = 3;
    request.private_networks = true;
    expect_end(f, &request, HTTP_CALL_ANSWERED, "too many have been followed");
    assert_int_equal(loopback_requests(server), 4);
    loopback_stop(server);
}

static void a_redirect_into_a_private_network_is_refused(void **state)
{
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&good);
    char to[128];
    struct http_call_request request = post(NULL, "x");
    request.redirects = 3;
    what_is_led_elsewhere(
        f, &request, 307, server->url, HTTP_CALL_NOT_SENT, "private network (127.0.0.1)");
    /* A name says nothing of where it leads: what counts is the address that is connected to. */
    snprintf(to, sizeof to, "http://innocent.test:%d/", server->port);
    what_is_led_elsewhere(f, &request, 307, to, HTTP_CALL_NOT_SENT, "private network (127.0.0.1)");
    snprintf(to, sizeof to, "http://2130706433:%d/", server->port);
    what_is_led_elsewhere(f, &request, 308, to, HTTP_CALL_NOT_SENT, "private network");
    snprintf(to, sizeof to, "http://[::ffff:127.0.0.1]:%d/", server->port);
    what_is_led_elsewhere(f, &request, 308, to, HTTP_CALL_NOT_SENT, "private network");
    what_is_led_elsewhere(
        f, &request, 308, "http://169.254.169.254/latest", HTTP_CALL_NOT_SENT, "private network");
    assert_int_equal(loopback_requests(server), 0);
    assert_int_equal(loopback_connections(server), 0);
    loopback_stop(server);
}

/* The connection is there already, made by a call that was allowed to. */
static void nor_does_it_get_there_by_a_kept_connection(void **state)
{
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&good);
    struct http_call_request direct = post(server->url, "x");
    expect_end(f, &direct, HTTP_CALL_ANSWERED, "");
    struct http_call_request request = post(NULL, "x");
    request.redirects = 3;
    what_is_led_elsewhere(
        f, &request, 307, server->url, HTTP_CALL_NOT_SENT, "private network (127.0.0.1)");
    assert_int_equal(loopback_requests(server), 1);
    loopback_stop(server);
}

/* ---- ends ---- */

static void a_call_can_be_left_at_any_time(void **state)
{
    static const struct loopback_reply reply = {"HTTP/1.1 200 OK\r\n", LOOPBACK_HOLD};
    struct fixture *f = *state;
    struct loopback *server = loopback_one(&reply);
    struct http_call_request request = post(server->url, "x");
    http_call_free(start(f, &request, NULL));
    struct http_call *call = start(f, &request, NULL);
    http_pool_run(f->pool);
    http_call_free(call);
    call = start(f, &request, NULL);
    while (loopback_requests(server) == 0)
        turn(f);
    http_call_free(call);
    loopback_stop(server);
}

/* Two end in one turn at most; what is freed before it is taken is not given any more. */
static void one_that_ended_can_be_left_too(void **state)
{
    struct fixture *f = *state;
    struct http_call_request request = post("http://nowhere.test/", "x");
    struct http_call *calls[2] = {start(f, &request, NULL), start(f, &request, NULL)};
    struct http_call *first = wait_for_one(f);
    turn(f);
    http_call_free(calls[0] == first ? calls[1] : calls[0]);
    http_call_free(first);
    turn(f);
    assert_null(http_pool_take_ended(f->pool));
}

static int init_all(void **state)
{
    struct error error;
    (void)state;
    return http_client_init(&error);
}

static int cleanup_all(void **state)
{
    (void)state;
    http_client_cleanup();
    return 0;
}

#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_POOL(an_answer_is_told_whole),
        WITH_POOL(an_empty_body_is_put_with_its_length),
        WITH_POOL(a_long_body_is_not_waited_for),
        WITH_POOL(a_connection_serves_several_calls),
        WITH_POOL(calls_run_at_the_same_time),
        WITH_POOL(who_is_not_there_got_nothing),
        WITH_POOL(an_answer_that_is_cut_off_is_none),
        WITH_POOL(endless_headers_are_broken_off),
        WITH_POOL(a_header_cannot_bring_another),
        WITH_POOL(a_slow_name_holds_up_nobody),
        WITH_POOL(a_redirect_is_an_answer_when_none_is_to_be_followed),
        WITH_POOL(a_followed_redirect_takes_the_body_and_not_the_secrets),
        WITH_POOL(the_same_origin_gets_all_of_it_again),
        WITH_POOL(a_circle_is_left),
        WITH_POOL(a_redirect_into_a_private_network_is_refused),
        WITH_POOL(nor_does_it_get_there_by_a_kept_connection),
        WITH_POOL(a_call_can_be_left_at_any_time),
        WITH_POOL(one_that_ended_can_be_left_too),
    };
    return cmocka_run_group_tests(tests, init_all, cleanup_all);
}
