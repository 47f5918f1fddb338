/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

#define WITH_TLS(members)                                                                          \
    "\"listen\": [ { \"address\": \"127.0.0.1:0\", \"tls\": { " members " } } ],"
#define PAIR "\"certificate\": \"server.pem\", \"private_key\": \"server.key\""

static void a_pair_that_belongs_together_is_taken(void **state)
{
    struct fixture *f = *state;
    fixture_tls(f);
    expect_taken(f, (struct parts){.listen = WITH_TLS(PAIR)});
    assert_true(f->config->listeners[0].tls.enabled);
    assert_int_equal(f->config->listeners[0].tls.certificate.count, 1);
    assert_true(f->config->listeners[0].tls.private_key.items[0].length > 100);
}

static void a_chain_and_an_authority_are_taken(void **state)
{
    struct fixture *f = *state;
    fixture_tls(f);
    EVP_PKEY *key = fixture_key();
    X509 *issuer = fixture_certificate(key, -60, FIXTURE_DAY);
    fixture_write_certificate(f, "server.pem", issuer, 0644);
    fixture_write_certificate(f, "ca.pem", issuer, 0644);
    expect_taken(f, (struct parts){.listen = WITH_TLS(PAIR ", \"client_ca\": \"ca.pem\"")});
    assert_int_equal(f->config->listeners[0].tls.client_ca.count, 1);
    X509_free(issuer);
    EVP_PKEY_free(key);
}

static void a_key_of_another_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    fixture_tls(f);
    EVP_PKEY *other = fixture_key();
    fixture_write_key(f, "server.key", other, NULL);
    EVP_PKEY_free(other);
    assert_false(fixture_load(f, (struct parts){.listen = WITH_TLS(PAIR)}));
    expect_only_problem(f, 2, "listen[0].tls.private_key", "does not belong to the certificate");
}

static void a_key_with_a_passphrase_is_refused_without_asking(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = fixture_key();
    X509 *certificate = fixture_certificate(key, -60, FIXTURE_DAY);
    fixture_write_certificate(f, "server.pem", certificate, 0644);
    fixture_write_key(f, "server.key", key, "passphrase");
    X509_free(certificate);
    EVP_PKEY_free(key);
    assert_false(fixture_load(f, (struct parts){.listen = WITH_TLS(PAIR)}));
    expect_only_problem(f, 2, "listen[0].tls.private_key", "protected by a passphrase");
}

static void times_are_checked(void **state)
{
    struct fixture *f = *state;
    static const struct {
        long from_s;
        long to_s;
        const char *fault;
    } cases[] = {
        {-2 * FIXTURE_DAY, -FIXTURE_DAY, "the certificate expired on 2"},
        {-2 * FIXTURE_DAY, -1, "the certificate expired on 2"},
        {FIXTURE_DAY, 2 * FIXTURE_DAY, "the certificate is good from 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[FIXTURE_PATH_MAX];
        unlink(fixture_file(f, "server.pem", path));
        EVP_PKEY *key = fixture_key();
        X509 *certificate = fixture_certificate(key, cases[i].from_s, cases[i].to_s);
        fixture_write_certificate(f, "server.pem", certificate, 0644);
        fixture_write_key(f, "server.key", key, NULL);
        X509_free(certificate);
        EVP_PKEY_free(key);
        assert_false(fixture_load(f, (struct parts){.listen = WITH_TLS(PAIR)}));
        expect_only_problem(f, 2, "listen[0].tls.certificate", cases[i].fault);
    }
}

/* OpenSSL's security level 2, which Debian sets: a receiver could not start with it. */
static void a_key_that_is_too_weak_is_refused(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    X509 *certificate = fixture_certificate(weak, -60, FIXTURE_DAY);
    fixture_write_certificate(f, "server.pem", certificate, 0644);
    fixture_write_key(f, "server.key", weak, NULL);
    assert_false(fixture_load(f, (struct parts){.listen = WITH_TLS(PAIR)}));
    expect_only_problem(f, 2, "listen[0].tls.certificate", "does not take it: ee key too small");
    X509_free(certificate);
    EVP_PKEY_free(weak);
}

static void a_link_of_the_chain_that_is_too_weak_is_refused(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    X509 *issuer = fixture_certificate(weak, -60, FIXTURE_DAY);
    fixture_tls(f);
    expect_taken(f, (struct parts){.listen = WITH_TLS(PAIR)});
    fixture_write_certificate(f, "server.pem", issuer, 0644); /* behind the first one */
    assert_false(fixture_load(f, (struct parts){.listen = WITH_TLS(PAIR)}));
    expect_only_problem(f, 2, "listen[0].tls.certificate", "does not take it: ca key too small");
    X509_free(issuer);
    EVP_PKEY_free(weak);
}

static void what_is_no_pem_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char broken[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fixture_tls(f);
    fixture_text(f, "text", "hello", 0600);
    fixture_text(f, "broken", broken, 0600);
    assert_false(fixture_load(
        f, (struct parts){
               .listen = WITH_TLS("\"certificate\": \"text\", \"private_key\": \"text\", "
                                  "\"client_ca\": \"text\"")}));
    expect_problem(f, 2, "listen[0].tls.certificate", "has no certificate in it");
    expect_problem(f, 2, "listen[0].tls.private_key", "has no private key in it");
    expect_problem(f, 2, "listen[0].tls.client_ca", "has no certificate in it");
    assert_int_equal(f->problems.count, 3);
    assert_false(fixture_load(
        f,
        (struct parts){
            .listen = WITH_TLS("\"certificate\": \"broken\", \"private_key\": \"server.key\"")}));
    expect_only_problem(f, 2, "listen[0].tls.certificate", "has a broken certificate in it");
}

static void a_broken_link_in_the_chain_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[FIXTURE_PATH_MAX];
    fixture_tls(f);
    FILE *file = fopen(fixture_file(f, "server.pem", path), "ae");
    assert_non_null(file);
    fputs("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", file);
    fclose(file);
    assert_false(fixture_load(f, (struct parts){.listen = WITH_TLS(PAIR)}));
    expect_only_problem(f, 2, "listen[0].tls.certificate", "has a broken certificate in it");
}

static void a_certificate_may_be_public_and_a_key_may_not(void **state)
{
    struct fixture *f = *state;
    char path[FIXTURE_PATH_MAX];
    fixture_tls(f);
    assert_int_equal(chmod(fixture_file(f, "server.key", path), 0644), 0);
    assert_false(fixture_load(f, (struct parts){.listen = WITH_TLS(PAIR)}));
    expect_only_problem(f, 2, "listen[0].tls.private_key", "can be read by everybody");
}

static void a_certificate_is_no_list(void **state)
{
    struct fixture *f = *state;
    fixture_tls(f);
    assert_false(fixture_load(
        f, (struct parts){
               .listen = WITH_TLS("\"certificate\": [\"server.pem\"], \"private_key\": "
                                  "\"server.key\"")}));
    expect_only_problem(f, 2, "listen[0].tls.certificate", "it can only be one file");
}

static void files_that_are_missing_are_said_once(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(f, (struct parts){.listen = WITH_TLS(PAIR)}));
    expect_problem(f, 2, "listen[0].tls.certificate", "No such file");
    expect_problem(f, 2, "listen[0].tls.private_key", "No such file");
    assert_int_equal(f->problems.count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_pair_that_belongs_together_is_taken),
        WITH_FIXTURE(a_chain_and_an_authority_are_taken),
        WITH_FIXTURE(a_key_of_another_certificate_is_refused),
        WITH_FIXTURE(a_key_with_a_passphrase_is_refused_without_asking),
        WITH_FIXTURE(times_are_checked),
        WITH_FIXTURE(a_key_that_is_too_weak_is_refused),
        WITH_FIXTURE(a_link_of_the_chain_that_is_too_weak_is_refused),
        WITH_FIXTURE(what_is_no_pem_is_refused),
        WITH_FIXTURE(a_broken_link_in_the_chain_is_refused),
        WITH_FIXTURE(a_certificate_may_be_public_and_a_key_may_not),
        WITH_FIXTURE(a_certificate_is_no_list),
        WITH_FIXTURE(files_that_are_missing_are_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
