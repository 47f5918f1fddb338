/* SPDX-License-Identifier: MIT */
/* State of the schemes that need HMAC keys and their options, and nothing else. */
#include "scheme_keys.h"

#include <stdlib.h>

static int open_keys(
    const struct scheme_setup *setup, enum config_digest digest, void **state_out,
    struct error *error)
{
    struct scheme_keys *state = calloc(1, sizeof *state);
    if (!state)
        return error_set(error, ERROR_MEMORY, "memory is short");
    state->options = setup->options;
    state->public_url = setup->config->public_url ? setup->config->public_url : "";
    state->keys = hmac_keys_new(&setup->options->secret, digest, error);
    if (!state->keys) {
        free(state);
        return -1;
    }
    *state_out = state;
    return 0;
}

int scheme_keys_open(const struct scheme_setup *setup, void **state_out, struct error *error)
{
    return open_keys(setup, DIGEST_SHA256, state_out, error);
}

int scheme_keys_open_sha1(const struct scheme_setup *setup, void **state_out, struct error *error)
{
    return open_keys(setup, DIGEST_SHA1, state_out, error);
}

int scheme_keys_open_any(const struct scheme_setup *setup, void **state_out, struct error *error)
{
    return open_keys(setup, setup->options->algorithm, state_out, error);
}

void scheme_keys_close(void *opaque)
{
    struct scheme_keys *state = opaque;
    if (!state)
        return;
    hmac_keys_free(state->keys);
    free(state);
}

int scheme_keys_check(
    const struct scheme_keys *state, struct bytes signature_text, enum config_encoding encoding,
    const struct bytes *parts, size_t part_count, struct error *error)
{
    struct signature signature;
    if (!signing_decode(signature_text, encoding, hmac_keys_size(state->keys), &signature))
        return error_set(
            error, ERROR_UNAUTHORIZED, "the signature is not %zu bytes in %s",
            hmac_keys_size(state->keys), encoding == ENCODING_HEX ? "hex" : "base64");
    return hmac_keys_check(state->keys, parts, part_count, &signature, 1, error);
}

int scheme_options_open(const struct scheme_setup *setup, void **state_out, struct error *error)
{
    struct scheme_options *state = malloc(sizeof *state);
    if (!state)
        return error_set(error, ERROR_MEMORY, "memory is short");
    state->config = setup->options;
    *state_out = state;
    return 0;
}

void scheme_options_close(void *state)
{
    free(state);
}
