/* SPDX-License-Identifier: MIT */
#include "field.h"

#include <inttypes.h>

#include "callbackd/clock.h"

static void append_hook(const struct hook_values *values, struct buffer *out)
{
    buffer_append_text(out, values->hook->name);
}

static void append_optional(struct buffer *out, const char *text)
{
    if (text)
        buffer_append_text(out, text);
}

static void append_endpoint(const struct hook_values *values, struct buffer *out)
{
    append_optional(out, values->result->endpoint);
}

static void append_id(struct buffer *out, const struct id *id)
{
    char text[ID_TEXT_BYTES];
    id_format(id, text);
    buffer_append_text(out, text);
}

static void append_result_id(const struct hook_values *values, struct buffer *out)
{
    append_id(out, &values->result->id);
}

static void append_execution_id(const struct hook_values *values, struct buffer *out)
{
    if (values->result->has_execution_id)
        buffer_appendf(out, "%" PRId64, values->result->execution_id);
}

static void append_run_id(const struct hook_values *values, struct buffer *out)
{
    if (values->result->has_run)
        append_id(out, &values->result->run);
}

static void append_workflow(const struct hook_values *values, struct buffer *out)
{
    append_optional(out, values->result->workflow);
}

static void append_status(const struct hook_values *values, struct buffer *out)
{
    buffer_append_text(out, result_status_name(values->result->status));
}

static void append_received_at(const struct hook_values *values, struct buffer *out)
{
    char text[CLOCK_RFC3339_BYTES];
    clock_format_rfc3339(values->result->received_at_ms, text);
    buffer_append_text(out, text);
}

static void append_attempt(const struct hook_values *values, struct buffer *out)
{
    buffer_appendf(out, "%d", values->attempt);
}

static void append_job_id(const struct hook_values *values, struct buffer *out)
{
    buffer_append_text(out, values->job_id);
}

static void append_body_file(const struct hook_values *values, struct buffer *out)
{
    append_optional(out, values->body_file);
}

static void append_replay(const struct hook_values *values, struct buffer *out)
{
    if (values->replay)
        buffer_append_char(out, '1');
}

static void append_event(const struct hook_values *values, struct buffer *out)
{
    append_optional(out, values->result->event);
}

static void append_dead_hook(const struct hook_values *values, struct buffer *out)
{
    append_optional(out, values->death.hook);
}

static void append_dead_job_id(const struct hook_values *values, struct buffer *out)
{
    append_optional(out, values->death.job);
}

static void append_dead_reason(const struct hook_values *values, struct buffer *out)
{
    append_optional(out, values->death.reason);
}

static const struct field fields[] = {
    {"hook", "CALLBACK_HOOK", false, append_hook},
    {"endpoint", "CALLBACK_ENDPOINT", false, append_endpoint},
    {"result_id", "CALLBACK_RESULT_ID", false, append_result_id},
    {"execution_id", "CALLBACK_EXECUTION_ID", false, append_execution_id},
    {"run_id", "CALLBACK_RUN_ID", false, append_run_id},
    {"workflow", "CALLBACK_WORKFLOW", false, append_workflow},
    {"status", "CALLBACK_STATUS", false, append_status},
    {"received_at", "CALLBACK_RECEIVED_AT", false, append_received_at},
    {"attempt", "CALLBACK_ATTEMPT", false, append_attempt},
    {"job_id", "CALLBACK_JOB_ID", false, append_job_id},
    {NULL, "CALLBACK_BODY_FILE", false, append_body_file},
    {NULL, "CALLBACK_REPLAY", false, append_replay},
    {"event", NULL, false, append_event},
    {"dead_hook", "CALLBACK_DEAD_HOOK", true, append_dead_hook},
    {"dead_job_id", "CALLBACK_DEAD_JOB_ID", true, append_dead_job_id},
    {"dead_reason", "CALLBACK_DEAD_REASON", true, append_dead_reason},
};

const struct field *field_table(size_t *count_out)
{
    *count_out = sizeof(fields) / sizeof(fields[0]);
    return fields;
}

const struct field *field_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].name && bytes_equal_text(name, fields[i].name))
            return &fields[i];
    }
    return NULL;
}
