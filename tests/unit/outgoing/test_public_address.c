/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "public_address.h"

static void expect_all(const char *const *addresses, bool is_public)
{
    for (; *addresses; addresses++)
        if (address_text_is_public(*addresses) != is_public)
            fail_msg("%s is taken for %s", *addresses, is_public ? "private" : "public");
}

static void the_internet_is_public(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "1.1.1.1",         "8.8.8.8",          "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",      "126.255.255.255", "128.0.0.0",
        "169.253.255.255", "169.255.0.0",      "172.15.255.255",  "172.32.0.0",
        "192.167.255.255", "192.169.0.0",      "198.17.255.255",  "198.20.0.0",
        "223.255.255.255", "2600::1",          "2a00:1450::1",    "2001:4860:4860::8888",
        "::ffff:8.8.8.8",  "64:ff9b::808:808", "2002:808:808::1", NULL,
    };
    expect_all(addresses, true);
}

static void machines_and_networks_around_are_not(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        NULL,
    };
    expect_all(addresses, false);
}

static void those_of_ipv6_are_not(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "::",          "::1",         "fc00::1", "fdff::1",     "fe80::1", "febf::1",
        "fec0::1",     "ff02::1",     "2001::1", "2001:db8::1", "100::1",  "3fff::1",
        "64:ff9b:1::", "::127.0.0.1", "4000::1", NULL,
    };
    expect_all(addresses, false);
}

static void an_ipv4_address_in_another_spelling_is_what_it_is(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "::ffff:127.0.0.1",     "::ffff:10.1.2.3", "::ffff:a9fe:a9fe", "64:ff9b::7f00:1",
        "64:ff9b::192.168.0.1", "2002:7f00:1::",   "2002:a00:1::1",    NULL,
    };
    expect_all(addresses, false);
}

static void what_is_no_address_is_not_public(void **state)
{
    (void)state;
    static const char *const addresses[] = {"", "localhost", "8.8.8", "8.8.8.8.8", "/run/x", NULL};
    expect_all(addresses, false);
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    assert_false(address_is_public((const struct sockaddr *)&local));
}

static void sockets_say_the_same(void **state)
{
    (void)state;
    struct sockaddr_in inet = {.sin_family = AF_INET};
    struct sockaddr_in6 inet6 = {.sin6_family = AF_INET6};
    inet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_false(address_is_public((const struct sockaddr *)&inet));
    assert_int_equal(inet_pton(AF_INET, "8.8.8.8", &inet.sin_addr), 1);
    assert_true(address_is_public((const struct sockaddr *)&inet));
    assert_int_equal(inet_pton(AF_INET6, "::ffff:10.0.0.1", &inet6.sin6_addr), 1);
    assert_false(address_is_public((const struct sockaddr *)&inet6));
    assert_int_equal(inet_pton(AF_INET6, "2600::1", &inet6.sin6_addr), 1);
    assert_true(address_is_public((const struct sockaddr *)&inet6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_internet_is_public),
        cmocka_unit_test(machines_and_networks_around_are_not),
        cmocka_unit_test(those_of_ipv6_are_not),
        cmocka_unit_test(an_ipv4_address_in_another_spelling_is_what_it_is),
        cmocka_unit_test(what_is_no_address_is_not_public),
        cmocka_unit_test(sockets_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
