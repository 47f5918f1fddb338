/* SPDX-License-Identifier: MIT */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/os.h"
#include "callbackd/text.h"
#include "matcher.h"

enum { CONDITION_TEXT_MAX = 4096 };

/* ---- in words ---- */

static void append_statuses(unsigned statuses, struct buffer *out)
{
    const char *between = "";
    buffer_append_text(out, "status is ");
    for (int status = 0; status < STATUS_COUNT; status++) {
        if (!((statuses >> status) & 1))
            continue;
        buffer_append_text(out, between);
        buffer_append_text(out, result_status_name((enum result_status)status));
        between = " or ";
    }
}

static void append_test(
    const char *of, const struct config_condition *condition, struct buffer *out)
{
    static const char *const words[] = {
        [OPERATOR_EQUALS] = "is", [OPERATOR_GLOB] = "is like", [OPERATOR_REGEX] = "matches"};
    buffer_appendf(out, "%s %s ", of, condition->source);
    if (condition->operator!= OPERATOR_EXISTS)
        buffer_appendf(out, "%s %s", words[condition->operator], condition->text);
    else
        buffer_append_text(out, strcmp(condition->text, "false") == 0 ? "is absent" : "exists");
}

static void append_condition(const struct config_condition *condition, struct buffer *out)
{
    switch (condition->type) {
    case CONDITION_STATUS:
        append_statuses(condition->statuses, out);
        break;
    case CONDITION_WORKFLOW:
        buffer_appendf(out, "workflow is like %s", condition->text);
        break;
    case CONDITION_ENDPOINT:
        buffer_appendf(out, "endpoint is %s", condition->text);
        break;
    case CONDITION_EVENT:
        buffer_appendf(out, "event is like %s", condition->text);
        break;
    case CONDITION_POINTER:
        append_test("body", condition, out);
        break;
    case CONDITION_HEADER:
        append_test("header", condition, out);
        break;
    case CONDITION_ALL:
        buffer_append_text(out, "all of");
        break;
    case CONDITION_ANY:
        buffer_append_text(out, "any of");
        break;
    case CONDITION_NOT:
        buffer_append_text(out, "not");
        break;
    }
}

/* ---- collecting them ---- */

static bool add(struct hook_trial *trial, int depth, bool holds, const struct buffer *text)
{
    struct hook_trial_condition *grown =
        reallocarray(trial->conditions, trial->condition_count + 1, sizeof(*grown));
    if (!grown)
        return false;
    trial->conditions = grown;
    /* One that is too long to be read is cut. */
    char *copy = text_copy(buffer_text(text));
    if (!copy)
        return false;
    grown[trial->condition_count++] = (struct hook_trial_condition){depth, holds, copy};
    return true;
}

static bool add_words(struct hook_trial *trial, bool holds, const char *words, const char *name)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, CONDITION_TEXT_MAX);
    buffer_append_text(&text, words);
    buffer_append_text(&text, name);
    return add(trial, 0, holds, &text);
}

static bool note(void *context, int depth, const struct config_condition *condition, bool holds)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, CONDITION_TEXT_MAX);
    append_condition(condition, &text);
    return add(context, depth, holds, &text);
}

/* What every hook asks for, whatever its `when` says: as hook_takes has it. */
static bool add_of_all(
    const struct config_hook *hook, const struct result_record *result, struct hook_trial *trial)
{
    bool done = true;
    if (hook->endpoint)
        done = add_words(
            trial, strcmp(hook->endpoint, result->endpoint) == 0, "endpoint is ", hook->endpoint);
    if (result->status == STATUS_MISMATCH)
        done = done && add_words(trial, false, "the result is of its run", "");
    if (!hook->takes_status)
        done =
            done && add_words(trial, result_status_is_final(result->status), "status is final", "");
    return done;
}

int explain_match(
    const struct hook_matcher *matcher, const struct config_hook *hook,
    const struct hook_subject *subject, struct hook_trial *trial, struct error *error)
{
    bool done;
    if (hook->takes == TAKES_DEAD) { /* nobody asks its conditions */
        trial->matches = true;
        done = add_words(trial, true, "a job died whose hook names this one as on_dead", "");
    } else {
        int matches = hook_matcher_matches(matcher, subject, error);
        if (matches < 0)
            return -1;
        trial->matches = matches > 0;
        done = add_of_all(hook, subject->result, trial) &&
               hook_matcher_visit(matcher, subject, note, trial, error) == 0;
    }
    return done ? 0 : error_set(error, ERROR_MEMORY, "no memory for conditions");
}
