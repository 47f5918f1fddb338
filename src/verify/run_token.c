/* SPDX-License-Identifier: MIT */
/*
 * Run tokens: minted here, verified here, nothing kept in between. The layout is
 * in verify.h. The MAC is looked at before anything that the token claims, so
 * that a stranger's token has one way to fail.
 */
#include "callbackd/verify.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum {
    TOKEN_VERSION = 1,
    EXPIRY_BYTES = 8,
    HEAD_BYTES = 1 + ID_BYTES + EXPIRY_BYTES,
    MAC_BYTES = 32,
    TOKEN_BYTES = HEAD_BYTES + MAC_BYTES,
    ENDPOINT_NAME_MAX = 255
};

static const char mac_purpose[] = "callbackd run-token"; /* signed with its NUL */

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

/* The MAC over purpose, endpoint and head, with a key that can sign for it. -1: OpenSSL failed,
 * for want of memory. */
static int token_mac(
    const struct config_secret *key, const char *endpoint,
    const unsigned char head[static HEAD_BYTES], unsigned char mac_out[static MAC_BYTES])
{
    size_t name_bytes = strlen(endpoint) + 1;
    unsigned char message[sizeof mac_purpose + ENDPOINT_NAME_MAX + 1 + HEAD_BYTES];
    memcpy(message, mac_purpose, sizeof mac_purpose);
    memcpy(message + sizeof mac_purpose, endpoint, name_bytes);
    memcpy(message + sizeof mac_purpose + name_bytes, head, HEAD_BYTES);
    unsigned int length = MAC_BYTES;
    if (!HMAC(
            EVP_sha256(), key->data, (int)key->length, message,
            sizeof mac_purpose + name_bytes + HEAD_BYTES, mac_out, &length))
        return -1;
    return 0;
}

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
    const struct config_secrets *keys, const char *endpoint,
    const unsigned char token[static TOKEN_BYTES], struct error *error)
{
    int fits = 0;
    bool failed = false;
    for (size_t i = 0; i < keys->count; i++) {
        unsigned char mac[MAC_BYTES];
        if (!can_sign(&keys->items[i], endpoint))
            continue;
        if (token_mac(&keys->items[i], endpoint, token, mac) != 0) {
            failed = true;
            continue;
        }
        fits |= CRYPTO_memcmp(mac, token + HEAD_BYTES, MAC_BYTES) == 0;
        OPENSSL_cleanse(mac, sizeof mac);
    }
    if (fits != 0)
        return 0;
    if (failed)
        return error_set(error, ERROR_MEMORY, "no memory to verify a run token");
    return error_set(
        error, ERROR_UNAUTHORIZED, "the run token was not signed for this endpoint by any key");
}

int run_token_verify(
    const struct config_secrets *keys, const char *endpoint, struct bytes token_text, int64_t now_s,
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
