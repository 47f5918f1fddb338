/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

static bool load_token(struct fixture *f, const char *token_file)
{
    char admin[1024];
    snprintf(
        admin, sizeof admin, "\"admin\": { \"address\": \"127.0.0.1:0\", \"token_file\": %s },",
        token_file);
    return fixture_load(f, (struct parts){.admin = admin});
}

static bool load_key(struct fixture *f, const char *key_file)
{
    char run_token[1024];
    snprintf(run_token, sizeof run_token, "\"run_token\": { \"key_file\": %s },", key_file);
    return fixture_load(f, (struct parts){.run_token = run_token});
}

static void expect_secret(const struct config_secrets *secrets, size_t index, const char *text)
{
    assert_true(index < secrets->count);
    assert_int_equal(secrets->items[index].length, strlen(text));
    assert_memory_equal(secrets->items[index].data, text, strlen(text));
}

static void one_line_break_at_the_end_is_not_part_of_it(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "t", "token", 0600);
    assert_true(load_token(f, "\"t\""));
    expect_secret(&f->config->admin.token, 0, "token");
    fixture_text(f, "t", "token\n", 0600);
    assert_true(load_token(f, "\"t\""));
    expect_secret(&f->config->admin.token, 0, "token");
    fixture_text(f, "t", "0123456789abcdef\n\n", 0600);
    assert_true(load_key(f, "\"t\""));
    expect_secret(&f->config->run_token.key, 0, "0123456789abcdef\n");
}

static void a_key_is_any_bytes(void **state)
{
    struct fixture *f = *state;
    static const char key[] = "\0\1\2\3\4\5\6\7\xff\xfe\r\n\0\0\0\0\0";
    fixture_write(f, "k", key, sizeof key - 1, 0600);
    assert_true(load_key(f, "\"k\""));
    assert_int_equal(f->config->run_token.key.items[0].length, sizeof key - 1);
    assert_memory_equal(f->config->run_token.key.items[0].data, key, sizeof key - 1);
}

static void a_key_that_is_too_short_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "k", "123456789012345\n", 0600);
    assert_false(load_key(f, "\"k\""));
    expect_only_problem(f, 5, "run_token.key_file", "only 15 bytes long (use 16");
    fixture_text(f, "k", "1234567890123456", 0600);
    assert_true(load_key(f, "\"k\""));
}

static void a_list_keeps_its_order_for_rotation(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "new", "new-token", 0600);
    fixture_text(f, "old", "old-token", 0600);
    assert_true(load_token(f, "[\"new\", \"old\", \"admin.token\"]"));
    assert_int_equal(f->config->admin.token.count, 3);
    expect_secret(&f->config->admin.token, 0, "new-token");
    expect_secret(&f->config->admin.token, 1, "old-token");
    expect_secret(&f->config->admin.token, 2, FIXTURE_ADMIN_TOKEN);
}

static void each_source_of_a_list_is_checked(void **state)
{
    struct fixture *f = *state;
    assert_false(load_token(f, "[\"admin.token\", \"gone\", 7, \"\", \"env:CALLBACKD_NOT_SET\"]"));
    expect_problem(f, 3, "admin.token_file[1]", "No such file or directory (make it");
    expect_problem(f, 3, "admin.token_file[2]", "must be a string");
    expect_problem(f, 3, "admin.token_file[3]", "is empty");
    expect_problem(f, 3, "admin.token_file[4]", "\"CALLBACKD_NOT_SET\" is not set");
    assert_int_equal(f->problems.count, 4);
    assert_false(load_token(f, "[]"));
    expect_only_problem(f, 3, "admin.token_file", "is an empty list");
    assert_false(load_token(f, "{}"));
    expect_only_problem(f, 3, "admin.token_file", "is an object (write a file's name");
    assert_false(load_token(f, "null"));
    expect_only_problem(f, 3, "admin.token_file", "is null");
}

static void files_that_everybody_can_read_or_write_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        mode_t mode;
        const char *fault; /* NULL: fine */
    } cases[] = {
        {0600, NULL},
        {0400, NULL},
        {0640, NULL},
        {0660, NULL},
        {0644, "can be read by everybody (chmod 0600"},
        {0604, "can be read by everybody"},
        {0602, "can be written by everybody"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_text(f, "t", "token", cases[i].mode);
        assert_int_equal(load_token(f, "\"t\""), cases[i].fault == NULL);
        if (cases[i].fault)
            expect_only_problem(f, 3, "admin.token_file", cases[i].fault);
    }
}

static void what_is_no_regular_file_is_refused_at_once(void **state)
{
    struct fixture *f = *state;
    char path[FIXTURE_PATH_MAX];
    assert_int_equal(mkdir(fixture_file(f, "folder", path), 0700), 0);
    assert_false(load_token(f, "\"folder\""));
    expect_only_problem(f, 3, "admin.token_file", "is not a regular file");
    /* Opening a FIFO to read would wait for a writer. */
    assert_int_equal(mkfifo(fixture_file(f, "fifo", path), 0600), 0);
    assert_false(load_token(f, "\"fifo\""));
    expect_only_problem(f, 3, "admin.token_file", "is not a regular file");
    assert_false(load_token(f, "\"/dev/null\""));
    expect_only_problem(f, 3, "admin.token_file", "is not a regular file");
}

static void an_empty_secret_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "t", "", 0600);
    assert_false(load_token(f, "\"t\""));
    expect_only_problem(f, 3, "admin.token_file", "is empty");
    fixture_text(f, "t", "\n", 0600);
    assert_false(load_token(f, "\"t\""));
    expect_only_problem(f, 3, "admin.token_file", "is empty");
}

static void a_secret_of_any_size_does_no_harm(void **state)
{
    struct fixture *f = *state;
    size_t length = (1 << 20) + 2;
    char *large = malloc(length);
    assert_non_null(large);
    memset(large, 'x', length);
    fixture_write(f, "t", large, length, 0600);
    free(large);
    assert_false(load_token(f, "\"t\""));
    expect_only_problem(f, 3, "admin.token_file", "cannot read");
}

static void a_token_must_fit_into_a_header(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"a b", "a\nb", "a\r\n", "a\tb", "\xc3\xa4", "a\x7f"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fixture_text(f, "t", bad[i], 0600);
        assert_false(load_token(f, "\"t\""));
        expect_only_problem(f, 3, "admin.token_file", "one token and nothing else");
    }
}

static void a_secret_never_stands_in_a_message(void **state)
{
    struct fixture *f = *state;
    fixture_text(f, "t", "do not say this", 0600);
    assert_false(load_token(f, "\"t\""));
    fixture_text(f, "k", "nor this", 0600);
    assert_int_equal(f->problems.count, 1);
    assert_null(strstr(f->problems.items[0].text, "do not say"));
    assert_false(load_key(f, "\"k\""));
    assert_null(strstr(f->problems.items[0].text, "nor this"));
}

static void the_environment_can_hold_it(void **state)
{
    struct fixture *f = *state;
    setenv("CALLBACKD_TEST_SECRET", "from-the-environment\n", 1);
    assert_false(load_token(f, "\"env:CALLBACKD_TEST_SECRET\""));
    expect_only_problem(f, 3, "admin.token_file", "line break");
    setenv("CALLBACKD_TEST_SECRET", "from-the-environment", 1);
    assert_true(load_token(f, "[\"env:CALLBACKD_TEST_SECRET\", \"admin.token\"]"));
    expect_secret(&f->config->admin.token, 0, "from-the-environment");
    setenv("CALLBACKD_TEST_SECRET", "", 1);
    assert_false(load_token(f, "\"env:CALLBACKD_TEST_SECRET\""));
    expect_only_problem(f, 3, "admin.token_file", "is empty (set it");
    unsetenv("CALLBACKD_TEST_SECRET");
    assert_false(load_token(f, "\"env:CALLBACKD_TEST_SECRET\""));
    expect_only_problem(f, 3, "admin.token_file", "is not set (set it");
    assert_false(load_token(f, "\"env:\""));
    expect_only_problem(f, 3, "admin.token_file", "is not set");
}

static void a_credential_of_systemd_can_hold_it(void **state)
{
    struct fixture *f = *state;
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_false(load_token(f, "\"credential:token\""));
    expect_only_problem(f, 3, "admin.token_file", "CREDENTIALS_DIRECTORY is not set");
    char path[FIXTURE_PATH_MAX];
    assert_int_equal(mkdir(fixture_file(f, "creds", path), 0700), 0);
    setenv("CREDENTIALS_DIRECTORY", path, 1);
    fixture_text(f, "creds/token", "a-credential\n", 0400);
    assert_true(load_token(f, "\"credential:token\""));
    expect_secret(&f->config->admin.token, 0, "a-credential");
    assert_false(load_token(f, "\"credential:other\""));
    expect_only_problem(f, 3, "admin.token_file", "No such file");
    static const char *const bad[] = {"", ".", "..", "../admin.token", "/etc/passwd"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char source[64];
        snprintf(source, sizeof source, "\"credential:%s\"", bad[i]);
        assert_false(load_token(f, source));
        expect_only_problem(f, 3, "admin.token_file", "is not a credential's name");
    }
    unsetenv("CREDENTIALS_DIRECTORY");
}

static bool load_for_client(struct fixture *f, const char *const *secrets, struct parts parts)
{
    char *text = fixture_parts_text(parts);
    fixture_forget(f);
    fixture_text(f, "callbackd.json", text, 0644);
    free(text);
    f->config = config_load_for_client(f->path, secrets, &f->problems);
    return f->config != NULL;
}

static const struct parts out_of_reach = {
    .listen = "\"listen\": [ { \"address\": \"127.0.0.1:0\", \"tls\": { \"certificate\": "
              "\"gone.pem\", \"private_key\": \"gone.key\" } } ],",
    .run_token = "\"run_token\": { \"key_file\": [\"credential:run\", \"env:NOT_HERE\"] },",
    .extra = ", \"hooks\": [ { \"name\": \"h\", \"command\": [\"./gone\"] } ]",
};

static void a_client_reads_only_the_secrets_that_it_names(void **state)
{
    struct fixture *f = *state;
    static const char *const token[] = {"admin.token_file", NULL};
    static const char *const key[] = {"run_token.key_file", NULL};
    static const char *const none[] = {NULL};
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_true(load_for_client(f, token, out_of_reach));
    expect_secret(&f->config->admin.token, 0, FIXTURE_ADMIN_TOKEN);
    assert_int_equal(f->config->run_token.key.count, 2);
    assert_int_equal(f->config->run_token.key.items[0].length, 0);
    assert_true(load_for_client(f, none, out_of_reach));
    assert_int_equal(f->config->admin.token.items[0].length, 0);
    assert_false(load_for_client(f, key, out_of_reach));
    expect_problem(f, 5, "run_token.key_file[0]", "CREDENTIALS_DIRECTORY is not set");
    assert_int_equal(f->problems.count, 2);
}

static void a_client_is_told_of_other_mistakes_all_the_same(void **state)
{
    struct fixture *f = *state;
    static const char *const none[] = {NULL};
    struct parts parts = out_of_reach;
    parts.store = "\"store\": { \"directori\": \"data\" },";
    assert_false(load_for_client(f, none, parts));
    expect_problem(f, 4, "store.directori", "did you mean");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(one_line_break_at_the_end_is_not_part_of_it),
        WITH_FIXTURE(a_key_is_any_bytes),
        WITH_FIXTURE(a_key_that_is_too_short_is_refused),
        WITH_FIXTURE(a_list_keeps_its_order_for_rotation),
        WITH_FIXTURE(each_source_of_a_list_is_checked),
        WITH_FIXTURE(files_that_everybody_can_read_or_write_are_refused),
        WITH_FIXTURE(what_is_no_regular_file_is_refused_at_once),
        WITH_FIXTURE(an_empty_secret_is_refused),
        WITH_FIXTURE(a_secret_of_any_size_does_no_harm),
        WITH_FIXTURE(a_token_must_fit_into_a_header),
        WITH_FIXTURE(a_secret_never_stands_in_a_message),
        WITH_FIXTURE(the_environment_can_hold_it),
        WITH_FIXTURE(a_credential_of_systemd_can_hold_it),
        WITH_FIXTURE(a_client_reads_only_the_secrets_that_it_names),
        WITH_FIXTURE(a_client_is_told_of_other_mistakes_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
