/* SPDX-License-Identifier: MIT */
/* Any JSON: two pointers of the endpoint say where its id and its status are. */
#include "body_private.h"

void body_pointers_init(struct body_reader *reader)
{
    struct body_pointers *pointers = &reader->as.pointers;
    if (reader->rules->id_pointer)
        json_pointer_init(&pointers->id, reader->rules->id_pointer);
    if (reader->rules->status_pointer)
        json_pointer_init(&pointers->status, reader->rules->status_pointer);
}

int body_pointers_event(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct body_reader *reader = context;
    struct body_pointers *pointers = &reader->as.pointers;
    (void)error;
    if (pointers->id.text)
        json_pointer_event(&pointers->id, reader->body, event, depth, start, end);
    if (pointers->status.text)
        json_pointer_event(&pointers->status, reader->body, event, depth, start, end);
    return 0;
}

static struct body_span span_of(const struct json_pointer *pointer)
{
    return (struct body_span){
        .present = pointer->found,
        .kind = pointer->kind,
        .start = pointer->start,
        .end = pointer->end};
}

static bool is_integer(struct bytes number)
{
    for (size_t i = 0; i < number.length; i++)
        if (number.data[i] != '-' && (number.data[i] < '0' || number.data[i] > '9'))
            return false;
    return true;
}

static int read_id(struct body_reader *reader, struct body_summary *summary, struct error *error)
{
    struct body_span span = span_of(&reader->as.pointers.id);
    if (!span.present)
        return 0;
    if (span.kind == JSON_STRING)
        return body_span_identifier(
            &span, reader->body, "the id", &summary->has_id, summary->id, error);
    struct bytes token = body_span_view(&span, reader->body);
    if (span.kind == JSON_NUMBER && is_integer(token))
        return body_identifier(token, "the id", &summary->has_id, summary->id, error);
    return 0;
}

int body_pointers_finish(
    struct body_reader *reader, struct body_summary *summary, struct error *error)
{
    struct body_span status = span_of(&reader->as.pointers.status);
    summary->status = body_span_status(&status, reader->body);
    return read_id(reader, summary, error);
}
