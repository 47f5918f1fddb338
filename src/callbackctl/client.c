/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

/* Bodies may be as large as the daemon's limit, which is not known here. */
static const size_t answer_max_bytes = (size_t)1 << 30;

struct admin_client {
    struct http_client *http;
    struct admin_target target;
    char *authorization;
};

void admin_target_fini(struct admin_target *target)
{
    free(target->url);
    free(target->unix_path);
    free(target->ca_file);
    if (target->token)
        secret_free(target->token, strlen(target->token));
    os_close(target->ca_fd);
    *target = (struct admin_target){.ca_fd = -1};
}

struct admin_client *admin_client_new(
    struct http_client *http, struct admin_target *target, struct error *error)
{
    struct admin_client *client = calloc(1, sizeof(*client));
    char *authorization = text_format("Authorization: Bearer %s", target->token);
    if (!client || !authorization) {
        free(client);
        free(authorization);
        admin_target_fini(target);
        error_set(error, ERROR_MEMORY, "no memory for a client");
        return NULL;
    }
    client->http = http;
    client->target = *target;
    client->authorization = authorization;
    *target = (struct admin_target){.ca_fd = -1};
    return client;
}

void admin_client_free(struct admin_client *client)
{
    if (!client)
        return;
    secret_free(client->authorization, strlen(client->authorization));
    admin_target_fini(&client->target);
    free(client);
}

const char *admin_client_where(const struct admin_client *client)
{
    return client->target.unix_path ? client->target.unix_path : client->target.url;
}

void admin_answer_fini(struct admin_answer *answer)
{
    buffer_fini(&answer->body);
    json_document_free(answer->document);
    answer->document = NULL;
}

bool admin_error_is_passing(const struct error *error)
{
    return error->code == ERROR_UNREACHABLE || error->code == ERROR_BUSY;
}

static enum error_code code_of_status(int status)
{
    switch (status) {
    case 401:
        return ERROR_UNAUTHORIZED;
    case 403:
        return ERROR_FORBIDDEN;
    case 404:
        return ERROR_NOT_FOUND;
    case 409:
        return ERROR_CONFLICT;
    case 429:
        return ERROR_BUSY;
    default:
        return status >= 500 ? ERROR_BUSY : ERROR_REFUSED;
    }
}

/* The daemon's own words: application/problem+json, if it is that. */
static int refuse(
    const struct admin_client *client, const struct http_client_response *response,
    struct error *error)
{
    struct json_document *document = admin_parse(buffer_bytes(&response->body), NULL);
    const struct json *root = document ? json_root(document) : NULL;
    const char *title = json_get_text(json_get(root, "title"));
    const char *detail = json_get_text(json_get(root, "detail"));
    const char *said = detail ? detail : title;
    enum error_code code = code_of_status(response->status);
    if (code == ERROR_UNAUTHORIZED)
        error_set(
            error, code, "%s does not take this admin token: %s", admin_client_where(client),
            said ? said : "HTTP 401");
    else if (said)
        error_set(error, code, "%s (HTTP %d)", said, response->status);
    else
        error_set(
            error, code, "%s answered HTTP %d, not as the admin API does",
            admin_client_where(client), response->status);
    json_document_free(document);
    return -1;
}

static int perform(
    struct admin_client *client, const struct admin_call *call,
    struct http_client_response *response_out, struct error *error)
{
    CLEANUP_FREE char *url = text_format("%s%s", client->target.url, call->path);
    if (!url)
        return error_set(error, ERROR_MEMORY, "no memory for a URL");
    const char *const headers[] = {client->authorization, "Accept: application/json", NULL};
    struct http_client_request request = {
        .method = call->method ? call->method : "GET",
        .url = url,
        .unix_path = client->target.unix_path,
        .ca_file = client->target.ca_file,
        .headers = headers,
        .body = call->body,
        .content_type = call->body.length > 0 ? "application/json" : NULL,
        .timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : ADMIN_TIMEOUT_MS,
        .response_max_bytes = answer_max_bytes,
    };
    if (http_client_perform(client->http, &request, response_out, error) == 0)
        return 0;
    /* A daemon that took the request and went away is as unreachable as one that never was. */
    if (error->code == ERROR_TIMEOUT || error->code == ERROR_IO)
        error->code = ERROR_UNREACHABLE;
    if (error->code == ERROR_UNREACHABLE)
        return error_prefix(error, "the daemon at %s", admin_client_where(client));
    return -1;
}

int admin_call(
    struct admin_client *client, const struct admin_call *call, struct admin_answer *answer_out,
    struct error *error)
{
    struct http_client_response response = {0};
    if (perform(client, call, &response, error) != 0)
        return -1;
    if (response.status < 200 || response.status > 299) {
        refuse(client, &response, error);
        http_client_response_fini(&response);
        return -1;
    }
    struct json_document *document = NULL;
    if (!call->bytes && response.body.length > 0) {
        document = admin_parse(buffer_bytes(&response.body), error);
        if (!document) {
            http_client_response_fini(&response);
            error_prefix(error, "the answer of %s", admin_client_where(client));
            error->code = ERROR_REFUSED;
            return -1;
        }
    }
    *answer_out = (struct admin_answer){response.status, response.body, document};
    return 0;
}

int admin_get(
    struct admin_client *client, const char *path, struct admin_answer *answer_out,
    struct error *error)
{
    struct admin_answer answer;
    if (admin_call(client, &(struct admin_call){.path = path}, &answer, error) != 0)
        return -1;
    if (!answer.document) {
        admin_answer_fini(&answer);
        return error_set(error, ERROR_REFUSED, "%s answered nothing", admin_client_where(client));
    }
    *answer_out = answer;
    return 0;
}

void admin_add_query(struct buffer *path, const char *name, const char *value)
{
    bool first = memchr(buffer_text(path), '?', path->length) == NULL;
    buffer_append_char(path, first ? '?' : '&');
    buffer_append_text(path, name);
    buffer_append_char(path, '=');
    text_percent_encode(bytes_of_text(value), path);
}

void admin_add_segment(struct buffer *path, const char *value)
{
    buffer_append_char(path, '/');
    text_percent_encode(bytes_of_text(value), path);
}

/* A backslash and what it quotes are passed together, so that "\\u0000" stays. */
static void replace_nul_escapes(unsigned char *text, size_t length)
{
    for (size_t i = 0; i + 1 < length; i++) {
        if (text[i] != '\\')
            continue;
        if (length - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0)
            memcpy(text + i, "\\ufffd", 6);
        i++;
    }
}

struct json_document *admin_parse(struct bytes text, struct error *error)
{
    CLEANUP_BUFFER struct buffer copy;
    buffer_init(&copy, answer_max_bytes);
    if (buffer_append_bytes(&copy, text) != 0) {
        error_set(error, ERROR_MEMORY, "no memory for %zu bytes of JSON", text.length);
        return NULL;
    }
    if (copy.length > 0)
        replace_nul_escapes(copy.data, copy.length);
    return json_parse(buffer_bytes(&copy), error);
}
