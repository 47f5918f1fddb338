/* SPDX-License-Identifier: MIT */
/* Asks the schemes of an endpoint about a post that is in a file, without any daemon. */
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "callbackd/verify.h"
#include "exit_status.h"
#include "verbs.h"

enum { PATH_MAX_BYTES = 16384, REPORT_MAX = 256 * 1024 };

static const struct option_row verify_options[] = {
    {OPTION_ENDPOINT, "endpoint", "NAME", "the endpoint that it is posted to"},
    {OPTION_HEADER, "header", "'K: V'", "a header of the post; may be given again"},
    {OPTION_PATH, "path", "PATH", "the path that is posted to, with token and query, if any"},
    {OPTION_ADDRESS, "address", "IP", "the address that it comes from (127.0.0.1)"},
    {OPTION_AT, "at", "TIME", "when it comes, such as 2026-11-23T18:00:00Z (now)"},
    {OPTION_END, NULL, NULL, NULL},
};

/* "K: V" with that name; NULL when it is another. */
static const char *value_of(const char *header, const char *name)
{
    size_t length = strcspn(header, ":");
    if (strlen(name) != length || strncasecmp(header, name, length) != 0)
        return NULL;
    const char *value = header + length + 1;
    return value + strspn(value, " \t");
}

static const char *header_of(const void *context, const char *name)
{
    const struct arguments *arguments = context;
    for (size_t i = 0; i < arguments->count; i++) {
        if (arguments->items[i].id != OPTION_HEADER)
            continue;
        const char *value = value_of(arguments->items[i].value, name);
        if (value)
            return value;
    }
    return NULL;
}

static int check_headers(const struct arguments *arguments, struct error *error)
{
    for (size_t i = 0; i < arguments->count; i++)
        if (arguments->items[i].id == OPTION_HEADER && !strchr(arguments->items[i].value, ':'))
            return error_set(error, ERROR_USAGE, "--header takes 'Name: value'");
    return 0;
}

/* ---- the post ---- */

struct post_parts {
    char path[PATH_MAX_BYTES]; /* without the query */
    const char *rest;          /* after the endpoint's path */
    const char *query;
    int64_t now_ms;
};

static int read_parts(
    const struct session *session, const struct config_endpoint *endpoint, struct post_parts *parts,
    struct error *error)
{
    const char *path = arguments_value(&session->arguments, OPTION_PATH);
    const char *at = arguments_value(&session->arguments, OPTION_AT);
    size_t length = strlen(endpoint->path);
    text_copy_cut(path ? path : endpoint->path, parts->path, PATH_MAX_BYTES);
    char *question = strchr(parts->path, '?');
    if (question)
        *question = '\0';
    parts->query = question ? question + 1 : "";
    if (strncmp(parts->path, endpoint->path, length) != 0 ||
        (parts->path[length] != '\0' && parts->path[length] != '/'))
        return error_set(
            error, ERROR_USAGE, "--path does not begin with %s, the path of the endpoint %s",
            endpoint->path, endpoint->name);
    parts->rest = parts->path + length;
    parts->now_ms = session->display.now_ms;
    if (at && !clock_parse_rfc3339(at, &parts->now_ms))
        return error_set(error, ERROR_USAGE, "--at takes a time such as 2026-11-23T18:00:00Z");
    return 0;
}

static int read_body(
    const char *file, const struct config *config, struct buffer *out, struct error *error)
{
    buffer_init(out, (size_t)config->limits.body_bytes);
    if (strcmp(file, "-") == 0)
        return os_read_fd(STDIN_FILENO, out, error);
    if (os_read_file(file, out, error) == 0)
        return 0;
    if (error->code == ERROR_NOT_FOUND || error->code == ERROR_TOO_LARGE)
        error->code = ERROR_IO; /* nothing that the API refused */
    return -1;
}

static const struct config_endpoint *find_endpoint(
    const struct session *session, const struct config *config, struct error *error)
{
    const char *name = arguments_value(&session->arguments, OPTION_ENDPOINT);
    const struct config_endpoint *endpoint = name ? config_endpoint(config, name) : NULL;
    if (!name && config->endpoint_count == 1)
        endpoint = &config->endpoints[0];
    if (!endpoint && !name)
        error_set(error, ERROR_USAGE, "say with --endpoint which endpoint is posted to");
    else if (!endpoint)
        error_set(error, ERROR_USAGE, "%s has no endpoint \"%s\"", config->path, name);
    return endpoint;
}

/* ---- the report ---- */

struct report {
    bool json;
    struct buffer *out;
    struct json_writer writer;
};

static void say_line(
    struct buffer *out, const char *name, bool holds, const char *variant, const char *reason)
{
    buffer_appendf(out, "%-18s  %s", name, holds ? "holds" : "does not hold: ");
    if (variant)
        buffer_appendf(out, " (%s)", variant);
    if (!holds)
        text_append_printable(out, bytes_of_text(reason));
    buffer_append_char(out, '\n');
}

static void on_verdict(void *context, const struct verify_verdict *verdict)
{
    struct report *report = context;
    if (!report->json) {
        say_line(report->out, verdict->scheme, verdict->holds, verdict->variant, verdict->reason);
        return;
    }
    json_object_begin(&report->writer);
    json_member_text(&report->writer, "scheme", verdict->scheme);
    json_member_bool(&report->writer, "holds", verdict->holds);
    if (verdict->variant)
        json_member_text(&report->writer, "variant", verdict->variant);
    if (verdict->reason)
        json_member_text(&report->writer, "reason", verdict->reason);
    json_object_end(&report->writer);
}

/* Would the body do, whoever sent it? */
static bool judge_body(
    const struct config *config, const struct config_endpoint *endpoint, struct bytes body,
    struct error *why)
{
    struct body_summary summary;
    const struct body_rules rules = {
        .kind = endpoint->kind,
        .depth_max = config->limits.json_depth,
        .id_pointer = endpoint->id_pointer,
        .status_pointer = endpoint->status_pointer,
    };
    return body_read(&rules, body, &summary, why) == 0;
}

static bool explain(
    struct report *report, const struct verifier *verifier, const struct verify_request *request,
    const struct config *config, const struct config_endpoint *endpoint, struct bytes body)
{
    struct verify_outcome outcome;
    struct error why = {0};
    json_writer_init(&report->writer, report->out);
    if (report->json) {
        json_object_begin(&report->writer);
        json_key(&report->writer, "schemes");
        json_array_begin(&report->writer);
    }
    bool accepted = verifier_explain(verifier, request, body, &outcome, on_verdict, report);
    bool body_good = outcome.challenge.length > 0 || judge_body(config, endpoint, body, &why);
    if (report->json) {
        json_array_end(&report->writer);
        json_member_bool(&report->writer, "body", body_good);
        if (!body_good)
            json_member_text(&report->writer, "body_reason", why.message);
        json_member_text(&report->writer, "delivery_id", outcome.delivery_id);
        json_member_bool(&report->writer, "accepted", accepted && body_good);
        json_object_end(&report->writer);
        buffer_append_char(report->out, '\n');
        return accepted && body_good;
    }
    say_line(report->out, "body", body_good, NULL, why.message);
    buffer_appendf(
        report->out, "%s\n",
        accepted && body_good ? "The post would be accepted." : "The post would be refused.");
    return accepted && body_good;
}

static int verify_post(
    const struct session *session, const struct config *config,
    const struct config_endpoint *endpoint, struct bytes body, struct error *error)
{
    const char *address = arguments_value(&session->arguments, OPTION_ADDRESS);
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, REPORT_MAX);
    struct post_parts parts;
    if (read_parts(session, endpoint, &parts, error) != 0)
        return -1;
    struct verifier *verifier = verifier_new(config, endpoint, error);
    if (!verifier)
        return -1;
    const struct verify_request request = {
        .path_rest = parts.rest,
        .path = parts.path,
        .query = parts.query,
        .header = header_of,
        .context = &session->arguments,
        .client_address = address ? address : "127.0.0.1",
        .now_ms = parts.now_ms,
    };
    struct report report = {.json = session->display.json, .out = &out};
    bool accepted = explain(&report, verifier, &request, config, endpoint, body);
    verifier_free(verifier);
    if (buffer_failed(&out))
        return error_set(error, ERROR_MEMORY, "no memory for the report");
    if (display_write(buffer_bytes(&out), error) != 0)
        return -1;
    return accepted ? EXIT_STATUS_DONE : EXIT_STATUS_REFUSED;
}

static int run_verify(struct session *session, struct error *error)
{
    if (check_headers(&session->arguments, error) != 0)
        return -1;
    const struct config *config = session_config(session, NEED_VERIFY_SECRETS, error);
    const struct config_endpoint *endpoint = config ? find_endpoint(session, config, error) : NULL;
    if (!endpoint)
        return -1;
    CLEANUP_BUFFER struct buffer body;
    if (read_body(session_operand(session, 0), config, &body, error) != 0)
        return -1;
    return verify_post(session, config, endpoint, buffer_bytes(&body), error);
}

const struct verb verb_verify = {
    "verify",
    "FILE",
    1,
    1,
    "say, scheme by scheme, whether a post would be accepted, and why not",
    "FILE holds the body, byte for byte; - is standard input. Nothing is sent, and no daemon need "
    "run: the configuration and its secrets are read here. A signature with a time is judged by "
    "the clock, unless --at says when it came. A client's certificate cannot be shown here: that "
    "scheme does not hold.\n\nThe exit status is 0 when the post would be accepted, 3 when not.",
    verify_options,
    run_verify,
};
