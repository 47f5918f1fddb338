/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client_address.h"

static struct config_network networks[2];
static const struct config_proxies *proxies(bool unix_sockets)
{
    static struct config_proxies made;
    assert_true(config_parse_network("127.0.0.1", &networks[0]));
    assert_true(config_parse_network("10.0.0.0/8", &networks[1]));
    made = (struct config_proxies){networks, 2, unix_sockets};
    return &made;
}

static void assert_client(const char *peer, const char *chain, const char *expected)
{
    char client[CLIENT_ADDRESS_BYTES];
    client_address_from_chain(proxies(true), peer, chain, client);
    assert_string_equal(client, expected);
}

static void a_stranger_is_itself_whatever_it_says(void **state)
{
    (void)state;
    assert_client("203.0.113.7", "192.0.2.1", "203.0.113.7");
}

static void a_trusted_proxy_names_its_client(void **state)
{
    (void)state;
    assert_client("127.0.0.1", "192.0.2.1", "192.0.2.1");
    assert_client("unix", "192.0.2.1", "192.0.2.1");
}

static void the_chain_is_read_from_the_right(void **state)
{
    (void)state;
    assert_client("127.0.0.1", "192.0.2.66, 192.0.2.1, 10.1.2.3", "192.0.2.1");
}

static void a_chain_of_proxies_alone_ends_at_the_leftmost(void **state)
{
    (void)state;
    assert_client("127.0.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1");
}

static void without_a_chain_the_proxy_is_the_client(void **state)
{
    (void)state;
    assert_client("127.0.0.1", "", "127.0.0.1");
    assert_client("unix", "", "unix");
}

static void what_is_no_address_is_not_believed(void **state)
{
    (void)state;
    assert_client("127.0.0.1", "192.0.2.1, unknown", "127.0.0.1");
    assert_client("127.0.0.1", "192.0.2.1, _hidden", "127.0.0.1");
    assert_client("127.0.0.1", "192.0.2.1,", "127.0.0.1");
    assert_client("127.0.0.1", "unix", "127.0.0.1");
}

static void ports_brackets_and_quotes_are_taken_off(void **state)
{
    (void)state;
    assert_client("127.0.0.1", "192.0.2.1:4711", "192.0.2.1");
    assert_client("127.0.0.1", "\"[2001:db8::1]:4711\"", "2001:db8::1");
    assert_client("127.0.0.1", "[2001:db8::1]", "2001:db8::1");
    assert_client("127.0.0.1", "2001:db8::1", "2001:db8::1");
}

static void unix_peers_are_proxies_only_when_named(void **state)
{
    (void)state;
    char client[CLIENT_ADDRESS_BYTES];
    client_address_from_chain(proxies(false), "unix", "192.0.2.1", client);
    assert_string_equal(client, "unix");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_is_itself_whatever_it_says),
        cmocka_unit_test(a_trusted_proxy_names_its_client),
        cmocka_unit_test(the_chain_is_read_from_the_right),
        cmocka_unit_test(a_chain_of_proxies_alone_ends_at_the_leftmost),
        cmocka_unit_test(without_a_chain_the_proxy_is_the_client),
        cmocka_unit_test(what_is_no_address_is_not_believed),
        cmocka_unit_test(ports_brackets_and_quotes_are_taken_off),
        cmocka_unit_test(unix_peers_are_proxies_only_when_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
