/* SPDX-License-Identifier: MIT */
#include "registration.h"

#include <inttypes.h>
#include <string.h>

#include "callbackd/clock.h"
#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "pause.h"

enum { BODY_BYTES = 1024 * 1024, PATH_BYTES = 256 };

void registration_fini(struct registration *registration)
{
    admin_answer_fini(&registration->answer);
}

static void write_request(const struct registration_request *request, struct buffer *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    if (request->workflow)
        json_member_text(&writer, "workflow", request->workflow);
    if (request->endpoint)
        json_member_text(&writer, "endpoint", request->endpoint);
    if (request->deadline_at_ms > 0)
        json_member_time(&writer, "deadline", request->deadline_at_ms);
    if (request->tags_json.length > 0)
        json_member_raw(&writer, "tags", request->tags_json);
    if (request->idempotency_key)
        json_member_text(&writer, "idempotency_key", request->idempotency_key);
    if (request->external)
        json_member_bool(&writer, "external", true);
    json_object_end(&writer);
}

/* Takes the answer into `registration_out` when it is what was promised. */
static int read_answer(
    struct admin_answer *answer, struct registration *registration_out, struct error *error)
{
    const struct json *root = answer->document ? json_root(answer->document) : NULL;
    const char *run_id = json_get_text(json_get(root, "run_id"));
    const char *callback_url = json_get_text(json_get(root, "callback_url"));
    struct id id;
    if (!run_id || !id_parse(bytes_of_text(run_id), &id) || !callback_url)
        return error_set(
            error, ERROR_REFUSED, "the daemon's answer has no run_id and callback_url");
    *registration_out = (struct registration){
        .callback_url = callback_url,
        .existing = answer->status == 200,
        .answer = *answer,
    };
    id_format(&id, registration_out->run_id);
    return 0;
}

int registration_make(
    struct admin_client *admin, const struct registration_request *request,
    struct registration *registration_out, struct error *error)
{
    CLEANUP_BUFFER struct buffer body;
    buffer_init(&body, BODY_BYTES);
    write_request(request, &body);
    if (buffer_failed(&body))
        return error_set(error, ERROR_USAGE, "the registration is larger than 1 MiB");
    struct admin_call call = {
        .method = "POST", .path = "/api/v1/runs", .body = buffer_bytes(&body)};
    struct admin_answer answer;
    if (admin_call(admin, &call, &answer, error) != 0)
        return -1;
    if (read_answer(&answer, registration_out, error) != 0) {
        admin_answer_fini(&answer);
        return -1;
    }
    return 0;
}

static int patch(
    struct admin_client *admin, const char *run_id, struct bytes body, struct error *error)
{
    static const int64_t delays_ms[] = {200, 500, 1000, 2000, 3000, 4000};
    CLEANUP_BUFFER struct buffer path;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, "/api/v1/runs");
    admin_add_segment(&path, run_id);
    struct admin_call call = {.method = "PATCH", .path = buffer_text(&path), .body = body};
    for (size_t i = 0;; i++) {
        struct admin_answer answer;
        if (admin_call(admin, &call, &answer, error) == 0) {
            admin_answer_fini(&answer);
            return 0;
        }
        if (!admin_error_is_passing(error) || i == sizeof(delays_ms) / sizeof(delays_ms[0]))
            return -1;
        pause_ms(delays_ms[i]);
    }
}

int registration_launched(
    struct admin_client *admin, const char *run_id, int64_t execution_id, struct error *error)
{
    CLEANUP_FREE char *body = text_format("{\"execution_id\":\"%" PRId64 "\"}", execution_id);
    if (!body)
        return error_set(error, ERROR_MEMORY, "no memory for a request");
    return patch(admin, run_id, bytes_of_text(body), error);
}

int registration_failed(
    struct admin_client *admin, const char *run_id, const char *reason, struct error *error)
{
    CLEANUP_BUFFER struct buffer body;
    buffer_init(&body, BODY_BYTES);
    struct json_writer writer;
    json_writer_init(&writer, &body);
    json_object_begin(&writer);
    json_member_text(&writer, "failed", reason);
    json_object_end(&writer);
    return patch(admin, run_id, buffer_bytes(&body), error);
}
