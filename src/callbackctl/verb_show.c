/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "callbackd/json_scan.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "exit_status.h"
#include "listing.h"
#include "outcome.h"
#include "table.h"
#include "verbs.h"
#include "waiting.h"
#include "workflow_output.h"

enum { PATH_BYTES = 4096, EXCERPT_BYTES = 200, SHOWN_BODY_BYTES = 4 * 1024 * 1024 };

static const size_t page_bytes_max = (size_t)64 << 20;

static const struct option_row show_options[] = {
    {OPTION_BODY, "body", NULL, "print the exact body, and nothing else"},
    {OPTION_OUTPUT, "output", NULL, "print the workflow's output alone, as run --wait does"},
    {OPTION_NODE, "node", "NAME", "print the value of one node alone"},
    {OPTION_ALL_OUTPUTS, "all-outputs", NULL, "with --output: a map of nodes whole"},
    {OPTION_END, NULL, NULL, NULL},
};

static int get_by_id(
    struct session *session, const char *prefix, const char *id, struct admin_answer *answer_out,
    struct error *error)
{
    CLEANUP_BUFFER struct buffer path;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, prefix);
    admin_add_segment(&path, id);
    struct admin_client *admin = session_admin(session, error);
    return admin ? admin_get(admin, buffer_text(&path), answer_out, error) : -1;
}

/* ---- the parts of what is shown ---- */

static const char *header_text(const struct json *header, size_t index)
{
    const struct json *part = json_first(header);
    while (part && index-- > 0)
        part = json_next(part);
    return json_get_text(part);
}

/* Headers are an array of [name, value]. */
static void append_headers(
    const struct session *session, const struct json *headers, struct buffer *out)
{
    static const struct table_column columns[] = {{"", false, false}, {"", false, false}};
    if (json_count(headers) == 0)
        return;
    struct table table;
    table_init(&table, columns, COUNT_OF(columns));
    for (const struct json *at = json_first(headers); at; at = json_next(at)) {
        bool is_pair = json_type_of(at) == JSON_TYPE_ARRAY;
        table_add_text(&table, is_pair ? header_text(at, 0) : json_key_of(at));
        table_add_text(&table, is_pair ? header_text(at, 1) : json_get_text(at));
    }
    buffer_append_text(out, "\nheaders:\n");
    table_render(&table, session->display.colour, out);
    table_fini(&table);
}

static int append_jobs(
    struct session *session, const char *result_id, struct buffer *out, struct error *error)
{
    CLEANUP_BUFFER struct buffer path;
    buffer_init(&path, PATH_BYTES);
    buffer_append_text(&path, jobs_listing.path);
    admin_add_query(&path, "result_id", result_id);
    struct admin_answer answer;
    if (admin_get(session->admin, buffer_text(&path), &answer, error) != 0)
        return -1;
    int result = 0;
    if (answer.document && json_count(json_get(json_root(answer.document), "items")) > 0) {
        buffer_append_text(out, "\njobs:\n");
        result = listing_append(&jobs_listing, &session->display, answer.document, out, error);
    }
    admin_answer_fini(&answer);
    return result;
}

/* The start of a value as text, cut between characters. */
static void add_excerpt(struct table *table, struct bytes json)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, json.length + 1);
    workflow_output_append_text(json, &text);
    size_t length = text.length;
    if (length <= EXCERPT_BYTES) {
        table_add(table, buffer_bytes(&text));
        return;
    }
    length = EXCERPT_BYTES;
    while (length > 0 && (text.data[length] & 0xc0) == 0x80)
        length--;
    buffer_truncate(&text, length);
    table_addf(table, "%s…", buffer_text(&text));
}

static int add_node(void *context, const struct body_node *node)
{
    struct table *table = context;
    bool has_message =
        node->error_message.length > 0 && !bytes_equal_text(node->error_message, "null");
    add_excerpt(table, node->name);
    add_excerpt(table, node->status);
    table_add_text(table, node->is_output_node ? "yes" : "");
    add_excerpt(table, has_message ? node->error_message : node->value);
    return 0;
}

static void append_output(
    const struct session *session, enum body_kind kind, struct bytes body, struct buffer *out)
{
    static const struct table_column node_columns[] = {
        {"NODE", false, false},
        {"STATUS", false, true},
        {"OUTPUT", false, false},
        {"VALUE OR ERROR", false, false}};
    static const struct table_column value_column[] = {{"", false, false}};
    struct bytes output;
    if (kind != BODY_WORKFLOW_RESULT || !body_output(body, &output))
        return;
    bool has_nodes = body_output_is_nodes(output);
    struct table table;
    table_init(
        &table, has_nodes ? node_columns : value_column, has_nodes ? COUNT_OF(node_columns) : 1);
    if (has_nodes)
        body_visit_nodes(output, add_node, &table);
    else
        add_excerpt(&table, output);
    buffer_append_text(out, "\noutput:\n");
    table_render(&table, session->display.colour, out);
    table_fini(&table);
}

static int append_fetched_output(
    struct session *session, const struct json_document *result, const char *id, struct buffer *out,
    struct error *error)
{
    int64_t size = 0;
    json_get_int64(result, json_get(json_root(result), "size"), &size);
    if (size > SHOWN_BODY_BYTES) {
        buffer_append_text(out, "\noutput: too large to show here (--output prints it)\n");
        return 0;
    }
    struct admin_answer body;
    if (fetch_body(session, id, &body, error) != 0)
        return -1;
    append_output(session, result_kind_of(result), buffer_bytes(&body.body), out);
    admin_answer_fini(&body);
    return 0;
}

static int show_result(
    struct session *session, const struct json_document *result, const char *id,
    struct error *error)
{
    static const char *const skip[] = {"headers", NULL};
    const struct json *root = json_root(result);
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, page_bytes_max);
    if (fields_append(result, root, skip, &session->display, &out, error) != 0)
        return -1;
    append_headers(session, json_get(root, "headers"), &out);
    if (append_jobs(session, id, &out, error) != 0 ||
        append_fetched_output(session, result, id, &out, error) != 0)
        return -1;
    if (buffer_failed(&out))
        return error_set(error, ERROR_MEMORY, "the result is too large to show");
    return display_write(buffer_bytes(&out), error);
}

/* ---- one part alone ---- */

static int print_node(
    struct session *session, struct bytes body, const char *name, struct error *error)
{
    struct bytes value;
    if (workflow_output_node(body, name, &value))
        return outcome_print_value(&session->display, value, error);
    CLEANUP_BUFFER struct buffer names;
    buffer_init(&names, PATH_BYTES);
    workflow_output_append_names(body, &names);
    if (names.length == 0)
        return error_set(error, ERROR_NOT_FOUND, "the output is not a map of nodes");
    return error_set(
        error, ERROR_NOT_FOUND, "there is no node \"%s\"; there are: %s", name,
        buffer_text(&names));
}

static int print_output(
    struct session *session, const struct json_document *result, struct bytes body,
    struct error *error)
{
    struct bytes value;
    bool all = arguments_have(&session->arguments, OPTION_ALL_OUTPUTS);
    if (!workflow_output_pick(result_kind_of(result), body, all, &value))
        return error_set(error, ERROR_NOT_FOUND, "the result holds no output");
    return outcome_print_value(&session->display, value, error);
}

static int print_part(
    struct session *session, const struct json_document *result, const char *id,
    struct error *error)
{
    const char *node = arguments_value(&session->arguments, OPTION_NODE);
    struct admin_answer body;
    if (fetch_body(session, id, &body, error) != 0)
        return -1;
    struct bytes bytes = buffer_bytes(&body.body);
    int status;
    if (node)
        status = print_node(session, bytes, node, error);
    else if (arguments_have(&session->arguments, OPTION_OUTPUT))
        status = print_output(session, result, bytes, error);
    else
        status = display_write_foreign(&session->display, bytes, error);
    admin_answer_fini(&body);
    return status;
}

static bool wants_part(const struct session *session)
{
    const struct arguments *arguments = &session->arguments;
    return arguments_have(arguments, OPTION_BODY) || arguments_have(arguments, OPTION_OUTPUT) ||
           arguments_have(arguments, OPTION_NODE);
}

static int take_result(
    struct session *session, const struct admin_answer *answer, const char *id, struct error *error)
{
    if (wants_part(session))
        return print_part(session, answer->document, id, error);
    if (session->display.json)
        return answer_print(session, answer, error);
    return show_result(session, answer->document, id, error);
}

static int show_result_of_run(
    struct session *session, const struct admin_answer *run, struct error *error)
{
    /* The URL is as good as a password; --json and the API have it for who needs it. */
    static const char *const skip[] = {"callback_url", NULL};
    const char *id = json_get_text(json_get(json_root(run->document), "result_id"));
    if (!wants_part(session) && answer_show(session, run, skip, error) != 0)
        return -1;
    if (!id && wants_part(session))
        return error_set(error, ERROR_NOT_FOUND, "the run has no result yet");
    if (!id || (session->display.json && !wants_part(session)))
        return EXIT_STATUS_DONE;
    struct admin_answer result;
    if (get_by_id(session, "/api/v1/results", id, &result, error) != 0)
        return -1;
    int status = EXIT_STATUS_DONE;
    if (!wants_part(session))
        status = display_write(bytes_of_text("\nits result:\n"), error);
    if (status == 0)
        status = take_result(session, &result, id, error);
    admin_answer_fini(&result);
    return status;
}

static int run_show(struct session *session, struct error *error)
{
    struct admin_answer answer;
    const char *id = session_operand_id(session, 0, error);
    if (!id)
        return -1;
    int status;
    if (get_by_id(session, "/api/v1/results", id, &answer, error) == 0) {
        status = take_result(session, &answer, id, error);
    } else if (error->code != ERROR_NOT_FOUND) {
        return -1;
    } else if (get_by_id(session, "/api/v1/runs", id, &answer, error) == 0) {
        status = show_result_of_run(session, &answer, error);
    } else {
        if (error->code == ERROR_NOT_FOUND)
            error_set(error, ERROR_NOT_FOUND, "there is no result and no run %s", id);
        return -1;
    }
    admin_answer_fini(&answer);
    return status;
}

const struct verb verb_show = {
    "show",
    "ID",
    1,
    1,
    "show a result, or a run with its result",
    "Into a pipe or a file, --body, --output and --node print exact bytes; on a terminal, "
    "control characters are spelled out.",
    show_options,
    run_show,
};
