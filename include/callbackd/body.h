/* SPDX-License-Identifier: MIT */
/*
 * What a posted body means. The reader checks it while it streams in and takes
 * out the few facts that the log keeps beside the exact bytes. What needs the
 * knowledge of the run (mismatch, final status) is decided later, by the ledger.
 *
 * The shapes of a workflow result (sources: the PromptLayer documentation of
 * 2025-10-31 and the vendor's own Zapier code; current documentation is silent):
 *
 *   {"workflow_version_execution_id":123,"final_output":{"Node":{"status":…,"value":…,…},…}}
 *   {"workflow_version_execution_id":123,"final_output":<any bare JSON value>}
 *   {…,"result_code":"EXCEEDS_SIZE_LIMIT","final_output":"<explanation>"}
 *   {"success":false,"message":…,"output":{nodes}}
 *   a node map, or any other JSON value, without an envelope: it is the output itself
 *
 * What they say, the first row that holds:
 *
 *   top level of the body                              status     output
 *   -------------------------------------------------  ---------  ------------------
 *   success is false                                   failed     as below, if any
 *   result_code is "EXCEEDS_SIZE_LIMIT"                truncated  as below, if any
 *   has final_output (null, false, 0, "" too):                    final_output
 *       a node map with a node QUEUED or RUNNING       running
 *       a node map with a node FAILED or FAILURE       failed
 *       anything else                                  success
 *   has output, and a boolean success or an            as with    output
 *       execution id beside it                         final_output
 *   has an execution id, or success is false:                     none
 *       status is "FAILED" or "FAILURE"                failed
 *       status is "QUEUED" or "RUNNING"                running
 *       anything else                                  success
 *   is a node map itself                               as with    the whole body
 *                                                      final_output
 *   any other object: by its status, as above                     the whole body
 *   any other value                                    success    the whole body
 *
 * Only {} alone is refused: no known sender means a result by it, many clients send it where they
 * have nothing to say, and as a success it would end its run before the real result comes.
 *
 * body_nodes.c has the rule for node maps. The id may be a decimal string; null is as if it were
 * absent. Of duplicate keys the last counts. Words of status are matched in this case only.
 *
 * A workspace event is an object with a string event_type; the id is its
 * details.workflow_version_execution_id or else details.agent_execution_id.
 *
 * Threads: a reader belongs to one. Memory: fixed, about 1.2 KiB, whatever the body.
 */
#ifndef CALLBACKD_BODY_H
#define CALLBACKD_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

enum body_kind { BODY_WORKFLOW_RESULT, BODY_WORKSPACE_EVENT, BODY_JSON, BODY_FORM, BODY_KINDS };

/* "workflow-result" "workspace-event" "json" "form" */
const char *body_kind_name(enum body_kind kind);
bool body_kind_parse(const char *name, enum body_kind *kind_out);

/* The status of a result, as the contract names them ("Status of a result"). */
enum result_status {
    STATUS_RECEIVED,
    STATUS_SUCCESS,
    STATUS_FAILED,
    STATUS_RUNNING,
    STATUS_TRUNCATED,
    STATUS_MISMATCH,
    STATUS_COUNT
};
const char *result_status_name(enum result_status status);
bool result_status_parse(const char *name, enum result_status *status_out);
/* success, failed and received: hooks fire for them unless they say otherwise. */
bool result_status_is_final(enum result_status status);

/* How to read the bodies of an endpoint. Texts are borrowed. */
struct body_rules {
    enum body_kind kind;
    int depth_max;
    const char *id_pointer;     /* kind json and form (a field's name there): NULL = none */
    const char *status_pointer; /* the same */
};

enum { BODY_TEXT_MAX = 255 };

struct body_summary {
    enum result_status status; /* never STATUS_MISMATCH */
    bool has_execution_id;     /* an int64, exact, > 0 not required */
    int64_t execution_id;
    bool has_id;                   /* id_pointer found a string or an integer */
    char id[BODY_TEXT_MAX + 1];    /* longer ones are not ids: ERROR_INVALID */
    char event[BODY_TEXT_MAX + 1]; /* event_type of a workspace event; "" otherwise */
    char name[BODY_TEXT_MAX + 1];  /* workflow or agent name where the body has one, else "" */
};

struct body_reader;

/* NULL only when memory is short. For one body after another, each begun by body_reader_begin. */
struct body_reader *body_reader_new(void);
/* A new body. `rules` is borrowed as long as it is read. */
void body_reader_begin(struct body_reader *reader, const struct body_rules *rules);
void body_reader_free(struct body_reader *reader); /* NULL is allowed */
/* `body` is all of it so far. -1 with ERROR_INVALID as soon as it cannot be right. */
int body_reader_feed(struct body_reader *reader, struct bytes body, struct error *error);
/* The body is complete. */
int body_reader_finish(
    struct body_reader *reader, struct bytes body, struct body_summary *summary_out,
    struct error *error);
/* All three in one, for what is in memory already. */
int body_read(
    const struct body_rules *rules, struct bytes body, struct body_summary *summary_out,
    struct error *error);

/* ---- the output inside a stored workflow result ---- */

/* What the workflow put out: final_output, or its like in the other shapes; false when the body
 * has none. The view is into `body`. */
bool body_output(struct bytes body, struct bytes *output_out);
/* Is this output a node map (the rule is in body_nodes.c)? */
bool body_output_is_nodes(struct bytes output);

/* One node of a node map, in the order of the text. Views into the output. */
struct body_node {
    struct bytes name;          /* string token, quotes and escapes as spelled */
    struct bytes status;        /* the same */
    struct bytes value;         /* any JSON; empty when absent */
    struct bytes error_message; /* any JSON; empty when absent */
    bool is_output_node;
};
/* Calls `visit` for each; none when it is not a node map. Of duplicate keys in a node the last
 * counts; nodes of the same name are all visited. `visit`'s non-zero return stops and is returned.
 */
int body_visit_nodes(
    struct bytes output, int (*visit)(void *context, const struct body_node *node), void *context);

/* Appends {"workflow_version_execution_id":N,"final_output":<output>}: how a polled result is
 * wrapped so that it reads like a callback. `output` is valid JSON. */
int body_wrap_polled(int64_t execution_id, struct bytes output, struct buffer *out);

#endif
