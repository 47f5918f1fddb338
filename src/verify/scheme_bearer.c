/* SPDX-License-Identifier: MIT */
/* "bearer": Authorization: Bearer <secret>, or a header whose whole value is the secret. */
#include "scheme_keys.h"

int scheme_bearer_check_head(
    const void *state, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    (void)outcome;
    const struct config_verify *options = ((const struct scheme_options *)state)->config;
    const char *header = options->header ? options->header : "Authorization";
    const char *token = signing_header(request, header, error);
    if (!token)
        return -1;
    if (!options->header) {
        token = signing_after(token, "Bearer ");
        if (!token)
            return error_set(error, ERROR_UNAUTHORIZED, "Authorization is not Bearer");
        token += strspn(token, " ");
    }
    return signing_check_secret(&options->secret, bytes_of_text(token), error);
}
