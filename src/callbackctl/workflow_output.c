/* SPDX-License-Identifier: MIT */
#include "workflow_output.h"

#include <stdint.h>
#include <string.h>

#include "callbackd/json_scan.h"
#include "callbackd/os.h"

/* Decoding only ever shrinks a text, so its own length bounds it; names are short. */
enum { NAME_BYTES = 4096 };

static bool token_equals(struct bytes token, const char *text)
{
    CLEANUP_BUFFER struct buffer decoded;
    buffer_init(&decoded, token.length);
    return token.length > 0 && json_decode_string(token, &decoded) == 0 &&
           bytes_equal_text(buffer_bytes(&decoded), text);
}

static bool node_failed(const struct body_node *node)
{
    return token_equals(node->status, "FAILED") || token_equals(node->status, "FAILURE");
}

/* A node without "value" has put out null. */
static struct bytes node_value(const struct body_node *node)
{
    return node->value.length > 0 ? node->value : bytes_of_text("null");
}

static int pick_first_success(void *context, const struct body_node *node)
{
    struct bytes *value_out = context;
    if (!node->is_output_node || !token_equals(node->status, "SUCCESS"))
        return 0;
    *value_out = node_value(node);
    return 1;
}

bool workflow_output_pick(
    enum body_kind kind, struct bytes body, bool all_outputs, struct bytes *value_out)
{
    struct bytes output = body;
    if (kind == BODY_WORKFLOW_RESULT && !body_output(body, &output))
        return false;
    *value_out = output;
    if (kind == BODY_WORKFLOW_RESULT && !all_outputs && body_output_is_nodes(output))
        body_visit_nodes(output, pick_first_success, value_out);
    return true;
}

struct node_search {
    const char *name;
    struct bytes *value_out;
};

static int pick_by_name(void *context, const struct body_node *node)
{
    const struct node_search *search = context;
    if (!token_equals(node->name, search->name))
        return 0;
    *search->value_out = node_value(node);
    return 1;
}

bool workflow_output_node(struct bytes body, const char *name, struct bytes *value_out)
{
    struct node_search search = {name, value_out};
    struct bytes output;
    return body_output(body, &output) && body_output_is_nodes(output) &&
           body_visit_nodes(output, pick_by_name, &search) == 1;
}

int workflow_output_append_compact(struct bytes json, struct buffer *out)
{
    bool in_string = false;
    size_t kept = 0; /* start of what was not appended yet */
    for (size_t i = 0; i < json.length; i++) {
        unsigned char c = json.data[i];
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
            buffer_append(out, json.data + kept, i - kept);
            kept = i + 1;
        }
    }
    return buffer_append(out, json.data + kept, json.length - kept);
}

static struct bytes trim(struct bytes json)
{
    static const char blanks[] = " \t\r\n";
    while (json.length > 0 && memchr(blanks, json.data[0], sizeof(blanks) - 1)) {
        json.data++;
        json.length--;
    }
    while (json.length > 0 && memchr(blanks, json.data[json.length - 1], sizeof(blanks) - 1))
        json.length--;
    return json;
}

int workflow_output_append_text(struct bytes json, struct buffer *out)
{
    struct bytes value = trim(json);
    if (value.length > 0 && value.data[0] == '"')
        return json_decode_string(value, out);
    return workflow_output_append_compact(value, out);
}

int workflow_output_append(struct bytes value, struct buffer *out)
{
    if (workflow_output_append_text(value, out) != 0)
        return -1;
    return buffer_append_char(out, '\n');
}

/* A line each: a message of several lines becomes one. */
static void join_lines(struct buffer *out, size_t start)
{
    for (size_t i = start; i < out->length; i++) {
        if (out->data[i] == '\n' || out->data[i] == '\r')
            out->data[i] = ' ';
    }
}

static int append_reason(void *context, const struct body_node *node)
{
    struct buffer *out = context;
    size_t start = out->length;
    if (!node_failed(node))
        return 0;
    buffer_append_text(out, "node \"");
    json_decode_string(node->name, out);
    buffer_append_text(out, "\": ");
    if (node->error_message.length == 0 || bytes_equal_text(node->error_message, "null"))
        buffer_append_text(out, "failed without a message");
    else
        workflow_output_append_text(node->error_message, out);
    join_lines(out, start);
    buffer_append_char(out, '\n');
    return 0;
}

static void append_member(struct bytes body, const char *pointer, struct buffer *out)
{
    struct bytes value;
    enum json_event kind;
    if (!json_pointer_find(body, pointer, &value, &kind) || kind != JSON_STRING)
        return;
    size_t start = out->length;
    json_decode_string(value, out);
    join_lines(out, start);
    buffer_append_char(out, '\n');
}

int workflow_output_append_reasons(struct bytes body, struct buffer *out)
{
    struct bytes output;
    size_t start = out->length;
    if (body_output(body, &output) && body_output_is_nodes(output))
        body_visit_nodes(output, append_reason, out);
    if (out->length == start) {
        append_member(body, "/message", out);
        append_member(body, "/error", out);
        append_member(body, "/error_message", out);
    }
    return buffer_failed(out) ? -1 : 0;
}

static int append_name(void *context, const struct body_node *node)
{
    struct buffer *out = context;
    if (out->length > 0)
        buffer_append_text(out, ", ");
    json_decode_string(node->name, out);
    return 0;
}

int workflow_output_append_names(struct bytes body, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer names;
    buffer_init(&names, NAME_BYTES);
    struct bytes output;
    if (body_output(body, &output) && body_output_is_nodes(output))
        body_visit_nodes(output, append_name, &names);
    return buffer_append_bytes(out, buffer_bytes(&names));
}
