/* SPDX-License-Identifier: MIT */
/*
 * Input: a byte that chooses the kind, then the body. A body means the same however it arrives,
 * and what is taken out of it is JSON inside of it.
 */
#include "fuzz.h"

#include "callbackd/body.h"
#include "callbackd/json_scan.h"

enum { DEPTH = 128 };

struct reading {
    int result;
    struct body_summary summary;
    struct error error;
};

static struct reading read_pieces(
    const struct body_rules *rules, const uint8_t *data, size_t size, size_t first, size_t step)
{
    struct reading reading;
    memset(&reading, 0, sizeof reading);
    struct body_reader *reader = body_reader_new();
    HOLDS(reader != NULL);
    body_reader_begin(reader, rules);
    for (size_t fed = first; fed < size && reading.result == 0; fed += step) {
        uint8_t *copy = fuzz_copy(data, fed);
        reading.result = body_reader_feed(reader, bytes_of(copy, fed), &reading.error);
        free(copy);
    }
    uint8_t *copy = fuzz_copy(data, size);
    if (reading.result == 0)
        reading.result =
            body_reader_finish(reader, bytes_of(copy, size), &reading.summary, &reading.error);
    free(copy);
    body_reader_free(reader);
    return reading;
}

static void check_equal(const struct reading *a, const struct reading *b)
{
    const struct body_summary *x = &a->summary;
    const struct body_summary *y = &b->summary;
    HOLDS(a->result == b->result && a->error.code == b->error.code);
    HOLDS(strcmp(a->error.message, b->error.message) == 0);
    HOLDS(x->status == y->status && x->has_execution_id == y->has_execution_id);
    HOLDS(x->execution_id == y->execution_id && x->has_id == y->has_id);
    HOLDS(strcmp(x->id, y->id) == 0 && strcmp(x->event, y->event) == 0);
    HOLDS(strcmp(x->name, y->name) == 0);
}

static void check_summary(enum body_kind kind, const struct body_summary *summary)
{
    HOLDS(summary->status < STATUS_COUNT && summary->status != STATUS_MISMATCH);
    HOLDS(summary->has_id == (summary->id[0] != '\0'));
    HOLDS(kind == BODY_WORKSPACE_EVENT || summary->event[0] == '\0');
    HOLDS(kind == BODY_WORKFLOW_RESULT || summary->status != STATUS_TRUNCATED);
    HOLDS(kind != BODY_WORKSPACE_EVENT || summary->status == STATUS_RECEIVED);
}

struct visits {
    struct bytes output;
    int count;
};

static int visit(void *context, const struct body_node *node)
{
    struct visits *visits = context;
    const struct bytes *parts[] = {&node->name, &node->status, &node->value, &node->error_message};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i]->length == 0)
            continue;
        HOLDS(parts[i]->data > visits->output.data);
        HOLDS(parts[i]->data + parts[i]->length < visits->output.data + visits->output.length);
        HOLDS(json_scan_text(*parts[i], DEPTH, NULL, NULL, NULL) == 0);
    }
    HOLDS(node->name.length >= 2 && node->status.length >= 2 && node->value.length >= 1);
    visits->count++;
    return 0;
}

static void check_polled(struct bytes output)
{
    struct body_rules rules = {.kind = BODY_WORKFLOW_RESULT, .depth_max = JSON_DEPTH_MAX};
    struct body_summary summary;
    struct bytes again;
    struct buffer body;
    buffer_init(&body, output.length + 100);
    HOLDS(body_wrap_polled(INT64_MAX, output, &body) == 0);
    HOLDS(body_read(&rules, buffer_bytes(&body), &summary, NULL) == 0);
    HOLDS(summary.has_execution_id && summary.execution_id == INT64_MAX);
    HOLDS(body_output(buffer_bytes(&body), &again) && bytes_equal(again, output));
    HOLDS(summary.status == STATUS_SUCCESS || body_output_is_nodes(output));
    buffer_fini(&body);
}

static void check_output(struct bytes body, const struct reading *reading)
{
    struct bytes output;
    if (!body_output(body, &output))
        return;
    HOLDS(output.length > 0 && output.data >= body.data);
    HOLDS(output.data + output.length <= body.data + body.length);
    HOLDS(json_scan_text(output, JSON_DEPTH_MAX, NULL, NULL, NULL) == 0);
    struct visits visits = {.output = output};
    HOLDS(body_visit_nodes(output, visit, &visits) == 0);
    HOLDS((visits.count > 0) == body_output_is_nodes(output));
    HOLDS(reading->result != 0 || reading->summary.status != STATUS_RECEIVED);
    check_polled(output);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    enum body_kind kind = (enum body_kind)(data[0] % BODY_KINDS);
    bool form = kind == BODY_FORM;
    struct body_rules rules = {
        .kind = kind,
        .depth_max = DEPTH,
        .id_pointer = form ? "id" : "/a/0/id",
        .status_pointer = form ? "s t" : "/status"};
    data++;
    size--;
    struct reading whole = read_pieces(&rules, data, size, size, 1);
    struct reading split =
        read_pieces(&rules, data, size, fuzz_choice(data, size, 1) % (size + 1), size + 1);
    check_equal(&whole, &split);
    if (size <= 4096) {
        struct reading steps =
            read_pieces(&rules, data, size, 0, fuzz_choice(data, size, 2) % 7 + 1);
        check_equal(&whole, &steps);
    }
    HOLDS(whole.result == 0 || whole.error.code == ERROR_INVALID);
    if (whole.result == 0)
        check_summary(kind, &whole.summary);
    if (kind == BODY_WORKFLOW_RESULT)
        check_output(bytes_of(data, size), &whole);
    return 0;
}
