/* SPDX-License-Identifier: MIT */
/* Asking for the result of a run. Blind retries of a 5xx would loop on a run that ended badly,
 * so its one terminal 500 is told apart here. */
#include "callbackd/promptlayer.h"

#include <inttypes.h>

#include "callbackd/body.h"
#include "promptlayer_private.h"

enum { URL_MAX_BYTES = 8192 };

static bool contains(struct bytes text, const char *word)
{
    return text.length > 0 && memmem(text.data, text.length, word, strlen(word)) != NULL;
}

/*
 * {"success":false,"message":"Workflow completed but no output node succeeded","output":{…}}.
 * Its message is not promised, so the nodes beside it say as much.
 */
static bool is_terminal_failure(struct bytes body)
{
    struct bytes token;
    enum json_event kind;
    if (!promptlayer_says_failure(body))
        return false;
    if (json_pointer_find(body, "/output", &token, &kind) && body_output_is_nodes(token))
        return true;
    return json_pointer_find(body, "/message", &token, &kind) && kind == JSON_STRING &&
           contains(token, "no output node succeeded");
}

static int take_output(
    struct bytes body, enum promptlayer_poll poll, enum promptlayer_poll *poll_out,
    struct buffer *output, struct error *error)
{
    /* The API ends its answers with a newline, which is no part of the value. */
    while (body.length > 0 && strchr(" \t\r\n", body.data[body.length - 1]))
        body.length--;
    if (buffer_append_bytes(output, body) != 0)
        return error_set(error, ERROR_TOO_LARGE, "the output is too large to be taken");
    *poll_out = poll;
    return 0;
}

static int read_final(
    const struct promptlayer_api *api, const struct http_client_response *response,
    bool all_outputs, enum promptlayer_poll *poll_out, struct buffer *output, struct error *error)
{
    struct bytes body = buffer_bytes(&response->body);
    if (json_scan_text(body, JSON_DEPTH_MAX, NULL, NULL, error) != 0)
        return error_set(
            error, ERROR_IO, "the workflow API answered %d with what is not JSON",
            response->status);
    /* Where all nodes were asked for, an error can be told from an output. */
    if (all_outputs && is_terminal_failure(body))
        return take_output(body, POLL_FAILED, poll_out, output, error);
    if (all_outputs && promptlayer_says_failure(body))
        return promptlayer_answer_error(
            api, response, ERROR_REFUSED, "the workflow API gave no result", error);
    return take_output(body, POLL_FINAL, poll_out, output, error);
}

static enum error_code error_code_of(int status)
{
    switch (status) {
    case 404:
        return ERROR_NOT_FOUND;
    case 408:
        return ERROR_TIMEOUT;
    case 429:
        return ERROR_BUSY;
    default:
        return status >= 300 && status < 500 ? ERROR_REFUSED : ERROR_IO;
    }
}

static int read_answer(
    const struct promptlayer_api *api, const struct http_client_response *response,
    bool all_outputs, enum promptlayer_poll *poll_out, struct buffer *output, struct error *error)
{
    struct bytes body = buffer_bytes(&response->body);
    if (response->status == 200)
        return read_final(api, response, all_outputs, poll_out, output, error);
    if (response->status == 202 || response->status == 204) {
        *poll_out = POLL_RUNNING;
        return 0;
    }
    if (response->status == 500 && is_terminal_failure(body))
        return take_output(body, POLL_FAILED, poll_out, output, error);
    return promptlayer_answer_error(
        api, response, error_code_of(response->status), "the workflow API gave no result", error);
}

int promptlayer_poll(
    struct http_client *client, const struct promptlayer_api *api, int64_t execution_id,
    bool all_outputs, size_t output_max_bytes, enum promptlayer_poll *poll_out,
    struct buffer *output, int64_t *retry_after_s_out, struct error *error)
{
    struct buffer url;
    struct http_client_response response = {0};
    *retry_after_s_out = -1;
    buffer_init(&url, URL_MAX_BYTES);
    buffer_appendf(
        &url,
        "%s/workflow-version-execution-results?workflow_version_execution_id=%" PRId64
        "&return_all_outputs=%s",
        api->base_url, execution_id, all_outputs ? "true" : "false");
    int result = buffer_failed(&url)
                     ? error_set(error, ERROR_INVALID, "the API's base URL is too long")
                     : promptlayer_exchange(
                           client, api, buffer_text(&url), bytes_of(NULL, 0), output_max_bytes,
                           &response, error);
    buffer_fini(&url);
    if (result != 0)
        return -1;
    *retry_after_s_out = response.retry_after_s;
    result = read_answer(api, &response, all_outputs, poll_out, output, error);
    http_client_response_fini(&response);
    return result;
}
