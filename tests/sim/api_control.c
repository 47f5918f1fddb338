/* SPDX-License-Identifier: MIT */
/* What no real API has: setting faults for all runs, and asking what was sent. */
#include <string.h>

#include "api_private.h"
#include "callbackd/text.h"

enum { PARAMETER_MAX_BYTES = 64 };

static void set_defaults(struct sim *sim, struct http_request *request)
{
    struct buffer body;
    struct error error = {0};
    buffer_init(&body, API_BODY_MAX_BYTES);
    if (api_read_body(request, &body)) {
        struct json_document *document = json_parse(buffer_bytes(&body), &error);
        struct sim_faults faults = sim_faults_initial(sim_options(sim));
        if (document && sim_faults_read(&faults, document, json_root(document), &error) == 0) {
            sim_defaults_set(sim, &faults);
            http_respond(request, 200, "application/json", NULL, bytes_of_text("{}\n"));
        } else {
            answer_validation(request, "body", NULL, error.message, "value_error");
        }
        sim_faults_fini(&faults);
        json_document_free(document);
    }
    buffer_fini(&body);
}

/* The run that is asked about; 0: all. false: it was answered. */
static bool read_filter(struct http_request *request, int64_t *id_out)
{
    static const char name[] = "workflow_version_execution_id";
    struct buffer text;
    buffer_init(&text, PARAMETER_MAX_BYTES);
    *id_out = 0;
    bool there = http_request_parameter(request, name, &text) > 0;
    bool good = !there || text_parse_int64(buffer_bytes(&text), id_out);
    buffer_fini(&text);
    if (!good)
        answer_validation(request, "query", name, "Input should be a valid integer", "int_parsing");
    return good;
}

static void write_list(struct sim *sim, struct http_request *request, bool sent)
{
    struct buffer json;
    struct json_writer writer;
    int64_t id = 0;
    if (!read_filter(request, &id))
        return;
    buffer_init(&json, API_ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    json_object_begin(&writer);
    json_key(&writer, "items");
    if (sent)
        sim_write_sent(sim, id, &writer);
    else
        sim_write_runs(sim, &writer);
    json_object_end(&writer);
    answer_json(request, 200, &json);
    buffer_fini(&json);
}

void api_control(struct sim *sim, struct http_request *request)
{
    const char *path = http_request_path(request);
    const char *method = http_request_method(request);
    if (strcmp(path, "/_sim/defaults") == 0 && strcmp(method, "POST") == 0)
        set_defaults(sim, request);
    else if (strcmp(path, "/_sim/sent") == 0 && strcmp(method, "GET") == 0)
        write_list(sim, request, true);
    else if (strcmp(path, "/_sim/runs") == 0 && strcmp(method, "GET") == 0)
        write_list(sim, request, false);
    else
        answer_detail(request, 404, "Not Found");
}
