/* SPDX-License-Identifier: MIT */
#include "signing.h"

#include <ctype.h>
#include <inttypes.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <strings.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { SECOND_MS = 1000 };

/* ---- headers ---- */

const char *signing_header(
    const struct verify_request *request, const char *name, struct error *error)
{
    const char *value = request->header(request->context, name);
    if (value && *value != '\0')
        return value;
    error_set(error, ERROR_UNAUTHORIZED, "%s %s", value ? "empty header" : "no header", name);
    return NULL;
}

int signing_keep_id(struct bytes id, struct verify_outcome *outcome, struct error *error)
{
    if (id.length == 0 || id.length > VERIFY_TEXT_MAX)
        return error_set(
            error, ERROR_UNAUTHORIZED, "the delivery id has %zu bytes, 1 to %d are good", id.length,
            VERIFY_TEXT_MAX);
    for (size_t i = 0; i < id.length; i++)
        if (id.data[i] <= ' ' || id.data[i] > '~')
            return error_set(
                error, ERROR_UNAUTHORIZED, "the delivery id has a byte that no id has");
    if (outcome->delivery_id[0] != '\0')
        return 0;
    memcpy(outcome->delivery_id, id.data, id.length);
    outcome->delivery_id[id.length] = '\0';
    return 0;
}

int signing_take_id(
    const struct verify_request *request, const char *header, struct verify_outcome *outcome,
    struct error *error)
{
    const char *value = request->header(request->context, header);
    return value ? signing_keep_id(bytes_of_text(value), outcome, error) : 0;
}

int signing_check_time_ms(int64_t at_ms, int64_t now_ms, int64_t tolerance_ms, struct error *error)
{
    int64_t distance_ms;
    if (__builtin_sub_overflow(now_ms, at_ms, &distance_ms) || distance_ms > tolerance_ms ||
        distance_ms < -tolerance_ms)
        return error_set(
            error, ERROR_UNAUTHORIZED,
            "the timestamp %" PRId64 " is too far from our clock, which says %" PRId64,
            at_ms / SECOND_MS, now_ms / SECOND_MS);
    return 0;
}

int signing_check_time(struct bytes text, int64_t now_ms, int64_t tolerance_ms, struct error *error)
{
    int64_t at_s;
    int64_t at_ms;
    if (!text_parse_int64(text, &at_s) || __builtin_mul_overflow(at_s, SECOND_MS, &at_ms))
        return error_set(
            error, ERROR_UNAUTHORIZED, "the timestamp is not a whole number of seconds");
    return signing_check_time_ms(at_ms, now_ms, tolerance_ms, error);
}

const char *signing_after(const char *value, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncasecmp(value, prefix, length) == 0 ? value + length : NULL;
}

/* ---- signatures ---- */

bool signing_decode(
    struct bytes text, enum config_encoding encoding, size_t length, struct signature *out)
{
    if (length > SIGNATURE_BYTES_MAX)
        return false;
    out->length = length;
    if (encoding == ENCODING_HEX)
        return text_hex_decode(text, out->data, length);
    CLEANUP_BUFFER struct buffer decoded;
    buffer_init(&decoded, SIGNATURE_BYTES_MAX);
    bool good = encoding == ENCODING_BASE64 ? text_base64_decode(text, &decoded)
                                            : text_base64url_decode(text, &decoded);
    if (!good || decoded.length != length)
        return false;
    memcpy(out->data, decoded.data, length);
    return true;
}

static const struct {
    const char *name;
    size_t bytes;
} digests[] = {
    [DIGEST_SHA256] = {"SHA256", 32},
    [DIGEST_SHA1] = {"SHA1", 20},
    [DIGEST_SHA384] = {"SHA384", 48},
    [DIGEST_SHA512] = {"SHA512", 64},
};

/* Contexts that have taken their key in; each verification works on a copy. */
struct hmac_keys {
    EVP_MAC *hmac;
    enum config_digest digest;
    size_t count;
    size_t capacity;
    EVP_MAC_CTX *items[];
};

struct hmac_keys *hmac_keys_empty(size_t capacity, enum config_digest digest, struct error *error)
{
    struct hmac_keys *keys = calloc(1, sizeof *keys + capacity * sizeof(EVP_MAC_CTX *));
    if (keys) {
        keys->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        keys->digest = digest;
        keys->capacity = capacity;
    }
    if (keys && keys->hmac)
        return keys;
    free(keys);
    error_set(error, ERROR_MEMORY, "no memory for keys");
    return NULL;
}

int hmac_keys_add(struct hmac_keys *keys, struct bytes key, struct error *error)
{
    char digest[8];
    text_copy_cut(digests[keys->digest].name, digest, sizeof digest);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = keys->count < keys->capacity ? EVP_MAC_CTX_new(keys->hmac) : NULL;
    if (!context || EVP_MAC_init(context, key.data, key.length, parameters) != 1) {
        EVP_MAC_CTX_free(context);
        return error_set(error, ERROR_MEMORY, "no memory for a key");
    }
    keys->items[keys->count++] = context;
    return 0;
}

struct hmac_keys *hmac_keys_new(
    const struct config_secrets *secrets, enum config_digest digest, struct error *error)
{
    struct hmac_keys *keys = hmac_keys_empty(secrets->count, digest, error);
    for (size_t i = 0; keys && i < secrets->count; i++) {
        struct bytes key = bytes_of(secrets->items[i].data, secrets->items[i].length);
        if (key.length > 0 && hmac_keys_add(keys, key, error) != 0) {
            hmac_keys_free(keys);
            return NULL;
        }
    }
    return keys;
}

void hmac_keys_free(struct hmac_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++)
        EVP_MAC_CTX_free(keys->items[i]);
    EVP_MAC_free(keys->hmac);
    free(keys);
}

size_t hmac_keys_size(const struct hmac_keys *keys)
{
    return digests[keys->digest].bytes;
}

static bool make_mac(
    const EVP_MAC_CTX *key, const struct bytes *parts, size_t count, struct signature *mac_out)
{
    EVP_MAC_CTX *context = EVP_MAC_CTX_dup(key);
    bool good = context != NULL;
    for (size_t i = 0; good && i < count; i++)
        good = parts[i].length == 0 || EVP_MAC_update(context, parts[i].data, parts[i].length) == 1;
    good =
        good && EVP_MAC_final(context, mac_out->data, &mac_out->length, SIGNATURE_BYTES_MAX) == 1;
    EVP_MAC_CTX_free(context);
    return good;
}

int hmac_keys_check(
    const struct hmac_keys *keys, const struct bytes *parts, size_t part_count,
    const struct signature *signatures, size_t signature_count, struct error *error)
{
    struct signature mac = {.length = 0};
    unsigned fits = 0;
    bool failed = false;
    for (size_t i = 0; i < keys->count; i++) {
        if (!make_mac(keys->items[i], parts, part_count, &mac)) {
            failed = true;
            continue;
        }
        for (size_t j = 0; j < signature_count; j++)
            if (signatures[j].length == mac.length)
                fits |= CRYPTO_memcmp(signatures[j].data, mac.data, mac.length) == 0;
    }
    OPENSSL_cleanse(&mac, sizeof mac);
    if (fits)
        return 0;
    /* That a MAC cannot be made, for want of memory, is no verdict on the post. */
    if (failed)
        return error_set(error, ERROR_MEMORY, "no memory to verify a signature");
    return error_set(error, ERROR_UNAUTHORIZED, "the signature was not made by any secret");
}

/* Digests are compared, so that neither content nor length shows in the time. */
int signing_check_secret(
    const struct config_secrets *secrets, struct bytes given, struct error *error)
{
    static const unsigned char nothing = 0;
    unsigned char sought[SHA256_DIGEST_LENGTH];
    unsigned char known[SHA256_DIGEST_LENGTH];
    unsigned fits = 0;
    SHA256(given.length > 0 ? given.data : &nothing, given.length, sought);
    for (size_t i = 0; i < secrets->count; i++) {
        if (secrets->items[i].length == 0)
            continue;
        SHA256(secrets->items[i].data, secrets->items[i].length, known);
        fits |= CRYPTO_memcmp(sought, known, sizeof known) == 0;
    }
    OPENSSL_cleanse(known, sizeof known);
    OPENSSL_cleanse(sought, sizeof sought);
    return fits ? 0 : error_set(error, ERROR_UNAUTHORIZED, "not one of the secrets");
}
