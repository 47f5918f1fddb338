/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

#define SECRET "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
#define URL "\"url\": \"https://jobs.example.com/in\""

/* Loads with one hook that has these members beside its name. */
static bool load_hook(struct fixture *f, const char *members)
{
    char extra[2048];
    snprintf(extra, sizeof extra, ", \"hooks\": [ { \"name\": \"h\", %s } ]", members);
    return fixture_load(f, (struct parts){.extra = extra});
}

/* `members`: of its "http". */
static bool load_http(struct fixture *f, const char *members)
{
    char http[1024];
    snprintf(http, sizeof http, "\"http\": { %s }", members);
    return load_hook(f, http);
}

static void expect_fault(struct fixture *f, const char *members, const char *key, const char *said)
{
    assert_false(load_http(f, members));
    expect_only_problem(f, 7, key, said);
}

static void it_needs_no_more_than_a_url(void **state)
{
    struct fixture *f = *state;
    assert_true(load_http(f, URL));
    const struct config_http *http = &f->config->hooks[0].http;
    assert_true(http->enabled);
    assert_string_equal(http->url, "https://jobs.example.com/in");
    assert_int_equal(http->method, HTTP_METHOD_POST);
    assert_int_equal(http->redirects, 0);
    assert_false(http->private_networks);
    assert_true(http->fail_on.holds[410]);
    assert_false(http->fail_on.holds[400]);
    assert_null(f->config->hooks[0].command);
}

static void a_hook_without_it_has_none(void **state)
{
    struct fixture *f = *state;
    assert_true(load_hook(f, "\"shell\": \"x\""));
    assert_false(f->config->hooks[0].http.enabled);
}

static void all_of_it_is_read(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "new.key", SECRET "\n", 0600);
    fixture_text(f, "old.key", SECRET "\n", 0600);
    fixture_text(f, "more", "# ours\nAuthorization:  Bearer a b \nX-Key:1\n", 0600);
    assert_true(load_http(
        f, "\"url\": \"http://127.0.0.1:81/a/?b=1\", \"method\": \"PUT\", \"headers\": "
           "{\"X-Run\": \"{run_id} {/a/b}\", \"Content-Type\": \"text/plain\"},"
           "\"headers_file\": \"more\", \"secret_file\": [\"new.key\", \"old.key\"],"
           "\"redirects\": 3, \"private_networks\": true, \"fail_on\": [400, 599]"));
    const struct config_http *http = &f->config->hooks[0].http;
    assert_string_equal(http->url, "http://127.0.0.1:81/a/?b=1");
    assert_int_equal(http->method, HTTP_METHOD_PUT);
    assert_int_equal(http->header_count, 2);
    assert_string_equal(http->headers[0].name, "X-Run");
    assert_string_equal(http->headers[0].value, "{run_id} {/a/b}");
    assert_int_equal(http->secret.count, 2);
    assert_int_equal(http->redirects, 3);
    assert_true(http->private_networks);
    assert_true(http->fail_on.holds[400] && http->fail_on.holds[599]);
    assert_false(http->fail_on.holds[410]);
    size_t at = 0;
    struct bytes name;
    struct bytes value;
    struct bytes text =
        bytes_of(http->headers_file.items[0].data, http->headers_file.items[0].length);
    assert_true(config_header_next(text, &at, &name, &value));
    assert_true(bytes_equal_text(name, "Authorization") && bytes_equal_text(value, "Bearer a b"));
    assert_true(config_header_next(text, &at, &name, &value));
    assert_true(bytes_equal_text(name, "X-Key") && bytes_equal_text(value, "1"));
    assert_false(config_header_next(text, &at, &name, &value));
    assert_null(name.data);
}

static void the_url_is_one_that_can_be_called(void **state)
{
    struct fixture *f = *state;
    expect_fault(f, "\"method\": \"PUT\"", "hooks[0].http", "has no \"url\"");
    expect_fault(f, "\"url\": \"ftp://a\"", "hooks[0].http.url", "does not begin with");
    expect_fault(f, "\"url\": \"http://a/#b\"", "hooks[0].http.url", "has a fragment");
    expect_fault(f, "\"url\": \"http://a:b@c/\"", "hooks[0].http.url", "user name");
    expect_fault(f, "\"url\": \"http://?a\"", "hooks[0].http.url", "no host");
    expect_fault(f, "\"url\": \"http://a/{b}\"", "hooks[0].http.url", "must be escaped");
    expect_fault(f, URL ", \"method\": \"GET\"", "hooks[0].http.method", "GET");
}

static void a_url_may_be_a_secret(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "url", "https://chat.example.com/in/hush\n", 0600);
    assert_true(load_http(f, "\"url_file\": \"url\""));
    assert_null(f->config->hooks[0].http.url);
    assert_int_equal(f->config->hooks[0].http.url_file.count, 1);
    expect_fault(f, URL ", \"url_file\": \"url\"", "hooks[0].http", "has both");
    fixture_text(f, "url", "chat.example.com/in/hush\n", 0600);
    expect_fault(f, "\"url_file\": \"url\"", "hooks[0].http.url_file", "does not begin with");
    assert_null(strstr(f->problems.items[0].text, "hush"));
}

static void headers_are_checked(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *header;
        const char *key;
        const char *said;
    } cases[] = {
        {"\"a b\": \"\"", "hooks[0].http.headers.a b", "not the name of a header"},
        {"\"Host\": \"x\"", "hooks[0].http.headers.Host", "the daemon sets"},
        {"\"content-length\": \"x\"", "hooks[0].http.headers.content-length", "the daemon sets"},
        {"\"Webhook-Id\": \"x\"", "hooks[0].http.headers.Webhook-Id", "the daemon sets"},
        {"\"callback-hook\": \"x\"", "hooks[0].http.headers.callback-hook", "the daemon sets"},
        {"\"Authorization\": \"x\"", "hooks[0].http.headers.Authorization", "headers_file"},
        {"\"X\": \"{nothing}\"", "hooks[0].http.headers.X", "{nothing}"},
        {"\"X\": \"a\\nb\"", "hooks[0].http.headers.X", "control character"},
        {"\"X\": 1", "hooks[0].http.headers.X", "must be"},
        {"\"X\": \"1\", \"x\": \"2\"", "hooks[0].http.headers.x", "again"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char members[256];
        snprintf(members, sizeof members, URL ", \"headers\": { %s }", cases[i].header);
        expect_fault(f, members, cases[i].key, cases[i].said);
    }
}

static void lines_of_a_headers_file_are_checked_and_not_shown(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        const char *said;
    } cases[] = {
        {"X-A: 1\nhush\n", "line 2 of it is no"}, {"Host: hush\n", "that the daemon sets"},
        {"hu sh: 1\n", "not a header"},           {"X-A:\n", "has no value"},
        {"X-A: hu\rsh\n", "control character"},   {"x-given: hush\n", "\"headers\" names too"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_text(f, "more", cases[i].text, 0600);
        expect_fault(
            f, URL ", \"headers\": {\"X-Given\": \"\"}, \"headers_file\": \"more\"",
            "hooks[0].http.headers_file", cases[i].said);
        assert_null(strstr(f->problems.items[0].text, "hush"));
    }
}

static void secrets_can_sign(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "key", "whsec_c2hvcnQ=\n", 0600);
    expect_fault(
        f, URL ", \"secret_file\": \"key\"", "hooks[0].http.secret_file", "shorter than 16");
    fixture_text(f, "key", "whpk_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n", 0600);
    expect_fault(f, URL ", \"secret_file\": \"key\"", "hooks[0].http.secret_file", "cannot sign");
}

static void tls_needs_tls(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "none.pem", "none\n", 0600);
    expect_fault(
        f, URL ", \"ca_file\": \"none.pem\"", "hooks[0].http.ca_file", "no certificate in it");
    assert_false(load_http(f, URL ", \"private_key_file\": \"none.pem\""));
    assert_non_null(strstr(fixture_problem(f, "hooks[0].http")->text, "has only one of"));
    assert_non_null(fixture_problem(f, "hooks[0].http.private_key_file"));
    assert_false(load_http(f, "\"url\": \"http://a\", \"ca_file\": \"none.pem\""));
    assert_non_null(fixture_problem(f, "hooks[0].http.ca_file"));
}

static void statuses_and_redirects_are_bounded(void **state)
{
    struct fixture *f = *state;
    assert_true(load_http(f, URL ", \"fail_on\": []"));
    assert_false(f->config->hooks[0].http.fail_on.holds[410]);
    expect_fault(f, URL ", \"fail_on\": [200]", "hooks[0].http.fail_on[0]", "not a status");
    expect_fault(f, URL ", \"fail_on\": [600]", "hooks[0].http.fail_on[0]", "not a status");
    expect_fault(f, URL ", \"fail_on\": [\"410\"]", "hooks[0].http.fail_on[0]", "not a status");
    expect_fault(f, URL ", \"redirects\": 11", "hooks[0].http.redirects", "out of bounds");
    expect_fault(
        f, URL ", \"private_networks\": true", "hooks[0].http.private_networks",
        "none is followed");
}

static void what_is_of_a_process_does_not_fit(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *member;
        const char *key;
    } cases[] = {
        {"\"shell\": \"x\"", "hooks[0].shell"},
        {"\"command\": [\"sh\"]", "hooks[0].command"},
        {"\"directory\": \".\"", "hooks[0].directory"},
        {"\"env\": {\"A\": \"b\"}", "hooks[0].env"},
        {"\"umask\": \"022\"", "hooks[0].umask"},
        {"\"nice\": 1", "hooks[0].nice"},
        {"\"limits\": {}", "hooks[0].limits"},
        {"\"fail_on\": [1]", "hooks[0].fail_on"},
        {"\"retry_on\": [1]", "hooks[0].retry_on"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char members[256];
        snprintf(members, sizeof members, "\"http\": { " URL " }, %s", cases[i].member);
        assert_false(load_hook(f, members));
        expect_only_problem(f, 7, cases[i].key, "");
    }
    assert_true(load_hook(
        f, "\"http\": { " URL " }, \"timeout\": \"5s\", \"concurrency\": 2, \"rate\": \"1/s\","
           "\"order\": \"execution\", \"retry\": { \"attempts\": 2 }"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(it_needs_no_more_than_a_url),
        WITH_FIXTURE(a_hook_without_it_has_none),
        WITH_FIXTURE(all_of_it_is_read),
        WITH_FIXTURE(the_url_is_one_that_can_be_called),
        WITH_FIXTURE(a_url_may_be_a_secret),
        WITH_FIXTURE(headers_are_checked),
        WITH_FIXTURE(lines_of_a_headers_file_are_checked_and_not_shown),
        WITH_FIXTURE(secrets_can_sign),
        WITH_FIXTURE(tls_needs_tls),
        WITH_FIXTURE(statuses_and_redirects_are_bounded),
        WITH_FIXTURE(what_is_of_a_process_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
