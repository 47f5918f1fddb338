/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

#define NONE(name, path) "{ \"name\": \"" name "\", \"path\": \"" path "\", \"verify\": \"none\" }"

static void names_and_paths_are_taken_once(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){
               .endpoints = "\"endpoints\": [ " NONE("a", "/a") ",\n" NONE("b", "/b") ",\n" NONE(
                   "a", "/b") " ]",
               .extra = ", \"hooks\": [ { \"name\": \"h\", \"shell\": \"x\" }, { \"name\": \"H\", "
                        "\"shell\": \"x\" }, { \"name\": \"h\", \"shell\": \"x\" } ]"}));
    expect_problem(f, 8, "endpoints[2].name", "\"a\" is taken by endpoints[0]");
    expect_problem(f, 8, "endpoints[2].path", "\"/b\" is taken by endpoints[1]");
    expect_problem(f, 9, "hooks[2].name", "\"h\" is taken by hooks[0]");
    assert_int_equal(f->problems.count, 3);
}

static void no_path_is_the_beginning_of_another(void **state)
{
    struct fixture *f = *state;
    expect_taken(
        f, (struct parts){
               .endpoints = "\"endpoints\": [ " NONE("a", "/a") ", " NONE("b", "/ab") ", " NONE(
                   "c", "/a-b") " ]"});
    assert_false(fixture_load(
        f, (struct parts){
               .endpoints = "\"endpoints\": [ " NONE("a", "/a/b") ", " NONE("b", "/a") ", " NONE(
                   "c", "/a/b/c") " ]"}));
    expect_problem(f, 6, "endpoints[0].path", "lies below the path \"/a\" of endpoints[1]");
    expect_problem(f, 6, "endpoints[2].path", "lies below the path \"/a/b\" of endpoints[0]");
    expect_problem(f, 6, "endpoints[2].path", "lies below the path \"/a\" of endpoints[1]");
    assert_int_equal(f->problems.count, 3);
}

static void the_paths_of_probes_are_ours(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){
               .endpoints = "\"endpoints\": [ " NONE("a", "/healthz") ", " NONE(
                   "b", "/readyz/x") ", " NONE("c", "/healthzz") " ]"}));
    expect_problem(f, 6, "endpoints[0].path", "/healthz answers probes");
    expect_problem(f, 6, "endpoints[1].path", "/readyz answers probes");
    assert_int_equal(f->problems.count, 2);
}

static void run_tokens_need_a_key(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(f, (struct parts){.run_token = ""}));
    expect_only_problem(f, 6, "endpoints[0].verify", "needs a key (set run_token.key_file");
    assert_false(
        fixture_load(f, (struct parts){.run_token = "\"run_token\": { \"key_file\": \"\" },"}));
    expect_only_problem(f, 6, "endpoints[0].verify", "needs a key");
    /* What is wrong with a key that is named is said once, there. */
    assert_false(
        fixture_load(f, (struct parts){.run_token = "\"run_token\": { \"key_file\": 7 },"}));
    expect_only_problem(f, 5, "run_token.key_file", "is a number");
    expect_taken(
        f, (struct parts){.run_token = "", .endpoints = "\"endpoints\": [ " NONE("a", "/a") " ]"});
    assert_int_equal(f->config->run_token.key.count, 0);
}

static void an_address_is_taken_once(void **state)
{
    struct fixture *f = *state;
    expect_taken(
        f, (struct parts){
               .listen = "\"listen\": [ { \"address\": \"127.0.0.1:0\" }, { \"address\": "
                         "\"127.0.0.1:0\" } ],"});
    assert_false(fixture_load(
        f, (struct parts){
               .listen = "\"listen\": [ { \"address\": \"127.0.0.1:9\" }, { \"unix\": \"s\" }, { "
                         "\"address\": \"127.0.0.1:9\" }, { \"unix\": \"s\" } ],"}));
    expect_problem(f, 2, "listen[2]", "\"127.0.0.1:9\" is taken by listen[0]");
    expect_problem(f, 2, "listen[3]", "/s\" is taken by listen[1]");
    assert_int_equal(f->problems.count, 2);
    assert_false(fixture_load(
        f, (struct parts){
               .listen = "\"listen\": [ { \"address\": \"127.0.0.1:9\" } ],",
               .admin = "\"admin\": { \"address\": \"127.0.0.1:9\", \"token_file\": "
                        "\"admin.token\" },"}));
    expect_only_problem(f, 3, "admin.address", "is taken by listen[0]");
    assert_false(fixture_load(
        f, (struct parts){
               .listen = "\"listen\": [ { \"unix\": \"s\" } ],",
               .admin = "\"admin\": { \"unix\": \"s\", \"token_file\": \"admin.token\" },"}));
    expect_only_problem(f, 3, "admin.unix", "is taken by listen[0]");
}

static void an_endpoint_whose_name_is_at_fault_is_no_second_problem(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){
               .endpoints = "\"endpoints\": [ " NONE("my results", "/a") " ]",
               .extra = ", \"hooks\": [ { \"name\": \"h\", \"shell\": \"x\", \"endpoint\": \"my "
                        "results\" } ]"}));
    expect_only_problem(f, 6, "endpoints[0].name", "is not a name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(names_and_paths_are_taken_once),
        WITH_FIXTURE(no_path_is_the_beginning_of_another),
        WITH_FIXTURE(the_paths_of_probes_are_ours),
        WITH_FIXTURE(run_tokens_need_a_key),
        WITH_FIXTURE(an_address_is_taken_once),
        WITH_FIXTURE(an_endpoint_whose_name_is_at_fault_is_no_second_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
