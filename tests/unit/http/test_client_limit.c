/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "client_limit.h"

static struct config_network proxy;
static const struct config_proxies proxies = {&proxy, 1, true};

static int set_up(void **state)
{
    struct error error;
    assert_true(config_parse_network("10.0.0.0/8", &proxy));
    *state = client_limit_create(&proxies, 2, NULL, &error);
    assert_non_null(*state);
    return 0;
}

static int tear_down(void **state)
{
    client_limit_free(*state);
    return 0;
}

static struct client_count *connect_4(struct client_limit *limit, const char *address)
{
    struct sockaddr_in peer = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, address, &peer.sin_addr), 1);
    return client_limit_connect(limit, (const struct sockaddr *)&peer);
}

static struct client_count *connect_6(struct client_limit *limit, const char *address)
{
    struct sockaddr_in6 peer = {.sin6_family = AF_INET6};
    assert_int_equal(inet_pton(AF_INET6, address, &peer.sin6_addr), 1);
    return client_limit_connect(limit, (const struct sockaddr *)&peer);
}

static void each_address_has_its_own_share(void **state)
{
    struct client_count *held[3];
    for (int i = 0; i < 3; i++) {
        held[i] = connect_4(*state, "192.0.2.1");
        assert_int_equal(client_limit_is_over(*state, held[i]), i == 2);
    }
    struct client_count *other = connect_4(*state, "192.0.2.2");
    assert_false(client_limit_is_over(*state, other));
    client_limit_leave(*state, held[2]);
    assert_false(client_limit_is_over(*state, held[0]));
    client_limit_leave(*state, other);
    client_limit_leave(*state, held[1]);
    client_limit_leave(*state, held[0]);
}

static void what_was_told_to_end_counts_no_more(void **state)
{
    struct client_count *held[3];
    for (int i = 0; i < 3; i++)
        held[i] = connect_4(*state, "192.0.2.1");
    assert_true(client_limit_is_over(*state, held[2]));
    client_limit_note_ending(held[0]);
    assert_false(client_limit_is_over(*state, held[2]));
    struct client_count *next = connect_4(*state, "192.0.2.1");
    assert_true(client_limit_is_over(*state, next));
    client_limit_leave_ended(*state, held[0]);
    assert_true(client_limit_is_over(*state, next));
    client_limit_leave(*state, held[1]);
    assert_false(client_limit_is_over(*state, next));
    client_limit_leave(*state, held[2]);
    client_limit_leave(*state, next);
    client_limit_note_ending(NULL);
    client_limit_leave_ended(*state, NULL);
}

static void an_ipv4_address_is_the_same_on_a_dual_stack_listener(void **state)
{
    struct client_count *as_4 = connect_4(*state, "192.0.2.1");
    struct client_count *as_6 = connect_6(*state, "::ffff:192.0.2.1");
    assert_ptr_equal(as_4, as_6);
    client_limit_leave(*state, as_4);
    client_limit_leave(*state, as_6);
}

static void an_ipv6_network_of_64_bits_is_one_client(void **state)
{
    struct client_count *one = connect_6(*state, "2001:db8:0:1::1");
    struct client_count *same = connect_6(*state, "2001:db8:0:1:ffff::2");
    struct client_count *other = connect_6(*state, "2001:db8:0:2::1");
    assert_ptr_equal(one, same);
    assert_ptr_not_equal(one, other);
    client_limit_leave(*state, one);
    client_limit_leave(*state, same);
    client_limit_leave(*state, other);
}

static void proxies_and_unix_peers_are_not_counted(void **state)
{
    struct sockaddr_un unix_peer = {.sun_family = AF_UNIX};
    assert_null(connect_4(*state, "10.1.2.3"));
    assert_null(connect_6(*state, "::ffff:10.1.2.3"));
    assert_null(client_limit_connect(*state, (const struct sockaddr *)&unix_peer));
    assert_false(client_limit_is_over(*state, NULL));
    client_limit_leave(*state, NULL);
}

static void requests_count_for_whom_a_proxy_names(void **state)
{
    struct client_count *held[3] = {
        connect_4(*state, "192.0.2.1"),
        client_limit_request(*state, "10.0.0.1", "192.0.2.1"),
        client_limit_request(*state, "unix", "192.0.2.1"),
    };
    assert_ptr_equal(held[0], held[2]);
    assert_true(client_limit_is_over(*state, held[2]));
    for (int i = 0; i < 3; i++)
        client_limit_leave(*state, held[i]);
}

static void a_request_in_the_peers_own_name_counts_with_its_connection(void **state)
{
    assert_null(client_limit_request(*state, "192.0.2.1", "192.0.2.1"));
    assert_null(client_limit_request(*state, "10.0.0.1", "10.0.0.1"));
    assert_null(client_limit_request(*state, "unix", "unix"));
}

static void all_who_are_unknown_share(void **state)
{
    struct client_count *one = client_limit_request(*state, "10.0.0.1", "unknown");
    struct client_count *loopback = client_limit_request(*state, "10.0.0.1", "::1");
    struct client_count *same = client_limit_request(*state, "unix", "unknown");
    assert_ptr_equal(one, same);
    assert_ptr_not_equal(one, loopback);
    client_limit_leave(*state, one);
    client_limit_leave(*state, loopback);
    client_limit_leave(*state, same);
}

enum { THREADS = 4, ROUNDS = 2000 };

static void *come_and_go(void *context)
{
    struct client_limit *limit = context;
    char address[32];
    for (int i = 0; i < ROUNDS; i++) {
        (void)snprintf(address, sizeof(address), "192.0.2.%d", i % 7);
        struct client_count *count = client_limit_request(limit, "unix", address);
        client_limit_leave(limit, count);
    }
    return NULL;
}

static void nothing_is_left_when_all_have_left(void **state)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, *state), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < 7; i++) {
        char address[32];
        struct client_count *held[3];
        (void)snprintf(address, sizeof(address), "192.0.2.%d", i);
        for (int k = 0; k < 3; k++) {
            held[k] = connect_4(*state, address);
            assert_int_equal(client_limit_is_over(*state, held[k]), k == 2);
        }
        for (int k = 0; k < 3; k++)
            client_limit_leave(*state, held[k]);
    }
}

#define LIMITED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIMITED(each_address_has_its_own_share),
        LIMITED(what_was_told_to_end_counts_no_more),
        LIMITED(an_ipv4_address_is_the_same_on_a_dual_stack_listener),
        LIMITED(an_ipv6_network_of_64_bits_is_one_client),
        LIMITED(proxies_and_unix_peers_are_not_counted),
        LIMITED(requests_count_for_whom_a_proxy_names),
        LIMITED(a_request_in_the_peers_own_name_counts_with_its_connection),
        LIMITED(all_who_are_unknown_share),
        LIMITED(nothing_is_left_when_all_have_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
