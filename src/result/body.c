/* SPDX-License-Identifier: MIT */
#include "body_private.h"

static const struct kind {
    const char *name;
    json_scan_handler *event; /* NULL: not JSON */
    int (*finish)(struct body_reader *reader, struct body_summary *summary, struct error *error);
} kinds[BODY_KINDS] = {
    [BODY_WORKFLOW_RESULT] = {"workflow-result", body_workflow_event, body_workflow_finish},
    [BODY_WORKSPACE_EVENT] = {"workspace-event", body_notice_event, body_notice_finish},
    [BODY_JSON] = {"json", body_pointers_event, body_pointers_finish},
    [BODY_FORM] = {"form", NULL, body_form_finish},
};

static const char *const status_names[STATUS_COUNT] = {
    [STATUS_RECEIVED] = "received",   [STATUS_SUCCESS] = "success",
    [STATUS_FAILED] = "failed",       [STATUS_RUNNING] = "running",
    [STATUS_TRUNCATED] = "truncated", [STATUS_MISMATCH] = "mismatch",
};

const char *body_kind_name(enum body_kind kind)
{
    return kinds[kind].name;
}

bool body_kind_parse(const char *name, enum body_kind *kind_out)
{
    for (int i = 0; i < BODY_KINDS; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *kind_out = (enum body_kind)i;
            return true;
        }
    }
    return false;
}

const char *result_status_name(enum result_status status)
{
    return status_names[status];
}

bool result_status_parse(const char *name, enum result_status *status_out)
{
    for (int i = 0; i < STATUS_COUNT; i++) {
        if (strcmp(name, status_names[i]) == 0) {
            *status_out = (enum result_status)i;
            return true;
        }
    }
    return false;
}

bool result_status_is_final(enum result_status status)
{
    return status == STATUS_SUCCESS || status == STATUS_FAILED || status == STATUS_RECEIVED;
}

void body_reader_begin(struct body_reader *reader, const struct body_rules *rules)
{
    memset(reader, 0, sizeof *reader);
    reader->rules = rules;
    json_scan_init(&reader->scan, rules->depth_max, kinds[rules->kind].event, reader);
    if (rules->kind == BODY_JSON)
        body_pointers_init(reader);
}

struct body_reader *body_reader_new(void)
{
    return malloc(sizeof(struct body_reader));
}

void body_reader_free(struct body_reader *reader)
{
    free(reader);
}

int body_reader_feed(struct body_reader *reader, struct bytes body, struct error *error)
{
    reader->body = body;
    if (reader->rules->kind == BODY_FORM)
        return body_form_feed(reader, error);
    return json_scan_feed(&reader->scan, body, error);
}

int body_reader_finish(
    struct body_reader *reader, struct bytes body, struct body_summary *summary_out,
    struct error *error)
{
    struct body_summary summary = {.status = STATUS_RECEIVED};
    if (body_reader_feed(reader, body, error) != 0)
        return -1;
    if (reader->rules->kind != BODY_FORM && json_scan_finish(&reader->scan, body, error) != 0)
        return -1;
    if (kinds[reader->rules->kind].finish(reader, &summary, error) != 0)
        return -1;
    *summary_out = summary;
    return 0;
}

int body_read(
    const struct body_rules *rules, struct bytes body, struct body_summary *summary_out,
    struct error *error)
{
    struct body_reader reader;
    body_reader_begin(&reader, rules);
    return body_reader_finish(&reader, body, summary_out, error);
}
