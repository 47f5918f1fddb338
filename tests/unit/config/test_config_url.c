/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

static bool load_url(struct fixture *f, const char *url)
{
    char extra[1024];
    snprintf(extra, sizeof extra, ", \"public_url\": \"%s\"", url);
    return fixture_load(f, (struct parts){.extra = extra});
}

static bool load_path(struct fixture *f, const char *path)
{
    char endpoints[512];
    snprintf(
        endpoints, sizeof endpoints,
        "\"endpoints\": [ { \"name\": \"a\", \"path\": \"%s\", \"verify\": \"none\" } ]", path);
    return fixture_load(f, (struct parts){.endpoints = endpoints});
}

static void good_urls_lose_their_last_slashes(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"https://hooks.example.com", "https://hooks.example.com"},
        {"https://hooks.example.com/", "https://hooks.example.com"},
        {"http://127.0.0.1:8080//", "http://127.0.0.1:8080"},
        {"https://[::1]:8443/a/b/", "https://[::1]:8443/a/b"},
        {"https://[2001:db8::1]", "https://[2001:db8::1]"},
        {"http://localhost:65535/%20x", "http://localhost:65535/%20x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(load_url(f, cases[i][0]));
        assert_string_equal(f->config->public_url, cases[i][1]);
    }
}

static void bad_urls_are_told_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"hooks.example.com", "does not begin with"},
        {"HTTPS://x", "does not begin with"},
        {"ftp://x", "does not begin with"},
        {"https://", "no host"},
        {"https:///x", "no host"},
        {"https://:80", "no host"},
        {"https://x:", "no host"},
        {"https://x:0", "no host"},
        {"https://x:65536", "no host"},
        {"https://x:80x", "no host"},
        {"https://[::1", "no host"},
        {"https://[127.0.0.1]", "no host"},
        {"https://[::1]x", "no host"},
        {"https://a b", "no host"},
        {"https://ä", "no host"},
        {"https://user:secret@x", "user name"},
        {"https://x?a=b", "query"},
        {"https://x/#a", "fragment"},
        {"https://x/a b", "must be escaped"},
        {"https://x/{a}", "must be escaped"},
        {"https://x/\\u0007", "must be escaped"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(load_url(f, cases[i][0]));
        expect_only_problem(f, 7, "public_url", cases[i][1]);
    }
}

static void a_host_of_any_length_does_no_harm(void **state)
{
    struct fixture *f = *state;
    char url[600] = "https://";
    memset(url + 8, 'h', 500);
    assert_false(load_url(f, url));
    expect_only_problem(f, 7, "public_url", "no host");
}

static void the_api_can_be_elsewhere(void **state)
{
    struct fixture *f = *state;
    expect_taken(
        f, (struct parts){
               .extra = ", \"promptlayer\": { \"base_url\": \"http://127.0.0.1:9/api/\" }"});
    assert_string_equal(f->config->promptlayer.base_url, "http://127.0.0.1:9/api");
}

static void good_paths_are_taken_as_they_are(void **state)
{
    struct fixture *f = *state;
    static const char *const good[] = {"/a", "/callback", "/in/github", "/a.b/c_d/e-f~", "/..."};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(load_path(f, good[i]));
        assert_string_equal(f->config->endpoints[0].path, good[i]);
    }
}

static void bad_paths_are_told_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"a", "does not begin with '/'"},
        {"/", "ends with '/'"},
        {"/a/", "ends with '/'"},
        {"//a", "empty part"},
        {"/a//b", "empty part"},
        {"/a/./b", "only dots"},
        {"/..", "only dots"},
        {"/a?b", "has a character"},
        {"/a#b", "has a character"},
        {"/a%20b", "has a character"},
        {"/a b", "has a character"},
        {"/ä", "has a character"},
        {"/a\\u0001", "has a character"},
        {"/?", "has a character"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(load_path(f, cases[i][0]));
        expect_only_problem(f, 6, "endpoints[0].path", cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(good_urls_lose_their_last_slashes),
        WITH_FIXTURE(bad_urls_are_told_what_is_wrong),
        WITH_FIXTURE(a_host_of_any_length_does_no_harm),
        WITH_FIXTURE(the_api_can_be_elsewhere),
        WITH_FIXTURE(good_paths_are_taken_as_they_are),
        WITH_FIXTURE(bad_paths_are_told_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
