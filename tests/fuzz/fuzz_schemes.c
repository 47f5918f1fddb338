/* SPDX-License-Identifier: MIT */
/*
 * Input: a byte that chooses a scheme; lines: a signature or token, a timestamp, an id, a query;
 * the rest is the body. Whoever does not know the secret is not believed, whatever is sent.
 */
#include "fuzz.h"

#include "callbackd/verify.h"

enum { LINES = 4, LINE_BYTES = 2048 };

struct input {
    char lines[LINES][LINE_BYTES];
    struct bytes body;
};

static char *own(const char *text)
{
    return (char *)(uintptr_t)text;
}

static unsigned char secret[] = "bm8gZnV6emVyIGtub3dzIHRoaXMgb25lIQ==";
static unsigned char public_key[] = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

static const char *header_of(const void *context, const char *name)
{
    const struct input *input = context;
    size_t line = 0;
    if (strcasestr(name, "timestamp"))
        line = 1;
    else if (
        strcasestr(name, "-id") || strcasestr(name, "delivery") || strcasestr(name, "uuid") ||
        strcasestr(name, "key") || strcasestr(name, "topic"))
        line = 2;
    else if (strncmp(name, "svix", 4) == 0)
        return NULL;
    return input->lines[line][0] == '-' ? NULL : input->lines[line];
}

static void read_input(const uint8_t *data, size_t size, struct input *out)
{
    size_t at = 0;
    memset(out->lines, 0, sizeof out->lines);
    for (size_t line = 0; line < LINES; line++) {
        size_t used = 0;
        for (; at < size && data[at] != '\n'; at++)
            if (used < LINE_BYTES - 1 && data[at] != '\0')
                out->lines[line][used++] = (char)data[at];
        at += at < size;
    }
    out->body = bytes_of(data + at, size - at);
}

static void try_scheme(const char *scheme, const struct input *input)
{
    struct config_secret secrets[] = {
        {secret, sizeof secret - 1}, {public_key, sizeof public_key - 1}};
    struct config_verify entry = {
        .scheme = own(scheme),
        .secret = {secrets, 2},
        .tolerance_ms = INT64_C(1) << 60,
        .header = strcmp(scheme, "hmac") == 0 ? own("X-Signature") : NULL,
        .prefix = own("v="),
        .encoding = ENCODING_BASE64,
        .signed_text = own("{timestamp}.{id}.{url}.{body}"),
        .timestamp_header = own("X-Timestamp"),
        .id_header = own("X-Id"),
    };
    const struct config config = {.public_url = own("https://h.example:8443/x")};
    const struct config_endpoint endpoint = {
        .name = own("in"), .path = own("/in"), .verify = &entry, .verify_count = 1};
    const struct verify_request request = {
        .path_rest = "",
        .path = "/in",
        .query = input->lines[LINES - 1],
        .header = header_of,
        .context = input,
        .client_address = input->lines[2],
        .now_ms = INT64_C(1700000000000),
    };
    struct verify_outcome outcome;
    struct error error = {0};
    struct verifier *verifier = verifier_new(&config, &endpoint, &error);
    HOLDS(verifier != NULL);
    bool taken = verifier_check_head(verifier, &request, &outcome, &error) == 0 &&
                 verifier_check_body(verifier, &request, input->body, &outcome, &error) == 0;
    HOLDS(!taken && error.message[0] != '\0');
    HOLDS(error.code == ERROR_UNAUTHORIZED || error.code == ERROR_FORBIDDEN);
    verifier_free(verifier);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input;
    size_t count = 0;
    if (size == 0)
        return 0;
    while (verify_scheme_name(count, NULL))
        count++;
    const char *scheme = verify_scheme_name(data[0] % count, NULL);
    uint8_t *copy = fuzz_copy(data + 1, size - 1);
    read_input(copy, size - 1, &input);
    try_scheme(scheme, &input);
    free(copy);
    return 0;
}
