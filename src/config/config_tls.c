/* SPDX-License-Identifier: MIT */
/* Certificates and keys are looked at when the configuration is read: what would fail at the
 * first handshake is said at --check. */
#include "config_private.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/* A passphrase cannot be asked for; without this OpenSSL would try at the terminal. */
/* NOLINTNEXTLINE(readability-non-const-parameter): the type is OpenSSL's. */
static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out;
    (void)size;
    (void)writing;
    bool *asked = context;
    *asked = true;
    return -1;
}

static BIO *open_pem(const struct config_secrets *secrets)
{
    return BIO_new_mem_buf(secrets->items[0].data, (int)secrets->items[0].length);
}

/* The first certificate, after all that follow were read too; NULL with the count -1 when one
 * of them is broken. */
static X509 *read_chain(const struct config_secrets *secrets, int *count_out)
{
    BIO *bio = open_pem(secrets);
    X509 *first = NULL;
    int count = 0;
    bool broken = bio == NULL;
    bool asked = false;
    while (!broken) {
        X509 *next = PEM_read_bio_X509(bio, NULL, no_passphrase, &asked);
        if (!next) {
            broken = ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE;
            break;
        }
        if (first)
            X509_free(next);
        else
            first = next;
        count++;
    }
    BIO_free(bio);
    ERR_clear_error();
    if (broken || count == 0) {
        X509_free(first);
        first = NULL;
    }
    *count_out = broken ? -1 : count;
    return first;
}

/* Of a chain that can be read: what OpenSSL's security level refuses, a receiver could not start
 * with. NULL: nothing. */
static const char *refusal_of(const struct config_secrets *secrets)
{
    BIO *bio = open_pem(secrets);
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    X509 *certificate = NULL;
    bool asked = false;
    bool taken = bio != NULL && context != NULL;
    for (int i = 0; taken && (certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, &asked));
         i++) {
        ERR_clear_error();
        taken = (i == 0 ? SSL_CTX_use_certificate(context, certificate)
                        : (int)SSL_CTX_add1_chain_cert(context, certificate)) == 1;
        X509_free(certificate);
    }
    const char *reason = taken ? NULL : ERR_reason_error_string(ERR_peek_last_error());
    SSL_CTX_free(context);
    BIO_free(bio);
    ERR_clear_error();
    return taken || reason ? reason : "refused";
}

static EVP_PKEY *read_key(const struct config_secrets *secrets, bool *encrypted_out)
{
    BIO *bio = open_pem(secrets);
    *encrypted_out = false;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, encrypted_out) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    return key;
}

static void check_times(
    struct config_reader *reader, const struct config_place *place, const X509 *certificate)
{
    struct tm tm;
    char day[32] = "";
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0) {
        if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm))
            strftime(day, sizeof day, "%Y-%m-%d", &tm);
        config_problem(reader, place, "the certificate expired on %s (renew it)", day);
    } else if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
        if (ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &tm))
            strftime(day, sizeof day, "%Y-%m-%d", &tm);
        config_problem(
            reader, place, "the certificate is good from %s on only (check the clock, or wait)",
            day);
    }
}

/* False: there is nothing to look at, which was said before. */
static bool is_there(const struct config_secrets *secrets)
{
    return secrets->count > 0 && secrets->items[0].length > 0;
}

static X509 *check_certificate(
    struct config_reader *reader, const struct config_place *place,
    const struct config_secrets *secrets)
{
    if (!is_there(secrets))
        return NULL;
    int count;
    X509 *certificate = read_chain(secrets, &count);
    if (!certificate)
        config_problem(
            reader, place,
            count < 0 ? "has a broken certificate in it (make the PEM file again)"
                      : "has no certificate in it (name a PEM file with one)");
    return certificate;
}

static void check_strength(
    struct config_reader *reader, const struct config_place *place,
    const struct config_secrets *secrets)
{
    const char *refusal = refusal_of(secrets);
    if (refusal)
        config_problem(
            reader, place,
            "OpenSSL does not take it: %s (make another, of a key of 2048 bits RSA or P-256)",
            refusal);
}

static void check_pair(
    struct config_reader *reader, const struct config_place *key_place,
    const struct config_secrets *private_key, const X509 *certificate)
{
    if (!is_there(private_key))
        return;
    bool encrypted;
    EVP_PKEY *key = read_key(private_key, &encrypted);
    if (!key)
        config_problem(
            reader, key_place,
            encrypted ? "is protected by a passphrase (store it without one)"
                      : "has no private key in it (name a PEM file with one)");
    else if (certificate && X509_check_private_key(certificate, key) != 1)
        config_problem(
            reader, key_place,
            "does not belong to the certificate (name the key that it was made with)");
    ERR_clear_error();
    EVP_PKEY_free(key);
}

void config_finish_tls(struct config_reader *reader, const struct config_place *place, void *target)
{
    struct config_tls *tls = target;
    tls->enabled = true;
    if (!config_looks_around(reader))
        return;
    const struct config_place certificate_place = config_member(place, "certificate");
    X509 *certificate = check_certificate(reader, &certificate_place, &tls->certificate);
    if (certificate) {
        check_times(reader, &certificate_place, certificate);
        check_strength(reader, &certificate_place, &tls->certificate);
    }
    const struct config_place key_place = config_member(place, "private_key");
    check_pair(reader, &key_place, &tls->private_key, certificate);
    X509_free(certificate);
    const struct config_place ca_place = config_member(place, "client_ca");
    X509_free(check_certificate(reader, &ca_place, &tls->client_ca));
}

void config_check_http_tls(
    struct config_reader *reader, const struct config_place *place, const struct config_http *http)
{
    if (!config_looks_around(reader))
        return;
    const struct config_place certificate_place = config_member(place, "certificate_file");
    const struct config_place key_place = config_member(place, "private_key_file");
    const struct config_place ca_place = config_member(place, "ca_file");
    X509 *certificate = check_certificate(reader, &certificate_place, &http->certificate);
    if (certificate) {
        check_times(reader, &certificate_place, certificate);
        check_strength(reader, &certificate_place, &http->certificate);
    }
    check_pair(reader, &key_place, &http->private_key, certificate);
    X509_free(certificate);
    X509_free(check_certificate(reader, &ca_place, &http->ca));
}
