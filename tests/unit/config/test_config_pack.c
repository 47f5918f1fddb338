/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

#define ADMIN_TOKEN "the-admin-token-is-secret"
#define OLD_TOKEN "an-older-admin-token"
#define READ_TOKEN "the-read-token-is-secret"
#define RUN_KEY "the-run-key-is-secret"
#define OLD_RUN_KEY "an-older-run-key-is-secret"
#define API_KEY "the-api-key-is-secret"

/* Every secret there is, with TLS on both sides. */
static void load_everything(struct fixture *f)
{
    fixture_tls(f);
    fixture_text(f, "admin.token", ADMIN_TOKEN "\n", 0600);
    fixture_text(f, "old.token", OLD_TOKEN, 0600);
    fixture_text(f, "read.token", READ_TOKEN, 0600);
    fixture_text(f, "run.key", RUN_KEY, 0600);
    fixture_text(f, "old.key", OLD_RUN_KEY, 0600);
    fixture_text(f, "api.key", API_KEY, 0600);
    EVP_PKEY *key = fixture_key();
    X509 *certificate = fixture_certificate(key, -60, FIXTURE_DAY);
    fixture_write_certificate(f, "admin.pem", certificate, 0644);
    fixture_write_key(f, "admin.key", key, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
    expect_taken(
        f, (struct parts){
               .listen = "\"listen\": [ { \"unix\": \"s\" }, { \"address\": \"127.0.0.1:0\", "
                         "\"tls\": { \"certificate\": \"server.pem\", \"private_key\": "
                         "\"server.key\", \"client_ca\": \"server.pem\" } } ],",
               .admin = "\"admin\": { \"address\": \"127.0.0.1:0\", \"token_file\": "
                        "[\"admin.token\", \"old.token\"], \"read_token_file\": \"read.token\", "
                        "\"tls\": { \"certificate\": \"admin.pem\", \"private_key\": "
                        "\"admin.key\" } },",
               .run_token = "\"run_token\": { \"key_file\": [\"run.key\", \"old.key\"] },",
               .extra = ", \"promptlayer\": { \"api_key_file\": \"api.key\" }, \"hooks\": [ { "
                        "\"name\": \"h\", \"command\": [\"./hook.sh\", \"{status}\"], \"when\": "
                        "{ \"status\": \"failed\" } } ]"});
}

static void pack(const struct fixture *f, enum config_role role, struct buffer *out)
{
    struct error error;
    buffer_init_secret(out, 1 << 20);
    assert_int_equal(config_pack(f->config, role, out, &error), 0);
}

static bool has_bytes(const struct buffer *packed, const void *sought, size_t length)
{
    return memmem(packed->data, packed->length, sought, length) != NULL;
}

static bool has_text(const struct buffer *packed, const char *text)
{
    return has_bytes(packed, text, strlen(text));
}

static bool has_secret(const struct buffer *packed, const struct config_secrets *secrets)
{
    return has_bytes(packed, secrets->items[0].data, secrets->items[0].length);
}

static void expect_same(const struct config_secrets *a, const struct config_secrets *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->items[i].length, b->items[i].length);
        assert_memory_equal(a->items[i].data, b->items[i].data, a->items[i].length);
    }
}

static void expect_withheld(const struct config_secrets *secrets, size_t count)
{
    assert_int_equal(secrets->count, count);
    for (size_t i = 0; i < count; i++) {
        assert_null(secrets->items[i].data);
        assert_int_equal(secrets->items[i].length, 0);
    }
}

static void the_receiver_gets_its_secrets_and_no_others(void **state)
{
    struct fixture *f = *state;
    struct buffer packed;
    load_everything(f);
    pack(f, CONFIG_ROLE_RECEIVER, &packed);
    assert_true(has_text(&packed, RUN_KEY));
    assert_true(has_text(&packed, OLD_RUN_KEY));
    assert_true(has_secret(&packed, &f->config->listeners[1].tls.private_key));
    assert_true(has_secret(&packed, &f->config->listeners[1].tls.certificate));
    assert_false(has_text(&packed, ADMIN_TOKEN));
    assert_false(has_text(&packed, OLD_TOKEN));
    assert_false(has_text(&packed, READ_TOKEN));
    assert_false(has_text(&packed, API_KEY));
    assert_false(has_secret(&packed, &f->config->admin.listener.tls.private_key));
    buffer_fini(&packed);
}

static void the_worker_gets_its_secrets_and_no_others(void **state)
{
    struct fixture *f = *state;
    struct buffer packed;
    load_everything(f);
    pack(f, CONFIG_ROLE_WORKER, &packed);
    assert_true(has_text(&packed, ADMIN_TOKEN));
    assert_true(has_text(&packed, OLD_TOKEN));
    assert_true(has_text(&packed, READ_TOKEN));
    assert_true(has_text(&packed, API_KEY));
    assert_true(has_text(&packed, RUN_KEY));
    assert_true(has_secret(&packed, &f->config->admin.listener.tls.private_key));
    assert_false(has_secret(&packed, &f->config->listeners[1].tls.private_key));
    assert_false(has_secret(&packed, &f->config->listeners[1].tls.certificate));
    buffer_fini(&packed);
}

static void a_receiver_unpacks_what_was_loaded(void **state)
{
    struct fixture *f = *state;
    struct buffer packed;
    struct error error;
    load_everything(f);
    pack(f, CONFIG_ROLE_RECEIVER, &packed);
    struct config *c = config_unpack(buffer_bytes(&packed), &error);
    buffer_fini(&packed);
    assert_non_null(c);
    assert_string_equal(c->path, f->config->path);
    assert_string_equal(c->directory, f->config->directory);
    assert_string_equal(c->text, f->config->text);
    expect_same(&c->run_token.key, &f->config->run_token.key);
    assert_true(c->listeners[1].tls.enabled);
    expect_same(&c->listeners[1].tls.certificate, &f->config->listeners[1].tls.certificate);
    expect_same(&c->listeners[1].tls.private_key, &f->config->listeners[1].tls.private_key);
    expect_same(&c->listeners[1].tls.client_ca, &f->config->listeners[1].tls.client_ca);
    assert_string_equal(c->listeners[0].unix_path, f->config->listeners[0].unix_path);
    expect_withheld(&c->admin.token, 2);
    expect_withheld(&c->admin.read_token, 1);
    expect_withheld(&c->promptlayer.api_key, 1);
    expect_withheld(&c->admin.listener.tls.private_key, 1);
    assert_true(c->admin.listener.tls.enabled);
    assert_string_equal(c->hooks[0].command[0], f->config->hooks[0].command[0]);
    assert_true(c->hooks[0].takes_status);
    assert_int_equal(c->limits.body_bytes, f->config->limits.body_bytes);
    config_free(c);
}

static void a_worker_unpacks_what_was_loaded(void **state)
{
    struct fixture *f = *state;
    struct buffer packed;
    struct error error;
    load_everything(f);
    pack(f, CONFIG_ROLE_WORKER, &packed);
    struct config *c = config_unpack(buffer_bytes(&packed), &error);
    buffer_fini(&packed);
    assert_non_null(c);
    expect_same(&c->admin.token, &f->config->admin.token);
    expect_same(&c->admin.read_token, &f->config->admin.read_token);
    expect_same(&c->promptlayer.api_key, &f->config->promptlayer.api_key);
    expect_same(&c->run_token.key, &f->config->run_token.key);
    expect_withheld(&c->listeners[1].tls.private_key, 1);
    config_free(c);
}

static void one_process_for_all_gets_everything(void **state)
{
    struct fixture *f = *state;
    struct buffer packed;
    struct buffer again;
    struct error error;
    load_everything(f);
    pack(f, CONFIG_ROLE_ALL, &packed);
    struct config *c = config_unpack(buffer_bytes(&packed), &error);
    assert_non_null(c);
    expect_same(&c->admin.token, &f->config->admin.token);
    expect_same(&c->listeners[1].tls.private_key, &f->config->listeners[1].tls.private_key);
    buffer_init_secret(&again, 1 << 20);
    assert_int_equal(config_pack(c, CONFIG_ROLE_ALL, &again, &error), 0);
    assert_true(bytes_equal(buffer_bytes(&again), buffer_bytes(&packed)));
    buffer_fini(&again);
    buffer_fini(&packed);
    config_free(c);
}

static void nothing_is_opened_to_unpack(void **state)
{
    struct fixture *f = *state;
    struct buffer packed;
    struct error error;
    load_everything(f);
    pack(f, CONFIG_ROLE_ALL, &packed);
    nftw(f->directory, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    char *path = strdup(getenv("PATH"));
    setenv("PATH", "/nowhere", 1);
    struct config *c = config_unpack(buffer_bytes(&packed), &error);
    setenv("PATH", path, 1);
    free(path);
    assert_non_null(c);
    config_free(c);
    buffer_fini(&packed);
}

/* A child that is started again must not fail because the world has changed meanwhile. */
static void nothing_is_looked_at_again_to_unpack(void **state)
{
    struct fixture *f = *state;
    struct buffer packed;
    struct error error;
    fixture_tls(f);
    expect_taken(
        f, (struct parts){
               .listen = "\"listen\": [ { \"unix\": \"s\", \"group\": \"root\" }, { "
                         "\"address\": \"127.0.0.1:0\", \"tls\": { \"certificate\": "
                         "\"server.pem\", \"private_key\": \"server.key\" } } ],"});
    pack(f, CONFIG_ROLE_ALL, &packed);
    /* A group that is gone, and a certificate that OpenSSL would not take any more. */
    char *group = memmem(packed.data, packed.length, "\"root\"", 6);
    char *certificate = memmem(packed.data, packed.length, "BEGIN CERTIFICATE", 17);
    assert_non_null(group);
    assert_non_null(certificate);
    memcpy(group, "\"gone\"", 6);
    memset(certificate + 40, '!', 8);
    struct config *c = config_unpack(buffer_bytes(&packed), &error);
    assert_non_null(c);
    assert_string_equal(c->listeners[0].group, "gone");
    config_free(c);
    buffer_fini(&packed);
}

static void a_pack_that_was_cut_is_refused_everywhere(void **state)
{
    struct fixture *f = *state;
    struct buffer packed;
    struct error error;
    expect_taken(f, (struct parts){0});
    pack(f, CONFIG_ROLE_ALL, &packed);
    for (size_t length = 0; length < packed.length; length++) {
        struct config *c = config_unpack(bytes_of(packed.data, length), &error);
        if (c)
            fail_msg("%zu of %zu bytes were enough", length, packed.length);
    }
    buffer_fini(&packed);
}

static void a_pack_that_was_changed_does_no_harm(void **state)
{
    struct fixture *f = *state;
    struct buffer packed;
    struct error error;
    expect_taken(f, (struct parts){0});
    pack(f, CONFIG_ROLE_ALL, &packed);
    for (size_t i = 0; i < packed.length; i++) {
        packed.data[i] ^= 0x80;
        config_free(config_unpack(buffer_bytes(&packed), &error));
        packed.data[i] ^= 0x80;
    }
    buffer_fini(&packed);
}

static void what_is_no_pack_is_refused(void **state)
{
    (void)state;
    struct error error;
    assert_null(config_unpack(bytes_of_text(""), &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_null(config_unpack(bytes_of_text("{}"), &error));
    assert_null(config_unpack(bytes_of_text("callbackd configuration 1\n"), &error));
    assert_int_equal(error.code, ERROR_INVALID);
}

static void a_buffer_that_is_too_small_is_said(void **state)
{
    struct fixture *f = *state;
    struct buffer packed;
    struct error error;
    expect_taken(f, (struct parts){0});
    buffer_init_secret(&packed, 100);
    assert_int_equal(config_pack(f->config, CONFIG_ROLE_ALL, &packed, &error), -1);
    assert_int_equal(error.code, ERROR_MEMORY);
    buffer_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(the_receiver_gets_its_secrets_and_no_others),
        WITH_FIXTURE(the_worker_gets_its_secrets_and_no_others),
        WITH_FIXTURE(a_receiver_unpacks_what_was_loaded),
        WITH_FIXTURE(a_worker_unpacks_what_was_loaded),
        WITH_FIXTURE(one_process_for_all_gets_everything),
        WITH_FIXTURE(nothing_is_opened_to_unpack),
        WITH_FIXTURE(nothing_is_looked_at_again_to_unpack),
        WITH_FIXTURE(a_pack_that_was_cut_is_refused_everywhere),
        WITH_FIXTURE(a_pack_that_was_changed_does_no_harm),
        cmocka_unit_test(what_is_no_pack_is_refused),
        WITH_FIXTURE(a_buffer_that_is_too_small_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
