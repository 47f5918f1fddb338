/* SPDX-License-Identifier: MIT */
/* "github": X-Hub-Signature-256: sha256=<hex> of HMAC-SHA256 over the body. The id is not signed:
 * that is how GitHub has it. */
#include "scheme_keys.h"

int scheme_github_check_head(
    const void *state, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    (void)state;
    if (!signing_header(request, "X-Hub-Signature-256", error))
        return -1;
    return signing_take_id(request, "X-GitHub-Delivery", outcome, error);
}

int scheme_github_check_body(
    const void *state, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error)
{
    (void)outcome;
    const char *value = signing_header(request, "X-Hub-Signature-256", error);
    if (!value)
        return -1;
    const char *hex = signing_after(value, "sha256=");
    if (!hex)
        return error_set(error, ERROR_UNAUTHORIZED, "X-Hub-Signature-256 is not sha256=…");
    return scheme_keys_check(state, bytes_of_text(hex), ENCODING_HEX, &body, 1, error);
}
