/* SPDX-License-Identifier: MIT */
/* "client-certificate": the TLS layer has verified the certificate against the listener's
 * authorities; here it is only asked whose it is. */
#include "scheme_keys.h"

#include "callbackd/os.h"

enum { SUBJECT_MAX = 4096 };

static bool is_among(char *const *texts, const char *text)
{
    for (; texts && *texts; texts++)
        if (strcmp(*texts, text) == 0)
            return true;
    return false;
}

int scheme_client_certificate_check_head(
    const void *state, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    (void)outcome;
    const struct config_verify *options = ((const struct scheme_options *)state)->config;
    char fingerprint[VERIFY_FINGERPRINT_BYTES];
    CLEANUP_BUFFER struct buffer subject;
    buffer_init(&subject, SUBJECT_MAX);
    if (!request->certificate || !request->certificate(request->context, &subject, fingerprint))
        return error_set(error, ERROR_UNAUTHORIZED, "no client certificate");
    /* A subject with a NUL in it would be cut by a comparison of texts; OpenSSL spells it \00. */
    if (is_among(options->subjects, buffer_text(&subject)) ||
        is_among(options->fingerprints, fingerprint))
        return 0;
    return error_set(
        error, ERROR_UNAUTHORIZED, "the certificate \"%.200s\" (SHA-256 %s) is not one of them",
        buffer_text(&subject), fingerprint);
}
