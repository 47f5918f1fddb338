/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include "callbackd/json_writer.h"

enum { ANSWER_MAX_BYTES = 64 * 1024 };

static const struct http_header retry_soon[] = {{"Retry-After", "1"}, {NULL, NULL}};

void answer_json(struct http_request *request, int status, struct buffer *json)
{
    buffer_append_char(json, '\n');
    bool soon = status == 429 || status == 503;
    if (buffer_failed(json))
        http_respond(request, 500, "text/plain", NULL, bytes_of_text("out of memory\n"));
    else
        http_respond(
            request, status, "application/json", soon ? retry_soon : NULL, buffer_bytes(json));
}

static void answer_failure(
    struct http_request *request, int status, const char *key, const char *message)
{
    struct buffer json;
    struct json_writer writer;
    buffer_init(&json, ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    json_object_begin(&writer);
    json_member_bool(&writer, "success", false);
    json_member_text(&writer, key, message);
    json_object_end(&writer);
    answer_json(request, status, &json);
    buffer_fini(&json);
}

void answer_message(struct http_request *request, int status, const char *message)
{
    answer_failure(request, status, "message", message);
}

void answer_error(struct http_request *request, int status, const char *message)
{
    answer_failure(request, status, "error", message);
}

void answer_detail(struct http_request *request, int status, const char *detail)
{
    struct buffer json;
    struct json_writer writer;
    buffer_init(&json, ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    json_object_begin(&writer);
    json_member_text(&writer, "detail", detail);
    json_object_end(&writer);
    answer_json(request, status, &json);
    buffer_fini(&json);
}

void answer_validation(
    struct http_request *request, const char *where, const char *field, const char *message,
    const char *type)
{
    struct buffer json;
    struct json_writer writer;
    buffer_init(&json, ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    json_object_begin(&writer);
    json_key(&writer, "detail");
    json_array_begin(&writer);
    json_object_begin(&writer);
    json_key(&writer, "loc");
    json_array_begin(&writer);
    json_text(&writer, where);
    if (field)
        json_text(&writer, field);
    json_array_end(&writer);
    json_member_text(&writer, "msg", message);
    json_member_text(&writer, "type", type);
    json_object_end(&writer);
    json_array_end(&writer);
    json_object_end(&writer);
    answer_json(request, 422, &json);
    buffer_fini(&json);
}

void answer_status(struct http_request *request, int status)
{
    if (status == 422)
        answer_validation(request, "body", "input_variables", "Simulated error", "value_error");
    else if (status == 429)
        answer_message(request, status, "Rate limit exceeded. Please retry later.");
    else if (status == 502 || status == 503 || status == 504)
        http_respond(
            request, status, "text/html", status == 503 ? retry_soon : NULL,
            bytes_of_text("<html><body><h1>The server is unavailable</h1></body></html>\n"));
    else
        answer_message(request, status, "Simulated error");
}
