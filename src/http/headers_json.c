/* SPDX-License-Identifier: MIT */
#include "headers_json.h"

#include <string.h>
#include <strings.h>

#include "callbackd/json_writer.h"

/* Headers that carry credentials. Signatures are no secrets: they prove, they do not open. */
static const char *const credential_headers[] = {
    "Authorization",  "Proxy-Authorization", "Cookie",       "X-API-Key",
    "X-Gitlab-Token", "X-Auth-Token",        "X-CSRF-Token",
};

static bool is_credential(const char *name)
{
    size_t count = sizeof(credential_headers) / sizeof(credential_headers[0]);
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(name, credential_headers[i]) == 0)
            return true;
    return false;
}

int headers_json_append(
    const struct http_request *request, const struct verifier *verifier, const char *secret,
    struct buffer *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_array_begin(&writer);
    size_t count = http_request_header_count(request);
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;
        const char *value = NULL;
        http_request_header_at(request, i, &name, &value);
        bool hidden = is_credential(name) || verifier_hides_header(verifier, name) ||
                      (secret != NULL && *secret != '\0' && strstr(value, secret) != NULL);
        json_array_begin(&writer);
        json_text(&writer, name);
        json_text(&writer, hidden ? "[removed]" : value);
        json_array_end(&writer);
    }
    json_array_end(&writer);
    return buffer_failed(out) ? -1 : 0;
}
