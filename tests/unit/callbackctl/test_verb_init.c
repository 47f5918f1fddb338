/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <fcntl.h>
#include <ftw.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "callbackd/config.h"
#include "callbackd/verify.h"
#include "certificate.h"
#include "init_files.h"
#include "mint.h"

static char *directory;
static struct error error;

static int begin(void **state)
{
    (void)state;
    directory = make_directory();
    error = (struct error){0};
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static int end(void **state)
{
    (void)state;
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(directory);
    return 0;
}

static char *path_of(const char *name)
{
    return os_path_join(directory, name);
}

static void read_into(const char *name, struct buffer *out)
{
    CLEANUP_FREE char *path = path_of(name);
    buffer_init(out, 1 << 20);
    assert_int_equal(os_read_file(path, out, &error), 0);
}

static struct config *load(void)
{
    CLEANUP_FREE char *path = path_of("callbackd.json");
    struct config_problems problems = {0};
    struct config *config = config_load(path, &problems);
    if (!config)
        fail_msg("%s: %s", problems.items[0].key, problems.items[0].text);
    config_problems_free(&problems);
    return config;
}

static void init_here(const char *option, const char *value)
{
    struct caught caught = option ? RUN("init", directory, option, value) : RUN("init", directory);
    if (caught.status != 0)
        fail_msg("%s", buffer_text(&caught.err));
    caught_fini(&caught);
}

static void test_what_is_written_has_no_problems(void **state)
{
    (void)state;
    init_here(NULL, NULL);
    struct config *config = load();
    assert_string_equal(config->public_url, "https://127.0.0.1:8443");
    assert_int_equal(config->listeners[0].port, 8443);
    assert_true(config->listeners[0].tls.enabled);
    assert_int_equal(config->admin.listener.port, 8081);
    assert_int_equal(config->promptlayer.api_key.count, 0);
    assert_string_equal(config->endpoints[0].path, "/callback");
    assert_string_equal(config->hooks[0].name, "notify");
    config_free(config);
}

static void test_ports_of_the_kernels_choice(void **state)
{
    (void)state;
    struct caught caught = RUN("init", directory, "--port", "0", "--admin-port", "0");
    assert_int_equal(caught.status, 0);
    caught_fini(&caught);
    struct config *config = load();
    assert_null(config->public_url);
    assert_int_equal(config->listeners[0].port, 0);
    assert_int_equal(config->admin.listener.port, 0);
    config_free(config);
}

static void test_public_url_is_in_configuration_and_certificate(void **state)
{
    (void)state;
    init_here("--public-url", "https://hooks.example.com/in");
    struct config *config = load();
    assert_string_equal(config->public_url, "https://hooks.example.com/in");
    config_free(config);
    CLEANUP_FREE char *path = path_of("certs/server.pem");
    FILE *file = fopen(path, "re");
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_int_equal(X509_check_host(certificate, "hooks.example.com", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_host(certificate, "example.com", 0, 0, NULL), 0);
    X509_free(certificate);
}

static void assert_mode(const char *name, mode_t mode)
{
    struct stat status;
    CLEANUP_FREE char *path = path_of(name);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, mode);
}

static void test_secrets_are_for_the_owner_alone(void **state)
{
    (void)state;
    init_here(NULL, NULL);
    assert_mode("run-token.key", 0600);
    assert_mode("admin.token", 0600);
    assert_mode("certs/server.key", 0600);
    assert_mode("store", 0700);
    assert_mode("hooks/notify.sh", 0755);
}

static void test_secrets_are_new_each(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer key;
    CLEANUP_BUFFER struct buffer token;
    init_here(NULL, NULL);
    read_into("run-token.key", &key);
    read_into("admin.token", &token);
    assert_int_equal(key.length, 44); /* 32 bytes in base64url, and a newline */
    assert_string_not_equal(buffer_text(&key), buffer_text(&token));
}

static void test_nothing_is_ever_replaced(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer before;
    CLEANUP_BUFFER struct buffer after;
    init_here(NULL, NULL);
    read_into("run-token.key", &before);
    struct caught again = RUN("init", directory);
    assert_int_equal(again.status, 6);
    assert_err(&again, "nothing was written");
    assert_int_equal(again.out.length, 0);
    caught_fini(&again);
    CLEANUP_FREE char *config = path_of("callbackd.json");
    unlink(config);
    again = RUN("init", directory, "--missing");
    assert_int_equal(again.status, 0);
    caught_fini(&again);
    read_into("run-token.key", &after);
    assert_string_equal(buffer_text(&before), buffer_text(&after));
    config_free(load());
}

static void test_a_link_is_not_followed(void **state)
{
    (void)state;
    CLEANUP_FREE char *key = path_of("run-token.key");
    CLEANUP_FREE char *elsewhere = path_of("elsewhere");
    assert_int_equal(symlink(elsewhere, key), 0);
    struct caught caught = RUN("init", directory);
    assert_int_equal(caught.status, 6);
    assert_int_not_equal(access(elsewhere, F_OK), 0);
    caught_fini(&caught);
}

static void test_half_a_certificate_is_not_completed(void **state)
{
    (void)state;
    init_here(NULL, NULL);
    CLEANUP_FREE char *key = path_of("certs/server.key");
    unlink(key);
    struct caught caught = RUN("init", directory, "--missing");
    assert_int_not_equal(caught.status, 0);
    assert_err(&caught, "without the other");
    caught_fini(&caught);
}

static void test_it_says_what_to_do_next(void **state)
{
    (void)state;
    struct caught caught = RUN("init", directory);
    assert_out(&caught, "callbackd --check --config ");
    assert_out(&caught, "callbackctl run WORKFLOW");
    caught_fini(&caught);
}

static void assert_host(const char *url, const char *expected)
{
    CLEANUP_FREE char *host = init_url_host(url, &error);
    if (expected) {
        assert_non_null(host);
        assert_string_equal(host, expected);
    } else {
        assert_null(host);
        assert_int_equal(error.code, ERROR_USAGE);
    }
}

static void test_hosts_of_public_urls(void **state)
{
    (void)state;
    assert_host("https://hooks.example.com", "hooks.example.com");
    assert_host("http://hooks.example.com:8080/a/b", "hooks.example.com");
    assert_host("https://[2001:db8::1]:8443", "2001:db8::1");
    assert_host("https://192.0.2.1", "192.0.2.1");
    assert_host("hooks.example.com", NULL);
    assert_host("https://", NULL);
    assert_host("https://host/", NULL);
    assert_host("https://user@host", NULL);
    assert_host("https://host?x", NULL);
    assert_host("https://ho,DNS:st", NULL);
    assert_host("https://[::1", NULL);
}

static void test_minted_url_verifies_with_the_key(void **state)
{
    (void)state;
    init_here(NULL, NULL);
    struct config *config = load();
    struct minted minted;
    struct id run;
    buffer_init_secret(&minted.url, 4096);
    assert_int_equal(mint_callback_url(config, NULL, 0, 1000, &minted, &error), 0);
    const char *base = "https://127.0.0.1:8443/callback/";
    assert_memory_equal(buffer_text(&minted.url), base, strlen(base));
    struct bytes token = bytes_of_text(buffer_text(&minted.url) + strlen(base));
    assert_int_equal(
        run_token_verify(&config->run_token.key, "results", token, 2, &run, &error), 0);
    assert_true(id_equal(&run, &minted.run));
    assert_int_equal(minted.expires_at_ms, 1000 + config->run_token.lifetime_ms);
    assert_int_equal(mint_callback_url(config, "nope", 0, 1000, &minted, &error), -1);
    assert_holds(error.message, "no endpoint \"nope\"");
    buffer_fini(&minted.url);
    config_free(config);
}

static void test_url_prints_the_url_alone(void **state)
{
    (void)state;
    init_here(NULL, NULL);
    CLEANUP_FREE char *path = path_of("callbackd.json");
    struct caught caught = RUN("url", "--config", path);
    assert_int_equal(caught.status, 0);
    assert_int_equal(caught.out.length, strlen("https://127.0.0.1:8443/callback/") + 76 + 1);
    assert_err(&caught, "callbackctl: run ");
    caught_fini(&caught);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    clear_environment();
    const struct CMUnitTest tests[] = {
        CASE(test_what_is_written_has_no_problems),
        CASE(test_ports_of_the_kernels_choice),
        CASE(test_public_url_is_in_configuration_and_certificate),
        CASE(test_secrets_are_for_the_owner_alone),
        CASE(test_secrets_are_new_each),
        CASE(test_nothing_is_ever_replaced),
        CASE(test_a_link_is_not_followed),
        CASE(test_half_a_certificate_is_not_completed),
        CASE(test_it_says_what_to_do_next),
        CASE(test_hosts_of_public_urls),
        CASE(test_minted_url_verifies_with_the_key),
        CASE(test_url_prints_the_url_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
