/* SPDX-License-Identifier: MIT */
#include "webhook_signature.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { MAC_BYTES = 32 };

static int decode_key(const struct config_secret *secret, struct buffer *key, struct error *error)
{
    static const char prefix[] = "whsec_";
    struct bytes text = bytes_of(secret->data, secret->length);
    if (text.length >= strlen(prefix) && memcmp(text.data, prefix, strlen(prefix)) == 0)
        text = bytes_of(text.data + strlen(prefix), text.length - strlen(prefix));
    if (text_base64_decode(text, key) && key->length > 0)
        return 0;
    return error_set(error, ERROR_CONFIG, "a secret to sign with is not base64");
}

static bool make_mac(
    EVP_MAC_CTX *context, struct bytes key, const struct bytes *parts, size_t count,
    unsigned char out[MAC_BYTES])
{
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end()};
    size_t length = 0;
    bool good = EVP_MAC_init(context, key.data, key.length, parameters) == 1;
    for (size_t i = 0; good && i < count; i++)
        good = EVP_MAC_update(context, parts[i].data, parts[i].length) == 1;
    return good && EVP_MAC_final(context, out, &length, MAC_BYTES) == 1 && length == MAC_BYTES;
}

static int append_signature(
    EVP_MAC_CTX *context, const struct config_secret *secret, const struct bytes *parts,
    size_t count, struct buffer *out, struct error *error)
{
    unsigned char mac[MAC_BYTES];
    CLEANUP_BUFFER struct buffer key;
    buffer_init_secret(&key, secret->length);
    if (decode_key(secret, &key, error) != 0)
        return -1;
    if (!make_mac(context, buffer_bytes(&key), parts, count, mac))
        return error_set(error, ERROR_MEMORY, "memory is short for a signature");
    buffer_append_text(out, out->length > 0 ? " v1," : "v1,");
    text_base64_encode(bytes_of(mac, sizeof mac), out);
    return buffer_failed(out) ? error_set(error, ERROR_CONFIG, "there are too many secrets") : 0;
}

int webhook_sign(
    const struct config_secrets *secrets, const char *id, const char *timestamp, struct bytes body,
    struct buffer *out, struct error *error)
{
    const struct bytes parts[] = {
        bytes_of_text(id), bytes_of_text("."), bytes_of_text(timestamp), bytes_of_text("."), body};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    int result = context ? 0 : error_set(error, ERROR_MEMORY, "memory is short for a signature");
    for (size_t i = 0; result == 0 && i < secrets->count; i++)
        result = append_signature(
            context, &secrets->items[i], parts, sizeof parts / sizeof parts[0], out, error);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(hmac);
    return result;
}
