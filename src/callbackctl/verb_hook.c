/* SPDX-License-Identifier: MIT */
/* Trying a hook on this machine: hook test. */
#include <string.h>
#include <unistd.h>

#include "callbackd/hook_trial.h"
#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "exit_status.h"
#include "listing.h"
#include "verbs.h"

enum { TEXT_BYTES_MAX = 16 * 1024 * 1024, HEADERS_BYTES_MAX = 1024 * 1024 };

static const struct option_row hook_options[] = {
    {OPTION_BODY, "body", "FILE", "the body to try it on; - is standard input"},
    {OPTION_STATUS, "status", "STATUS", "as if the result had this one, whatever the body says"},
    {OPTION_ENDPOINT, "endpoint", "NAME", "as if it had come in there (the hook's, or the first)"},
    {OPTION_WORKFLOW, "workflow", "NAME", "as if it were of this workflow"},
    {OPTION_EXECUTION_ID, "execution-id", "N", "as if it were of this execution"},
    {OPTION_HEADER, "header", "'K: V'", "a header of the post; may be given several times"},
    {OPTION_DRY_RUN, "dry-run", NULL,
     "run nothing: only conditions, arguments and environment, or the request"},
    {OPTION_END, NULL, NULL, NULL},
};

/* ---- what it is tried on ---- */

struct trial {
    struct hook_trial_request request;
    struct body_summary summary;
    struct buffer body;
    struct buffer headers;
};

static const struct config_hook *find_hook(
    const struct config *config, const char *name, struct error *error)
{
    const struct config_hook *hook = config_hook(config, name);
    if (!hook)
        error_set(error, ERROR_USAGE, "%s has no hook named %s", config->path, name);
    return hook;
}

static const struct config_endpoint *find_endpoint(
    const struct session *session, const struct config *config, const struct config_hook *hook,
    struct error *error)
{
    const char *name = arguments_value(&session->arguments, OPTION_ENDPOINT);
    if (!name)
        name = hook->endpoint;
    for (size_t i = 0; i < config->endpoint_count; i++)
        if (!name || strcmp(config->endpoints[i].name, name) == 0)
            return &config->endpoints[i];
    error_set(error, ERROR_USAGE, "there is no endpoint %s", name ? name : "in the configuration");
    return NULL;
}

static int read_body(const struct session *session, struct buffer *body, struct error *error)
{
    const char *file = arguments_value(&session->arguments, OPTION_BODY);
    if (!file)
        return error_set(error, ERROR_USAGE, "say on which body: --body FILE");
    int read = strcmp(file, "-") == 0 ? os_read_fd(STDIN_FILENO, body, error)
                                      : os_read_file(file, body, error);
    if (read == 0)
        return 0;
    if (error->code == ERROR_NOT_FOUND) /* of the daemon's answers it would be one */
        error->code = ERROR_IO;
    return error_prefix(error, "--body");
}

/* What the receiver would make of it. */
static int read_summary(const struct config *config, struct trial *trial, struct error *error)
{
    const struct config_endpoint *endpoint = trial->request.endpoint;
    struct body_rules rules = {
        .kind = endpoint->kind,
        .depth_max = config->limits.json_depth,
        .id_pointer = endpoint->id_pointer,
        .status_pointer = endpoint->status_pointer,
    };
    if (body_read(&rules, buffer_bytes(&trial->body), &trial->summary, error) != 0) {
        error->code = ERROR_IO; /* nobody has refused it yet */
        return error_prefix(error, "the endpoint %s would refuse this body", endpoint->name);
    }
    trial->request.body = buffer_bytes(&trial->body);
    trial->request.status = trial->summary.status;
    trial->request.has_execution_id = trial->summary.has_execution_id;
    trial->request.execution_id = trial->summary.execution_id;
    trial->request.workflow = trial->summary.name;
    trial->request.event = trial->summary.event;
    return 0;
}

static int take_options(const struct session *session, struct trial *trial, struct error *error)
{
    const struct arguments *arguments = &session->arguments;
    struct hook_trial_request *request = &trial->request;
    const char *status = arguments_value(arguments, OPTION_STATUS);
    const char *workflow = arguments_value(arguments, OPTION_WORKFLOW);
    const char *execution = arguments_value(arguments, OPTION_EXECUTION_ID);
    if (status && !result_status_parse(status, &request->status))
        return error_set(error, ERROR_USAGE, "--status: there is no status %s", status);
    if (workflow)
        request->workflow = workflow;
    if (execution && !text_parse_int64(bytes_of_text(execution), &request->execution_id))
        return error_set(error, ERROR_USAGE, "--execution-id: %s is not a number", execution);
    request->has_execution_id |= execution != NULL;
    request->dry_run = arguments_have(arguments, OPTION_DRY_RUN);
    return 0;
}

/* As the log keeps them. */
static int take_headers(const struct session *session, struct buffer *out, struct error *error)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_array_begin(&writer);
    for (size_t i = 0; i < session->arguments.count; i++) {
        const struct argument *argument = &session->arguments.items[i];
        if (argument->id != OPTION_HEADER)
            continue;
        size_t name = strcspn(argument->value, ":");
        if (name == 0 || argument->value[name] == '\0')
            return error_set(
                error, ERROR_USAGE, "--header: \"%s\" is not NAME: VALUE", argument->value);
        const char *value = argument->value + name + 1;
        json_array_begin(&writer);
        json_bytes(&writer, bytes_of(argument->value, name));
        json_text(&writer, value + strspn(value, " \t"));
        json_array_end(&writer);
    }
    json_array_end(&writer);
    return buffer_failed(out) ? error_set(error, ERROR_USAGE, "the headers are too long") : 0;
}

static int prepare(struct session *session, struct trial *trial, struct error *error)
{
    const struct config *config = session_config(session, NEED_HOOK_ENVIRONMENT, error);
    if (!config)
        return -1;
    buffer_init(&trial->body, (size_t)config->limits.body_bytes);
    trial->request.config = config;
    trial->request.hook = find_hook(config, session_operand(session, 1), error);
    if (!trial->request.hook)
        return -1;
    trial->request.endpoint = find_endpoint(session, config, trial->request.hook, error);
    /* It posts by the same library. */
    if (trial->request.hook->http.enabled && !session_http(session, error))
        return -1;
    if (!trial->request.endpoint || read_body(session, &trial->body, error) != 0 ||
        read_summary(config, trial, error) != 0 || take_options(session, trial, error) != 0 ||
        take_headers(session, &trial->headers, error) != 0)
        return -1;
    trial->request.headers_json = buffer_bytes(&trial->headers);
    return 0;
}

/* ---- what it came to ---- */

/* Values of an env_file are secrets: whoever may read the file can look there. */
static bool is_secret(const struct config_hook *hook, struct bytes name)
{
    const struct config_secrets *file = &hook->env_file;
    size_t at = 0;
    struct bytes key;
    struct bytes value;
    while (file->count > 0 &&
           config_env_file_next(
               bytes_of(file->items[0].data, file->items[0].length), &at, &key, &value))
        if (bytes_equal(key, name))
            return true;
    return false;
}

static struct bytes shown_value(const struct config_hook *hook, const char *variable)
{
    size_t name = strcspn(variable, "=");
    return is_secret(hook, bytes_of(variable, name)) ? bytes_of_text("[from env_file]")
                                                     : bytes_of_text(variable + name + 1);
}

static void write_list(struct json_writer *writer, const char *name, char *const *texts)
{
    json_key(writer, name);
    json_array_begin(writer);
    for (; texts && *texts; texts++)
        json_text(writer, *texts);
    json_array_end(writer);
}

static void write_words(
    struct json_writer *writer, const struct config_hook *hook, const struct hook_trial *trial)
{
    if (hook->http.enabled) {
        write_list(writer, "request", trial->request);
        return;
    }
    write_list(writer, "arguments", trial->arguments);
    json_key(writer, "environment");
    json_object_begin(writer);
    for (char **variable = trial->environment; variable && *variable; variable++) {
        CLEANUP_BUFFER struct buffer name;
        buffer_init(&name, TEXT_BYTES_MAX);
        buffer_append(&name, *variable, strcspn(*variable, "="));
        json_member_bytes(writer, buffer_text(&name), shown_value(hook, *variable));
    }
    json_object_end(writer);
}

static void write_end(struct json_writer *writer, const struct hook_trial *trial)
{
    json_member_text(writer, "outcome", trial->outcome);
    if (trial->exit_code >= 0)
        json_member_int(writer, "exit_code", trial->exit_code);
    else
        json_member_null(writer, "exit_code");
    if (trial->signal > 0)
        json_member_int(writer, "signal", trial->signal);
    else
        json_member_null(writer, "signal");
    json_member_int(writer, "duration_ms", trial->duration_ms);
    json_member_bytes(writer, "stdout", buffer_bytes(&trial->output));
    json_member_bytes(writer, "stderr", buffer_bytes(&trial->errors));
    json_member_bool(writer, "output_truncated", trial->output_truncated);
    json_member_text(writer, "message", trial->message);
    if (trial->line.length > 0) {
        json_member_bytes(writer, "line", buffer_bytes(&trial->line));
        json_member_text(writer, "answer", trial->answer);
    }
}

static void append_json(
    const struct hook_trial_request *request, const struct hook_trial *trial, struct buffer *out)
{
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_object_begin(&writer);
    json_member_text(&writer, "hook", request->hook->name);
    json_member_text(&writer, "endpoint", request->endpoint->name);
    json_member_text(&writer, "status", result_status_name(request->status));
    json_member_bool(&writer, "matches", trial->matches);
    json_key(&writer, "conditions");
    json_array_begin(&writer);
    for (size_t i = 0; i < trial->condition_count; i++) {
        json_object_begin(&writer);
        json_member_int(&writer, "depth", trial->conditions[i].depth);
        json_member_bool(&writer, "holds", trial->conditions[i].holds);
        json_member_text(&writer, "condition", trial->conditions[i].text);
        json_object_end(&writer);
    }
    json_array_end(&writer);
    write_words(&writer, request->hook, trial);
    write_end(&writer, trial);
    json_object_end(&writer);
    buffer_append_char(out, '\n');
}

static void append_line(struct buffer *out, struct bytes text)
{
    buffer_append_text(out, "  ");
    text_append_printable(out, text);
    buffer_append_char(out, '\n');
}

static void append_stream(struct buffer *out, const char *title, const struct buffer *stream)
{
    if (stream->length == 0)
        return;
    buffer_appendf(out, "\n%s:\n", title);
    printable_append_lines(out, buffer_bytes(stream));
    if (stream->data[stream->length - 1] != '\n')
        buffer_append_char(out, '\n');
}

/* Or at least sent, so that there is more to say than why it was not. */
static bool is_answered(const struct hook_trial *trial)
{
    return trial->outcome && strcmp(trial->outcome, "spawn_error") != 0;
}

static void append_outcome(const struct hook_trial *trial, struct buffer *out)
{
    char span[32];
    if (trial->message && !is_answered(trial)) {
        buffer_append_text(out, "\nit cannot be started:\n");
        append_line(out, bytes_of_text(trial->message));
        return;
    }
    if (!trial->outcome) {
        buffer_append_text(out, "\nnothing was run\n");
        return;
    }
    text_format_duration(trial->duration_ms, span, sizeof(span));
    buffer_appendf(out, "\nended: %s", trial->outcome);
    if (trial->exit_code >= 0)
        buffer_appendf(out, " %d", trial->exit_code);
    if (trial->signal > 0)
        buffer_appendf(out, ", signal %d", trial->signal);
    if (trial->message)
        buffer_appendf(out, ": %s", trial->message);
    buffer_appendf(out, ", after %s\n", span);
    if (trial->output_truncated)
        buffer_append_text(out, "(only the end of the output was kept)\n");
    if (trial->answer) {
        buffer_append_text(out, "answer: ");
        text_append_printable(out, bytes_of_text(trial->answer));
        buffer_append_char(out, '\n');
    }
    append_stream(out, "standard output", &trial->output);
    append_stream(out, "standard error", &trial->errors);
}

static void append_list(struct buffer *out, const char *title, char *const *texts)
{
    buffer_appendf(out, "\n%s:\n", title);
    for (; texts && *texts; texts++)
        append_line(out, bytes_of_text(*texts));
}

static void append_words(
    const struct config_hook *hook, const struct hook_trial *trial, struct buffer *out)
{
    append_list(out, "arguments", trial->arguments);
    buffer_append_text(out, "\nenvironment:\n");
    for (char **variable = trial->environment; variable && *variable; variable++) {
        buffer_append_text(out, "  ");
        text_append_printable(out, bytes_of(*variable, strcspn(*variable, "=") + 1));
        text_append_printable(out, shown_value(hook, *variable));
        buffer_append_char(out, '\n');
    }
}

static void append_text(
    const struct hook_trial_request *request, const struct hook_trial *trial, struct buffer *out)
{
    buffer_appendf(
        out, "%s\n",
        trial->matches ? "its conditions hold:"
                       : "its conditions do not hold, the daemon would not run it:");
    for (size_t i = 0; i < trial->condition_count; i++) {
        const struct hook_trial_condition *condition = &trial->conditions[i];
        buffer_appendf(
            out, "  %-3s %*s", condition->holds ? "yes" : "NO", 2 * condition->depth, "");
        text_append_printable(out, bytes_of_text(condition->text));
        buffer_append_char(out, '\n');
    }
    if (request->hook->http.enabled)
        append_list(out, "request", trial->request);
    else
        append_words(request->hook, trial, out);
    append_stream(out, "line", &trial->line);
    append_outcome(trial, out);
}

static int show(
    const struct session *session, const struct hook_trial_request *request,
    const struct hook_trial *trial, struct error *error)
{
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, TEXT_BYTES_MAX);
    if (session->display.json)
        append_json(request, trial, &out);
    else
        append_text(request, trial, &out);
    if (buffer_failed(&out))
        return error_set(error, ERROR_MEMORY, "there is too much to show");
    if (display_write(buffer_bytes(&out), error) != 0)
        return -1;
    bool ended_well =
        request->hook->mode == MODE_STREAM ? trial->answered_ok : trial->exit_code == 0;
    bool good = trial->matches && !trial->message && (request->dry_run || ended_well);
    return good ? EXIT_STATUS_DONE : EXIT_STATUS_WORKFLOW_FAILED;
}

static int run_hook(struct session *session, struct error *error)
{
    struct trial trial = {.request = {.dry_run = false}};
    struct hook_trial outcome;
    if (strcmp(session_operand(session, 0), "test") != 0)
        return error_set(error, ERROR_USAGE, "what can be done to a hook here is: hook test NAME");
    buffer_init(&trial.body, 0);
    buffer_init(&trial.headers, HEADERS_BYTES_MAX);
    int status = prepare(session, &trial, error);
    if (status == 0) {
        status = hook_trial_run(&trial.request, &outcome, error);
        if (status == 0)
            status = show(session, &trial.request, &outcome, error);
        hook_trial_fini(&outcome);
    }
    buffer_fini(&trial.body);
    buffer_fini(&trial.headers);
    return status;
}

const struct verb verb_hook = {
    "hook",
    "test NAME",
    2,
    2,
    "run a hook once on a body, here, and show everything",
    "Needs the configuration and no daemon; nothing is stored or retried. The command is run for "
    "real, whether its conditions hold or not, as the user who calls this (or the hook's own, for "
    "root), with this shell's PATH, HOME and LANG, and for at most the hook's timeout; a request "
    "is sent for real too. A stream is given the line and then the end of its standard input.\n\n"
    "Exit status 0: its conditions hold and it ended with 0 (of a stream: answered ok), or was "
    "answered with 200 to 299. 1: not so.",
    hook_options,
    run_hook,
};
