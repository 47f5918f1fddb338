/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

static void a_small_configuration_is_complete_with_its_defaults(void **state)
{
    struct fixture *f = *state;
    expect_taken(f, (struct parts){0});
    const struct config *c = f->config;
    assert_string_equal(c->path, f->path);
    assert_string_equal(c->directory, f->directory);
    assert_null(c->public_url);
    assert_int_equal(c->store.retention_ms, INT64_C(30) * 24 * 60 * 60 * 1000);
    assert_int_equal(c->store.keep_rejected, 1000);
    assert_null(c->store.runtime_directory);
    assert_int_equal(c->run_token.lifetime_ms, INT64_C(7) * 24 * 60 * 60 * 1000);
    assert_string_equal(c->promptlayer.base_url, "https://api.promptlayer.com");
    assert_int_equal(c->promptlayer.api_key.count, 0);
    assert_int_equal(c->promptlayer.launch_grace_ms, 5 * 60 * 1000);
    assert_int_equal(c->limits.body_bytes, 16 << 20);
    assert_int_equal(c->limits.bodies_in_flight_bytes, 256 << 20);
    assert_int_equal(c->limits.connections, 1024);
    assert_int_equal(c->limits.connections_per_client, 256);
    assert_int_equal(c->limits.request_timeout_ms, 10000);
    assert_int_equal(c->limits.idle_timeout_ms, 75000);
    assert_int_equal(c->limits.stop_timeout_ms, 10000);
    assert_int_equal(c->limits.json_depth, 128);
    assert_int_equal(c->log_format, LOG_FORMAT_LOGFMT);
    assert_int_equal(c->log_level, LOG_LEVEL_INFO);
    assert_int_equal(c->hook_concurrency, 16);
    assert_true(c->hook_cgroups);
    assert_int_equal(c->hook_count, 0);
    assert_int_equal(c->endpoints[0].kind, BODY_WORKFLOW_RESULT);
    assert_int_equal(c->endpoints[0].on_revision, ON_REVISION_STORE);
    assert_false(c->admin.allow_plaintext);
    assert_false(c->admin.metrics_public);
    assert_int_equal(c->admin.listener.mode, 0660);
}

static void a_hook_is_complete_with_its_defaults(void **state)
{
    struct fixture *f = *state;
    expect_taken(
        f, (struct parts){.extra = ", \"hooks\": [ { \"name\": \"h\", \"shell\": \"true\" } ]"});
    const struct config_hook *hook = &f->config->hooks[0];
    assert_null(hook->endpoint);
    assert_null(hook->command);
    assert_string_equal(hook->shell, "true");
    assert_string_equal(hook->directory, f->directory);
    assert_int_equal(hook->when.type, CONDITION_ALL);
    assert_int_equal(hook->when.child_count, 0);
    assert_false(hook->takes_status);
    assert_int_equal(hook->timeout_ms, 30000);
    assert_int_equal(hook->concurrency, 4);
    assert_int_equal(hook->priority, 0);
    assert_int_equal(hook->rate.limit, 0);
    assert_int_equal(hook->order, ORDER_NONE);
    assert_int_equal(hook->delay_ms, 0);
    assert_int_equal(hook->give_up_after_ms, 24 * 60 * 60 * 1000);
    assert_int_equal(hook->retry.attempts, 5);
    assert_int_equal(hook->retry.first_delay_ms, 1000);
    assert_int_equal(hook->retry.max_delay_ms, 5 * 60 * 1000);
}

static void everything_that_is_written_is_read(void **state)
{
    struct fixture *f = *state;
    fixture_tls(f);
    fixture_text(f, "read.token", "read-token", 0640);
    fixture_text(f, "api.key", "pl_key", 0600);
    bool taken = fixture_load_text(
        f,
        "/* all keys */ {\n"
        " \"public_url\": \"https://hooks.example.com/in/\", // where we are\n"
        " \"hook_concurrency\": 3, \"hook_cgroups\": false,\n"
        " \"listen\": [ { \"address\": \"[::1]:8443\", \"tls\": { \"certificate\": "
        "\"server.pem\",\n"
        "   \"private_key\": \"server.key\", \"client_ca\": \"server.pem\" } },\n"
        "   { \"unix\": \"r.sock\", \"mode\": \"0600\", \"group\": \"root\" } ],\n"
        " \"admin\": { \"unix\": \"/run/a.sock\", \"token_file\": [\"admin.token\", \"run.key\"],\n"
        "   \"read_token_file\": \"read.token\", \"allow_plaintext\": true,\n"
        "   \"metrics_public\": true },\n"
        " \"trusted_proxies\": [\"127.0.0.1\", \"10.0.0.0/8\", \"unix\"],\n"
        " \"store\": { \"directory\": \"/data\", \"runtime_directory\": \"run\",\n"
        "   \"retention\": \"90d\", \"keep_rejected\": 0 },\n"
        " \"run_token\": { \"key_file\": \"run.key\", \"lifetime\": \"2h\" },\n"
        " \"promptlayer\": { \"base_url\": \"http://127.0.0.1:9000/\",\n"
        "   \"api_key_file\": \"api.key\", \"launch_grace\": \"0s\" },\n"
        " \"limits\": { \"body\": \"64KiB\", \"bodies_in_flight\": \"64KiB\", \"connections\": 7, "
        "\"connections_per_client\": 3,\n"
        "   \"request_timeout\": \"250ms\", \"idle_timeout\": \"1m\", \"stop_timeout\": \"3s\",\n"
        "   \"json_depth\": 16 },\n"
        " \"log\": { \"format\": \"json\", \"level\": \"debug\" },\n"
        " \"endpoints\": [\n"
        "  { \"name\": \"results\", \"path\": \"/callback\", \"verify\": [ { \"scheme\": "
        "\"run-token\" } ]\n"
        "  }, { \"name\": \"any\", \"path\": \"/in/any\", \"kind\": \"json\", \"verify\": "
        "\"none\",\n"
        "    \"id\": \"/id\", \"status\": \"/a~1b\", \"on_revision\": \"trigger\" } ],\n"
        " \"hooks\": [ { \"name\": \"h\", \"endpoint\": \"any\", \"command\": [\"./hook.sh\", "
        "\"\",\n"
        "    \"{{x}}\", \"{/a b/0}\"], \"env\": { \"A_1\": \"x\", \"b\": \"\" }, \"directory\": "
        "\"/\",\n"
        "    \"timeout\": \"1s\", \"concurrency\": 1, \"priority\": -5, \"delay\": \"2s\",\n"
        "    \"rate\": \"10/s\", \"order\": \"execution\","
        "    \"give_up_after\": \"0s\", \"retry\": { \"attempts\": 1, \"first_delay\": \"10ms\",\n"
        "    \"max_delay\": \"20ms\" } } ] }\n");
    if (!taken)
        fixture_print_problems(f);
    assert_true(taken);
    const struct config *c = f->config;
    char path[FIXTURE_PATH_MAX];
    assert_string_equal(c->public_url, "https://hooks.example.com/in");
    assert_int_equal(c->hook_concurrency, 3);
    assert_false(c->hook_cgroups);
    assert_int_equal(c->listener_count, 2);
    assert_string_equal(c->listeners[0].address, "[::1]:8443");
    assert_string_equal(c->listeners[0].host, "::1");
    assert_int_equal(c->listeners[0].port, 8443);
    assert_true(c->listeners[0].tls.enabled);
    assert_int_equal(c->listeners[0].tls.client_ca.count, 1);
    assert_null(c->listeners[1].address);
    assert_string_equal(c->listeners[1].unix_path, fixture_file(f, "r.sock", path));
    assert_int_equal(c->listeners[1].mode, 0600);
    assert_string_equal(c->listeners[1].group, "root");
    assert_false(c->listeners[1].tls.enabled);
    assert_string_equal(c->admin.listener.unix_path, "/run/a.sock");
    assert_int_equal(c->admin.token.count, 2);
    assert_int_equal(c->admin.token.items[0].length, strlen(FIXTURE_ADMIN_TOKEN));
    assert_memory_equal(c->admin.token.items[1].data, FIXTURE_RUN_KEY, strlen(FIXTURE_RUN_KEY));
    assert_int_equal(c->admin.read_token.count, 1);
    assert_true(c->admin.allow_plaintext);
    assert_true(c->admin.metrics_public);
    assert_int_equal(c->trusted_proxies.count, 2);
    assert_true(c->trusted_proxies.unix_sockets);
    assert_string_equal(c->store.directory, "/data");
    assert_string_equal(c->store.runtime_directory, fixture_file(f, "run", path));
    assert_int_equal(c->store.keep_rejected, 0);
    assert_int_equal(c->run_token.lifetime_ms, 2 * 60 * 60 * 1000);
    assert_string_equal(c->promptlayer.base_url, "http://127.0.0.1:9000");
    assert_int_equal(c->promptlayer.api_key.count, 1);
    assert_int_equal(c->promptlayer.launch_grace_ms, 0);
    assert_int_equal(c->limits.body_bytes, 65536);
    assert_int_equal(c->limits.connections, 7);
    assert_int_equal(c->limits.connections_per_client, 3);
    assert_int_equal(c->limits.request_timeout_ms, 250);
    assert_int_equal(c->limits.json_depth, 16);
    assert_int_equal(c->log_format, LOG_FORMAT_JSON);
    assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
    const struct config_endpoint *any = config_endpoint(c, "any");
    assert_ptr_equal(any, &c->endpoints[1]);
    assert_int_equal(any->kind, BODY_JSON);
    assert_int_equal(any->verify_count, 0);
    assert_string_equal(any->id_pointer, "/id");
    assert_string_equal(any->status_pointer, "/a~1b");
    assert_int_equal(any->on_revision, ON_REVISION_TRIGGER);
    assert_string_equal(c->endpoints[0].verify[0].scheme, "run-token");
    const struct config_hook *hook = config_hook(c, "h");
    assert_ptr_equal(hook, &c->hooks[0]);
    assert_string_equal(hook->endpoint, "any");
    snprintf(path, sizeof path, "%s/./hook.sh", f->directory);
    assert_string_equal(hook->command[0], path);
    assert_string_equal(hook->command[1], "");
    assert_string_equal(hook->command[2], "{{x}}");
    assert_string_equal(hook->command[3], "{/a b/0}");
    assert_null(hook->command[4]);
    assert_int_equal(hook->env_count, 2);
    assert_string_equal(hook->env[0].name, "A_1");
    assert_string_equal(hook->env[1].value, "");
    assert_string_equal(hook->directory, "/");
    assert_int_equal(hook->priority, -5);
    assert_int_equal(hook->rate.limit, 10);
    assert_int_equal(hook->rate.period_ms, 1000);
    assert_int_equal(hook->order, ORDER_EXECUTION);
    assert_int_equal(hook->give_up_after_ms, 0);
    assert_int_equal(hook->retry.first_delay_ms, 10);
}

static void names_that_are_not_there_are_not_found(void **state)
{
    struct fixture *f = *state;
    expect_taken(f, (struct parts){0});
    assert_non_null(config_endpoint(f->config, "results"));
    assert_null(config_endpoint(f->config, "result"));
    assert_null(config_hook(f->config, "results"));
}

static void a_file_that_cannot_be_read_is_one_problem_of_the_file(void **state)
{
    struct fixture *f = *state;
    f->config = config_load(f->path, &f->problems);
    assert_null(f->config);
    expect_only_problem(f, 0, "", "No such file");
    config_problems_free(&f->problems);
    f->config = config_load(f->directory, &f->problems);
    assert_null(f->config);
    assert_int_equal(f->problems.count, 1);
}

static void a_file_that_is_too_large_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t length = (4 << 20) + 1;
    char *blanks = malloc(length);
    assert_non_null(blanks);
    memset(blanks, ' ', length);
    fixture_write(f, "callbackd.json", blanks, length, 0644);
    free(blanks);
    f->config = config_load(f->path, &f->problems);
    assert_null(f->config);
    assert_int_equal(f->problems.count, 1);
}

static void a_syntax_error_has_its_line(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load_text(f, "{\n  \"listen\": [],\n  \"admin\" 7\n}\n"));
    expect_only_problem(f, 3, "", "column 11");
    assert_false(fixture_load_text(f, ""));
    assert_int_equal(f->problems.count, 1);
    assert_false(fixture_load_text(f, "{\n\"log\": {},\n\"log\": {}\n}"));
    expect_only_problem(f, 3, "", "log");
}

static void a_nul_byte_is_said_with_its_line(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "{\n}\n\0{}";
    fixture_write(f, "callbackd.json", text, sizeof text - 1, 0644);
    f->config = config_load(f->path, &f->problems);
    assert_null(f->config);
    expect_only_problem(f, 3, "", "NUL");
}

static void what_is_not_an_object_is_one_problem(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load_text(f, "[]"));
    expect_problem(f, 1, "", "must be an object");
}

static void a_relative_path_is_made_absolute(void **state)
{
    struct fixture *f = *state;
    expect_taken(f, (struct parts){0});
    char before[FIXTURE_PATH_MAX];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(f->directory), 0);
    struct config *config = config_load("callbackd.json", &f->problems);
    assert_int_equal(chdir(before), 0);
    assert_non_null(config);
    assert_string_equal(config->path, f->path);
    char path[FIXTURE_PATH_MAX];
    assert_string_equal(config->store.directory, fixture_file(f, "data", path));
    config_free(config);
}

static void ten_mistakes_are_ten_problems_with_line_key_and_advice(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load_text(
        f, "{\n"
           "  \"public_url\": \"ftp://x\",\n"
           "  \"listen\": [ { \"address\": \"localhost:80\" } ],\n"
           "  \"admin\": { \"address\": \"127.0.0.1:0\", \"token_file\": \"nowhere\" },\n"
           "  \"store\": { \"directory\": \"d\", \"retenton\": \"1d\" },\n"
           "  \"limits\": { \"body\": \"16MB\",\n"
           "    \"json_depth\": 5000 },\n"
           "  \"endpoints\": [ { \"name\": \"a b\", \"path\": \"/a\", \"verify\": \"none\" },\n"
           "    { \"name\": \"c\", \"path\": \"/c\", \"verify\": [ { \"scheme\": \"nothing\" } ] } "
           "],\n"
           "  \"hooks\": [ { \"name\": \"h\", \"command\": [\"true\", \"{colour}\"],\n"
           "    \"retry\": { \"attempts\": true } } ]\n"
           "}\n"));
    expect_problem(f, 2, "public_url", "does not begin with https:// or http:// (");
    expect_problem(f, 3, "listen[0].address", "numeric address with a port (");
    expect_problem(f, 4, "admin.token_file", "No such file or directory (");
    expect_problem(f, 5, "store.retenton", "(did you mean \"retention\"?)");
    expect_problem(f, 6, "limits.body", "is not a size (");
    expect_problem(f, 7, "limits.json_depth", "(it may be from 1 to 1024)");
    expect_problem(f, 8, "endpoints[0].name", "is not a name (");
    expect_problem(f, 9, "endpoints[1].verify[0].scheme", "(did you mean \"github\"?)");
    expect_problem(f, 10, "hooks[0].command[1]", "is not a field (");
    expect_problem(f, 11, "hooks[0].retry.attempts", "whole number (");
    assert_int_equal(f->problems.count, 10);
    for (size_t i = 1; i < f->problems.count; i++)
        assert_true(f->problems.items[i - 1].line <= f->problems.items[i].line);
}

static void nothing_is_freed_without_harm(void **state)
{
    (void)state;
    config_free(NULL);
    config_problems_free(NULL);
    struct config_problems none = {0};
    config_problems_free(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_small_configuration_is_complete_with_its_defaults),
        WITH_FIXTURE(a_hook_is_complete_with_its_defaults),
        WITH_FIXTURE(everything_that_is_written_is_read),
        WITH_FIXTURE(names_that_are_not_there_are_not_found),
        WITH_FIXTURE(a_file_that_cannot_be_read_is_one_problem_of_the_file),
        WITH_FIXTURE(a_file_that_is_too_large_is_refused),
        WITH_FIXTURE(a_syntax_error_has_its_line),
        WITH_FIXTURE(a_nul_byte_is_said_with_its_line),
        WITH_FIXTURE(what_is_not_an_object_is_one_problem),
        WITH_FIXTURE(a_relative_path_is_made_absolute),
        WITH_FIXTURE(ten_mistakes_are_ten_problems_with_line_key_and_advice),
        cmocka_unit_test(nothing_is_freed_without_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
