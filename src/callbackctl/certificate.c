/* SPDX-License-Identifier: MIT */
#include "certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum {
    SERIAL_BYTES = 16,
    VALID_DAYS = 825, /* the longest that all TLS clients accept */
    CLOCK_SKEW_S = 3600,
    ALT_NAME_BYTES = 1024
};

static int tls_error(struct error *error, const char *doing)
{
    char reason[160];
    ERR_error_string_n(ERR_get_error(), reason, sizeof(reason));
    ERR_clear_error();
    return error_set(error, ERROR_INTERNAL, "%s: %s", doing, reason);
}

static bool is_numeric_address(const char *host)
{
    unsigned char address[16];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

static bool is_loopback_name(const char *host)
{
    return !host || bytes_equal_text(bytes_of_text(host), "localhost") ||
           bytes_equal_text(bytes_of_text(host), "127.0.0.1") ||
           bytes_equal_text(bytes_of_text(host), "::1");
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool added = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return added;
}

static bool add_extensions(X509 *certificate, const char *host)
{
    CLEANUP_BUFFER struct buffer names;
    buffer_init(&names, ALT_NAME_BYTES);
    buffer_append_text(&names, "DNS:localhost,IP:127.0.0.1,IP:::1");
    if (!is_loopback_name(host))
        buffer_appendf(&names, ",%s:%s", is_numeric_address(host) ? "IP" : "DNS", host);
    return !buffer_failed(&names) &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, NID_subject_alt_name, buffer_text(&names));
}

static bool set_serial(X509 *certificate)
{
    unsigned char random[SERIAL_BYTES];
    os_random(random, sizeof(random));
    random[0] &= 0x7f; /* positive, so 16 bytes are enough */
    BIGNUM *number = BN_bin2bn(random, sizeof(random), NULL);
    bool set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return set;
}

/* Self-signed: subject and issuer are the same. */
static bool set_names(X509 *certificate, const char *host)
{
    /* A common name is at most 64 characters; clients look at the alternative names alone. */
    const char *common = host && bytes_of_text(host).length <= 64 ? host : "localhost";
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_txt(
               name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1;
}

static bool fill(X509 *certificate, EVP_PKEY *key, const char *host)
{
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -CLOCK_SKEW_S) &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), VALID_DAYS, 0, NULL) &&
           X509_set_pubkey(certificate, key) == 1 && set_names(certificate, host) &&
           add_extensions(certificate, host) && X509_sign(certificate, key, EVP_sha256()) > 0;
}

static bool append_pem(BIO *memory, struct buffer *out)
{
    char *data = NULL;
    long length = BIO_get_mem_data(memory, &data);
    return length > 0 && buffer_append(out, data, (size_t)length) == 0;
}

static bool write_pem(
    X509 *certificate, EVP_PKEY *key, struct buffer *certificate_out, struct buffer *key_out)
{
    BIO *certificate_pem = BIO_new(BIO_s_mem());
    BIO *key_pem = BIO_new(BIO_s_secmem());
    bool written = certificate_pem && key_pem &&
                   PEM_write_bio_X509(certificate_pem, certificate) == 1 &&
                   PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                   append_pem(certificate_pem, certificate_out) && append_pem(key_pem, key_out);
    BIO_free(certificate_pem);
    BIO_free(key_pem);
    return written;
}

int certificate_make(
    const char *host, struct buffer *certificate_out, struct buffer *key_out, struct error *error)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    int result = 0;
    if (!key || !certificate)
        result = tls_error(error, "cannot make a key");
    else if (!fill(certificate, key, host))
        result = tls_error(error, "cannot make a certificate");
    else if (!write_pem(certificate, key, certificate_out, key_out))
        result = tls_error(error, "cannot write a certificate");
    X509_free(certificate);
    EVP_PKEY_free(key);
    return result;
}
