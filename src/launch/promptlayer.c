/* SPDX-License-Identifier: MIT */
/* Launching a run: the request as documented, the answer read leniently and its id exactly. */
#include "callbackd/promptlayer.h"

#include <limits.h>

#include "callbackd/json_writer.h"
#include "callbackd/text.h"
#include "json_check.h"
#include "promptlayer_private.h"

enum { URL_MAX_BYTES = 8192, BODY_MAX_BYTES = 256 * 1024 * 1024, ANSWER_MAX_BYTES = 1024 * 1024 };

/* ---- the request ---- */

static int check_run(const struct promptlayer_run *run, struct error *error)
{
    if (run->label && run->version != 0)
        return error_set(
            error, ERROR_INVALID, "a label and a version number exclude each other: give one");
    if (run->version < 0)
        return error_set(error, ERROR_INVALID, "a version number is not negative");
    if (run->inputs_json.length > 0 &&
        json_check_object(run->inputs_json, "input variables", error) != 0)
        return -1;
    if (run->metadata_json.length > 0 &&
        json_check_object_of_strings(run->metadata_json, "metadata", error) != 0)
        return -1;
    return 0;
}

int promptlayer_run_body(const struct promptlayer_run *run, struct buffer *out, struct error *error)
{
    if (check_run(run, error) != 0)
        return -1;
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_raw(
        &writer, "input_variables",
        run->inputs_json.length > 0 ? run->inputs_json : bytes_of_text("{}"));
    if (run->metadata_json.length > 0)
        json_member_raw(&writer, "metadata", run->metadata_json);
    if (run->label)
        json_member_text(&writer, "workflow_label_name", run->label);
    if (run->version != 0)
        json_member_int(&writer, "workflow_version_number", run->version);
    json_member_bool(&writer, "return_all_outputs", run->all_outputs);
    if (run->callback_url)
        json_member_text(&writer, "callback_url", run->callback_url);
    json_object_end(&writer);
    if (buffer_failed(out))
        return error_set(error, ERROR_TOO_LARGE, "the request for the run is too large");
    return 0;
}

int promptlayer_run_url(const struct promptlayer_api *api, const char *workflow, struct buffer *out)
{
    buffer_append_text(out, api->base_url);
    buffer_append_text(out, "/workflows/");
    text_percent_encode(bytes_of_text(workflow), out);
    buffer_append_text(out, "/run");
    return buffer_failed(out) ? -1 : 0;
}

/* ---- the answer ---- */

/* The id is an int64 and is read from its spelling: a double would lose the last digits. */
static bool read_execution_id(struct bytes body, int64_t *id_out)
{
    struct bytes token;
    enum json_event kind;
    if (!json_pointer_find(body, "/workflow_version_execution_id", &token, &kind))
        return false;
    if (kind == JSON_STRING && token.length >= 2)
        return text_parse_int64(bytes_of(token.data + 1, token.length - 2), id_out);
    return kind == JSON_NUMBER && json_number_to_int64(token, id_out);
}

/* A warning (missing or unused input variables) is text; whatever else it is, it is shown too. */
static int read_warning(struct bytes body, char **warning_out, struct error *error)
{
    struct bytes token;
    enum json_event kind;
    *warning_out = NULL;
    if (!json_pointer_find(body, "/warning", &token, &kind) || kind == JSON_NULL)
        return 0;
    struct buffer text;
    buffer_init(&text, ANSWER_MAX_BYTES);
    if (kind != JSON_STRING || json_decode_string(token, &text) != 0)
        buffer_append_bytes(&text, token);
    *warning_out = text.length > 0 ? buffer_take(&text) : NULL;
    bool failed = buffer_failed(&text);
    buffer_fini(&text);
    return failed ? error_set(error, ERROR_MEMORY, "memory is short for a warning") : 0;
}

static int read_started(
    const struct promptlayer_api *api, const struct http_client_response *response,
    struct promptlayer_launch *launch_out, struct error *error)
{
    struct bytes body = buffer_bytes(&response->body);
    struct promptlayer_launch launch = {0};
    if (promptlayer_says_failure(body))
        return promptlayer_answer_error(
            api, response, ERROR_REFUSED, "the workflow API refused the run", error);
    if (json_scan_text(body, JSON_DEPTH_MAX, NULL, NULL, NULL) != 0 ||
        !read_execution_id(body, &launch.execution_id))
        return promptlayer_answer_error(
            api, response, ERROR_IO, "the run may have started, but the answer has no execution id",
            error);
    if (read_warning(body, &launch.warning, error) != 0)
        return -1;
    *launch_out = launch;
    return 0;
}

static int read_answer(
    const struct promptlayer_api *api, const struct http_client_response *response,
    struct promptlayer_launch *launch_out, struct error *error)
{
    int status = response->status;
    if (status == 200 || status == 201 || status == 202)
        return read_started(api, response, launch_out, error);
    /* A redirect is not followed, so nothing was started there either. */
    if (status >= 300 && status < 500 && status != 408)
        return promptlayer_answer_error(
            api, response, ERROR_REFUSED, "the workflow API refused the run", error);
    return promptlayer_answer_error(
        api, response, status == 408 ? ERROR_TIMEOUT : ERROR_IO,
        "the workflow API failed, the run may have started", error);
}

static int build_request(
    const struct promptlayer_api *api, const struct promptlayer_run *run, struct buffer *url,
    struct buffer *body, struct error *error)
{
    if (!run->workflow || run->workflow[0] == '\0')
        return error_set(error, ERROR_INVALID, "a run needs the name or number of a workflow");
    if (promptlayer_run_url(api, run->workflow, url) != 0)
        return error_set(error, ERROR_INVALID, "the name of the workflow is too long");
    return promptlayer_run_body(run, body, error);
}

int promptlayer_run(
    struct http_client *client, const struct promptlayer_api *api,
    const struct promptlayer_run *run, struct promptlayer_launch *launch_out, struct error *error)
{
    struct buffer url;
    struct buffer body;
    struct http_client_response response;
    buffer_init(&url, URL_MAX_BYTES);
    buffer_init(&body, BODY_MAX_BYTES);
    int result = build_request(api, run, &url, &body, error);
    if (result == 0)
        result = promptlayer_exchange(
            client, api, buffer_text(&url), buffer_bytes(&body), ANSWER_MAX_BYTES, &response,
            error);
    buffer_fini(&url);
    buffer_fini(&body);
    if (result != 0)
        return -1;
    result = read_answer(api, &response, launch_out, error);
    http_client_response_fini(&response);
    return result;
}
