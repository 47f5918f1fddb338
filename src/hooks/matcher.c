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
};

static bool regex_passes(const struct evaluation *evaluation, struct bytes value)
{
    int answer = regex_match(evaluation->node->regex, value);
    if (answer < 0)
        log_warning(
            "a regular expression gave up on a value, which counts as not matching",
            LOG_TEXT("hook", evaluation->matcher->hook->name),
            LOG_TEXT("source", evaluation->node->condition->source));
    return answer > 0;
}

/* A value with a NUL matches no glob: the pattern would see only what stands before it. */
static bool glob_passes(const char *pattern, struct bytes value)
{
    if (value.length > 0 && memchr(value.data, '\0', value.length))
        return false;
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, value.length);
    return buffer_append_bytes(&text, value) == 0 && text_glob_match(pattern, buffer_text(&text));
}

/* A header_test. */
static bool value_passes(void *context, struct bytes value)
{
    const struct evaluation *evaluation = context;
    const struct config_condition *condition = evaluation->node->condition;
    switch (condition->operator) {
    case OPERATOR_EQUALS:
        return bytes_equal_text(value, condition->text);
    case OPERATOR_GLOB:
        return glob_passes(condition->text, value);
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
    CLEANUP_BUFFER struct buffer value;
    buffer_init(&value, subject->body.length);
    return value_find(
               subject->result->kind, subject->body, evaluation->node->condition->source, &value) &&
           !buffer_failed(&value) && value_passes(evaluation, buffer_bytes(&value));
}

static bool content_passes(
    const struct hook_matcher *matcher, const struct matcher_node *node,
    const struct hook_subject *subject)
{
    struct evaluation evaluation = {matcher, subject, node};
    const struct config_condition *condition = node->condition;
    bool passes =
        condition->type == CONDITION_POINTER
            ? pointer_passes(&evaluation)
            : header_find(subject->headers_json, condition->source, value_passes, &evaluation);
    bool wants_absence =
        condition->operator== OPERATOR_EXISTS && strcmp(condition->text, "false") == 0;
    return passes != wants_absence;
}

static const char *text_or_empty(const char *text)
{
    return text ? text : "";
}

static bool node_passes(
    const struct hook_matcher *matcher, const struct matcher_node *node,
    const struct hook_subject *subject);

/* Is there a child that comes out as `wanted`? */
static bool any_child(
    const struct hook_matcher *matcher, const struct matcher_node *node,
    const struct hook_subject *subject, bool wanted)
{
    for (size_t i = 0; i < node->condition->child_count; i++) {
        if (node_passes(matcher, &node->children[i], subject) == wanted)
            return true;
    }
    return false;
}

static bool node_passes(
    const struct hook_matcher *matcher, const struct matcher_node *node,
    const struct hook_subject *subject)
{
    const struct config_condition *condition = node->condition;
    const struct result_record *result = subject->result;
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
        return content_passes(matcher, node, subject);
    case CONDITION_ALL:
        return !any_child(matcher, node, subject, false);
    case CONDITION_ANY:
        return any_child(matcher, node, subject, true);
    case CONDITION_NOT:
        return !any_child(matcher, node, subject, true);
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

bool hook_matcher_matches(const struct hook_matcher *matcher, const struct hook_subject *subject)
{
    return hook_takes(matcher->hook, subject->result) &&
           node_passes(matcher, &matcher->root, subject);
}

static bool visit_children(
    const struct hook_matcher *matcher, const struct matcher_node *node, int depth,
    const struct hook_subject *subject, condition_visitor *visit, void *context)
{
    for (size_t i = 0; i < node->condition->child_count; i++) {
        const struct matcher_node *child = &node->children[i];
        bool holds = node_passes(matcher, child, subject);
        if (!visit(context, depth, child->condition, holds) ||
            !visit_children(matcher, child, depth + 1, subject, visit, context))
            return false;
    }
    return true;
}

bool hook_matcher_visit(
    const struct hook_matcher *matcher, const struct hook_subject *subject,
    condition_visitor *visit, void *context)
{
    return visit_children(matcher, &matcher->root, 0, subject, visit, context);
}
