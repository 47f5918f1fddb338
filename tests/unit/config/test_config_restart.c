/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"
#include "config_keys.h"

struct seen {
    int count;
    char keys[16][64];
};

static void note(void *context, const char *key)
{
    struct seen *seen = context;
    snprintf(seen->keys[seen->count++], sizeof seen->keys[0], "%s", key);
}

/* What is visited when a file with `before` is followed by one with `after`. */
static struct seen compare(struct fixture *f, struct parts before, struct parts after)
{
    struct seen seen = {0};
    expect_taken(f, before);
    struct config *old_config = f->config;
    f->config = NULL;
    expect_taken(f, after);
    config_visit_restarts(old_config, f->config, note, &seen);
    config_free(old_config);
    return seen;
}

static void what_a_reload_takes_over_is_not_visited(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "other.token", "another-token", 0600);
    struct seen seen = compare(
        f, (struct parts){.admin = NULL},
        (struct parts){
            .listen = "\"listen\": [ { \"address\": \"127.0.0.1:7\" } ],",
            .admin =
                "\"admin\": { \"address\": \"127.0.0.1:0\", \"token_file\": \"other.token\" },",
            .store = "\"store\": { \"directory\": \"data\", \"retention\": \"1d\" },"});
    assert_int_equal(seen.count, 0);
}

static void each_change_that_needs_a_restart_is_named(void **state)
{
    struct fixture *f = *state;
    fixture_tls(f);
    struct seen seen = compare(
        f, (struct parts){.admin = NULL},
        (struct parts){
            .admin =
                "\"admin\": { \"address\": \"127.0.0.1:7\", \"token_file\": \"admin.token\","
                " \"tls\": { \"certificate\": \"server.pem\", \"private_key\": \"server.key\" } },",
            .store = "\"store\": { \"directory\": \"data\", \"runtime_directory\": \"run\" },"});
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.keys[0], "admin.address");
    assert_string_equal(seen.keys[1], "admin.tls");
    assert_string_equal(seen.keys[2], "store.runtime_directory");
    seen = compare(
        f,
        (struct parts){.admin = "\"admin\": { \"unix\": \"a\", \"token_file\": \"admin.token\" },"},
        (struct parts){
            .admin = "\"admin\": { \"unix\": \"b\", \"mode\": \"0600\", \"token_file\": "
                     "\"admin.token\" },",
            .store = "\"store\": { \"directory\": \"other\" },"});
    assert_int_equal(seen.count, 3);
    assert_string_equal(seen.keys[0], "admin.unix");
    assert_string_equal(seen.keys[1], "admin.mode");
    assert_string_equal(seen.keys[2], "store.directory");
}

/* A row of a type that cannot be compared would be visited at every reload. */
static void a_file_does_not_differ_from_itself(void **state)
{
    struct fixture *f = *state;
    struct parts all = {
        .admin = "\"admin\": { \"unix\": \"a\", \"mode\": \"0600\", \"group\": \"root\", "
                 "\"token_file\": \"admin.token\" },",
        .store = "\"store\": { \"directory\": \"data\", \"runtime_directory\": \"run\" },"};
    assert_int_equal(compare(f, all, all).count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(what_a_reload_takes_over_is_not_visited),
        WITH_FIXTURE(each_change_that_needs_a_restart_is_named),
        WITH_FIXTURE(a_file_does_not_differ_from_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
