/* SPDX-License-Identifier: MIT */
#include "outcome.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "exit_status.h"
#include "workflow_output.h"

enum { REASON_BYTES = 64 * 1024 };

int outcome_print_value(const struct display *display, struct bytes value, struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, SIZE_MAX / 2);
    if (workflow_output_append(value, &text) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for an output of %zu bytes", value.length);
    return display_write_foreign(display, buffer_bytes(&text), error);
}

static void say_why(const struct outcome *outcome)
{
    CLEANUP_BUFFER struct buffer reasons;
    buffer_init(&reasons, REASON_BYTES);
    workflow_output_append_reasons(outcome->body, &reasons);
    if (reasons.length == 0)
        display_note("the workflow failed, and its result does not say why");
    const char *line = buffer_text(&reasons);
    while (*line != '\0') {
        size_t length = strcspn(line, "\n");
        display_note("the workflow failed: %.*s", (int)length, line);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
}

static const char *member_text(const struct outcome *outcome, const char *key)
{
    const struct json *root = outcome->document ? json_root(outcome->document) : NULL;
    return json_get_text(json_get(root, key));
}

/* Another execution's output must not pass for this one's: nothing goes to standard output. */
static int tell_mismatch(const struct outcome *outcome)
{
    const char *execution_id = member_text(outcome, "execution_id");
    display_note(
        "the result that came is of another execution (%s): result %s",
        execution_id ? execution_id : "without an id", member_text(outcome, "id"));
    return EXIT_STATUS_WORKFLOW_FAILED;
}

/* The API's object with one more member, so that one document says all. */
static void write_json(const struct outcome *outcome, struct bytes value, struct buffer *out)
{
    struct json_writer writer;
    char execution_id[32];
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    if (outcome->document) {
        const struct json *root = json_root(outcome->document);
        for (const struct json *at = json_first(root); at; at = json_next(at))
            json_member_raw(&writer, json_key_of(at), json_source(outcome->document, at));
    } else {
        snprintf(execution_id, sizeof(execution_id), "%" PRId64, outcome->execution_id);
        json_member_text(&writer, "execution_id", execution_id);
        json_member_text(&writer, "status", result_status_name(outcome->status));
        json_member_text(&writer, "source", "poll");
    }
    json_key(&writer, "output");
    struct buffer compact;
    buffer_init(&compact, value.length);
    workflow_output_append_compact(value, &compact);
    if (compact.length > 0)
        json_raw(&writer, buffer_bytes(&compact));
    else
        json_null(&writer);
    buffer_fini(&compact);
    json_object_end(&writer);
    buffer_append_char(out, '\n');
}

static int print_json(
    const struct display *display, const struct outcome *outcome, struct bytes value,
    struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, SIZE_MAX / 2);
    write_json(outcome, value, &text);
    if (buffer_failed(&text))
        return error_set(error, ERROR_MEMORY, "no memory for an output of %zu bytes", value.length);
    return display_write_foreign(display, buffer_bytes(&text), error);
}

static int print_output(
    const struct display *display, const struct outcome *outcome, bool all_outputs,
    struct error *error)
{
    struct bytes value = {0};
    bool has_output = workflow_output_pick(outcome->kind, outcome->body, all_outputs, &value);
    if (display->json)
        return print_json(display, outcome, value, error);
    if (has_output)
        return outcome_print_value(display, value, error);
    display_note("the result holds no output");
    return 0;
}

int outcome_tell(
    const struct display *display, const struct outcome *outcome, bool all_outputs,
    struct error *error)
{
    const char *confirmation = member_text(outcome, "confirmation");
    if (outcome->status == STATUS_MISMATCH && !display->json)
        return tell_mismatch(outcome);
    if (print_output(display, outcome, all_outputs, error) != 0)
        return -1;
    if (outcome->status == STATUS_MISMATCH)
        return tell_mismatch(outcome);
    if (confirmation && strcmp(confirmation, "differs") == 0) {
        display_note("the workflow API says something else than this result: it is not to be "
                     "trusted");
        return EXIT_STATUS_WORKFLOW_FAILED;
    }
    if (confirmation && strcmp(confirmation, "unavailable") == 0)
        display_note("the workflow API could not be asked to confirm this result");
    if (outcome->status == STATUS_FAILED) {
        say_why(outcome);
        return EXIT_STATUS_WORKFLOW_FAILED;
    }
    return EXIT_STATUS_DONE;
}
