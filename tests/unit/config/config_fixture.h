/* SPDX-License-Identifier: MIT */
/*
 * A folder with a configuration and all that it names, made for each test and
 * removed after it. A test gives the parts of the file that it is about; the
 * others are good ones.
 */
#ifndef CALLBACKD_TESTS_CONFIG_FIXTURE_H
#define CALLBACKD_TESTS_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callbackd/config.h"

#define UNUSED __attribute__((unused))
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

enum { FIXTURE_PATH_MAX = 512, FIXTURE_TEXT_MAX = 65536, FIXTURE_DAY = 24 * 60 * 60 };

#define FIXTURE_ADMIN_TOKEN "admin-token-of-the-test"
#define FIXTURE_RUN_KEY "0123456789abcdef-of-the-test"

struct fixture {
    char directory[64];
    char path[FIXTURE_PATH_MAX]; /* of the configuration */
    struct config *config;       /* of the last load; NULL when it was refused */
    struct config_problems problems;
};

/* Lines of the file: 2 listen, 3 admin, 4 store, 5 run_token, 6 endpoints, 7 extra. NULL: a good
 * one, or nothing for `extra`. "" leaves the line empty. */
struct parts {
    const char *listen;
    const char *admin;
    const char *store;
    const char *run_token;
    const char *endpoints;
    const char *extra;
};

UNUSED static char *fixture_file(const struct fixture *f, const char *name, char *out)
{
    snprintf(out, FIXTURE_PATH_MAX, "%s/%s", f->directory, name);
    return out;
}

UNUSED static void fixture_write(
    const struct fixture *f, const char *name, const void *data, size_t length, mode_t mode)
{
    char path[FIXTURE_PATH_MAX];
    fixture_file(f, name, path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

UNUSED static void fixture_text(
    const struct fixture *f, const char *name, const char *text, mode_t mode)
{
    fixture_write(f, name, text, strlen(text), mode);
}

UNUSED static int fixture_remove_one(
    const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

UNUSED static int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->directory, sizeof f->directory, "/tmp/callbackd-config-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    fixture_file(f, "callbackd.json", f->path);
    fixture_text(f, "admin.token", FIXTURE_ADMIN_TOKEN "\n", 0600);
    fixture_text(f, "run.key", FIXTURE_RUN_KEY "\n", 0600);
    fixture_text(f, "hook.sh", "#!/bin/sh\n", 0755);
    *state = f;
    return 0;
}

UNUSED static void fixture_forget(struct fixture *f)
{
    config_free(f->config);
    f->config = NULL;
    config_problems_free(&f->problems);
}

UNUSED static int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    fixture_forget(f);
    nftw(f->directory, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* Loads this text. True when it was taken. */
UNUSED static bool fixture_load_text(struct fixture *f, const char *text)
{
    fixture_forget(f);
    fixture_text(f, "callbackd.json", text, 0644);
    f->config = config_load(f->path, &f->problems);
    assert_int_equal(f->config == NULL, f->problems.count > 0);
    return f->config != NULL;
}

UNUSED static const char *fixture_part(const char *given, const char *good)
{
    return given ? given : good;
}

UNUSED static char *fixture_parts_text(struct parts parts)
{
    char *text = malloc(FIXTURE_TEXT_MAX);
    assert_non_null(text);
    int length = snprintf(
        text, FIXTURE_TEXT_MAX, "{\n%s\n%s\n%s\n%s\n%s\n%s\n}\n",
        fixture_part(parts.listen, "\"listen\": [ { \"address\": \"127.0.0.1:0\" } ],"),
        fixture_part(
            parts.admin,
            "\"admin\": { \"address\": \"127.0.0.1:0\", \"token_file\": \"admin.token\" },"),
        fixture_part(parts.store, "\"store\": { \"directory\": \"data\" },"),
        fixture_part(parts.run_token, "\"run_token\": { \"key_file\": \"run.key\" },"),
        fixture_part(
            parts.endpoints, "\"endpoints\": [ { \"name\": \"results\", \"path\": \"/callback\", "
                             "\"verify\": [ { \"scheme\": \"run-token\" } ] } ]"),
        fixture_part(parts.extra, ""));
    assert_in_range(length, 1, FIXTURE_TEXT_MAX - 1);
    return text;
}

UNUSED static bool fixture_load(struct fixture *f, struct parts parts)
{
    char *text = fixture_parts_text(parts);
    bool taken = fixture_load_text(f, text);
    free(text);
    return taken;
}

/* The text of the first problem with that key; NULL when there is none. */
UNUSED static const struct config_problem *fixture_problem(const struct fixture *f, const char *key)
{
    for (size_t i = 0; i < f->problems.count; i++)
        if (strcmp(f->problems.items[i].key, key) == 0)
            return &f->problems.items[i];
    return NULL;
}

UNUSED static void fixture_print_problems(const struct fixture *f)
{
    for (size_t i = 0; i < f->problems.count; i++)
        print_error(
            "%d: %s: %s\n", f->problems.items[i].line, f->problems.items[i].key,
            f->problems.items[i].text);
}

UNUSED static void expect_problem(
    const struct fixture *f, int line, const char *key, const char *part)
{
    for (size_t i = 0; i < f->problems.count; i++) {
        const struct config_problem *problem = &f->problems.items[i];
        if (problem->line == line && strcmp(problem->key, key) == 0 && strstr(problem->text, part))
            return;
    }
    fixture_print_problems(f);
    fail_msg("no problem in line %d at \"%s\" that says \"%s\"", line, key, part);
}

/* Refused, with this problem and no other. */
UNUSED static void expect_only_problem(
    const struct fixture *f, int line, const char *key, const char *part)
{
    expect_problem(f, line, key, part);
    if (f->problems.count != 1)
        fixture_print_problems(f);
    assert_int_equal(f->problems.count, 1);
}

UNUSED static void expect_taken(struct fixture *f, struct parts parts)
{
    if (fixture_load(f, parts))
        return;
    fixture_print_problems(f);
    fail_msg("the configuration was refused");
}

/* ---- certificates ---- */

UNUSED static EVP_PKEY *fixture_key(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    return key;
}

/* Self-signed, good from now + `from_s` to now + `to_s`. */
UNUSED static X509 *fixture_certificate(EVP_PKEY *key, long from_s, long to_s)
{
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), from_s);
    X509_gmtime_adj(X509_getm_notAfter(certificate), to_s);
    X509_NAME_add_entry_by_txt(
        X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1,
        -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

UNUSED static void fixture_write_certificate(
    const struct fixture *f, const char *name, X509 *certificate, mode_t mode)
{
    char path[FIXTURE_PATH_MAX];
    FILE *file = fopen(fixture_file(f, name, path), "ae");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* `passphrase` NULL: not encrypted. */
UNUSED static void fixture_write_key(
    const struct fixture *f, const char *name, EVP_PKEY *key, const char *passphrase)
{
    char path[FIXTURE_PATH_MAX];
    FILE *file = fopen(fixture_file(f, name, path), "we");
    assert_non_null(file);
    assert_int_equal(
        PEM_write_PKCS8PrivateKey(
            file, key, passphrase ? EVP_aes_256_cbc() : NULL, passphrase,
            passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
        1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

/* server.pem and server.key that belong together. */
UNUSED static void fixture_tls(const struct fixture *f)
{
    EVP_PKEY *key = fixture_key();
    X509 *certificate = fixture_certificate(key, -60, FIXTURE_DAY);
    fixture_write_certificate(f, "server.pem", certificate, 0644);
    fixture_write_key(f, "server.key", key, NULL);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

#endif
