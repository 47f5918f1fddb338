/* SPDX-License-Identifier: MIT */
#include "body.h"

#include <inttypes.h>
#include <string.h>

#include "random.h"
#include "spelling.h"

enum { NODES_MAX = 5, PURPOSE_CONTENT = 1, PURPOSE_SPELLING = 2 };

/* Each makes some reader stumble: quotes, what a pointer must escape, letters beyond ASCII and
 * beyond 16 bits, what JavaScript treats as a line's end. */
static const char *const names[] = {
    "Node 1", "Résumé writer",  "quote \" and \\ back", "a/b~c",     "日本語の要約",
    "Ω≈ç√",   "rocket 🚀 stage", "Final Answer",         "tab\there", "line\xe2\x80\xa8separator",
};

static const char *const texts[] = {
    "All good.",
    "naïve café — ☕ at 30 °C",
    "He said \"hi\" and left\\went",
    "first line\nsecond line\r\n\tthird",
    "結果は良好です。🎉🎉",
    "</script><b>&amp;</b>",
    "\x7f and \x01 are odd",
    "trailing space ",
};

static const char *const plain_values[] = {
    "1.50",  "1e3", "9007199254740993",
    "false", "0",   "null",
    "\"\"",  "[]",  "{\"score\":0.1,\"tags\":[\"a\",\"é\"],\"deep\":{\"er\":[[],{}]}}",
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct content {
    size_t node_count;
    size_t order[NODES_MAX]; /* indexes into names; the first is the output node */
    size_t text;
    size_t plain; /* index into plain_values; COUNT_OF: it is a text */
    enum sim_variant variant;
};

static struct content content_of(const struct sim_subject *subject, enum sim_variant variant)
{
    struct sim_random random = sim_random_of(subject->seed, subject->id, PURPOSE_CONTENT);
    struct content content = {
        .node_count = 1 + sim_random_below(&random, NODES_MAX),
        .text = sim_random_below(&random, COUNT_OF(texts)),
        .plain = COUNT_OF(plain_values),
        .variant = variant,
    };
    size_t first = sim_random_below(&random, COUNT_OF(names));
    for (size_t i = 0; i < content.node_count; i++)
        content.order[i] = (first + i) % COUNT_OF(names);
    if (sim_random_below(&random, 3) == 0)
        content.plain = sim_random_below(&random, COUNT_OF(plain_values));
    return content;
}

/* ---- values ---- */

static void write_sized(struct spelling *spelling, int64_t size)
{
    static const char piece[] = "0123456789 abcdefghij é☕🚀 \"quoted\"\n";
    buffer_append_char(spelling->out, '"');
    for (size_t start = spelling->out->length;
         spelling->out->length - start < (size_t)size && !buffer_failed(spelling->out);)
        spelling_characters(spelling, piece);
    buffer_append_char(spelling->out, '"');
}

static void write_made_up(
    struct spelling *spelling, const struct sim_subject *subject, const struct content *content)
{
    if (subject->faults->value) {
        buffer_append_text(spelling->out, subject->faults->value);
    } else if (subject->faults->size > 0) {
        write_sized(spelling, subject->faults->size);
    } else if (content->plain < COUNT_OF(plain_values)) {
        buffer_append_text(spelling->out, plain_values[content->plain]);
    } else {
        char text[256];
        snprintf(
            text, sizeof text, "%s (execution %" PRId64 ")", texts[content->text], subject->id);
        spelling_text(spelling, text);
    }
}

static void write_value(
    struct spelling *spelling, const struct sim_subject *subject, const struct content *content)
{
    bool first_is_final = subject->faults->node != SIM_NODE_RUNNING && !subject->faults->truncated;
    if (content->variant == SIM_FIRST || !first_is_final) {
        write_made_up(spelling, subject, content);
        return;
    }
    spelling_open(spelling, '{');
    spelling_key(spelling, "revision");
    buffer_append_char(spelling->out, '2');
    spelling_key(spelling, "value");
    write_made_up(spelling, subject, content);
    spelling_close(spelling, '}');
}

/* ---- nodes ---- */

/* A node that is still running is so only for the first callback. */
static const char *status_word(const struct sim_faults *faults, bool first_callback)
{
    static const char *const words[] = {
        [SIM_NODE_SUCCESS] = "SUCCESS",
        [SIM_NODE_FAILED] = "FAILED",
        [SIM_NODE_FAILURE] = "FAILURE",
        [SIM_NODE_RUNNING] = "RUNNING",
    };
    if (faults->node == SIM_NODE_RUNNING && !first_callback)
        return words[SIM_NODE_SUCCESS];
    return words[faults->node];
}

static void write_errors(struct spelling *spelling, bool failed)
{
    spelling_key(spelling, "error_message");
    if (failed)
        spelling_text(spelling, "Code execution failed: division by zero");
    else
        buffer_append_text(spelling->out, "null");
    spelling_key(spelling, "raw_error_message");
    if (!failed) {
        buffer_append_text(spelling->out, "null");
        return;
    }
    spelling_open(spelling, '{');
    spelling_key(spelling, "raw");
    spelling_text(spelling, "Code execution failed: ZeroDivisionError(\"division by zero\")");
    spelling_close(spelling, '}');
}

/* The output node has the result; the others are there to be told from it. */
static void write_node(
    struct spelling *spelling, const struct sim_subject *subject, const struct content *content,
    size_t index, const char *status)
{
    bool output = index == 0;
    bool success = strcmp(status, "SUCCESS") == 0;
    bool failed = strncmp(status, "FAIL", 4) == 0;
    spelling_key(spelling, names[content->order[index]]);
    spelling_open(spelling, '{');
    spelling_key(spelling, "status");
    spelling_text(spelling, status);
    spelling_key(spelling, "value");
    if (!success)
        buffer_append_text(spelling->out, "null");
    else if (output)
        write_value(spelling, subject, content);
    else
        spelling_text(spelling, texts[(content->text + index) % COUNT_OF(texts)]);
    write_errors(spelling, failed);
    spelling_key(spelling, "is_output_node");
    buffer_append_text(spelling->out, output ? "true" : "false");
    spelling_close(spelling, '}');
}

/* `rotation` says which node comes first. */
static void write_nodes(
    struct spelling *spelling, const struct sim_subject *subject, const struct content *content,
    size_t rotation, const char *output_status)
{
    spelling_open(spelling, '{');
    for (size_t i = 0; i < content->node_count; i++) {
        size_t index = (i + rotation) % content->node_count;
        const char *status = index == 0 ? output_status : index == 3 ? "SKIPPED" : "SUCCESS";
        write_node(spelling, subject, content, index, status);
    }
    spelling_close(spelling, '}');
}

/* ---- callbacks ---- */

bool sim_body_has_failed(const struct sim_subject *subject)
{
    return subject->faults->node == SIM_NODE_FAILED || subject->faults->node == SIM_NODE_FAILURE;
}

static bool wants_nodes(const struct sim_subject *subject)
{
    const struct sim_faults *faults = subject->faults;
    if (faults->output == SIM_OUTPUT_NODES)
        return true;
    /* A node that is not SUCCESS has no value to give bare. */
    if (faults->output == SIM_OUTPUT_AS_ASKED)
        return subject->all_outputs || faults->node != SIM_NODE_SUCCESS;
    return false;
}

static void write_id(struct spelling *spelling, const struct sim_subject *subject)
{
    int64_t id = subject->id;
    if (subject->faults->wrong_id)
        id = id > INT64_MAX - 1000003 ? id - 1000003 : id + 1000003;
    spelling_key(spelling, "workflow_version_execution_id");
    buffer_appendf(spelling->out, "%" PRId64, id);
}

static void write_output(
    struct spelling *spelling, const struct sim_subject *subject, const struct content *content,
    size_t rotation)
{
    const struct sim_faults *faults = subject->faults;
    bool first = content->variant == SIM_FIRST;
    if (faults->truncated && first) {
        spelling_key(spelling, "result_code");
        spelling_text(spelling, "EXCEEDS_SIZE_LIMIT");
        spelling_key(spelling, "final_output");
        spelling_text(spelling, "Final output (and associated metadata) exceeds the size limit");
    } else if (wants_nodes(subject)) {
        spelling_key(spelling, "final_output");
        write_nodes(spelling, subject, content, rotation, status_word(faults, first));
    } else if (faults->output == SIM_OUTPUT_NONE) {
        return;
    } else if (sim_body_has_failed(subject)) {
        spelling_key(spelling, "success");
        buffer_append_text(spelling->out, "false");
        spelling_key(spelling, "message");
        spelling_text(spelling, "Workflow completed but no output node succeeded");
    } else {
        spelling_key(spelling, "final_output");
        write_value(spelling, subject, content);
    }
}

int sim_body_callback(
    const struct sim_subject *subject, enum sim_variant variant, struct buffer *out)
{
    struct content content = content_of(subject, variant);
    struct sim_random random =
        sim_random_of(subject->seed, subject->id, PURPOSE_SPELLING + (uint64_t)variant);
    struct spelling spelling;
    spelling_init(&spelling, out, &random);
    size_t rotation = sim_random_below(&random, NODES_MAX);
    bool id_first = sim_random_below(&random, 2) == 0;
    spelling_open(&spelling, '{');
    if (id_first)
        write_id(&spelling, subject);
    write_output(&spelling, subject, &content, rotation);
    if (!id_first)
        write_id(&spelling, subject);
    spelling_close(&spelling, '}');
    /* Without an output there is no value to revise: a blank makes the difference. */
    if (variant == SIM_REVISION)
        buffer_append_char(out, ' ');
    if (sim_random_below(&random, 2) == 0)
        buffer_append_char(out, '\n');
    return buffer_failed(out) ? -1 : 0;
}

/* ---- polls ---- */

int sim_body_poll(const struct sim_subject *subject, bool all_outputs, struct buffer *out)
{
    struct content content = content_of(subject, SIM_FIRST);
    struct spelling spelling;
    spelling_init_compact(&spelling, out);
    if (all_outputs)
        write_nodes(&spelling, subject, &content, 0, status_word(subject->faults, false));
    else
        write_value(&spelling, subject, &content);
    buffer_append_char(out, '\n');
    return buffer_failed(out) ? -1 : 0;
}

int sim_body_no_output(const struct sim_subject *subject, struct buffer *out)
{
    struct content content = content_of(subject, SIM_FIRST);
    struct spelling spelling;
    spelling_init_compact(&spelling, out);
    spelling_open(&spelling, '{');
    spelling_key(&spelling, "success");
    buffer_append_text(out, "false");
    spelling_key(&spelling, "message");
    spelling_text(&spelling, "Workflow completed but no output node succeeded");
    spelling_key(&spelling, "output");
    write_nodes(&spelling, subject, &content, 0, "FAILED");
    spelling_close(&spelling, '}');
    buffer_append_char(out, '\n');
    return buffer_failed(out) ? -1 : 0;
}

int sim_body_running(const struct sim_subject *subject, struct buffer *out)
{
    struct content content = content_of(subject, SIM_FIRST);
    struct spelling spelling;
    spelling_init_compact(&spelling, out);
    write_nodes(&spelling, subject, &content, 0, "RUNNING");
    buffer_append_char(out, '\n');
    return buffer_failed(out) ? -1 : 0;
}
