/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

static bool load_admin(struct fixture *f, const char *members)
{
    char admin[512];
    snprintf(admin, sizeof admin, "\"admin\": { \"token_file\": \"admin.token\", %s },", members);
    return fixture_load(f, (struct parts){.admin = admin});
}

static bool load_endpoint(struct fixture *f, const char *members)
{
    char endpoints[512];
    snprintf(
        endpoints, sizeof endpoints, "\"endpoints\": [ { \"name\": \"a\", \"path\": \"/a\", %s } ]",
        members);
    return fixture_load(f, (struct parts){.endpoints = endpoints});
}

static void a_listener_has_one_address(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f,
        (struct parts){
            .listen = "\"listen\": [ {}, { \"address\": \"127.0.0.1:0\", \"unix\": \"s\" } ],"}));
    expect_problem(f, 2, "listen[0]", "has no address");
    expect_problem(f, 2, "listen[1]", "has both");
    assert_int_equal(f->problems.count, 2);
    assert_false(load_admin(f, "\"mode\": \"0600\""));
    expect_only_problem(f, 3, "admin", "has no address");
    assert_false(load_admin(f, "\"unix\": \"s\", \"address\": \"127.0.0.1:0\""));
    expect_only_problem(f, 3, "admin", "has both");
}

static void an_empty_address_is_none(void **state)
{
    struct fixture *f = *state;
    assert_true(load_admin(f, "\"address\": \"127.0.0.1:0\", \"unix\": \"\""));
    assert_false(load_admin(f, "\"address\": \"\", \"unix\": \"\""));
    expect_only_problem(f, 3, "admin", "has no address");
}

static void a_group_must_exist(void **state)
{
    struct fixture *f = *state;
    assert_true(load_admin(f, "\"unix\": \"s\", \"group\": \"root\""));
    assert_false(load_admin(f, "\"unix\": \"s\", \"group\": \"no such group\""));
    expect_only_problem(f, 3, "admin.group", "there is no group \"no such group\"");
}

static void the_admin_listener_is_on_loopback_or_has_tls(void **state)
{
    struct fixture *f = *state;
    static const char *const near[] = {
        "127.0.0.1:1", "127.8.9.10:1", "[::1]:1", "[::ffff:127.0.0.1]:1"};
    static const char *const far[] = {
        "0.0.0.0:1", "192.0.2.1:1", "[::]:1", "128.0.0.1:1", "[2001:db8::1]:1"};
    char members[256];
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        snprintf(members, sizeof members, "\"address\": \"%s\"", near[i]);
        assert_true(load_admin(f, members));
    }
    fixture_tls(f);
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++) {
        snprintf(members, sizeof members, "\"address\": \"%s\"", far[i]);
        assert_false(load_admin(f, members));
        expect_only_problem(f, 3, "admin.address", "is not on loopback");
        snprintf(members, sizeof members, "\"address\": \"%s\", \"allow_plaintext\": true", far[i]);
        assert_true(load_admin(f, members));
        snprintf(
            members, sizeof members,
            "\"address\": \"%s\", \"tls\": { \"certificate\": \"server.pem\", \"private_key\": "
            "\"server.key\" }",
            far[i]);
        assert_true(load_admin(f, members));
        assert_true(f->config->admin.listener.tls.enabled);
    }
    assert_true(load_admin(f, "\"unix\": \"admin.sock\""));
}

static void all_bodies_together_hold_the_largest(void **state)
{
    struct fixture *f = *state;
    expect_taken(
        f, (struct parts){
               .extra = ", \"limits\": { \"body\": \"1MiB\", \"bodies_in_flight\": \"1MiB\" }"});
    assert_false(fixture_load(
        f,
        (struct parts){
            .extra = ", \"limits\": { \"body\": \"1MiB\", \"bodies_in_flight\": \"1023KiB\" }"}));
    expect_only_problem(f, 7, "limits.bodies_in_flight", "the largest body (1MiB)");
    assert_false(fixture_load(f, (struct parts){.extra = ", \"limits\": { \"body\": \"1GiB\" }"}));
    expect_only_problem(f, 7, "limits.body", "the largest body (1GiB)");
}

static void delays_grow(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][3] = {
        {"\"first_delay\": \"1s\", \"max_delay\": \"1s\"", NULL, NULL},
        {"\"first_delay\": \"2s\", \"max_delay\": \"1s\"", "hooks[0].retry.max_delay",
         "first_delay (2s) is longer than max_delay (1s)"},
        {"\"max_delay\": \"1ms\"", "hooks[0].retry.max_delay", "first_delay (1s)"},
        {"\"first_delay\": \"6m\"", "hooks[0].retry.first_delay", "max_delay (5m)"},
        {"\"max_delay\": \"x\"", "hooks[0].retry.max_delay", "is not a duration"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char extra[256];
        snprintf(
            extra, sizeof extra,
            ", \"hooks\": [ { \"name\": \"h\", \"shell\": \"x\", \"retry\": { %s } } ]",
            cases[i][0]);
        assert_int_equal(fixture_load(f, (struct parts){.extra = extra}), cases[i][1] == NULL);
        if (cases[i][1])
            expect_only_problem(f, 7, cases[i][1], cases[i][2]);
    }
}

static void ids_and_statuses_are_for_json_and_forms(void **state)
{
    struct fixture *f = *state;
    assert_true(load_endpoint(
        f, "\"kind\": \"json\", \"verify\": \"none\", \"id\": \"/a/0\", \"status\": \"/b~0c\""));
    assert_true(load_endpoint(
        f,
        "\"kind\": \"form\", \"verify\": \"none\", \"id\": \"MessageSid\", \"status\": \"a b\""));
    assert_string_equal(f->config->endpoints[0].id_pointer, "MessageSid");
    static const char *const other[] = {"workflow-result", "workspace-event"};
    for (size_t i = 0; i < 2; i++) {
        char members[256];
        snprintf(
            members, sizeof members, "\"kind\": \"%s\", \"verify\": \"none\", \"id\": \"/a\"",
            other[i]);
        assert_false(load_endpoint(f, members));
        expect_only_problem(f, 6, "endpoints[0].id", "is for the kinds json and form only");
    }
    assert_false(load_endpoint(
        f, "\"kind\": \"json\", \"verify\": \"none\", \"id\": \"a\", \"status\": "
           "\"/~\""));
    expect_problem(f, 6, "endpoints[0].id", "\"a\" is not a JSON pointer");
    expect_problem(f, 6, "endpoints[0].status", "\"/~\" is not a JSON pointer");
    assert_false(load_endpoint(f, "\"kind\": \"jsno\", \"verify\": \"none\", \"id\": \"/a\""));
    expect_only_problem(f, 6, "endpoints[0].kind", "is not one of the choices");
}

static void a_scheme_stands_once_in_an_endpoint(void **state)
{
    struct fixture *f = *state;
    assert_false(load_endpoint(
        f, "\"verify\": [ { \"scheme\": \"run-token\" }, { \"scheme\": \"run-token\" } ]"));
    expect_only_problem(f, 6, "endpoints[0].verify[1]", "names the scheme run-token again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_listener_has_one_address),
        WITH_FIXTURE(an_empty_address_is_none),
        WITH_FIXTURE(a_group_must_exist),
        WITH_FIXTURE(the_admin_listener_is_on_loopback_or_has_tls),
        WITH_FIXTURE(all_bodies_together_hold_the_largest),
        WITH_FIXTURE(delays_grow),
        WITH_FIXTURE(ids_and_statuses_are_for_json_and_forms),
        WITH_FIXTURE(a_scheme_stands_once_in_an_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
