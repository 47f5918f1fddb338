/* SPDX-License-Identifier: MIT */
/* "basic": Authorization: Basic base64(name:password) (RFC 7617). Name and password are compared
 * as one. */
#include "scheme_keys.h"

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { CREDENTIALS_MAX = 4096 };

int scheme_basic_check_head(
    const void *state, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    (void)outcome;
    const struct config_verify *options = ((const struct scheme_options *)state)->config;
    const char *value = signing_header(request, "Authorization", error);
    if (!value)
        return -1;
    const char *encoded = signing_after(value, "Basic ");
    if (!encoded)
        return error_set(error, ERROR_UNAUTHORIZED, "Authorization is not Basic");
    CLEANUP_BUFFER struct buffer given;
    buffer_init_secret(&given, CREDENTIALS_MAX);
    encoded += strspn(encoded, " ");
    if (!text_base64_decode(bytes_of_text(encoded), &given))
        return error_set(
            error, ERROR_UNAUTHORIZED, "Authorization has no base64 of at most %d bytes",
            CREDENTIALS_MAX);
    return signing_check_secret(&options->secret, buffer_bytes(&given), error);
}
