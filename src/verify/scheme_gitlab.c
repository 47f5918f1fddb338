/* SPDX-License-Identifier: MIT */
/* "gitlab": X-Gitlab-Token is the secret itself. The Idempotency-Key is the same in every try of
 * one post; the event's id is so too, but recursive hooks share it, so it comes second. */
#include "scheme_keys.h"

int scheme_gitlab_check_head(
    const void *state, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    const struct config_verify *options = ((const struct scheme_options *)state)->config;
    const char *token = signing_header(request, "X-Gitlab-Token", error);
    if (!token || signing_check_secret(&options->secret, bytes_of_text(token), error) != 0)
        return -1;
    if (signing_take_id(request, "Idempotency-Key", outcome, error) != 0)
        return -1;
    return signing_take_id(request, "X-Gitlab-Event-UUID", outcome, error);
}
