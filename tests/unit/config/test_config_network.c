/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

static bool holds(const char *network_text, const char *address_text)
{
    struct config_network network;
    unsigned char address[16];
    assert_true(config_parse_network(network_text, &network));
    assert_true(config_parse_address(address_text, address));
    return config_network_holds(&network, address);
}

static void an_address_is_sixteen_bytes_ipv4_mapped(void **state)
{
    (void)state;
    unsigned char address[16];
    static const unsigned char mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 7};
    assert_true(config_parse_address("192.0.2.7", address));
    assert_memory_equal(address, mapped, 16);
    assert_true(config_parse_address("::ffff:192.0.2.7", address));
    assert_memory_equal(address, mapped, 16);
    assert_true(config_parse_address("::1", address));
    assert_int_equal(address[15], 1);
}

static void what_is_no_address_leaves_the_output_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         "localhost", "1.2.3",   "1.2.3.4.5", "256.1.1.1",
                                      "01.2.3.4", " 1.2.3.4",  "1::2::3", "[::1]",     "::1%lo",
                                      "unix",     "1.2.3.4/8", "12345::", "1.2.3.4:80"};
    unsigned char address[16];
    unsigned char before[16];
    memset(address, 0xaa, sizeof address);
    memcpy(before, address, sizeof before);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(config_parse_address(bad[i], address));
    assert_memory_equal(address, before, sizeof before);
}

static void a_network_holds_what_is_in_it(void **state)
{
    (void)state;
    assert_true(holds("127.0.0.1", "127.0.0.1"));
    assert_false(holds("127.0.0.1", "127.0.0.2"));
    assert_true(holds("10.0.0.0/8", "10.255.255.255"));
    assert_false(holds("10.0.0.0/8", "11.0.0.0"));
    assert_true(holds("192.0.2.128/25", "192.0.2.128"));
    assert_false(holds("192.0.2.128/25", "192.0.2.127"));
    assert_true(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_true(holds("fe80::/10", "febf::1"));
    assert_false(holds("fe80::/10", "fec0::1"));
    assert_true(holds("::1", "::1"));
    assert_false(holds("::1/128", "::2"));
}

static void all_of_one_family_is_not_all_of_the_other(void **state)
{
    (void)state;
    assert_true(holds("0.0.0.0/0", "203.0.113.9"));
    assert_false(holds("0.0.0.0/0", "2001:db8::1"));
    assert_true(holds("::/0", "2001:db8::1"));
    assert_false(holds("::/0", "203.0.113.9"));
    assert_false(holds("10.0.0.0/8", "::10.0.0.1"));
}

static void every_prefix_is_exact_to_the_bit(void **state)
{
    (void)state;
    for (int prefix = 1; prefix <= 128; prefix++) {
        struct config_network network = {.prefix = prefix};
        unsigned char address[16] = {0};
        assert_true(config_network_holds(&network, address));
        int last = prefix - 1;
        address[last / 8] = (unsigned char)(0x80 >> last % 8);
        assert_false(config_network_holds(&network, address));
        if (prefix < 128) {
            memset(address, 0, sizeof address);
            address[prefix / 8] = (unsigned char)(0x80 >> prefix % 8);
            assert_true(config_network_holds(&network, address));
        }
    }
}

static void bad_networks_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0.0/ 8",
        "10.0.0.0/8/8",
        "::/129",
        "10.0.0.1/8",
        "fe80::1/10",
        "10.0.0/8",
        "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8"};
    struct config_network network = {.prefix = 77};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(config_parse_network(bad[i], &network));
    assert_int_equal(network.prefix, 77);
}

static void proxies_are_addresses_networks_and_unix(void **state)
{
    struct fixture *f = *state;
    expect_taken(f, (struct parts){.extra = ", \"trusted_proxies\": [\"10.0.0.0/8\", \"::1\"]"});
    assert_int_equal(f->config->trusted_proxies.count, 2);
    assert_false(f->config->trusted_proxies.unix_sockets);
    assert_false(fixture_load(
        f, (struct parts){
               .extra = ", \"trusted_proxies\": [\"10.0.0.1/8\", \"proxy\", 3, \"\", \"unix\"]"}));
    expect_problem(f, 7, "trusted_proxies[0]", "no bits set after the prefix");
    expect_problem(f, 7, "trusted_proxies[1]", "\"proxy\" is not an address or a network");
    expect_problem(f, 7, "trusted_proxies[2]", "must be a string");
    expect_problem(f, 7, "trusted_proxies[3]", "is empty");
    assert_int_equal(f->problems.count, 4);
}

static bool load_address(struct fixture *f, const char *address)
{
    char listen[256];
    snprintf(listen, sizeof listen, "\"listen\": [ { \"address\": \"%s\" } ],", address);
    return fixture_load(f, (struct parts){.listen = listen});
}

static void listeners_are_numeric_with_a_port(void **state)
{
    struct fixture *f = *state;
    assert_true(load_address(f, "0.0.0.0:65535"));
    assert_string_equal(f->config->listeners[0].host, "0.0.0.0");
    assert_int_equal(f->config->listeners[0].port, 65535);
    assert_true(load_address(f, "[2001:db8::1]:80"));
    assert_string_equal(f->config->listeners[0].host, "2001:db8::1");
    assert_string_equal(f->config->listeners[0].address, "[2001:db8::1]:80");
    static const char *const bad[] = {
        "127.0.0.1",    ":80",           "localhost:80",   "*:80",
        "::1:80",       "[::1]",         "[127.0.0.1]:80", "127.0.0.1:65536",
        "127.0.0.1:-1", "127.0.0.1:",    "[]:80",          "[::1:80",
        "::1]:80",      "127.0.0.1:80 ", "127.0.0.1:+1",   "[fe80::1%eth0]:80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(load_address(f, bad[i]));
        expect_only_problem(f, 2, "listen[0].address", "is not a numeric address with a port");
    }
}

static void a_unix_socket_must_fit_its_address(void **state)
{
    struct fixture *f = *state;
    char name[200];
    char listen[300];
    size_t room = 107 - strlen(f->directory) - 1;
    memset(name, 's', sizeof name);
    name[room] = '\0';
    snprintf(listen, sizeof listen, "\"listen\": [ { \"unix\": \"%s\" } ],", name);
    expect_taken(f, (struct parts){.listen = listen});
    assert_int_equal(strlen(f->config->listeners[0].unix_path), 107);
    name[room] = 's';
    name[room + 1] = '\0';
    snprintf(listen, sizeof listen, "\"listen\": [ { \"unix\": \"%s\" } ],", name);
    assert_false(fixture_load(f, (struct parts){.listen = listen}));
    expect_only_problem(f, 2, "listen[0].unix", "too long for a Unix socket");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_is_sixteen_bytes_ipv4_mapped),
        cmocka_unit_test(what_is_no_address_leaves_the_output_alone),
        cmocka_unit_test(a_network_holds_what_is_in_it),
        cmocka_unit_test(all_of_one_family_is_not_all_of_the_other),
        cmocka_unit_test(every_prefix_is_exact_to_the_bit),
        cmocka_unit_test(bad_networks_are_refused),
        WITH_FIXTURE(proxies_are_addresses_networks_and_unix),
        WITH_FIXTURE(listeners_are_numeric_with_a_port),
        WITH_FIXTURE(a_unix_socket_must_fit_its_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
