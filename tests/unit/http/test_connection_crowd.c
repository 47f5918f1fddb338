/* SPDX-License-Identifier: MIT */
/* More connections than there are threads, or than one client may have. No deadline ends any of
 * them here while a test waits. */
#include "server_fixture.h"

#include <poll.h>

#include "client_limit.h"
#include "connection_accept.h"
#include "connection_crowd.h"
#include "listener_takeover.h"
#include "server_private.h"

enum { THREADS = 8, SLOW = 20, LONG_MS = 120000, PER_CLIENT = 3 };

static const struct config_proxies nobody;

static int set_up_limited(void **state, int per_client)
{
    struct error error;
    struct fixture *f = fixture_new();
    f->clients = client_limit_create(&nobody, per_client, NULL, &error);
    assert_non_null(f->clients);
    fixture_start(f, LONG_MS, LONG_MS);
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_limited(state, 1000);
}

static int set_up_narrow(void **state)
{
    return set_up_limited(state, PER_CLIENT);
}

static int tear_down(void **state)
{
    fixture_free(*state);
    return 0;
}

/* As many as there are threads, and then some: none of them is served to its end. */
static void begin_all(struct client *slow, int count, uint16_t port, const char *beginning)
{
    for (int i = 0; i < count; i++) {
        slow[i] = connect_tcp(port);
        client_send(&slow[i], beginning);
    }
}

static void close_all(struct client *clients, int count)
{
    for (int i = 0; i < count; i++)
        client_close(&clients[i]);
}

static void expect_service(struct fixture *f)
{
    struct client c = connect_tcp(f->port);
    client_send(&c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    expect_answer(&c, 200, "ab");
    client_close(&c);
}

static void expect_service_beside(struct fixture *f, const char *beginning)
{
    struct client slow[SLOW];
    begin_all(slow, SLOW, f->port, beginning);
    for (int i = 0; i < 3; i++)
        expect_service(f);
    close_all(slow, SLOW);
}

static void connections_that_say_nothing_give_way(void **state)
{
    expect_service_beside(*state, "");
}

static void slow_headers_give_way(void **state)
{
    expect_service_beside(*state, "GET / HTTP/1.1\r\nHo");
}

static void slow_bodies_give_way(void **state)
{
    expect_service_beside(*state, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\na");
}

static void slow_chunks_give_way(void **state)
{
    expect_service_beside(
        *state, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5000\r\na");
}

static void slow_readers_give_way(void **state)
{
    struct fixture *f = *state;
    struct client slow[THREADS];
    /* All threads write, and none of them has heard of a crowd. */
    for (int i = 0; i < THREADS; i++) {
        char byte;
        slow[i] = connect_unix(f->unix_path);
        client_send(&slow[i], "GET /large?400000 HTTP/1.1\r\nHost: x\r\n\r\n");
        assert_int_equal(client_receive(&slow[i], &byte, 1), 1);
    }
    for (int i = 0; i < 3; i++)
        expect_service(f);
    close_all(slow, THREADS);
}

static void who_never_reads_the_end_of_an_answer_gives_way(void **state)
{
    struct fixture *f = *state;
    struct client slow[2 * THREADS];
    /* A fault in the framing: the answer is given, and what follows it is thrown away. */
    for (int i = 0; i < 2 * THREADS; i++) {
        slow[i] = connect_tcp(f->port);
        client_send(&slow[i], "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n");
    }
    expect_service(f);
    close_all(slow, 2 * THREADS);
}

/* The first that waits is the first that goes, and is told why. */
static void the_slowest_is_told_to_come_again(void **state)
{
    struct fixture *f = *state;
    struct client slow[SLOW];
    begin_all(slow, THREADS, f->port, "GET / HTTP/1.1\r\nHo");
    begin_all(slow + THREADS, SLOW - THREADS, f->port, "");
    struct answer answer;
    client_answer(&slow[0], &answer);
    assert_int_equal(answer.status, 503);
    assert_string_not_equal(answer_header(&answer, "Retry-After"), "");
    assert_string_equal(answer_header(&answer, "Connection"), "close");
    close_all(slow, SLOW);
}

static void who_is_served_does_not_give_way(void **state)
{
    struct fixture *f = *state;
    struct client served[THREADS];
    struct client late[THREADS];
    begin_all(served, THREADS, f->port, "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
    fixture_wait_blocked(f, THREADS);
    begin_all(late, THREADS, f->port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    /* Longer than a slow one would be borne with. */
    struct pollfd ends = {.fd = served[0].fd, .events = POLLIN | POLLRDHUP};
    assert_int_equal(poll(&ends, 1, 2 * CROWD_PATIENCE_MS), 0);
    fixture_release(f);
    for (int i = 0; i < THREADS; i++) {
        expect_answer(&served[i], 200, NULL);
        expect_answer(&late[i], 200, NULL);
    }
    close_all(served, THREADS);
    close_all(late, THREADS);
}

/* ---- one client ---- */

static void expect_turned_away(uint16_t port)
{
    struct client c = connect_tcp(port);
    expect_answer(&c, 429, NULL);
    assert_true(client_at_end(&c));
    client_close(&c);
}

static int count_idle(struct connection_watch *watch)
{
    int idle = 0;
    (void)pthread_mutex_lock(&watch->lock);
    for (size_t fd = 0; fd < watch->used; fd++)
        idle += crowd_state(watch, (int)fd) == CONNECTION_IDLE;
    (void)pthread_mutex_unlock(&watch->lock);
    return idle;
}

/* A connection is idle some moments after its peer has the answer. */
static void wait_for_idle(struct fixture *f, int count)
{
    int64_t started_ms = clock_monotonic_ms();
    while (count_idle(&f->server->watch) < count) {
        assert_in_range(clock_monotonic_ms() - started_ms, 0, LONG_MS / 4);
        (void)poll(NULL, 0, 1);
    }
}

static void a_client_with_too_much_under_way_is_turned_away(void **state)
{
    struct fixture *f = *state;
    struct client held[3];
    begin_all(held, 3, f->port, "GET /block HTTP/1.1\r\nHost: x\r\n\r\n");
    fixture_wait_blocked(f, 3);
    expect_turned_away(f->port);
    struct client local = connect_unix(f->unix_path); /* another client */
    client_send(&local, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect_answer(&local, 200, NULL);
    client_close(&local);
    fixture_release(f);
    for (int i = 0; i < 3; i++)
        expect_answer(&held[i], 200, NULL);
    wait_for_idle(f, PER_CLIENT);
    expect_service(f);
    close_all(held, 3);
}

static void its_own_idle_connections_give_way(void **state)
{
    struct fixture *f = *state;
    struct client clients[THREADS];
    for (int i = 0; i < THREADS; i++) {
        clients[i] = connect_tcp(f->port);
        client_send(&clients[i], "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        expect_answer(&clients[i], 200, NULL);
        wait_for_idle(f, i < PER_CLIENT ? i + 1 : PER_CLIENT);
    }
    close_all(clients, THREADS);
}

static void its_own_slow_connections_give_way(void **state)
{
    struct fixture *f = *state;
    struct client slow[3];
    begin_all(slow, 3, f->port, "GET / HTTP/1.1\r\nHo");
    struct answer answer = {0};
    int64_t started_ms = clock_monotonic_ms();
    do { /* it is turned away until they have had their time */
        struct client c = connect_tcp(f->port);
        if (!client_try_send(&c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27) ||
            !client_try_answer(&c, &answer, true))
            answer.status = 429;
        client_close(&c);
        assert_true(answer.status == 200 || answer.status == 429);
        assert_in_range(clock_monotonic_ms() - started_ms, 0, LONG_MS / 4);
    } while (answer.status == 429);
    close_all(slow, 3);
}

/* Whatever its own thread does meanwhile. */
static void who_was_told_to_end_counts_no_more(void **state)
{
    (void)state;
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000201)};
    const struct sockaddr *address = (const struct sockaddr *)&peer;
    struct error error;
    struct connection_watch watch;
    int fds[2];
    assert_int_equal(connection_watch_init(&watch, 0, &error), 0);
    watch.clients = client_limit_create(&nobody, 1, NULL, &error);
    assert_non_null(watch.clients);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct connection_slot *slot = &watch.slots[fds[0]];
    slot->client = client_limit_connect(watch.clients, address);
    atomic_store(&slot->state, CONNECTION_IDLE);
    struct client_count *next = client_limit_connect(watch.clients, address);
    assert_true(client_limit_is_over(watch.clients, next));
    assert_true(crowd_end_idle(&watch, fds[0]));
    assert_false(client_limit_is_over(watch.clients, next));
    assert_true(connection_forget(&watch, fds[0]));
    struct client_count *last = client_limit_connect(watch.clients, address);
    assert_true(client_limit_is_over(watch.clients, last)); /* taken back once, not twice */
    client_limit_leave(watch.clients, last);
    client_limit_leave(watch.clients, next);
    client_limit_free(watch.clients);
    connection_watch_fini(&watch);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

#define SERVED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define NARROW(test) cmocka_unit_test_setup_teardown(test, set_up_narrow, tear_down)

/* civetweb believes an EAGAIN that was left behind more than what poll() returned. */
static void two_listeners_are_told_whatever_was_left_in_errno(void **state)
{
    (void)state;
    struct error error;
    struct connection_watch watch;
    int fds[2][2];
    struct pollfd waiting[2];
    assert_int_equal(connection_watch_init(&watch, 1, &error), 0);
    struct listener_takeover nothing = {.inert_fd = watch.room_fd};
    watch.listeners = &nothing;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds[i]), 0);
        assert_int_equal(write(fds[i][1], "x", 1), 1);
        waiting[i] = (struct pollfd){.fd = fds[i][0], .events = POLLIN};
    }
    errno = EAGAIN;
    assert_int_equal(connection_poll_listeners(&watch, waiting, 2, 0), 2);
    assert_int_equal(errno, 0);
    for (int i = 0; i < 2; i++) {
        (void)close(fds[i][0]);
        (void)close(fds[i][1]);
    }
    connection_watch_fini(&watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVED(connections_that_say_nothing_give_way),
        SERVED(slow_headers_give_way),
        SERVED(slow_bodies_give_way),
        SERVED(slow_chunks_give_way),
        SERVED(slow_readers_give_way),
        SERVED(who_never_reads_the_end_of_an_answer_gives_way),
        SERVED(the_slowest_is_told_to_come_again),
        SERVED(who_is_served_does_not_give_way),
        NARROW(a_client_with_too_much_under_way_is_turned_away),
        NARROW(its_own_idle_connections_give_way),
        NARROW(its_own_slow_connections_give_way),
        cmocka_unit_test(who_was_told_to_end_counts_no_more),
        cmocka_unit_test(two_listeners_are_told_whatever_was_left_in_errno),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
