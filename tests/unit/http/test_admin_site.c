/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "admin_site.h"

#define HERE "127.0.0.1:8081"

static struct site_headers from_origin(const char *origin)
{
    return (struct site_headers){
        .method = "POST", .path = "/api/v1/runs", .host = HERE, .origin = origin};
}

static void programs_say_nothing_and_are_welcome(void **state)
{
    (void)state;
    const struct site_headers headers = from_origin(NULL);
    assert_false(site_is_foreign(&headers));
}

static void our_own_pages_are_welcome(void **state)
{
    (void)state;
    static const char *const ours[] = {
        "http://" HERE, "https://" HERE /* a proxy ended TLS */, "https://Hooks.Example.com"};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        struct site_headers headers = from_origin(ours[i]);
        headers.host = i < 2 ? HERE : "hooks.example.COM";
        headers.fetch_site = "same-origin";
        assert_false(site_is_foreign(&headers));
    }
}

static void other_origins_are_foreign(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "null",
        "https://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:80810",
        "http://" HERE ".evil.example",
        "http://" HERE "/",
        "http://x@" HERE,
        HERE,
        "ftp://" HERE,
        "chrome-extension://" HERE,
        " http://" HERE,
        "http://" HERE " http://" HERE};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct site_headers headers = from_origin(others[i]);
        assert_true(site_is_foreign(&headers));
        headers.host = NULL;
        assert_true(site_is_foreign(&headers));
    }
}

static void a_proxy_may_have_changed_the_host(void **state)
{
    (void)state;
    struct site_headers headers = from_origin("https://admin.example.com");
    headers.fetch_site = "same-origin";
    assert_false(site_is_foreign(&headers));
    headers.fetch_site = "cross-site";
    assert_true(site_is_foreign(&headers));
}

static void requests_of_other_sites_are_foreign(void **state)
{
    (void)state;
    static const char *const sites[] = {"cross-site", "same-site", "", "unheard-of"};
    for (size_t i = 0; i < sizeof sites / sizeof sites[0]; i++) {
        struct site_headers headers = {
            .method = "GET", .path = "/metrics", .host = HERE, .fetch_site = sites[i]};
        assert_true(site_is_foreign(&headers));
        headers.fetch_mode = "navigate";
        headers.fetch_dest = "document";
        assert_true(site_is_foreign(&headers));
        headers.path = "/api/v1/runs";
        assert_true(site_is_foreign(&headers));
    }
}

static void a_link_to_a_page_may_be_followed(void **state)
{
    (void)state;
    const struct site_headers link = {
        .method = "GET",
        .path = "/",
        .host = HERE,
        .fetch_site = "cross-site",
        .fetch_mode = "navigate",
        .fetch_dest = "document"};
    assert_false(site_is_foreign(&link));
    struct site_headers other = link;
    other.fetch_dest = "iframe";
    assert_true(site_is_foreign(&other));
    other = link;
    other.fetch_mode = "no-cors";
    assert_true(site_is_foreign(&other));
    other = link;
    other.method = "POST";
    assert_true(site_is_foreign(&other));
    other = link;
    other.origin = "null";
    assert_true(site_is_foreign(&other));
}

static void who_types_the_address_is_welcome(void **state)
{
    (void)state;
    const struct site_headers typed = {
        .method = "GET",
        .path = "/metrics",
        .host = HERE,
        .fetch_site = "none",
        .fetch_mode = "navigate",
        .fetch_dest = "document"};
    assert_false(site_is_foreign(&typed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_say_nothing_and_are_welcome),
        cmocka_unit_test(our_own_pages_are_welcome),
        cmocka_unit_test(other_origins_are_foreign),
        cmocka_unit_test(a_proxy_may_have_changed_the_host),
        cmocka_unit_test(requests_of_other_sites_are_foreign),
        cmocka_unit_test(a_link_to_a_page_may_be_followed),
        cmocka_unit_test(who_types_the_address_is_welcome),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
