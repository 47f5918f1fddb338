/* SPDX-License-Identifier: MIT */
/*
 * "standard-webhooks" (standardwebhooks.com): over "<id>.<timestamp>.<body>", v1 is HMAC-SHA256
 * with the bytes that follow whsec_ in base64, v1a is Ed25519 with the public key after whpk_.
 * Which of the two, the kind of secret decides. Svix' older names of the headers are taken too.
 */
#include "scheme_keys.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { KEY_TEXT_MAX = 4096, PUBLIC_KEY_BYTES = 32, ED25519_BYTES = 64, MAC_BYTES = 32 };

struct webhook_state {
    struct hmac_keys *keys;
    const struct config_verify *options;
    size_t public_count;
    EVP_PKEY *public_keys[];
};

/* ---- keys ---- */

static int add_key(struct webhook_state *state, struct bytes secret, struct error *error)
{
    static const char hmac_prefix[] = "whsec_";
    static const char public_prefix[] = "whpk_";
    CLEANUP_BUFFER struct buffer text;
    CLEANUP_BUFFER struct buffer key;
    buffer_init_secret(&text, KEY_TEXT_MAX);
    buffer_init_secret(&key, KEY_TEXT_MAX);
    if (buffer_append_bytes(&text, secret) != 0)
        return error_set(error, ERROR_CONFIG, "a secret is longer than %d bytes", KEY_TEXT_MAX);
    const char *encoded = buffer_text(&text);
    bool is_public = strncmp(encoded, public_prefix, strlen(public_prefix)) == 0;
    if (is_public)
        encoded += strlen(public_prefix);
    else if (strncmp(encoded, hmac_prefix, strlen(hmac_prefix)) == 0)
        encoded += strlen(hmac_prefix);
    if (!text_base64_decode(bytes_of_text(encoded), &key) || key.length == 0)
        return error_set(error, ERROR_CONFIG, "a secret is not base64");
    if (!is_public)
        return hmac_keys_add(state->keys, buffer_bytes(&key), error);
    EVP_PKEY *made = key.length == PUBLIC_KEY_BYTES
                         ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key.data, key.length)
                         : NULL;
    if (!made)
        return error_set(error, ERROR_CONFIG, "a public key is not one of Ed25519");
    state->public_keys[state->public_count++] = made;
    return 0;
}

int scheme_standard_webhooks_open(
    const struct scheme_setup *setup, void **state_out, struct error *error)
{
    const struct config_secrets *secrets = &setup->options->secret;
    struct webhook_state *state = calloc(1, sizeof *state + secrets->count * sizeof(EVP_PKEY *));
    if (!state)
        return error_set(error, ERROR_MEMORY, "memory is short");
    state->options = setup->options;
    state->keys = hmac_keys_empty(secrets->count, DIGEST_SHA256, error);
    bool good = state->keys != NULL;
    for (size_t i = 0; good && i < secrets->count; i++)
        if (secrets->items[i].length > 0)
            good =
                add_key(state, bytes_of(secrets->items[i].data, secrets->items[i].length), error) ==
                0;
    if (!good) {
        scheme_standard_webhooks_close(state);
        return -1;
    }
    *state_out = state;
    return 0;
}

void scheme_standard_webhooks_close(void *opaque)
{
    struct webhook_state *state = opaque;
    if (!state)
        return;
    for (size_t i = 0; i < state->public_count; i++)
        EVP_PKEY_free(state->public_keys[i]);
    hmac_keys_free(state->keys);
    free(state);
}

/* ---- headers ---- */

struct webhook_headers {
    const char *id;
    const char *time;
    const char *signatures;
};

/* All three of one family; the newer one where there are both. */
static int find_headers(
    const struct verify_request *request, struct webhook_headers *out, struct error *error)
{
    bool svix = !request->header(request->context, "webhook-id") &&
                request->header(request->context, "svix-id");
    out->id = signing_header(request, svix ? "svix-id" : "webhook-id", error);
    out->time = out->id
                    ? signing_header(request, svix ? "svix-timestamp" : "webhook-timestamp", error)
                    : NULL;
    out->signatures =
        out->time ? signing_header(request, svix ? "svix-signature" : "webhook-signature", error)
                  : NULL;
    if (!out->signatures)
        return -1;
    /* It parts what is signed: with one inside, two posts could have the same signed text. */
    if (strchr(out->id, '.'))
        return error_set(error, ERROR_UNAUTHORIZED, "the id has a full stop in it");
    return 0;
}

int scheme_standard_webhooks_check_head(
    const void *opaque, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    const struct webhook_state *state = opaque;
    struct webhook_headers headers;
    if (find_headers(request, &headers, error) != 0 ||
        signing_check_time(
            bytes_of_text(headers.time), request->now_ms, state->options->tolerance_ms, error) != 0)
        return -1;
    return signing_keep_id(bytes_of_text(headers.id), outcome, error);
}

struct webhook_signatures {
    struct signature v1[SIGNATURES_MAX];
    size_t v1_count;
    struct signature v1a[SIGNATURES_MAX];
    size_t v1a_count;
};

/* Entries of other versions, and what is no signature, are passed over. */
static int parse_signatures(const char *text, struct webhook_signatures *out, struct error *error)
{
    size_t entries = 0;
    out->v1_count = out->v1a_count = 0;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        size_t length = strcspn(text, " ");
        if (entries++ == SIGNATURES_MAX)
            return error_set(error, ERROR_UNAUTHORIZED, "too many signatures");
        if (length > 3 && memcmp(text, "v1,", 3) == 0)
            out->v1_count += signing_decode(
                bytes_of(text + 3, length - 3), ENCODING_BASE64, MAC_BYTES,
                &out->v1[out->v1_count]);
        else if (length > 4 && memcmp(text, "v1a,", 4) == 0)
            out->v1a_count += signing_decode(
                bytes_of(text + 4, length - 4), ENCODING_BASE64, ED25519_BYTES,
                &out->v1a[out->v1a_count]);
        text += length;
    }
    if (out->v1_count + out->v1a_count == 0)
        return error_set(error, ERROR_UNAUTHORIZED, "no signature of version v1 or v1a");
    return 0;
}

/* ---- v1a ---- */

static bool verifies(EVP_PKEY *key, const struct signature *signature, struct bytes message)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(
                    context, signature->data, signature->length, message.data, message.length) == 1;
    EVP_MD_CTX_free(context);
    return good;
}

/* Ed25519 takes its message whole. Nothing here is secret. */
static int check_public(
    const struct webhook_state *state, const struct webhook_signatures *signatures,
    const struct bytes *parts, size_t count, struct error *error)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += parts[i].length;
    CLEANUP_BUFFER struct buffer message;
    buffer_init(&message, size);
    for (size_t i = 0; i < count; i++)
        buffer_append_bytes(&message, parts[i]);
    if (buffer_failed(&message))
        return error_set(error, ERROR_MEMORY, "no memory to verify a signature");
    for (size_t i = 0; i < state->public_count; i++)
        for (size_t j = 0; j < signatures->v1a_count; j++)
            if (verifies(state->public_keys[i], &signatures->v1a[j], buffer_bytes(&message)))
                return 0;
    return error_set(error, ERROR_UNAUTHORIZED, "the signature was not made by any secret");
}

int scheme_standard_webhooks_check_body(
    const void *opaque, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error)
{
    const struct webhook_state *state = opaque;
    struct webhook_headers headers;
    struct webhook_signatures signatures;
    if (find_headers(request, &headers, error) != 0 ||
        parse_signatures(headers.signatures, &signatures, error) != 0)
        return -1;
    const struct bytes parts[] = {
        bytes_of_text(headers.id), bytes_of_text("."), bytes_of_text(headers.time),
        bytes_of_text("."), body};
    outcome->variant = "v1";
    if (signatures.v1_count > 0 &&
        hmac_keys_check(state->keys, parts, 5, signatures.v1, signatures.v1_count, error) == 0)
        return 0;
    outcome->variant = "v1a";
    if (signatures.v1a_count > 0 && state->public_count > 0)
        return check_public(state, &signatures, parts, 5, error);
    if (signatures.v1_count == 0)
        return error_set(error, ERROR_UNAUTHORIZED, "no public key to verify v1a with");
    return -1;
}
