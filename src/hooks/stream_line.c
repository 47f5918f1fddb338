/* SPDX-License-Identifier: MIT */
#include "stream_line.h"

#include <inttypes.h>

#include "callbackd/json_scan.h"
#include "callbackd/json_writer.h"
#include "callbackd/text.h"

static void member_id(struct json_writer *writer, const char *key, const struct id *id)
{
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    json_member_text(writer, key, text);
}

/* What is absent is null. */
static void member_given(struct json_writer *writer, const char *key, const char *text)
{
    json_member_text(writer, key, text && text[0] != '\0' ? text : NULL);
}

static void write_result(struct json_writer *writer, const struct result_record *result)
{
    char execution[32];
    snprintf(execution, sizeof(execution), "%" PRId64, result->execution_id);
    member_given(writer, "endpoint", result->endpoint);
    member_id(writer, "result_id", &result->id);
    json_member_text(writer, "execution_id", result->has_execution_id ? execution : NULL);
    if (result->has_run)
        member_id(writer, "run_id", &result->run);
    else
        json_member_null(writer, "run_id");
    member_given(writer, "workflow", result->workflow);
    member_given(writer, "event", result->event);
    json_member_text(writer, "status", result_status_name(result->status));
    json_member_time(writer, "received_at", result->received_at_ms);
}

static void write_death(struct json_writer *writer, const struct job_death *death)
{
    member_given(writer, "dead_hook", death->hook);
    member_given(writer, "dead_job_id", death->job);
    member_given(writer, "dead_reason", death->reason);
}

/* ---- the body ---- */

/* Between tokens a blank is as good; inside of one there is none. */
static void join_lines(struct buffer *out, size_t from)
{
    for (size_t i = from; i < out->length; i++) {
        if (out->data[i] == '\n' || out->data[i] == '\r')
            out->data[i] = ' ';
    }
}

/* Looked at anew: what is not JSON would break the line. */
static bool is_json(const struct hook_values *values)
{
    return values->hook->body == LINE_BODY_JSON && values->result->kind != BODY_FORM &&
           json_scan_text(values->body, JSON_DEPTH_MAX, NULL, NULL, NULL) == 0;
}

static void write_body(
    struct json_writer *writer, const struct hook_values *values, struct buffer *out)
{
    if (is_json(values)) {
        json_key(writer, "body");
        size_t from = out->length;
        json_raw(writer, values->body);
        join_lines(out, from);
        return;
    }
    json_key(writer, "body_base64");
    json_raw(writer, bytes_of_text("\""));
    text_base64_encode(values->body, out);
    buffer_append_char(out, '"');
}

void stream_line_append(const struct hook_values *values, struct buffer *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_text(&writer, "job", values->job_id);
    json_member_text(&writer, "hook", values->hook->name);
    json_member_int(&writer, "attempt", values->attempt);
    json_member_bool(&writer, "replay", values->replay);
    write_result(&writer, values->result);
    if (values->hook->takes == TAKES_DEAD)
        write_death(&writer, &values->death);
    write_body(&writer, values, out);
    json_object_end(&writer);
    buffer_append_char(out, '\n');
}
