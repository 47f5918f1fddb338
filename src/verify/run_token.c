/* SPDX-License-Identifier: MIT */
/*
 * Run tokens: minted here, verified here, nothing kept in between. The layout is
 * in verify.h. The MAC is looked at before anything that the token claims, so
 * that a stranger's token has one way to fail.
 */
#include "callbackd/verify.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum {
    TOKEN_VERSION = 1,
    EXPIRY_BYTES = 8,
    HEAD_BYTES = 1 + ID_BYTES + EXPIRY_BYTES,
    MAC_BYTES = 32,
    TOKEN_BYTES = HEAD_BYTES + MAC_BYTES,
    ENDPOINT_NAME_MAX = 255,
    PURPOSE_BYTES = 20,
    SIGNED_MAX = PURPOSE_BYTES + ENDPOINT_NAME_MAX + 1 + HEAD_BYTES
};

static const char mac_purpose[PURPOSE_BYTES] = "callbackd run-token"; /* signed with its NUL */

static void store_u64(uint64_t value, unsigned char out[static EXPIRY_BYTES])
{
    for (int i = EXPIRY_BYTES - 1; i >= 0; i--) {
        out[i] = (unsigned char)(value & 0xff);
        value >>= 8;
    }
}

static uint64_t load_u64(const unsigned char in[static EXPIRY_BYTES])
{
    uint64_t value = 0;
    for (int i = 0; i < EXPIRY_BYTES; i++)
        value = value << 8 | in[i];
    return value;
}

static bool can_sign(const struct config_secret *key, const char *endpoint)
{
    return key->length > 0 && key->length <= INT_MAX && strlen(endpoint) <= ENDPOINT_NAME_MAX;
}

/* What is signed: purpose, endpoint (whose name is not too long) and head. Returns its size. */
static size_t compose_signed(
    const char *endpoint, const unsigned char head[static HEAD_BYTES],
    unsigned char out[static SIGNED_MAX])
{
    size_t name_bytes = strlen(endpoint) + 1;
    memcpy(out, mac_purpose, sizeof mac_purpose);
    memcpy(out + sizeof mac_purpose, endpoint, name_bytes);
    memcpy(out + sizeof mac_purpose + name_bytes, head, HEAD_BYTES);
    return sizeof mac_purpose + name_bytes + HEAD_BYTES;
}

/* With a key that can sign for the endpoint. -1: OpenSSL failed, for want of memory. */
static int token_mac(
    const struct config_secret *key, const char *endpoint,
    const unsigned char head[static HEAD_BYTES], unsigned char mac_out[static MAC_BYTES])
{
    unsigned char message[SIGNED_MAX];
    size_t size = compose_signed(endpoint, head, message);
    unsigned int length = MAC_BYTES;
    if (!HMAC(EVP_sha256(), key->data, (int)key->length, message, size, mac_out, &length))
        return -1;
    return 0;
}

/* ---- keys made ready ---- */

/* Contexts that have taken their key in; each verification works on a copy. Looking the
 * algorithm up and taking in the key anew would be two thirds of a verification. */
struct run_token_keys {
    EVP_MAC *hmac;
    size_t count;
    EVP_MAC_CTX *items[];
};

static EVP_MAC_CTX *keyed_context(EVP_MAC *hmac, const struct config_secret *key)
{
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);
    if (context && EVP_MAC_init(context, key->data, key->length, parameters) == 1)
        return context;
    EVP_MAC_CTX_free(context);
    return NULL;
}

struct run_token_keys *run_token_keys_new(const struct config_secrets *secrets, struct error *error)
{
    struct run_token_keys *keys = calloc(1, sizeof *keys + secrets->count * sizeof(EVP_MAC_CTX *));
    if (keys)
        keys->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    bool good = keys && keys->hmac;
    for (size_t i = 0; good && i < secrets->count; i++) {
        /* An empty one is a key that was not handed to this process. */
        if (!can_sign(&secrets->items[i], ""))
            continue;
        keys->items[keys->count] = keyed_context(keys->hmac, &secrets->items[i]);
        good = keys->items[keys->count++] != NULL;
    }
    if (good)
        return keys;
    run_token_keys_free(keys);
    error_set(error, ERROR_MEMORY, "no memory for the keys of run tokens");
    return NULL;
}

void run_token_keys_free(struct run_token_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++)
        EVP_MAC_CTX_free(keys->items[i]);
    EVP_MAC_free(keys->hmac);
    free(keys);
}

static bool keyed_mac(
    const EVP_MAC_CTX *key, const unsigned char *message, size_t size,
    unsigned char mac_out[static MAC_BYTES])
{
    size_t length = 0;
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(key);
    bool good = context && EVP_MAC_update(context, message, size) == 1 &&
                EVP_MAC_final(context, mac_out, &length, MAC_BYTES) == 1 && length == MAC_BYTES;
    EVP_MAC_CTX_free(context);
    return good;
}

/* ---- tokens ---- */

int run_token_mint(
    const struct config_secrets *keys, const char *endpoint, const struct id *run,
    int64_t expires_at_s, char out[static RUN_TOKEN_TEXT_BYTES], struct error *error)
{
    /* An empty key is one that was not handed to this process: anybody could sign with it. */
    if (keys->count == 0 || keys->items[0].length == 0)
        return error_set(error, ERROR_CONFIG, "no key to sign run tokens (set run_token.key_file)");
    if (expires_at_s < 0)
        return error_set(error, ERROR_INVALID, "a run token cannot expire before 1970");
    unsigned char token[TOKEN_BYTES];
    token[0] = TOKEN_VERSION;
    memcpy(token + 1, run->bytes, ID_BYTES);
    store_u64((uint64_t)expires_at_s, token + 1 + ID_BYTES);
    if (!can_sign(&keys->items[0], endpoint))
        return error_set(error, ERROR_INTERNAL, "cannot sign a run token for this endpoint");
    if (token_mac(&keys->items[0], endpoint, token, token + HEAD_BYTES) != 0)
        return error_set(error, ERROR_MEMORY, "no memory to sign a run token");
    struct buffer text;
    buffer_init_secret(&text, RUN_TOKEN_TEXT_LENGTH);
    int result = text_base64url_encode(bytes_of(token, sizeof token), &text);
    if (result == 0)
        memcpy(out, buffer_text(&text), RUN_TOKEN_TEXT_BYTES);
    else
        error_set(error, ERROR_MEMORY, "memory is short");
    buffer_fini(&text);
    return result;
}

static int token_decode(
    struct bytes text, unsigned char token_out[static TOKEN_BYTES], struct error *error)
{
    CLEANUP_BUFFER struct buffer raw;
    buffer_init(&raw, TOKEN_BYTES);
    if (buffer_reserve(&raw, TOKEN_BYTES) != 0)
        return error_set(error, ERROR_MEMORY, "no memory to look at a run token");
    if (text.length != RUN_TOKEN_TEXT_LENGTH || !text_base64url_decode(text, &raw) ||
        raw.length != TOKEN_BYTES)
        return error_set(error, ERROR_UNAUTHORIZED, "not a run token: malformed");
    memcpy(token_out, raw.data, TOKEN_BYTES);
    return 0;
}

/* Every key is tried even after one fitted: the time taken says nothing about which. That a MAC
 * cannot be made, for want of memory, is no verdict on the token. */
static int find_signing_key(
    const struct run_token_keys *keys, const char *endpoint,
    const unsigned char token[static TOKEN_BYTES], struct error *error)
{
    unsigned char message[SIGNED_MAX];
    unsigned char mac[MAC_BYTES] = {0};
    bool named = strlen(endpoint) <= ENDPOINT_NAME_MAX;
    size_t size = named ? compose_signed(endpoint, token, message) : 0;
    int fits = 0;
    bool failed = false;
    for (size_t i = 0; named && i < keys->count; i++) {
        if (keyed_mac(keys->items[i], message, size, mac))
            fits |= CRYPTO_memcmp(mac, token + HEAD_BYTES, MAC_BYTES) == 0;
        else
            failed = true;
    }
    OPENSSL_cleanse(mac, sizeof mac);
    if (fits != 0)
        return 0;
    if (failed)
        return error_set(error, ERROR_MEMORY, "no memory to verify a run token");
    return error_set(
        error, ERROR_UNAUTHORIZED, "the run token was not signed for this endpoint by any key");
}

int run_token_check(
    const struct run_token_keys *keys, const char *endpoint, struct bytes token_text, int64_t now_s,
    struct id *run_out, struct error *error)
{
    unsigned char token[TOKEN_BYTES] = {0};
    if (token_text.length == 0)
        return error_set(error, ERROR_UNAUTHORIZED, "no run token in the path");
    if (token_decode(token_text, token, error) != 0 ||
        find_signing_key(keys, endpoint, token, error) != 0)
        return -1;
    if (token[0] != TOKEN_VERSION)
        return error_set(
            error, ERROR_UNAUTHORIZED, "the run token is of unknown version %d", token[0]);
    uint64_t expires_at_s = load_u64(token + 1 + ID_BYTES);
    if ((uint64_t)(now_s < 0 ? 0 : now_s) >= expires_at_s)
        return error_set(
            error, ERROR_UNAUTHORIZED, "the run token expired at %llu, it is %lld now",
            (unsigned long long)expires_at_s, (long long)now_s);
    memcpy(run_out->bytes, token + 1, ID_BYTES);
    return 0;
}

int run_token_verify(
    const struct config_secrets *secrets, const char *endpoint, struct bytes token, int64_t now_s,
    struct id *run_out, struct error *error)
{
    struct run_token_keys *keys = run_token_keys_new(secrets, error);
    if (!keys)
        return -1;
    int result = run_token_check(keys, endpoint, token, now_s, run_out, error);
    run_token_keys_free(keys);
    return result;
}

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return b < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

int64_t run_token_expiry(int64_t now_ms, int64_t lifetime_ms, int64_t deadline_ms)
{
    const int64_t day_ms = INT64_C(24) * 60 * 60 * 1000;
    int64_t expiry_ms = add_saturated(now_ms, lifetime_ms);
    int64_t after_deadline_ms = deadline_ms == 0 ? 0 : add_saturated(deadline_ms, day_ms);
    if (after_deadline_ms > expiry_ms)
        expiry_ms = after_deadline_ms;
    /* Rounded up: never shorter than promised. */
    return expiry_ms / 1000 + (expiry_ms % 1000 > 0);
}

int run_token_url(const char *public_url, const char *path, const char *token, struct buffer *out)
{
    buffer_append_text(out, public_url);
    buffer_append_text(out, path);
    buffer_append_char(out, '/');
    return buffer_append_text(out, token);
}
