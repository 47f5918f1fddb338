/* SPDX-License-Identifier: MIT */
/*
 * "promptlayer": X-PromptLayer-Signature: hex of HMAC-SHA256 over the payload that the sender
 * serialised, which is not the body that it posted. Its documentation shows two verifiers that
 * disagree about most bodies, so each form is tried: Python's, JavaScript's, the body itself.
 */
#include "scheme_keys.h"

#include <pthread.h>
#include <stdlib.h>

#include "callbackd/canonical.h"
#include "callbackd/fibers.h"
#include "callbackd/os.h"

struct promptlayer_state {
    struct hmac_keys *keys;
    /* Rebuilding takes many times the body's memory, and strangers can ask for it: one at a time.
     */
    pthread_mutex_t rebuilding;
};

int scheme_promptlayer_open(const struct scheme_setup *setup, void **state_out, struct error *error)
{
    struct promptlayer_state *state = calloc(1, sizeof *state);
    if (!state)
        return error_set(error, ERROR_MEMORY, "memory is short");
    state->keys = hmac_keys_new(&setup->options->secret, DIGEST_SHA256, error);
    if (!state->keys || pthread_mutex_init(&state->rebuilding, NULL) != 0) {
        hmac_keys_free(state->keys);
        free(state);
        return error_set(error, ERROR_MEMORY, "memory is short");
    }
    *state_out = state;
    return 0;
}

void scheme_promptlayer_close(void *opaque)
{
    struct promptlayer_state *state = opaque;
    if (!state)
        return;
    hmac_keys_free(state->keys);
    pthread_mutex_destroy(&state->rebuilding);
    free(state);
}

static int read_signature(
    const struct verify_request *request, struct signature *signature_out, struct error *error)
{
    static const char name[] = "X-PromptLayer-Signature";
    const char *value = signing_header(request, name, error);
    if (!value)
        return -1;
    if (!signing_decode(bytes_of_text(value), ENCODING_HEX, 32, signature_out))
        return error_set(error, ERROR_UNAUTHORIZED, "%s is not 32 bytes in hex", name);
    return 0;
}

int scheme_promptlayer_check_head(
    const void *state, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    (void)state;
    (void)outcome;
    struct signature signature;
    return read_signature(request, &signature, error);
}

/* A body that cannot be rebuilt was not signed in that form. */
static int check_form(
    const struct promptlayer_state *state, enum canonical_form form, struct bytes body,
    const struct signature *signature, struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    if (body.length > CANONICAL_BYTES_MAX)
        return error_set(error, ERROR_UNAUTHORIZED, "the body is too large to be rebuilt");
    buffer_init(&text, canonical_bytes_max(body.length));
    if (canonical_json(body, form, &text, error) != 0) {
        if (error->code != ERROR_MEMORY)
            error->code = ERROR_UNAUTHORIZED;
        return -1;
    }
    struct bytes bytes = buffer_bytes(&text);
    return hmac_keys_check(state->keys, &bytes, 1, signature, 1, error);
}

/* It takes some milliseconds for a large body: the others of a fiber's loop go on. */
static void wait_for_turn(pthread_mutex_t *rebuilding)
{
    if (fiber_self() == NULL)
        pthread_mutex_lock(rebuilding);
    else
        while (pthread_mutex_trylock(rebuilding) != 0)
            fiber_yield();
}

int scheme_promptlayer_check_body(
    const void *opaque, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error)
{
    static const struct {
        enum canonical_form form;
        const char *name;
    } forms[] = {{CANONICAL_PYTHON, "python"}, {CANONICAL_JAVASCRIPT, "javascript"}};
    const struct promptlayer_state *state = opaque;
    struct signature signature;
    int result = -1;
    bool failed = false;
    if (read_signature(request, &signature, error) != 0)
        return -1;
    wait_for_turn((pthread_mutex_t *)&state->rebuilding);
    for (size_t i = 0; result != 0 && i < sizeof forms / sizeof forms[0]; i++) {
        result = check_form(state, forms[i].form, body, &signature, error);
        failed = failed || (result != 0 && error->code == ERROR_MEMORY);
        outcome->variant = forms[i].name;
    }
    pthread_mutex_unlock((pthread_mutex_t *)&state->rebuilding);
    if (result == 0)
        return 0;
    outcome->variant = "raw";
    result = hmac_keys_check(state->keys, &body, 1, &signature, 1, error);
    if (result != 0 && failed)
        return error_set(error, ERROR_MEMORY, "no memory to rebuild the body");
    return result;
}
