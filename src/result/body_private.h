/* SPDX-License-Identifier: MIT */
/*
 * Shared by the readers of the four kinds of body. Each keeps places in the body
 * (struct body_span), of fixed number, and reads what stands there once the body
 * is whole: so the last of duplicate keys counts and nothing is copied.
 */
#ifndef CALLBACKD_RESULT_BODY_PRIVATE_H
#define CALLBACKD_RESULT_BODY_PRIVATE_H

#include "callbackd/body.h"
#include "callbackd/json_scan.h"
#include "json_pointer.h"

/* ---- values (body_value.c) ---- */

struct body_span {
    bool present;
    enum json_event kind; /* of a container: its begin */
    size_t start;
    size_t end; /* of a container: right once it has ended */
};

/* To be called with the events of the value itself, the end of a container included. */
void body_span_note(struct body_span *span, enum json_event event, size_t start, size_t end);
struct bytes body_span_view(const struct body_span *span, struct bytes body);
/* A string, and this one? */
bool body_span_is(const struct body_span *span, struct bytes body, const char *text);
/* An execution id: absent, null or an int64, the latter also as a string. ERROR_INVALID, with
 * `name` in the message, when it is something else. */
int body_span_execution_id(
    const struct body_span *span, struct bytes body, const char *name, struct body_summary *summary,
    struct error *error);
/* A string fit for a summary; false, and `out` unchanged, when it is none, has a NUL or is empty.
 * One that is too long is cut at a character. */
bool body_span_name(const struct body_span *span, struct bytes body, char out[BODY_TEXT_MAX + 1]);
/* The same, but what is too long or has a NUL is ERROR_INVALID. */
int body_span_identifier(
    const struct body_span *span, struct bytes body, const char *name, bool *has_out,
    char out[BODY_TEXT_MAX + 1], struct error *error);
/* Decoded text as an identifier, by the same rules. */
int body_identifier(
    struct bytes text, const char *name, bool *has_out, char out[BODY_TEXT_MAX + 1],
    struct error *error);
/* "success", "Failed", "queued", …; anything else is STATUS_RECEIVED. */
enum result_status body_status_of_word(struct bytes word);
enum result_status body_span_status(const struct body_span *span, struct bytes body);

/* ---- node maps (body_nodes.c) ---- */

enum node_key {
    KEY_OTHER,
    KEY_STATUS,
    KEY_VALUE,
    KEY_ERROR_MESSAGE,
    KEY_RAW_ERROR_MESSAGE,
    KEY_IS_OUTPUT_NODE,
    KEY_COUNT
};

enum node_status {
    NODE_NONE,  /* no status, or not a string */
    NODE_OTHER, /* a string that is none of the known */
    NODE_DONE,
    NODE_FAILED,
    NODE_RUNNING
};

/* Decides, event by event, whether a value is a node map and what its nodes say. */
struct body_nodes {
    bool is_object;
    bool only_nodes; /* no member so far is anything else */
    bool any;
    bool failed;
    bool running;
    unsigned seen;           /* of the node being read: a bit for each enum node_key */
    enum node_key key;       /* of the value to come */
    enum node_status status; /* of the node being read */
};

/* `depth` is relative to the value: its own events have 0. A begin at 0 starts anew. */
void body_nodes_event(
    struct body_nodes *nodes, struct bytes text, enum json_event event, int depth, size_t start,
    size_t end);
bool body_nodes_is_map(const struct body_nodes *nodes);
/* Of a node map. */
enum result_status body_nodes_status(const struct body_nodes *nodes);

/* ---- the readers ---- */

/* A workflow result (body_workflow.c). */
struct body_envelope {
    struct body_span root;
    struct body_span execution_id;
    struct body_span final_output;
    struct body_span output;
    struct body_span result_code;
    struct body_span success;
    struct body_span status;
    struct body_span workflow_name;
    struct body_span other;    /* members that mean nothing to us */
    struct body_span *current; /* where the value to come belongs */
    struct body_nodes root_nodes;
    struct body_nodes final_output_nodes;
    struct body_nodes output_nodes;
};

/* A workspace event (body_event.c). */
struct body_notice {
    struct body_span event_type;
    struct body_span workflow_execution_id;
    struct body_span agent_execution_id;
    struct body_span workflow_name;
    struct body_span agent_name;
    struct body_span other;
    struct body_span *current;
    bool in_details;
};

/* JSON with pointers (body_json.c). */
struct body_pointers {
    struct json_pointer id;
    struct json_pointer status;
};

/* A form (body_form.c). */
struct body_form {
    size_t position;
    size_t name_start;
    size_t name_end;
    size_t value_start;
    bool in_value;
    bool failed;
    int escape_digits; /* hex digits to come */
    unsigned char escape;
    unsigned char utf8_pending;
    unsigned char utf8_low;
    unsigned char utf8_high;
    struct body_span id; /* still encoded */
    struct body_span status;
};

struct body_reader {
    const struct body_rules *rules;
    struct bytes body; /* as it was given last: the scanner's events point into it */
    struct json_scan scan;
    union {
        struct body_envelope envelope;
        struct body_notice notice;
        struct body_pointers pointers;
        struct body_form form;
    } as;
};

json_scan_handler body_workflow_event; /* context: the reader */
int body_workflow_finish(
    struct body_reader *reader, struct body_summary *summary, struct error *error);

json_scan_handler body_notice_event;
int body_notice_finish(
    struct body_reader *reader, struct body_summary *summary, struct error *error);

void body_pointers_init(struct body_reader *reader);
json_scan_handler body_pointers_event;
int body_pointers_finish(
    struct body_reader *reader, struct body_summary *summary, struct error *error);

int body_form_feed(struct body_reader *reader, struct error *error);
int body_form_finish(struct body_reader *reader, struct body_summary *summary, struct error *error);

#endif
