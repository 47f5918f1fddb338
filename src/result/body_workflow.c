/* SPDX-License-Identifier: MIT */
/* A workflow result. body.h has the table of the shapes and of what they mean. */
#include "body_private.h"

#include <inttypes.h>

#include "json_string.h"

static struct body_span *span_of(struct body_envelope *envelope, struct bytes key)
{
    const struct {
        const char *key;
        struct body_span *span;
    } rows[] = {
        {"workflow_version_execution_id", &envelope->execution_id},
        {"final_output", &envelope->final_output},
        {"output", &envelope->output},
        {"result_code", &envelope->result_code},
        {"success", &envelope->success},
        {"status", &envelope->status},
        {"workflow_name", &envelope->workflow_name},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (json_string_equals(key, bytes_of_text(rows[i].key)))
            return rows[i].span;
    return &envelope->other;
}

static void envelope_event(
    struct body_envelope *envelope, struct bytes text, enum json_event event, int depth,
    size_t start, size_t end)
{
    if (depth == 0)
        body_span_note(&envelope->root, event, start, end);
    /* The deepest that matters is the key of a node in final_output. */
    if (depth > 3 || envelope->root.kind != JSON_OBJECT_BEGIN)
        return;
    body_nodes_event(&envelope->root_nodes, text, event, depth, start, end);
    if (depth == 0)
        return;
    if (depth == 1 && event == JSON_KEY) {
        envelope->current = span_of(envelope, bytes_of(text.data + start, end - start));
        return;
    }
    if (depth == 1)
        body_span_note(envelope->current, event, start, end);
    if (envelope->current == &envelope->final_output)
        body_nodes_event(&envelope->final_output_nodes, text, event, depth - 1, start, end);
    else if (envelope->current == &envelope->output)
        body_nodes_event(&envelope->output_nodes, text, event, depth - 1, start, end);
}

int body_workflow_event(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct body_reader *reader = context;
    (void)error;
    envelope_event(&reader->as.envelope, reader->body, event, depth, start, end);
    return 0;
}

static bool says_failed(const struct body_envelope *envelope)
{
    return envelope->success.present && envelope->success.kind == JSON_FALSE;
}

/* `output` is a common name: it counts only beside what a result of a workflow has. */
static bool has_output(const struct body_envelope *envelope)
{
    bool success = envelope->success.present &&
                   (envelope->success.kind == JSON_TRUE || envelope->success.kind == JSON_FALSE);
    return envelope->output.present && (success || envelope->execution_id.present);
}

/* What was put out, and whether it is nodes; NULL when the body is about a result without one. */
static const struct body_span *output_of(
    const struct body_envelope *envelope, const struct body_nodes **nodes_out)
{
    if (envelope->final_output.present) {
        *nodes_out = &envelope->final_output_nodes;
        return &envelope->final_output;
    }
    if (has_output(envelope)) {
        *nodes_out = &envelope->output_nodes;
        return &envelope->output;
    }
    *nodes_out = &envelope->root_nodes;
    return envelope->execution_id.present || says_failed(envelope) ? NULL : &envelope->root;
}

/* The word of a body that has no output to judge by. */
static enum result_status status_of_word(const struct body_envelope *envelope, struct bytes body)
{
    static const struct {
        const char *word;
        enum result_status status;
    } words[] = {
        {"FAILED", STATUS_FAILED},
        {"FAILURE", STATUS_FAILED},
        {"QUEUED", STATUS_RUNNING},
        {"RUNNING", STATUS_RUNNING},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (body_span_is(&envelope->status, body, words[i].word))
            return words[i].status;
    return STATUS_SUCCESS;
}

static enum result_status envelope_status(const struct body_envelope *envelope, struct bytes body)
{
    const struct body_nodes *nodes;
    const struct body_span *output = output_of(envelope, &nodes);
    if (says_failed(envelope))
        return STATUS_FAILED;
    if (body_span_is(&envelope->result_code, body, "EXCEEDS_SIZE_LIMIT"))
        return STATUS_TRUNCATED;
    if (output && body_nodes_is_map(nodes))
        return body_nodes_status(nodes);
    if (output && output != &envelope->root)
        return STATUS_SUCCESS;
    return status_of_word(envelope, body);
}

static bool is_empty_object(const struct body_envelope *envelope)
{
    const struct body_nodes *nodes = &envelope->root_nodes;
    return nodes->is_object && nodes->only_nodes && !nodes->any;
}

int body_workflow_finish(
    struct body_reader *reader, struct body_summary *summary, struct error *error)
{
    const struct body_envelope *envelope = &reader->as.envelope;
    if (is_empty_object(envelope))
        return error_set(
            error, ERROR_INVALID, "an empty object says nothing about a run: no output, no id");
    if (body_span_execution_id(
            &envelope->execution_id, reader->body, "workflow_version_execution_id", summary,
            error) != 0)
        return -1;
    if (envelope->execution_id.present || envelope->final_output.present)
        body_span_name(&envelope->workflow_name, reader->body, summary->name);
    summary->status = envelope_status(envelope, reader->body);
    return 0;
}

/* ---- the output inside a stored body ---- */

struct extraction {
    struct body_envelope envelope;
    struct bytes text;
};

static int extract(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct extraction *extraction = context;
    (void)error;
    envelope_event(&extraction->envelope, extraction->text, event, depth, start, end);
    return 0;
}

bool body_output(struct bytes body, struct bytes *output_out)
{
    struct extraction extraction = {.text = body};
    if (json_scan_text(body, JSON_DEPTH_MAX, extract, &extraction, NULL) != 0)
        return false;
    const struct body_nodes *nodes;
    const struct body_span *output = output_of(&extraction.envelope, &nodes);
    if (!output)
        return false;
    *output_out = body_span_view(output, body);
    return true;
}

int body_wrap_polled(int64_t execution_id, struct bytes output, struct buffer *out)
{
    if (buffer_appendf(
            out, "{\"workflow_version_execution_id\":%" PRId64 ",\"final_output\":",
            execution_id) != 0 ||
        buffer_append_bytes(out, output) != 0)
        return -1;
    return buffer_append_char(out, '}');
}
