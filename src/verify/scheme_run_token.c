/* SPDX-License-Identifier: MIT */
/* The scheme "run-token": the path's last part is a token for a run. */
#include "schemes.h"

struct run_token_state {
    struct run_token_keys *keys;
    const char *endpoint;
};

int scheme_run_token_open(const struct scheme_setup *setup, void **state_out, struct error *error)
{
    struct run_token_state *state = calloc(1, sizeof *state);
    if (!state)
        return error_set(error, ERROR_MEMORY, "memory is short");
    state->endpoint = setup->endpoint->name;
    state->keys = run_token_keys_new(&setup->config->run_token.key, error);
    if (!state->keys) {
        free(state);
        return -1;
    }
    *state_out = state;
    return 0;
}

void scheme_run_token_close(void *opaque)
{
    struct run_token_state *state = opaque;
    if (!state)
        return;
    run_token_keys_free(state->keys);
    free(state);
}

int scheme_run_token_check_head(
    const void *opaque, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    const struct run_token_state *state = opaque;
    const char *rest = request->path_rest ? request->path_rest : "";
    struct bytes token = bytes_of_text(rest[0] == '/' ? rest + 1 : rest);
    if (run_token_check(
            state->keys, state->endpoint, token, request->now_ms / 1000, &outcome->run, error) != 0)
        return -1;
    outcome->has_run = true;
    return 0;
}
