/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/clock.h"
#include "callbackd/http_client.h"
#include "loopback.h"

static const struct loopback_reply hello = {
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nRetry-After: 7\r\n\r\nhello", LOOPBACK_KEEP};

struct trial {
    int result;
    struct error error;
    struct http_client_response response;
};

static struct http_client_request get(const char *url)
{
    return (struct http_client_request){
        .method = "GET", .url = url, .timeout_ms = 10000, .response_max_bytes = 1024};
}

static struct http_client_request post(const char *url, const char *body)
{
    struct http_client_request request = get(url);
    request.method = "POST";
    request.body = bytes_of_text(body);
    return request;
}

/* A client of its own for one request. */
static struct trial perform(const struct http_client_request *request)
{
    struct trial trial = {.response = {.status = -7}};
    struct http_client *client = http_client_new(NULL);
    assert_non_null(client);
    trial.result = http_client_perform(client, request, &trial.response, &trial.error);
    http_client_free(client);
    return trial;
}

static void assert_fails(const struct http_client_request *request, enum error_code code)
{
    struct trial trial = perform(request);
    assert_int_equal(trial.result, -1);
    if (trial.error.code != code)
        print_error("%s\n", trial.error.message);
    assert_int_equal(trial.error.code, code);
    assert_int_equal(trial.response.status, -7);
    assert_int_not_equal(trial.error.message[0], '\0');
}

/* One GET to a server with that one reply. */
static void assert_reply_fails(const char *reply, enum loopback_after after, enum error_code code)
{
    const struct loopback_reply replies = {reply, after};
    struct loopback *server = loopback_one(&replies);
    struct http_client_request request = get(server->url);
    request.timeout_ms = after == LOOPBACK_HOLD ? 2000 : 10000;
    assert_fails(&request, code);
    loopback_stop(server);
}

static void gives_status_body_and_retry_after(void **state)
{
    (void)state;
    struct loopback *server = loopback_one(&hello);
    struct http_client_request request = get(server->url);
    struct trial trial = perform(&request);
    assert_int_equal(trial.result, 0);
    assert_int_equal(trial.response.status, 200);
    assert_string_equal(buffer_text(&trial.response.body), "hello");
    assert_int_equal(trial.response.retry_after_s, 7);
    assert_non_null(strstr(loopback_request(server, 0), "User-Agent: callbackd/"));
    http_client_response_fini(&trial.response);
    loopback_stop(server);
}

static void any_status_is_an_answer(void **state)
{
    (void)state;
    const struct loopback_reply reply = {
        "HTTP/1.1 503 No\r\nContent-Length: 0\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 "
        "GMT\r\n\r\n",
        LOOPBACK_CLOSE};
    struct loopback *server = loopback_one(&reply);
    struct http_client_request request = get(server->url);
    struct trial trial = perform(&request);
    assert_int_equal(trial.result, 0);
    assert_int_equal(trial.response.status, 503);
    assert_int_equal(trial.response.body.length, 0);
    assert_int_equal(trial.response.retry_after_s, -1);
    http_client_response_fini(&trial.response);
    loopback_stop(server);
}

static void interim_answers_and_trailers_are_read_over(void **state)
{
    (void)state;
    const struct loopback_reply reply = {
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nTransfer-Encoding: chunked\r\n"
        "Trailer: X-Sum\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
        LOOPBACK_CLOSE};
    struct loopback *server = loopback_one(&reply);
    struct http_client_request request = get(server->url);
    struct trial trial = perform(&request);
    assert_int_equal(trial.result, 0);
    assert_int_equal(trial.response.status, 201);
    assert_string_equal(buffer_text(&trial.response.body), "hi");
    http_client_response_fini(&trial.response);
    loopback_stop(server);
}

static void a_redirect_is_not_followed(void **state)
{
    (void)state;
    const struct loopback_reply reply = {
        "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", LOOPBACK_KEEP};
    struct loopback *server = loopback_one(&reply);
    struct http_client_request request = get(server->url);
    struct trial trial = perform(&request);
    assert_int_equal(trial.response.status, 302);
    assert_int_equal(loopback_requests(server), 1);
    http_client_response_fini(&trial.response);
    loopback_stop(server);
}

static void post_sends_body_type_and_headers(void **state)
{
    (void)state;
    const char *const headers[] = {"X-API-KEY: k1", "X-Other: 2", NULL};
    struct loopback *server = loopback_one(&hello);
    struct http_client_request request = post(server->url, "{\"a\":1}");
    request.headers = headers;
    request.content_type = "application/json";
    struct trial trial = perform(&request);
    assert_int_equal(trial.result, 0);
    const char *sent = loopback_request(server, 0);
    assert_ptr_equal(strstr(sent, "POST / HTTP/1.1\r\n"), sent);
    assert_non_null(strstr(sent, "\r\nX-API-KEY: k1\r\nX-Other: 2\r\n"));
    assert_non_null(strstr(sent, "\r\nContent-Type: application/json\r\n"));
    assert_non_null(strstr(sent, "\r\n\r\n{\"a\":1}"));
    http_client_response_fini(&trial.response);
    loopback_stop(server);
}

static void without_a_type_none_is_sent(void **state)
{
    (void)state;
    struct loopback *server = loopback_one(&hello);
    struct http_client_request request = post(server->url, "");
    request.method = "PATCH";
    struct trial trial = perform(&request);
    assert_int_equal(trial.result, 0);
    const char *sent = loopback_request(server, 0);
    assert_ptr_equal(strstr(sent, "PATCH / HTTP/1.1\r\n"), sent);
    assert_non_null(strstr(sent, "\r\nContent-Length: 0\r\n"));
    assert_null(strcasestr(sent, "Content-Type"));
    http_client_response_fini(&trial.response);
    loopback_stop(server);
}

static void a_large_body_is_sent_without_waiting(void **state)
{
    (void)state;
    size_t length = (size_t)3 * 1024 * 1024;
    char *body = malloc(length + 1);
    memset(body, 'x', length);
    body[length] = '\0';
    struct loopback *server = loopback_one(&hello);
    struct http_client_request request = post(server->url, body);
    struct trial trial = perform(&request);
    assert_int_equal(trial.result, 0);
    const char *sent = loopback_request(server, 0);
    assert_null(strcasestr(sent, "Expect:"));
    assert_int_equal(strlen(strstr(sent, "\r\n\r\n") + 4), length);
    http_client_response_fini(&trial.response);
    loopback_stop(server);
    free(body);
}

static void dots_in_a_path_stay(void **state)
{
    (void)state;
    struct loopback *server = loopback_one(&hello);
    char url[128];
    snprintf(url, sizeof url, "%s/workflows/../run", server->url);
    struct http_client_request request = get(url);
    struct trial trial = perform(&request);
    assert_non_null(strstr(loopback_request(server, 0), "GET /workflows/../run HTTP/1.1\r\n"));
    http_client_response_fini(&trial.response);
    loopback_stop(server);
}

static void only_get_takes_over_a_connection(void **state)
{
    (void)state;
    struct loopback *server = loopback_one(&hello);
    struct http_client *client = http_client_new(NULL);
    struct http_client_request requests[] = {
        get(server->url), get(server->url), post(server->url, "1"), post(server->url, "2")};
    const int connections[] = {1, 1, 2, 3};
    for (int i = 0; i < 4; i++) {
        struct http_client_response response;
        assert_int_equal(http_client_perform(client, &requests[i], &response, NULL), 0);
        assert_int_equal(loopback_connections(server), connections[i]);
        http_client_response_fini(&response);
    }
    assert_int_equal(loopback_requests(server), 4);
    http_client_free(client);
    loopback_stop(server);
}

static void speaks_over_a_unix_socket(void **state)
{
    (void)state;
    char directory[] = "/tmp/callbackd-test-XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/s", directory);
    struct loopback *server = loopback_start(path, &hello, 1);
    struct http_client_request request = get("http://callbackd/api/v1/status?x=1");
    request.unix_path = path;
    struct trial trial = perform(&request);
    assert_int_equal(trial.result, 0);
    const char *sent = loopback_request(server, 0);
    assert_non_null(strstr(sent, "GET /api/v1/status?x=1 HTTP/1.1\r\nHost: callbackd\r\n"));
    http_client_response_fini(&trial.response);
    loopback_stop(server);
    assert_fails(&request, ERROR_UNREACHABLE);
    unlink(path);
    assert_fails(&request, ERROR_UNREACHABLE);
    rmdir(directory);
}

/* A port that is bound but does not listen. */
static void refused_is_unreachable(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    getsockname(fd, (struct sockaddr *)&address, &length);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    struct http_client_request request = post(url, "{}");
    assert_fails(&request, ERROR_UNREACHABLE);
    close(fd);
}

/* A listener whose queue is full lets nobody in: that is not "may have been processed". */
static void no_connection_in_time_is_unreachable(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fillers[4];
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 0), 0);
    getsockname(fd, (struct sockaddr *)&address, &length);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    struct http_client_request request = post(url, "{}");
    request.timeout_ms = 200;
    assert_fails(&request, ERROR_UNREACHABLE);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(fd);
}

static void tls_that_is_none_is_unreachable(void **state)
{
    (void)state;
    const struct loopback_reply reply = {"no TLS here\r\n", LOOPBACK_CLOSE};
    struct loopback *server = loopback_one(&reply);
    char url[64];
    snprintf(url, sizeof url, "https://127.0.0.1:%d/", server->port);
    struct http_client_request request = post(url, "\r\n\r\n");
    request.timeout_ms = 300;
    assert_fails(&request, ERROR_UNREACHABLE);
    request.ca_file = "/nonexistent/ca.pem";
    assert_fails(&request, ERROR_UNREACHABLE);
    loopback_stop(server);
}

static void an_answer_that_ends_early_is_an_io_error(void **state)
{
    (void)state;
    assert_reply_fails("", LOOPBACK_CLOSE, ERROR_IO);
    assert_reply_fails("HTTP/1.1 200 OK\r\nContent-", LOOPBACK_CLOSE, ERROR_IO);
    assert_reply_fails(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", LOOPBACK_CLOSE, ERROR_IO);
    assert_reply_fails(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", LOOPBACK_CLOSE, ERROR_IO);
    assert_reply_fails(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: ", LOOPBACK_CLOSE, ERROR_IO);
    assert_reply_fails("this is not HTTP at all\r\n\r\n", LOOPBACK_CLOSE, ERROR_IO);
}

static void a_slow_answer_is_a_timeout(void **state)
{
    (void)state;
    assert_reply_fails("", LOOPBACK_HOLD, ERROR_TIMEOUT);
    assert_reply_fails(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nha", LOOPBACK_HOLD, ERROR_TIMEOUT);
}

struct cancelling {
    struct loopback *server;
    struct http_client *client;
};

static void *cancel_once_asked(void *context)
{
    const struct cancelling *cancelling = context;
    (void)loopback_request(cancelling->server, 0);
    http_client_cancel(cancelling->client);
    return NULL;
}

static void a_cancelled_request_ends_long_before_its_time(void **state)
{
    (void)state;
    static const struct loopback_reply hold = {"HTTP/1.1 200 OK\r\n", LOOPBACK_HOLD};
    struct cancelling cancelling = {loopback_one(&hold), http_client_new(NULL)};
    struct http_client_request request = get(cancelling.server->url);
    struct http_client_response response;
    struct error error = {0};
    pthread_t canceller;
    request.timeout_ms = 60000;
    int64_t begin_ms = clock_monotonic_ms();
    assert_int_equal(pthread_create(&canceller, NULL, cancel_once_asked, &cancelling), 0);
    assert_int_equal(http_client_perform(cancelling.client, &request, &response, &error), -1);
    assert_int_equal(error.code, ERROR_IO);
    assert_int_equal(http_client_perform(cancelling.client, &request, &response, &error), -1);
    assert_true(clock_monotonic_ms() - begin_ms < 30000);
    pthread_join(canceller, NULL);
    http_client_free(cancelling.client);
    loopback_stop(cancelling.server);
}

static void a_large_answer_is_cut_off(void **state)
{
    (void)state;
    enum { REPLY_BYTES = 200 * 1024 };
    char *reply = malloc(REPLY_BYTES);
    int head = snprintf(reply, 4096, "HTTP/1.1 200 OK\r\nContent-Length: 1025\r\n\r\n%1025s", "");
    assert_int_equal(head, 41 + 1025);
    assert_reply_fails(reply, LOOPBACK_CLOSE, ERROR_TOO_LARGE);
    snprintf(reply, 4096, "HTTP/1.1 200 OK\r\n\r\n%1025s", "");
    assert_reply_fails(reply, LOOPBACK_CLOSE, ERROR_TOO_LARGE);
    snprintf(reply, REPLY_BYTES, "HTTP/1.1 200 OK\r\nX: %70000s\r\n\r\n", "y");
    assert_reply_fails(reply, LOOPBACK_CLOSE, ERROR_TOO_LARGE);

    snprintf(reply, 4096, "HTTP/1.1 200 OK\r\n\r\n%1024s", "");
    const struct loopback_reply fits = {reply, LOOPBACK_CLOSE};
    struct loopback *server = loopback_one(&fits);
    struct http_client_request request = get(server->url);
    struct trial trial = perform(&request);
    assert_int_equal(trial.result, 0);
    assert_int_equal(trial.response.body.length, 1024);
    http_client_response_fini(&trial.response);
    loopback_stop(server);
    free(reply);
}

static void what_cannot_be_sent_is_invalid(void **state)
{
    (void)state;
    static const char *const urls[] = {
        "",        "nonsense",    "file:///etc/passwd",      "ftp://127.0.0.1/",
        "http://", "gopher://x/", "http://127.0.0.1:99999/", "http://a b/"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct http_client_request request = get(urls[i]);
        assert_fails(&request, ERROR_INVALID);
    }
    const char *const headers[] = {"X-API-KEY: secret\r\nInjected: 1", NULL};
    struct http_client_request request = get("http://127.0.0.1:1/");
    request.headers = headers;
    struct trial trial = perform(&request);
    assert_int_equal(trial.error.code, ERROR_INVALID);
    assert_null(strstr(trial.error.message, "secret"));
    request = post("http://127.0.0.1:1/", "");
    request.content_type = "text/plain\nX: y";
    assert_fails(&request, ERROR_INVALID);
}

static void a_proxy_is_not_used_for_this_machine(void **state)
{
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1/", 1);
    struct loopback *server = loopback_one(&hello);
    struct http_client_request request = get(server->url);
    struct trial trial = perform(&request);
    assert_int_equal(trial.result, 0);
    http_client_response_fini(&trial.response);
    loopback_stop(server);
    unsetenv("http_proxy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_status_body_and_retry_after),
        cmocka_unit_test(any_status_is_an_answer),
        cmocka_unit_test(interim_answers_and_trailers_are_read_over),
        cmocka_unit_test(a_redirect_is_not_followed),
        cmocka_unit_test(post_sends_body_type_and_headers),
        cmocka_unit_test(without_a_type_none_is_sent),
        cmocka_unit_test(a_large_body_is_sent_without_waiting),
        cmocka_unit_test(dots_in_a_path_stay),
        cmocka_unit_test(only_get_takes_over_a_connection),
        cmocka_unit_test(speaks_over_a_unix_socket),
        cmocka_unit_test(refused_is_unreachable),
        cmocka_unit_test(no_connection_in_time_is_unreachable),
        cmocka_unit_test(tls_that_is_none_is_unreachable),
        cmocka_unit_test(an_answer_that_ends_early_is_an_io_error),
        cmocka_unit_test(a_slow_answer_is_a_timeout),
        cmocka_unit_test(a_cancelled_request_ends_long_before_its_time),
        cmocka_unit_test(a_large_answer_is_cut_off),
        cmocka_unit_test(what_cannot_be_sent_is_invalid),
        cmocka_unit_test(a_proxy_is_not_used_for_this_machine),
    };
    if (http_client_init(NULL) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_client_cleanup();
    return failed;
}
