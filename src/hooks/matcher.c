/* SPDX-License-Identifier: MIT */
#include "matcher.h"

#include <string.h>

#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "header.h"
#include "regex.h"
#include "value.h"

struct matcher_node {
    const struct config_condition *condition; /* borrowed from the hook */
    struct regex *regex;                      /* OPERATOR_REGEX only */
    struct matcher_node *children;            /* condition->child_count */
};

struct hook_matcher {
    const struct config_hook *hook; /* borrowed */
    struct matcher_node root;
    bool needs_content;
};

static void node_fini(struct matcher_node *node)
{
    regex_free(node->regex);
    for (size_t i = 0; node->children && i < node->condition->child_count; i++)
        node_fini(&node->children[i]);
    free(node->children);
}

static bool looks_at_content(const struct config_condition *condition)
{
    return condition->type == CONDITION_POINTER || condition->type == CONDITION_HEADER;
}

/* Leaves what node_fini can take, also on failure. */
static int node_compile(
    struct hook_matcher *matcher, struct matcher_node *node,
    const struct config_condition *condition, struct error *error)
{
    node->condition = condition;
    if (looks_at_content(condition)) {
        matcher->needs_content = true;
        if (condition->operator== OPERATOR_REGEX) {
            node->regex = regex_new(condition->text, error);
            return node->regex ? 0 : -1;
        }
        return 0;
    }
    if (condition->child_count == 0)
        return 0;
    node->children = calloc(condition->child_count, sizeof(*node->children));
    if (!node->children)
        return error_set(error, ERROR_MEMORY, "no memory for a condition");
    /* All of them first get their condition, so that a half-built tree can be freed. */
    for (size_t i = 0; i < condition->child_count; i++)
        node->children[i].condition = &condition->children[i];
    for (size_t i = 0; i < condition->child_count; i++) {
        if (node_compile(matcher, &node->children[i], &condition->children[i], error) != 0)
            return -1;
    }
    return 0;
}

struct hook_matcher *hook_matcher_new(const struct config_hook *hook, struct error *error)
{
    struct hook_matcher *matcher = calloc(1, sizeof(*matcher));
    if (!matcher) {
        error_set(error, ERROR_MEMORY, "no memory for a matcher");
        return NULL;
    }
    matcher->hook = hook;
    if (node_compile(matcher, &matcher->root, &hook->when, error) != 0) {
        error_prefix(error, "hook %s", hook->name);
        hook_matcher_free(matcher);
        return NULL;
    }
    return matcher;
}

void hook_matcher_free(struct hook_matcher *matcher)
{
    if (!matcher)
        return;
    node_fini(&matcher->root);
    free(matcher);
}

bool hook_matcher_needs_content(const struct hook_matcher *matcher)
{
    return matcher->needs_content;
}

/* ---- evaluation ---- */

struct evaluation {
    const struct hook_matcher *matcher;
    const struct hook_subject *subject;
    const struct matcher_node *node; /* the one at hand, for value_passes */
    bool starved;                    /* memory was short: the outcome means nothing */
};

static bool regex_passes(struct evaluation *evaluation, struct bytes value)
{
    int answer = regex_match(evaluation->node->regex, value);
    if (answer == REGEX_STARVED)
        evaluation->starved = true;
    else if (answer < 0)
        log_warning(
            "a regular expression gave up on a value, which counts as not matching",
            LOG_TEXT("hook", evaluation->matcher->hook->name),
            LOG_TEXT("source", evaluation->node->condition->source));
    return answer > 0;
}

/* A value with a NUL matches no glob: the pattern would see only what stands before it. */
static bool glob_passes(struct evaluation *evaluation, struct bytes value)
{
    if (value.length > 0 && memchr(value.data, '\0', value.length))
        return false;
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, value.length);
    if (buffer_append_bytes(&text, value) != 0) {
        evaluation->starved = true;
        return false;
    }
    return text_glob_match(evaluation->node->condition->text, buffer_text(&text));
}

/* A header_test. */
static bool value_passes(void *context, struct bytes value)
{
    struct evaluation *evaluation = context;
    const struct config_condition *condition = evaluation->node->condition;
    switch (condition->operator) {
    case OPERATOR_EQUALS:
        return bytes_equal_text(value, condition->text);
    case OPERATOR_GLOB:
        return glob_passes(evaluation, value);
    case OPERATOR_REGEX:
        return regex_passes(evaluation, value);
    case OPERATOR_EXISTS:
        return true;
    }
    return false;
}

static bool pointer_passes(struct evaluation *evaluation)
{
    const struct hook_subject *subject = evaluation->subject;
    const char *pointer = evaluation->node->condition->source;
    CLEANUP_BUFFER struct buffer value;
    buffer_init(&value, subject->body.length);
    bool found = value_find(subject->result->kind, subject->body, pointer, &value);
    evaluation->starved = evaluation->starved || value.starved;
    return found && !buffer_failed(&value) && value_passes(evaluation, buffer_bytes(&value));
}

static bool header_passes(struct evaluation *evaluation)
{
    bool starved = false;
    bool found = header_find(
        evaluation->subject->headers_json, evaluation->node->condition->source, value_passes,
        evaluation, &starved);
    evaluation->starved = evaluation->starved || starved;
    return found;
}

static bool content_passes(struct evaluation *evaluation, const struct matcher_node *node)
{
    const struct config_condition *condition = node->condition;
    evaluation->node = node;
    bool passes = condition->type == CONDITION_POINTER ? pointer_passes(evaluation)
                                                       : header_passes(evaluation);
    bool wants_absence =
        condition->operator== OPERATOR_EXISTS && strcmp(condition->text, "false") == 0;
    return passes != wants_absence;
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static bool node_passes(struct evaluation *evaluation, const struct matcher_node *node);

/* Is there a child that comes out as `wanted`? */
static bool any_child(struct evaluation *evaluation, const struct matcher_node *node, bool wanted)
{
    for (size_t i = 0; i < node->condition->child_count; i++) {
        if (node_passes(evaluation, &node->children[i]) == wanted)
            return true;
    }
    return false;
}

static bool node_passes(struct evaluation *evaluation, const struct matcher_node *node)
{
    const struct config_condition *condition = node->condition;
    const struct result_record *result = evaluation->subject->result;
    switch (condition->type) {
    case CONDITION_STATUS:
        return (condition->statuses >> result->status) & 1;
    case CONDITION_WORKFLOW:
        return text_glob_match(condition->text, text_or_empty(result->workflow));
    case CONDITION_ENDPOINT:
        return strcmp(condition->text, text_or_empty(result->endpoint)) == 0;
    case CONDITION_EVENT:
        return text_glob_match(condition->text, text_or_empty(result->event));
    case CONDITION_POINTER:
    case CONDITION_HEADER:
        return content_passes(evaluation, node);
    case CONDITION_ALL:
        return !any_child(evaluation, node, false);
    case CONDITION_ANY:
        return any_child(evaluation, node, true);
    case CONDITION_NOT:
        return !any_child(evaluation, node, true);
    }
    return false;
}

bool hook_takes(const struct config_hook *hook, const struct result_record *result)
{
    if (hook->takes != TAKES_RESULTS)
        return false;
    if (hook->endpoint && strcmp(hook->endpoint, text_or_empty(result->endpoint)) != 0)
        return false;
    if (result->status == STATUS_MISMATCH)
        return false; /* what is not of its run triggers nothing, whatever a hook says */
    return hook->takes_status || result_status_is_final(result->status);
}

static int starved(struct error *error)
{
    return error_set(error, ERROR_MEMORY, "no memory to look at a hook's conditions");
}

int hook_matcher_matches(
    const struct hook_matcher *matcher, const struct hook_subject *subject, struct error *error)
{
    struct evaluation evaluation = {.matcher = matcher, .subject = subject};
    if (!hook_takes(matcher->hook, subject->result))
        return 0;
    bool passes = node_passes(&evaluation, &matcher->root);
    return evaluation.starved ? starved(error) : passes;
}

static int visit_children(
    struct evaluation *evaluation, const struct matcher_node *node, int depth,
    condition_visitor *visit, void *context, struct error *error)
{
    for (size_t i = 0; i < node->condition->child_count; i++) {
        const struct matcher_node *child = &node->children[i];
        bool holds = node_passes(evaluation, child);
        if (evaluation->starved || !visit(context, depth, child->condition, holds))
            return starved(error);
        if (visit_children(evaluation, child, depth + 1, visit, context, error) != 0)
            return -1;
    }
    return 0;
}

int hook_matcher_visit(
    const struct hook_matcher *matcher, const struct hook_subject *subject,
    condition_visitor *visit, void *context, struct error *error)
{
    struct evaluation evaluation = {.matcher = matcher, .subject = subject};
    return visit_children(&evaluation, &matcher->root, 0, visit, context, error);
}
