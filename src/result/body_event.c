/* SPDX-License-Identifier: MIT */
/* A workspace event: {"event_type":"…","details":{…},…}. It carries no output. */
#include "body_private.h"

#include "json_string.h"

/* Takes what is known of `details` back to nothing: an earlier one does not count. */
static void begin_details(struct body_notice *notice, enum json_event event)
{
    struct body_span none = {.present = false};
    notice->workflow_execution_id = none;
    notice->agent_execution_id = none;
    notice->workflow_name = none;
    notice->agent_name = none;
    notice->in_details = event == JSON_OBJECT_BEGIN;
}

static struct body_span *detail_span(struct body_notice *notice, struct bytes key)
{
    const struct {
        const char *key;
        struct body_span *span;
    } rows[] = {
        {"workflow_version_execution_id", &notice->workflow_execution_id},
        {"agent_execution_id", &notice->agent_execution_id},
        {"workflow_name", &notice->workflow_name},
        {"agent_name", &notice->agent_name},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (json_string_equals(key, bytes_of_text(rows[i].key)))
            return rows[i].span;
    return &notice->other;
}

static void member_event(
    struct body_notice *notice, struct bytes token, enum json_event event, size_t start, size_t end)
{
    if (event == JSON_KEY) {
        bool details = json_string_equals(token, bytes_of_text("details"));
        bool type = json_string_equals(token, bytes_of_text("event_type"));
        notice->current = details ? NULL : type ? &notice->event_type : &notice->other;
    } else if (event == JSON_OBJECT_END || event == JSON_ARRAY_END) {
        notice->in_details = false;
    } else if (!notice->current) {
        begin_details(notice, event);
    } else {
        body_span_note(notice->current, event, start, end);
    }
}

int body_notice_event(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct body_reader *reader = context;
    struct body_notice *notice = &reader->as.notice;
    struct bytes token = bytes_of(reader->body.data + start, end - start);
    if (depth == 0 && event != JSON_OBJECT_BEGIN && event != JSON_OBJECT_END)
        return error_set(error, ERROR_INVALID, "a workspace event is an object");
    if (depth == 1) {
        member_event(notice, token, event, start, end);
    } else if (depth == 2 && notice->in_details) {
        if (event == JSON_KEY)
            notice->current = detail_span(notice, token);
        else
            body_span_note(notice->current, event, start, end);
    }
    return 0;
}

int body_notice_finish(
    struct body_reader *reader, struct body_summary *summary, struct error *error)
{
    const struct body_notice *notice = &reader->as.notice;
    const struct body_span *type = &notice->event_type;
    bool has_type = false;
    summary->status = STATUS_RECEIVED;
    if (type->present && type->kind == JSON_STRING &&
        body_span_identifier(type, reader->body, "event_type", &has_type, summary->event, error) !=
            0)
        return -1;
    if (!has_type)
        return error_set(error, ERROR_INVALID, "event_type must be a string that is not empty");
    if (!body_span_name(&notice->workflow_name, reader->body, summary->name))
        body_span_name(&notice->agent_name, reader->body, summary->name);
    if (body_span_execution_id(
            &notice->agent_execution_id, reader->body, "details.agent_execution_id", summary,
            error) != 0)
        return -1;
    return body_span_execution_id(
        &notice->workflow_execution_id, reader->body, "details.workflow_version_execution_id",
        summary, error);
}
