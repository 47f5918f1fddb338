/* SPDX-License-Identifier: MIT */
/*
 * The node rule. A node is an object with a string `status`, and
 *   either that status is SUCCESS FAILED FAILURE SKIPPED QUEUED or RUNNING (this case) and there
 *   is a key `value`,
 *   or all of status, value, error_message, raw_error_message and is_output_node are there.
 * A node map is an object that is not empty and whose every member is a node. One that merely
 * looks alike, a member missing its value say, is a bare value and says nothing about status.
 *
 * Duplicate keys: within a node the last status counts; nodes of the same name all count.
 */
#include "body_private.h"

#include "json_string.h"

static const char *const key_names[KEY_COUNT] = {
    [KEY_STATUS] = "status",
    [KEY_VALUE] = "value",
    [KEY_ERROR_MESSAGE] = "error_message",
    [KEY_RAW_ERROR_MESSAGE] = "raw_error_message",
    [KEY_IS_OUTPUT_NODE] = "is_output_node",
};

enum { ALL_KEYS = (1 << KEY_COUNT) - 1 - (1 << KEY_OTHER) };

static const struct {
    const char *word;
    enum node_status status;
} status_words[] = {
    {"SUCCESS", NODE_DONE}, {"FAILED", NODE_FAILED},  {"FAILURE", NODE_FAILED},
    {"SKIPPED", NODE_DONE}, {"QUEUED", NODE_RUNNING}, {"RUNNING", NODE_RUNNING},
};

static enum node_key key_of(struct bytes token)
{
    for (int key = KEY_OTHER + 1; key < KEY_COUNT; key++)
        if (json_string_equals(token, bytes_of_text(key_names[key])))
            return (enum node_key)key;
    return KEY_OTHER;
}

static enum node_status status_of(struct bytes token)
{
    for (size_t i = 0; i < sizeof status_words / sizeof *status_words; i++)
        if (json_string_equals(token, bytes_of_text(status_words[i].word)))
            return status_words[i].status;
    return NODE_OTHER;
}

static bool is_end(enum json_event event)
{
    return event == JSON_OBJECT_END || event == JSON_ARRAY_END;
}

static void node_end(struct body_nodes *nodes)
{
    bool complete = (nodes->seen & ALL_KEYS) == ALL_KEYS && nodes->status != NODE_NONE;
    bool known = (nodes->seen & 1U << KEY_VALUE) != 0 && nodes->status > NODE_OTHER;
    if (!complete && !known)
        nodes->only_nodes = false;
    nodes->any = true;
    nodes->failed |= nodes->status == NODE_FAILED;
    nodes->running |= nodes->status == NODE_RUNNING;
}

static void member_event(struct body_nodes *nodes, enum json_event event)
{
    if (event == JSON_OBJECT_BEGIN) {
        nodes->seen = 0;
        nodes->status = NODE_NONE;
    } else if (event == JSON_OBJECT_END) {
        node_end(nodes);
    } else if (event != JSON_KEY) {
        nodes->only_nodes = false;
    }
}

static void node_event(struct body_nodes *nodes, enum json_event event, struct bytes token)
{
    if (event == JSON_KEY) {
        nodes->key = key_of(token);
        nodes->seen |= 1U << nodes->key;
    } else if (nodes->key == KEY_STATUS && !is_end(event)) {
        nodes->status = event == JSON_STRING ? status_of(token) : NODE_NONE;
    }
}

void body_nodes_event(
    struct body_nodes *nodes, struct bytes text, enum json_event event, int depth, size_t start,
    size_t end)
{
    if (depth == 0 && !is_end(event)) {
        memset(nodes, 0, sizeof *nodes);
        nodes->is_object = event == JSON_OBJECT_BEGIN;
        nodes->only_nodes = nodes->is_object;
    }
    if (!nodes->only_nodes)
        return;
    if (depth == 1)
        member_event(nodes, event);
    else if (depth == 2)
        node_event(nodes, event, bytes_of(text.data + start, end - start));
}

bool body_nodes_is_map(const struct body_nodes *nodes)
{
    return nodes->only_nodes && nodes->any;
}

enum result_status body_nodes_status(const struct body_nodes *nodes)
{
    return nodes->running ? STATUS_RUNNING : nodes->failed ? STATUS_FAILED : STATUS_SUCCESS;
}

/* ---- a whole output ---- */

struct decision {
    struct body_nodes nodes;
    struct bytes text;
};

static int decide(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct decision *decision = context;
    (void)error;
    body_nodes_event(&decision->nodes, decision->text, event, depth, start, end);
    return 0;
}

bool body_output_is_nodes(struct bytes output)
{
    struct decision decision = {.text = output};
    return json_scan_text(output, JSON_DEPTH_MAX, decide, &decision, NULL) == 0 &&
           body_nodes_is_map(&decision.nodes);
}

struct visit {
    struct bytes text;
    struct body_node node;
    enum node_key key; /* of the value to come */
    int (*visit)(void *context, const struct body_node *node);
    void *context;
    int result;
};

static struct bytes *field_of(struct visit *visit)
{
    switch (visit->key) {
    case KEY_STATUS:
        return &visit->node.status;
    case KEY_VALUE:
        return &visit->node.value;
    case KEY_ERROR_MESSAGE:
        return &visit->node.error_message;
    default:
        return NULL;
    }
}

static void visit_value(struct visit *visit, enum json_event event, struct bytes token)
{
    struct bytes *field = field_of(visit);
    if (visit->key == KEY_IS_OUTPUT_NODE)
        visit->node.is_output_node = event == JSON_TRUE;
    if (!field)
        return;
    if (is_end(event))
        field->length = (size_t)(token.data + token.length - field->data);
    else
        *field = token;
}

static int visit_event(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct visit *visit = context;
    struct bytes token = bytes_of(visit->text.data + start, end - start);
    (void)error;
    if (depth == 1 && event == JSON_KEY)
        visit->node = (struct body_node){.name = token};
    else if (depth == 1 && event == JSON_OBJECT_END)
        visit->result = visit->visit(visit->context, &visit->node);
    else if (depth == 2 && event == JSON_KEY)
        visit->key = key_of(token);
    else if (depth == 2)
        visit_value(visit, event, token);
    return visit->result;
}

int body_visit_nodes(
    struct bytes output, int (*visit)(void *context, const struct body_node *node), void *context)
{
    struct visit state = {.text = output, .visit = visit, .context = context};
    if (!body_output_is_nodes(output))
        return 0;
    json_scan_text(output, JSON_DEPTH_MAX, visit_event, &state, NULL);
    return state.result;
}
