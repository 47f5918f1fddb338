/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "callbackd/os.h"
#include "callbackd/receiver.h"

enum { PATIENCE_S = 10, ANSWER_BYTES = 4096 };

struct fixture {
    char directory[64];
    int listener;
    struct sockaddr_in address;
    struct config_listener place;
    struct config_endpoint endpoint;
    struct config config;
    struct result_log *log;
    struct receiver *receiver;
};

static void listen_somewhere(struct fixture *f)
{
    socklen_t length = sizeof(f->address);
    f->address.sin_family = AF_INET;
    f->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(f->listener >= 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&f->address, length), 0);
    assert_int_equal(listen(f->listener, 16), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&f->address, &length), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error error = {0};
    assert_non_null(f);
    snprintf(f->directory, sizeof(f->directory), "/tmp/callbackd-receiver-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    listen_somewhere(f);
    f->endpoint = (struct config_endpoint){.name = "in", .path = "/in", .kind = BODY_JSON};
    f->config = (struct config){
        .listeners = &f->place,
        .listener_count = 1,
        .endpoints = &f->endpoint,
        .endpoint_count = 1,
        .limits = {
            .body_bytes = 100000,
            .bodies_in_flight_bytes = 120000,
            .connections = 8,
            .connections_per_client = 8,
            .request_timeout_ms = 60000,
            .idle_timeout_ms = 5000,
            .json_depth = 16}};
    struct result_log_options log_options = {
        .directory = f->directory, .wake_fd = -1, .keep_rejected = 10};
    assert_int_equal(store_prepare(f->directory, &error), 0);
    f->log = result_log_open(&log_options, &error);
    assert_non_null(f->log);
    struct receiver_options options = {
        .config = &f->config, .log = f->log, .listeners = &f->listener};
    f->receiver = receiver_start(&options, &error);
    assert_non_null(f->receiver);
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    receiver_stop(f->receiver);
    result_log_close(f->log);
    os_close(f->listener);
    nftw(f->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

static int connect_to(const struct fixture *f)
{
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(connect(fd, (const struct sockaddr *)&f->address, sizeof(f->address)), 0);
    return fd;
}

static void send_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* Reads until the end of the connection, and closes. */
static const char *answer_of(int fd, char answer[static ANSWER_BYTES])
{
    size_t length = 0;
    ssize_t got;
    while ((got = recv(fd, answer + length, ANSWER_BYTES - 1 - length, 0)) > 0)
        length += (size_t)got;
    answer[length] = '\0';
    close(fd);
    return answer;
}

#define POST_HEAD "POST /in HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"

static int64_t stored(const struct fixture *f)
{
    int64_t seq = -1;
    assert_int_equal(result_log_last_seq(f->log, &seq, NULL), 0);
    return seq;
}

static void wait_for_requests(const struct fixture *f, int64_t count)
{
    for (int i = 0; receiver_requests(f->receiver) != count; i++) {
        assert_true(i < 1000 * PATIENCE_S);
        poll(NULL, 0, 1);
    }
}

static void what_is_answered_200_is_in_the_log(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_BYTES];
    int fd = connect_to(f);
    send_text(fd, POST_HEAD "Content-Length: 7\r\n\r\n{\"a\":1}");
    assert_non_null(strstr(answer_of(fd, answer), "HTTP/1.1 200 "));
    assert_non_null(strstr(answer, "\"accepted\":true"));
    assert_int_equal(stored(f), 1);
}

/* ---- what is stored ---- */

static int keep_content_type(void *context, const struct result_entry *entry)
{
    snprintf(context, ANSWER_BYTES, "%s", entry->content_type);
    return 0;
}

static void a_long_content_type_is_stored_whole(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_BYTES];
    char text[ANSWER_BYTES];
    char type[1001];
    struct error error = {0};
    memset(type, 'x', sizeof(type) - 1);
    type[sizeof(type) - 1] = '\0';
    snprintf(text, sizeof(text), POST_HEAD "Content-Type: %s\r\nContent-Length: 2\r\n\r\n{}", type);
    int fd = connect_to(f);
    send_text(fd, text);
    assert_non_null(strstr(answer_of(fd, answer), "HTTP/1.1 200 "));
    assert_int_equal(result_log_read(f->log, 0, 10, keep_content_type, text, &error), 0);
    assert_string_equal(text, type);
    /* The next post uses the same memory. */
    fd = connect_to(f);
    send_text(fd, POST_HEAD "Content-Length: 2\r\n\r\n[]");
    assert_non_null(strstr(answer_of(fd, answer), "HTTP/1.1 200 "));
    assert_int_equal(result_log_read(f->log, 1, 10, keep_content_type, text, &error), 0);
    assert_string_equal(text, "");
}

static void a_body_cut_off_by_a_stop_may_be_sent_again(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_BYTES];
    int fd = connect_to(f);
    send_text(fd, POST_HEAD "Content-Length: 7\r\n\r\n{\"a\"");
    wait_for_requests(f, 1);
    receiver_stop(f->receiver);
    f->receiver = NULL;
    assert_non_null(strstr(answer_of(fd, answer), "HTTP/1.1 503 "));
    assert_non_null(strstr(answer, "Retry-After:"));
    assert_int_equal(stored(f), 0);
}

static void a_body_cut_off_by_the_sender_is_400(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_BYTES];
    int fd = connect_to(f);
    send_text(fd, POST_HEAD "Content-Length: 7\r\n\r\n{\"a\"");
    shutdown(fd, SHUT_WR);
    assert_non_null(strstr(answer_of(fd, answer), "HTTP/1.1 400 "));
    assert_int_equal(stored(f), 0);
}

/* 80,000 bytes of JSON that are a whole body together with a closing bracket. */
static void send_most_of_a_body(int fd)
{
    static char text[80200];
    snprintf(text, sizeof(text), POST_HEAD "Content-Length: 80001\r\n\r\n[%79999s", "");
    send_text(fd, text);
}

static bool is_answered(int fd)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    return poll(&readable, 1, 0) == 1;
}

/* Posts 80,001 bytes beside a slow one's until its bytes have been read and count; or it is the one
 * that finds the budget taken. */
static void expect_503_beside(struct fixture *f, int slow)
{
    char answer[ANSWER_BYTES];
    int posts = 0;
    wait_for_requests(f, 1);
    do {
        assert_in_range(++posts, 1, 2000);
        int fd = connect_to(f);
        send_most_of_a_body(fd);
        send_text(fd, "]");
        answer_of(fd, answer);
    } while (strstr(answer, "HTTP/1.1 200 ") && !is_answered(slow));
    if (strstr(answer, "HTTP/1.1 200 "))
        answer_of(slow, answer);
    else
        close(slow);
    assert_non_null(strstr(answer, "HTTP/1.1 503 "));
    wait_for_requests(f, 0);
}

static void bodies_in_flight_over_the_budget_are_503(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_BYTES];
    int slow = connect_to(f);
    send_most_of_a_body(slow);
    expect_503_beside(f, slow);
    int fd = connect_to(f);
    send_text(fd, POST_HEAD "Content-Length: 2\r\n\r\n[]");
    assert_non_null(strstr(answer_of(fd, answer), "HTTP/1.1 200 "));
}

/* 39,999 bytes have come, and at least one more is being read: with 80,001 others they exceed the
 * budget, which those that have come would not. */
static void memory_for_a_body_counts_before_it_is_filled(void **state)
{
    struct fixture *f = *state;
    static char text[40200];
    int slow = connect_to(f);
    snprintf(text, sizeof(text), POST_HEAD "Content-Length: 100000\r\n\r\n[%39998s", "");
    send_text(slow, text);
    expect_503_beside(f, slow);
}

static void a_length_that_is_only_declared_takes_nothing_from_the_budget(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_BYTES];
    int idle[3];
    for (int i = 0; i < 3; i++) {
        idle[i] = connect_to(f);
        send_text(idle[i], POST_HEAD "Content-Length: 80000\r\n\r\n[");
    }
    wait_for_requests(f, 3);
    int fd = connect_to(f);
    send_most_of_a_body(fd);
    send_text(fd, "]");
    assert_non_null(strstr(answer_of(fd, answer), "HTTP/1.1 200 "));
    for (int i = 0; i < 3; i++)
        close(idle[i]);
    wait_for_requests(f, 0);
}

static void a_declared_length_over_the_limit_is_413_unread(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_BYTES];
    int fd = connect_to(f);
    send_text(fd, POST_HEAD "Content-Length: 100001\r\n\r\n");
    assert_non_null(strstr(answer_of(fd, answer), "HTTP/1.1 413 "));
}

static void only_the_endpoints_path_is_an_endpoint(void **state)
{
    struct fixture *f = *state;
    char answer[ANSWER_BYTES];
    static const char *const others[] = {"/in/", "/in/x", "/inn", "/i", "/"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        char request[256];
        int fd = connect_to(f);
        snprintf(
            request, sizeof(request),
            "POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            others[i]);
        send_text(fd, request);
        assert_non_null(strstr(answer_of(fd, answer), "HTTP/1.1 404 "));
    }
}

static void more_connections_than_a_server_takes_are_as_many_as_it_takes(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    char answer[ANSWER_BYTES];
    struct receiver_options options = {
        .config = &f->config, .log = f->log, .listeners = &f->listener};
    receiver_stop(f->receiver);
    f->config.limits.connections = 100000;
    f->receiver = receiver_start(&options, &error);
    assert_non_null(f->receiver);
    int fd = connect_to(f);
    send_text(fd, POST_HEAD "Content-Length: 2\r\n\r\n[]");
    assert_non_null(strstr(answer_of(fd, answer), "HTTP/1.1 200 "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_answered_200_is_in_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_content_type_is_stored_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_body_cut_off_by_a_stop_may_be_sent_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_body_cut_off_by_the_sender_is_400, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            bodies_in_flight_over_the_budget_are_503, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            memory_for_a_body_counts_before_it_is_filled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_length_that_is_only_declared_takes_nothing_from_the_budget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_declared_length_over_the_limit_is_413_unread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_the_endpoints_path_is_an_endpoint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            more_connections_than_a_server_takes_are_as_many_as_it_takes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
