/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"
#include "config_private.h"

static void unknown_keys_are_named_at_every_depth(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f,
        (struct parts){
            .listen = "\"listen\": [ { \"address\": \"127.0.0.1:0\", \"adress\": 1 } ],",
            .endpoints = "\"endpoints\": [ { \"name\": \"a\", \"path\": \"/a\", \"verify\": [ { "
                         "\"scheme\": \"run-token\", \"secret\": \"x\" } ] } ]",
            .extra = ", \"rate\": \"10/s\", \"hooks\": [ { \"name\": \"h\", \"shell\": \"true\", "
                     "\"grpc\": {}, \"ordr\": \"none\", \"retry\": { \"attempt\": 3 }, \"when\": { "
                     "\"any\": [ { \"not\": { \"state\": 1 } } ], \"match\": [ { \"header\": "
                     "\"a\", \"exists\": true, \"is\": 2 } ] } } ]"}));
    expect_problem(f, 2, "listen[0].adress", "is not a known key (did you mean \"address\"?)");
    expect_problem(f, 6, "endpoints[0].verify[0].secret", "is not a known key");
    expect_problem(f, 7, "rate", "is not a known key");
    expect_problem(f, 7, "hooks[0].grpc", "is not a known key");
    expect_problem(f, 7, "hooks[0].ordr", "(did you mean \"order\"?)");
    expect_problem(f, 7, "hooks[0].retry.attempt", "(did you mean \"attempts\"?)");
    expect_problem(f, 7, "hooks[0].when.any[0].not.state", "(did you mean \"status\"?)");
    expect_problem(f, 7, "hooks[0].when.match[0].is", "is not a known key");
    assert_int_equal(f->problems.count, 8);
}

static void what_is_required_is_said_when_it_is_missing(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load_text(f, "{}"));
    expect_problem(f, 1, "listen", "is missing (it is required)");
    expect_problem(f, 1, "admin.token_file", "is missing");
    expect_problem(f, 1, "admin", "has no address");
    expect_problem(f, 1, "store.directory", "is missing");
    expect_problem(f, 1, "endpoints", "is missing");
    assert_int_equal(f->problems.count, 5);
}

static void what_is_required_in_an_element_has_the_elements_line(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){.endpoints = "\"endpoints\": [\n {},\n { \"name\": \"b\" } ]"}));
    expect_problem(f, 7, "endpoints[0].name", "is missing");
    expect_problem(f, 7, "endpoints[0].path", "is missing");
    expect_problem(f, 7, "endpoints[0].verify", "write \"none\" to believe everybody");
    expect_problem(f, 8, "endpoints[1].path", "is missing");
    expect_problem(f, 8, "endpoints[1].verify", "is missing");
    assert_int_equal(f->problems.count, 5);
}

static void an_optional_object_requires_its_members_only_when_it_is_there(void **state)
{
    struct fixture *f = *state;
    expect_taken(f, (struct parts){0});
    assert_false(f->config->listeners[0].tls.enabled);
    assert_false(fixture_load(
        f, (struct parts){
               .listen = "\"listen\": [ { \"address\": \"127.0.0.1:0\", \"tls\": {} } ],"}));
    expect_problem(f, 2, "listen[0].tls.certificate", "is missing");
    expect_problem(f, 2, "listen[0].tls.private_key", "is missing");
    assert_int_equal(f->problems.count, 2);
}

static void empty_lists_that_must_not_be_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){.listen = "\"listen\": [],", .endpoints = "\"endpoints\": []"}));
    expect_problem(f, 2, "listen", "is empty (it needs at least one element)");
    expect_problem(f, 6, "endpoints", "is empty");
    expect_taken(f, (struct parts){.extra = ", \"hooks\": [], \"trusted_proxies\": []"});
    assert_int_equal(f->config->hook_count, 0);
}

static void an_empty_verify_does_not_mean_none(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){
               .endpoints = "\"endpoints\": [ { \"name\": \"a\", \"path\": \"/a\", "
                            "\"verify\": [] } ]"}));
    expect_only_problem(f, 6, "endpoints[0].verify", "write \"none\" to believe everybody");
    assert_false(fixture_load(
        f, (struct parts){
               .endpoints = "\"endpoints\": [ { \"name\": \"a\", \"path\": \"/a\", "
                            "\"verify\": \"None\" } ]"}));
    expect_only_problem(f, 6, "endpoints[0].verify", "must be an array");
}

static void none_stands_only_where_it_means_something(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(f, (struct parts){.listen = "\"listen\": \"none\","}));
    expect_only_problem(f, 2, "listen", "must be an array");
}

static void wrong_types_are_said_with_an_example(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){
               .store = "\"store\": { \"directory\": 7, \"retention\": 30, \"keep_rejected\": "
                        "\"1000\" },",
               .extra = ", \"log\": [], \"hook_concurrency\": null, \"hooks\": {}, "
                        "\"trusted_proxies\": \"unix\", \"limits\": { \"body\": [] }"}));
    expect_problem(f, 4, "store.directory", "is a number, and must be a path (such as \"/var");
    expect_problem(f, 4, "store.retention", "must be a duration (such as \"30s\")");
    expect_problem(f, 4, "store.keep_rejected", "must be a whole number (such as 4)");
    expect_problem(f, 7, "log", "must be an object");
    expect_problem(f, 7, "hook_concurrency", "is null");
    expect_problem(f, 7, "hooks", "must be an array");
    expect_problem(f, 7, "trusted_proxies", "must be an array");
    expect_problem(f, 7, "limits.body", "is an array");
    assert_int_equal(f->problems.count, 8);
}

static void elements_of_the_wrong_type_do_no_harm(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f,
        (struct parts){
            .listen = "\"listen\": [ null, 1, \"x\", [] ],",
            .endpoints = "\"endpoints\": [ 1, { \"name\": \"a\", \"path\": \"/a\", \"verify\": "
                         "[ 1, null, [] ] } ]",
            .extra = ", \"hooks\": [ false, { \"name\": \"h\", \"shell\": \"x\", \"when\": [] }, "
                     "{ \"name\": \"i\", \"command\": [ 1, {}, null ] } ]"}));
    for (int i = 0; i < 4; i++) {
        char key[32];
        snprintf(key, sizeof key, "listen[%d]", i);
        expect_problem(f, 2, key, "must be an object");
    }
    expect_problem(f, 6, "endpoints[0]", "must be an object");
    expect_problem(f, 6, "endpoints[1].verify[2]", "must be an object");
    expect_problem(f, 7, "hooks[0]", "must be an object");
    expect_problem(f, 7, "hooks[1].when", "must be an object");
    expect_problem(f, 7, "hooks[2].command[0]", "must be a string");
    expect_problem(f, 7, "hooks[2].command[2]", "must be a string");
}

static void an_empty_text_is_none_where_that_is_possible(void **state)
{
    struct fixture *f = *state;
    expect_taken(
        f, (struct parts){
               .admin = "\"admin\": { \"address\": \"127.0.0.1:0\", \"token_file\": "
                        "\"admin.token\", \"read_token_file\": \"\", \"group\": \"\" },",
               .extra = ", \"public_url\": \"\", \"promptlayer\": { \"api_key_file\": \"\" }"});
    assert_null(f->config->public_url);
    assert_int_equal(f->config->admin.read_token.count, 0);
    assert_false(fixture_load(
        f, (struct parts){
               .store = "\"store\": { \"directory\": \"\", \"retention\": \"\" },",
               .endpoints = "\"endpoints\": [ { \"name\": \"\", \"path\": \"\", \"verify\": [ { "
                            "\"scheme\": \"\" } ] } ]"}));
    expect_problem(f, 4, "store.directory", "is empty");
    expect_problem(f, 4, "store.retention", "is empty");
    expect_problem(f, 6, "endpoints[0].name", "is empty");
    expect_problem(f, 6, "endpoints[0].path", "is empty");
    expect_problem(f, 6, "endpoints[0].verify[0].scheme", "is empty");
    assert_int_equal(f->problems.count, 5);
}

static int count_visit(
    void *context, const struct config_key *key, const struct config_place *place, void *base)
{
    (void)base;
    struct buffer name;
    buffer_init(&name, CONFIG_PLACE_MAX);
    config_place_print(place, &name);
    assert_int_equal(key->type, KEY_SECRET);
    buffer_append_text(context, buffer_text(&name));
    buffer_append_char(context, ' ');
    buffer_fini(&name);
    return 0;
}

static int stop_visit(
    void *context, const struct config_key *key, const struct config_place *place, void *base)
{
    (void)key;
    (void)place;
    (void)base;
    int *visits = context;
    ++*visits;
    return 7;
}

static void a_visit_sees_every_element(void **state)
{
    struct fixture *f = *state;
    fixture_tls(f);
    expect_taken(
        f, (struct parts){
               .listen = "\"listen\": [ { \"unix\": \"a\" }, { \"address\": \"127.0.0.1:0\", "
                         "\"tls\": { \"certificate\": \"server.pem\", \"private_key\": "
                         "\"server.key\" } } ],"});
    struct buffer seen;
    buffer_init(&seen, 4096);
    assert_int_equal(config_visit(f->config, KEY_SECRET, count_visit, &seen), 0);
    assert_string_equal(
        buffer_text(&seen),
        "listen[0].tls.certificate listen[0].tls.private_key listen[0].tls.client_ca "
        "listen[1].tls.certificate listen[1].tls.private_key listen[1].tls.client_ca "
        "admin.token_file admin.read_token_file admin.tls.certificate admin.tls.private_key "
        "admin.tls.client_ca run_token.key_file promptlayer.api_key_file "
        "endpoints[0].verify[0].secret_file ");
    buffer_fini(&seen);
    int visits = 0;
    assert_int_equal(config_visit(f->config, KEY_SECRET, stop_visit, &visits), 7);
    assert_int_equal(visits, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(unknown_keys_are_named_at_every_depth),
        WITH_FIXTURE(what_is_required_is_said_when_it_is_missing),
        WITH_FIXTURE(what_is_required_in_an_element_has_the_elements_line),
        WITH_FIXTURE(an_optional_object_requires_its_members_only_when_it_is_there),
        WITH_FIXTURE(empty_lists_that_must_not_be_are_refused),
        WITH_FIXTURE(an_empty_verify_does_not_mean_none),
        WITH_FIXTURE(none_stands_only_where_it_means_something),
        WITH_FIXTURE(wrong_types_are_said_with_an_example),
        WITH_FIXTURE(elements_of_the_wrong_type_do_no_harm),
        WITH_FIXTURE(an_empty_text_is_none_where_that_is_possible),
        WITH_FIXTURE(a_visit_sees_every_element),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
