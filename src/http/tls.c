/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

static const char cipher_list[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
enum { SESSION_CONTEXT_BYTES = 16 };

/* `what` and the reason of OpenSSL's newest error; forgets all errors. */
static int fail(struct error *error, const char *what)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    error_set(error, ERROR_CONFIG, "%s: %s", what, reason ? reason : "refused by OpenSSL");
    ERR_clear_error();
    return -1;
}

/* Without this, OpenSSL would ask on the terminal. NOLINTNEXTLINE(*-non-const-parameter) */
static int no_passphrase(char *out, int size, int writing, void *context)
{
    (void)out, (void)size, (void)writing, (void)context;
    return -1;
}

static BIO *bio_open(struct bytes pem)
{
    return pem.length <= INT_MAX ? BIO_new_mem_buf(pem.data, (int)pem.length) : NULL;
}

static bool reached_end_of_pem(void)
{
    unsigned long code = ERR_peek_last_error();
    if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
        return false;
    ERR_clear_error();
    return true;
}

static int use_certificates(SSL_CTX *context, BIO *pem)
{
    X509 *certificate = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL);
    if (!certificate)
        return -1;
    int ok = SSL_CTX_use_certificate(context, certificate);
    X509_free(certificate);
    while (ok == 1 && (certificate = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL))) {
        ok = (int)SSL_CTX_add1_chain_cert(context, certificate);
        X509_free(certificate);
    }
    return ok == 1 && reached_end_of_pem() ? 0 : -1;
}

static int use_key(SSL_CTX *context, BIO *pem)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, no_passphrase, NULL);
    if (!key)
        return -1;
    int ok = SSL_CTX_use_PrivateKey(context, key);
    EVP_PKEY_free(key);
    return ok == 1 ? 0 : -1;
}

static int use_client_ca(SSL_CTX *context, BIO *pem)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    X509 *certificate = NULL;
    int ok = 1;
    int count = 0;
    while (ok == 1 && (certificate = PEM_read_bio_X509(pem, NULL, no_passphrase, NULL))) {
        ok = X509_STORE_add_cert(store, certificate) == 1 &&
             SSL_CTX_add_client_CA(context, certificate) == 1;
        X509_free(certificate);
        count++;
    }
    if (ok != 1 || count == 0 || !reached_end_of_pem())
        return -1;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return 0;
}

static int use_pem(
    SSL_CTX *context, struct bytes pem, int (*use)(SSL_CTX *, BIO *), const char *what,
    struct error *error)
{
    BIO *bio = bio_open(pem);
    if (!bio)
        return error_set(error, ERROR_MEMORY, "%s: out of memory", what);
    int failed = use(context, bio);
    BIO_free(bio);
    return failed ? fail(error, what) : 0;
}

static int select_protocol(
    SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *in,
    unsigned int in_length, void *context)
{
    (void)ssl, (void)context;
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_length, ours, sizeof(ours) - 1, in, in_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int set_policy(SSL_CTX *context)
{
    SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                     SSL_OP_PRIORITIZE_CHACHA);
    /* HTTP knows where a message ends. An end without a close_notify, our own at a stop among them,
     * is answered by one, and not by an alert that says "decode error". */
    SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* An idle connection needs no buffers; there may be a thousand. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    /* A read ends with each record, also with one that brings no data: a peer that sends such ones
     * without a pause meets its deadline, and others are served meanwhile. */
    SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    /* Resumption is by ticket; nothing is kept here. The id is needed with client
     * certificates, or resuming fails. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_alpn_select_cb(context, select_protocol, NULL);
    /* A session ends with the settings that it was made under: it would not look at a client's
     * certificate again. */
    unsigned char session_context[SESSION_CONTEXT_BYTES];
    os_random(session_context, sizeof(session_context));
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
                   SSL_CTX_set_cipher_list(context, cipher_list) == 1 &&
                   SSL_CTX_set_session_id_context(
                       context, session_context, sizeof(session_context)) == 1
               ? 0
               : -1;
}

static int set_up(SSL_CTX *context, const struct http_tls *tls, struct error *error)
{
    if (set_policy(context))
        return fail(error, "TLS settings");
    if (use_pem(context, tls->certificate, use_certificates, "TLS certificate", error) ||
        use_pem(context, tls->private_key, use_key, "TLS private key", error))
        return -1;
    if (SSL_CTX_check_private_key(context) != 1)
        return fail(error, "TLS private key");
    if (tls->client_ca.length == 0)
        return 0;
    return use_pem(context, tls->client_ca, use_client_ca, "TLS client CA", error);
}

SSL_CTX *tls_context_create(const struct http_tls *tls, struct error *error)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) {
        (void)fail(error, "TLS");
        return NULL;
    }
    if (set_up(context, tls, error)) {
        SSL_CTX_free(context);
        return NULL;
    }
    return context;
}

static bool append_subject(X509 *certificate, struct buffer *subject)
{
    BIO *text = BIO_new(BIO_s_mem());
    if (!text)
        return false;
    bool ok = X509_NAME_print_ex(text, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0;
    char *data = NULL;
    long length = BIO_get_mem_data(text, &data);
    ok = ok && length >= 0 && buffer_append(subject, data, (size_t)length) == 0;
    BIO_free(text);
    return ok;
}

bool tls_describe_certificate(
    X509 *certificate, struct buffer *subject, char fingerprint_out[static HTTP_FINGERPRINT_BYTES])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &length) != 1 ||
        2 * (size_t)length + 1 != HTTP_FINGERPRINT_BYTES || !append_subject(certificate, subject)) {
        ERR_clear_error();
        return false;
    }
    text_hex_encode(bytes_of(digest, length), fingerprint_out);
    return true;
}
