/* SPDX-License-Identifier: MIT */
/* GET /workflow-version-execution-results */
#include <string.h>
#include <strings.h>

#include "api_private.h"
#include "callbackd/text.h"

enum { PARAMETER_MAX_BYTES = 64 };

/* false: it was answered. */
static bool read_id(struct http_request *request, int64_t *id_out)
{
    static const char name[] = "workflow_version_execution_id";
    struct buffer text;
    buffer_init(&text, PARAMETER_MAX_BYTES);
    bool there = http_request_parameter(request, name, &text) > 0;
    bool good = there && text_parse_int64(buffer_bytes(&text), id_out);
    buffer_fini(&text);
    if (!there)
        answer_validation(request, "query", name, "Field required", "missing");
    else if (!good)
        answer_validation(
            request, "query", name,
            "Input should be a valid integer, unable to parse string as an integer", "int_parsing");
    return good;
}

static bool read_all_outputs(struct http_request *request, bool *all_out)
{
    static const char name[] = "return_all_outputs";
    static const char *const words[] = {"false", "0", "no", "off", "true", "1", "yes", "on"};
    struct buffer text;
    bool known = false;
    buffer_init(&text, PARAMETER_MAX_BYTES);
    bool there = http_request_parameter(request, name, &text) > 0;
    for (size_t i = 0; there && !known && i < sizeof words / sizeof *words; i++) {
        known = strcasecmp(words[i], buffer_text(&text)) == 0;
        *all_out = known && i >= 4;
    }
    buffer_fini(&text);
    if (there && !known)
        answer_validation(
            request, "query", name, "Input should be a valid boolean, unable to interpret input",
            "bool_parsing");
    return !there || known;
}

/* true: this poll met with something else than the result. */
static bool answer_fault(struct http_request *request, enum sim_poll poll)
{
    switch (poll) {
    case SIM_POLL_EMPTY:
        http_respond(request, 204, "application/json", NULL, bytes_of(NULL, 0));
        return true;
    case SIM_POLL_NOT_FOUND:
        answer_message(request, 404, "Workflow version execution not found");
        return true;
    case SIM_POLL_RATE_LIMITED:
        answer_status(request, 429);
        return true;
    case SIM_POLL_ERROR:
        answer_status(request, 503);
        return true;
    default:
        return false;
    }
}

static void answer_body(struct http_request *request, int status, int written, struct buffer *json)
{
    if (written != 0)
        answer_message(request, 500, "the simulator is out of memory");
    else
        http_respond(request, status, "application/json", NULL, buffer_bytes(json));
}

static void answer_look(struct http_request *request, const struct sim_look *look, bool all_outputs)
{
    const struct sim_subject *subject = &look->subject;
    bool running = !look->ready || look->poll == SIM_POLL_RUNNING;
    bool failed = look->poll == SIM_POLL_FAILED || (!all_outputs && sim_body_has_failed(subject));
    struct buffer json;
    buffer_init(&json, API_ANSWER_MAX_BYTES);
    if (running && all_outputs)
        answer_body(request, 202, sim_body_running(subject, &json), &json);
    else if (running)
        answer_body(request, 202, buffer_append_text(&json, "null\n"), &json);
    else if (failed)
        answer_body(request, 500, sim_body_no_output(subject, &json), &json);
    else
        answer_body(request, 200, sim_body_poll(subject, all_outputs, &json), &json);
    buffer_fini(&json);
}

void api_results(struct sim *sim, struct http_request *request)
{
    int64_t id = 0;
    bool all_outputs = false;
    struct sim_look look;
    if (!read_id(request, &id) || !read_all_outputs(request, &all_outputs))
        return;
    if (!sim_poll_run(sim, id, &look))
        answer_message(request, 404, "Workflow version execution not found");
    else if (!answer_fault(request, look.poll))
        answer_look(request, &look, all_outputs);
}
