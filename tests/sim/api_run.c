/* SPDX-License-Identifier: MIT */
/* POST /workflows/{name}/run: checked as a FastAPI service checks it, then launched. */
#include <string.h>
#include <strings.h>

#include "api_private.h"
#include "callbackd/json.h"

enum { ANSWER_MAX_BYTES = 1024 * 1024 };

struct launch_request {
    struct json_document *document;
    const struct json *inputs;
    const char *label;
    const char *callback_url;
    bool has_version;
    bool all_outputs;
};

/* Absent or null. */
static bool is_null(const struct json *value)
{
    return !value || json_type_of(value) == JSON_TYPE_NULL;
}

static bool wrong(
    struct http_request *request, const char *field, const char *message, const char *type)
{
    answer_validation(request, "body", field, message, type);
    return false;
}

static bool check_metadata(struct http_request *request, const struct json *metadata)
{
    if (is_null(metadata))
        return true;
    if (json_type_of(metadata) != JSON_TYPE_OBJECT)
        return wrong(request, "metadata", "Input should be a valid dictionary", "dict_type");
    for (const struct json *value = json_first(metadata); value; value = json_next(value))
        if (!json_get_text(value))
            return wrong(request, "metadata", "Input should be a valid string", "string_type");
    return true;
}

static bool check_callback_url(
    struct http_request *request, const struct json *value, struct launch_request *launch)
{
    if (is_null(value))
        return true;
    const char *url = json_get_text(value);
    if (!url || (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0))
        return wrong(request, "callback_url", "Input should be a valid URL", "url_parsing");
    launch->callback_url = url;
    return true;
}

static bool check_version(
    struct http_request *request, const struct json *root, struct launch_request *launch)
{
    const struct json *label = json_get(root, "workflow_label_name");
    const struct json *version = json_get(root, "workflow_version_number");
    int64_t number = 0;
    launch->label = json_get_text(label);
    launch->has_version = !is_null(version);
    if (!is_null(label) && !launch->label)
        return wrong(
            request, "workflow_label_name", "Input should be a valid string", "string_type");
    if (launch->has_version && !json_get_int64(launch->document, version, &number))
        return wrong(
            request, "workflow_version_number", "Input should be a valid integer", "int_type");
    if (!launch->label || !launch->has_version)
        return true;
    answer_error(
        request, 400, "Specify either workflow_label_name or workflow_version_number, not both");
    return false;
}

static bool check_request(struct http_request *request, struct launch_request *launch)
{
    const struct json *root = json_root(launch->document);
    if (json_type_of(root) != JSON_TYPE_OBJECT)
        return wrong(
            request, NULL, "Input should be a valid dictionary or object to extract fields from",
            "model_attributes_type");
    launch->inputs = json_get(root, "input_variables");
    if (launch->inputs && json_type_of(launch->inputs) != JSON_TYPE_OBJECT)
        return wrong(request, "input_variables", "Input should be a valid dictionary", "dict_type");
    const struct json *all = json_get(root, "return_all_outputs");
    if (all && !json_get_bool(all, &launch->all_outputs))
        return wrong(
            request, "return_all_outputs", "Input should be a valid boolean", "bool_parsing");
    return check_metadata(request, json_get(root, "metadata")) &&
           check_callback_url(request, json_get(root, "callback_url"), launch) &&
           check_version(request, root, launch);
}

/* The defaults, and what the run itself asks for. false: it was answered. */
static bool choose_faults(
    struct sim *sim, struct http_request *request, const struct launch_request *launch,
    struct sim_faults *faults)
{
    const struct json *asked = json_get(launch->inputs, "_sim");
    struct error error = {0};
    if (sim_defaults_get(sim, faults) != 0) {
        answer_message(request, 500, "out of memory");
        return false;
    }
    if (!asked || sim_faults_read(faults, launch->document, asked, &error) == 0)
        return true;
    sim_faults_fini(faults);
    answer_validation(request, "body", "input_variables._sim", error.message, "value_error");
    return false;
}

static void answer_launched(
    struct http_request *request, bool callback, int64_t id, const char *warning)
{
    struct buffer json;
    struct json_writer writer;
    buffer_init(&json, ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    json_object_begin(&writer);
    json_member_bool(&writer, "success", true);
    json_member_text(
        &writer, "message",
        callback ? "Workflow execution accepted" : "Workflow execution created successfully");
    json_member_text(&writer, "warning", warning);
    json_member_int(&writer, "workflow_version_execution_id", id);
    json_object_end(&writer);
    answer_json(request, callback ? 202 : 201, &json);
    buffer_fini(&json);
}

/* Takes `faults`. */
static void launch_run(
    struct sim *sim, struct http_request *request, const char *name,
    const struct launch_request *launch, struct sim_faults *faults)
{
    int64_t id = 0;
    int64_t slow_ms = faults->slow_response_ms;
    bool before = faults->callback == SIM_CALLBACK_BEFORE_202 && launch->callback_url;
    char *warning = faults->warning;
    faults->warning = NULL;
    const struct sim_launch started = {
        .workflow = name,
        .callback_url = launch->callback_url,
        .all_outputs = launch->all_outputs,
        .faults = faults,
    };
    if (sim_launch(sim, &started, &id) != 0) {
        answer_message(request, 500, "the simulator is out of memory or ids");
    } else {
        if (before)
            sim_await_callback(sim, id);
        if (slow_ms > 0)
            sim_wait(sim, slow_ms);
        answer_launched(request, launch->callback_url != NULL, id, warning);
    }
    free(warning);
}

static void run_document(
    struct sim *sim, struct http_request *request, const char *name, struct json_document *document)
{
    struct launch_request launch = {.document = document};
    struct sim_faults faults;
    if (strncmp(name, "missing", strlen("missing")) == 0) {
        answer_message(request, 404, "Workflow not found");
        return;
    }
    if (!check_request(request, &launch) || !choose_faults(sim, request, &launch, &faults))
        return;
    if (faults.status != 0) {
        if (faults.slow_response_ms > 0)
            sim_wait(sim, faults.slow_response_ms);
        answer_status(request, (int)faults.status);
    } else {
        launch_run(sim, request, name, &launch, &faults);
    }
    sim_faults_fini(&faults);
}

void api_run(struct sim *sim, struct http_request *request, const char *name)
{
    struct buffer body;
    struct error error = {0};
    buffer_init(&body, API_BODY_MAX_BYTES);
    if (api_read_body(request, &body)) {
        struct json_document *document = json_parse(buffer_bytes(&body), &error);
        if (document)
            run_document(sim, request, name, document);
        else
            answer_validation(request, "body", NULL, error.message, "json_invalid");
        json_document_free(document);
    }
    buffer_fini(&body);
}
