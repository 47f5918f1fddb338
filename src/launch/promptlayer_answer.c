/* SPDX-License-Identifier: MIT */
/*
 * What an answer of the workflow API says. Its errors have had several shapes
 * (documented or seen): {"success":false,"message":…}, {"success":false,"error":…},
 * {"detail":"…"}, {"detail":[{"loc":[…],"msg":…},…]}, and no JSON at all when a
 * gateway answers in its stead.
 */
#include "promptlayer_private.h"

#include "callbackd/text.h"

enum {
    HEADER_MAX_BYTES = 16 * 1024,
    MESSAGE_MAX_BYTES = 128 * 1024,
    SHOWN_MAX_BYTES = 256 * 1024,
    TEXT_SHOWN_BYTES = 400,
    VALIDATION_ERRORS_SHOWN = 8,
    KEY_MIN_BYTES = 8
};

int promptlayer_exchange(
    struct http_client *client, const struct promptlayer_api *api, const char *url,
    struct bytes body, size_t response_max_bytes, struct http_client_response *response_out,
    struct error *error)
{
    struct buffer key;
    buffer_init_secret(&key, HEADER_MAX_BYTES);
    buffer_appendf(&key, "X-API-KEY: %s", api->api_key);
    if (buffer_failed(&key)) {
        buffer_fini(&key);
        return error_set(error, ERROR_INVALID, "the API key is too long");
    }
    const char *const headers[] = {buffer_text(&key), "Accept: application/json", NULL};
    const struct http_client_request request = {
        .method = body.length > 0 ? "POST" : "GET",
        .url = url,
        .ca_file = api->ca_file,
        .headers = headers,
        .body = body,
        .content_type = body.length > 0 ? "application/json" : NULL,
        .timeout_ms = api->timeout_ms,
        .response_max_bytes = response_max_bytes,
    };
    int result = http_client_perform(client, &request, response_out, error);
    buffer_fini(&key);
    return result == 0 ? 0 : error_prefix(error, "workflow API");
}

/* Cuts to what a person reads, at the end of a character. */
static struct bytes shortened(struct bytes text)
{
    if (text.length <= TEXT_SHOWN_BYTES)
        return text;
    text.length = TEXT_SHOWN_BYTES;
    while (text.length > 0 && (text.data[text.length] & 0xC0) == 0x80)
        text.length--;
    return text;
}

/* A string of the answer, decoded. */
static bool append_string(struct bytes token, enum json_event kind, struct buffer *out)
{
    struct buffer decoded;
    buffer_init(&decoded, token.length);
    bool good =
        kind == JSON_STRING && json_decode_string(token, &decoded) == 0 && decoded.length > 0;
    if (good)
        text_append_printable(out, shortened(buffer_bytes(&decoded)));
    buffer_fini(&decoded);
    return good;
}

static bool append_at(struct bytes body, const char *pointer, struct buffer *out)
{
    struct bytes token;
    enum json_event kind;
    return json_pointer_find(body, pointer, &token, &kind) && append_string(token, kind, out);
}

/* ["body","metadata",0] as body.metadata.0 */
static void append_place(struct bytes body, int index, struct buffer *out)
{
    for (int i = 0; i < VALIDATION_ERRORS_SHOWN; i++) {
        char pointer[64];
        struct bytes token;
        enum json_event kind;
        snprintf(pointer, sizeof pointer, "/detail/%d/loc/%d", index, i);
        if (!json_pointer_find(body, pointer, &token, &kind))
            break;
        if (i > 0)
            buffer_append_char(out, '.');
        if (!append_string(token, kind, out))
            text_append_printable(out, token);
    }
}

/* FastAPI's list of what did not validate. */
static bool append_validation(struct bytes body, struct buffer *out)
{
    int index = 0;
    for (; index < VALIDATION_ERRORS_SHOWN; index++) {
        char pointer[64];
        struct bytes token;
        enum json_event kind;
        snprintf(pointer, sizeof pointer, "/detail/%d/msg", index);
        if (!json_pointer_find(body, pointer, &token, &kind))
            break;
        if (index > 0)
            buffer_append_text(out, "; ");
        size_t before = out->length;
        append_place(body, index, out);
        if (out->length > before)
            buffer_append_text(out, ": ");
        append_string(token, kind, out);
    }
    return index > 0;
}

static void append_excerpt(struct bytes body, struct buffer *out)
{
    struct bytes start = body;
    while (start.length > 0 && start.data[start.length - 1] <= ' ')
        start.length--;
    if (start.length == 0) {
        buffer_append_text(out, "no explanation was given");
        return;
    }
    text_append_printable(out, shortened(start));
}

void promptlayer_read_message(struct bytes body, struct buffer *out)
{
    if (json_scan_text(body, JSON_DEPTH_MAX, NULL, NULL, NULL) == 0 &&
        (append_at(body, "/message", out) || append_at(body, "/error", out) ||
         append_at(body, "/detail", out) || append_validation(body, out)))
        return;
    append_excerpt(body, out);
}

bool promptlayer_says_failure(struct bytes body)
{
    struct bytes token;
    enum json_event kind;
    return json_scan_text(body, JSON_DEPTH_MAX, NULL, NULL, NULL) == 0 &&
           json_pointer_find(body, "/success", &token, &kind) && kind == JSON_FALSE;
}

/* An API that repeats the key it did not like must not put it into our log. What is shorter than
 * this is no key, and would garble the text. */
static void append_without_key(struct bytes text, const char *api_key, struct buffer *out)
{
    size_t key_length = strlen(api_key);
    const unsigned char *found = NULL;
    while (key_length >= KEY_MIN_BYTES && text.length > 0 &&
           (found = memmem(text.data, text.length, api_key, key_length)) != NULL) {
        size_t before = (size_t)(found - text.data);
        buffer_append(out, text.data, before);
        buffer_append_text(out, "[key]");
        text = bytes_of(found + key_length, text.length - before - key_length);
    }
    buffer_append_bytes(out, text);
}

int promptlayer_answer_error(
    const struct promptlayer_api *api, const struct http_client_response *response,
    enum error_code code, const char *what, struct error *error)
{
    struct buffer message;
    struct buffer shown;
    buffer_init(&message, MESSAGE_MAX_BYTES);
    buffer_init(&shown, SHOWN_MAX_BYTES);
    promptlayer_read_message(buffer_bytes(&response->body), &message);
    append_without_key(buffer_bytes(&message), api->api_key, &shown);
    error_set(error, code, "%s (HTTP %d): %s", what, response->status, buffer_text(&shown));
    buffer_fini(&message);
    buffer_fini(&shown);
    return -1;
}
