/* SPDX-License-Identifier: MIT */
#include "dry_run.h"

#include <stdint.h>

#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "exit_status.h"
#include "locate.h"
#include "mint.h"
#include "workflow_api.h"

static const size_t request_bytes_max = (size_t)1 << 30;

#define KEY_SHOWN "(not shown)"
#define NO_KEY "(not set)"

struct shown_request {
    struct buffer url;
    struct buffer body;
    const char *key;
};

/* The URL that the daemon would give, as far as it is known here. */
static char *sample_callback_url(
    struct session *session, const struct launch_plan *plan, struct error *error)
{
    if (plan->mode == LAUNCH_OWN_URL)
        return text_copy(plan->callback_url);
    const struct config *config = NULL;
    if (session_has_config(session)) {
        config = session_config(session, NEED_NO_SECRET, error);
        if (!config)
            return NULL;
    }
    if (!config)
        return text_copy("https://callbackd.example/callback/<run-token>");
    const struct config_endpoint *endpoint = mint_endpoint(config, plan->endpoint, error);
    if (!endpoint)
        return NULL;
    CLEANUP_FREE char *public_url = locate_public_url(config, NULL);
    return text_format(
        "%s%s/<run-token>", public_url ? public_url : "https://callbackd.example", endpoint->path);
}

static int build(
    struct session *session, const struct launch_plan *plan, struct shown_request *shown,
    struct error *error)
{
    struct workflow_api api;
    CLEANUP_FREE char *callback_url = NULL;
    if (plan->mode != LAUNCH_NO_CALLBACK) {
        callback_url = sample_callback_url(session, plan, error);
        if (!callback_url)
            return -1;
    }
    int result = workflow_api_open(&api, session, false, plan->api_timeout_ms, error);
    struct promptlayer_run run = launch_plan_request(plan, callback_url);
    if (result == 0)
        result = promptlayer_run_body(&run, &shown->body, error);
    if (result == 0)
        result = promptlayer_run_url(&api.api, plan->workflow, &shown->url);
    shown->key = api.has_key ? KEY_SHOWN : NO_KEY;
    workflow_api_fini(&api);
    return result;
}

static void write_json(const struct shown_request *shown, struct buffer *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_text(&writer, "method", "POST");
    json_member_bytes(&writer, "url", buffer_bytes(&shown->url));
    json_key(&writer, "headers");
    json_object_begin(&writer);
    json_member_text(&writer, "X-API-KEY", shown->key);
    json_member_text(&writer, "Content-Type", "application/json");
    json_object_end(&writer);
    json_member_raw(&writer, "body", buffer_bytes(&shown->body));
    json_object_end(&writer);
    buffer_append_char(out, '\n');
}

static void write_text(const struct shown_request *shown, struct buffer *out)
{
    buffer_appendf(
        out, "POST %s\nX-API-KEY: %s\nContent-Type: application/json\n\n", buffer_text(&shown->url),
        shown->key);
    buffer_append_bytes(out, buffer_bytes(&shown->body));
    buffer_append_char(out, '\n');
}

int dry_run_print(struct session *session, const struct launch_plan *plan, struct error *error)
{
    struct shown_request shown = {0};
    buffer_init(&shown.url, request_bytes_max);
    buffer_init(&shown.body, request_bytes_max);
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, SIZE_MAX / 2);
    int result = build(session, plan, &shown, error);
    if (result == 0 && session->display.json)
        write_json(&shown, &out);
    else if (result == 0)
        write_text(&shown, &out);
    buffer_fini(&shown.url);
    buffer_fini(&shown.body);
    if (result != 0)
        return -1;
    if (buffer_failed(&out))
        return error_set(error, ERROR_MEMORY, "no memory to print the request");
    return display_write_foreign(&session->display, buffer_bytes(&out), error) == 0
               ? EXIT_STATUS_DONE
               : -1;
}
