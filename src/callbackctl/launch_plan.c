/* SPDX-License-Identifier: MIT */
#include "launch_plan.h"

#include <string.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "inputs.h"

enum { API_TIMEOUT_MS = 60000, DAY_MS = 86400000 };

/* The request must stay well below what the API's client sends. */
static const size_t object_bytes_max = (size_t)64 << 20;
static const int64_t deadline_max_ms = (int64_t)3650 * DAY_MS;

void launch_plan_fini(struct launch_plan *plan)
{
    buffer_fini(&plan->inputs);
    buffer_fini(&plan->metadata);
    buffer_fini(&plan->tags);
}

static int add_file(struct inputs *inputs, const char *path, struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, object_bytes_max);
    bool from_stdin = strcmp(path, "-") == 0;
    int read =
        from_stdin ? os_read_fd(STDIN_FILENO, &text, error) : os_read_file(path, &text, error);
    if (read != 0) {
        if (error->code == ERROR_NOT_FOUND)
            error->code = ERROR_IO;
        return error_prefix(error, "--inputs");
    }
    return inputs_add_object(inputs, from_stdin ? "--inputs -" : path, buffer_bytes(&text), error);
}

static int add_input(struct inputs *inputs, const struct argument *argument, struct error *error)
{
    switch (argument->id) {
    case OPTION_INPUT:
        return inputs_add_text(inputs, "--input", argument->value, error);
    case OPTION_INPUT_JSON:
        return inputs_add_json(inputs, "--input-json", argument->value, error);
    case OPTION_INPUTS:
        return add_file(inputs, argument->value, error);
    default:
        return 0;
    }
}

static int read_inputs(const struct arguments *arguments, struct buffer *out, struct error *error)
{
    struct inputs inputs = {0};
    int result = 0;
    for (size_t i = 0; result == 0 && i < arguments->count; i++)
        result = add_input(&inputs, &arguments->items[i], error);
    if (result == 0 && inputs_append(&inputs, out) != 0)
        result = error_set(error, ERROR_MEMORY, "no memory for the inputs");
    inputs_fini(&inputs);
    return result;
}

/* An object of strings; `out` stays empty when the option is absent. */
static int read_texts(
    const struct arguments *arguments, enum option_id id, const char *option, struct buffer *out,
    struct error *error)
{
    struct inputs inputs = {0};
    int result = 0;
    for (size_t i = 0; result == 0 && i < arguments->count; i++) {
        if (arguments->items[i].id == id)
            result = inputs_add_text(&inputs, option, arguments->items[i].value, error);
    }
    if (result == 0 && inputs.count > 0 && inputs_append(&inputs, out) != 0)
        result = error_set(error, ERROR_MEMORY, "no memory for %s", option);
    inputs_fini(&inputs);
    return result;
}

int launch_plan_read_wait(
    const struct arguments *arguments, enum option_id id, const char *name, int64_t *wait_ms_out,
    struct error *error)
{
    *wait_ms_out = WAIT_FOR_EVER;
    return arguments_duration_ms(arguments, id, name, wait_ms_out, error);
}

int launch_plan_read_deadline(
    const struct arguments *arguments, int64_t now_ms, int64_t *deadline_at_ms_out,
    struct error *error)
{
    const char *text = arguments_value(arguments, OPTION_DEADLINE);
    int64_t value = 0;
    if (!text)
        return 0;
    if (text_parse_duration_ms(text, &value)) {
        if (value > deadline_max_ms)
            return error_set(error, ERROR_USAGE, "--deadline: %s is too far away", text);
        value += now_ms;
    } else if (!clock_parse_rfc3339(text, &value)) {
        return error_set(
            error, ERROR_USAGE,
            "--deadline: \"%s\" is neither a duration such as 10m nor a time such as "
            "2026-11-23T18:00:00Z",
            text);
    }
    if (value <= now_ms)
        return error_set(error, ERROR_USAGE, "--deadline: %s is not in the future", text);
    *deadline_at_ms_out = value;
    return 0;
}

static int read_mode(
    struct launch_plan *plan, const struct arguments *arguments, struct error *error)
{
    static const struct {
        enum option_id id;
        enum launch_mode mode;
    } rows[] = {
        {OPTION_OFFLINE, LAUNCH_OFFLINE},
        {OPTION_CALLBACK_URL, LAUNCH_OWN_URL},
        {OPTION_NO_CALLBACK, LAUNCH_NO_CALLBACK},
    };
    int given = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (!arguments_have(arguments, rows[i].id))
            continue;
        plan->mode = rows[i].mode;
        given++;
    }
    if (given > 1)
        return error_set(
            error, ERROR_USAGE, "only one of --offline, --callback-url and --no-callback at once");
    return 0;
}

/* Options that only a registered run has a use for. */
static int check_unregistered(
    const struct launch_plan *plan, const struct arguments *arguments, struct error *error)
{
    if (plan->mode == LAUNCH_REGISTERED)
        return 0;
    if (plan->tags.length > 0 || plan->idempotency_key)
        return error_set(
            error, ERROR_USAGE, "--tag and --idempotency-key need a run that the daemon registers");
    if (plan->mode == LAUNCH_OFFLINE)
        return 0;
    if (plan->endpoint || arguments_have(arguments, OPTION_DEADLINE))
        return error_set(
            error, ERROR_USAGE, "--endpoint and --deadline need a callback URL of the daemon's");
    return 0;
}

static int read_version(
    struct launch_plan *plan, const struct arguments *arguments, struct error *error)
{
    plan->label = arguments_value(arguments, OPTION_LABEL);
    if (plan->label && arguments_have(arguments, OPTION_VERSION_NUMBER))
        return error_set(error, ERROR_USAGE, "--label and --version-number exclude each other");
    return arguments_int(
        arguments, OPTION_VERSION_NUMBER, "version-number", 1, INT64_MAX, &plan->version, error);
}

int launch_plan_read(
    struct launch_plan *plan, const struct arguments *arguments, const char *workflow,
    int64_t now_ms, struct error *error)
{
    *plan = (struct launch_plan){
        .workflow = workflow,
        .endpoint = arguments_value(arguments, OPTION_ENDPOINT),
        .idempotency_key = arguments_value(arguments, OPTION_IDEMPOTENCY_KEY),
        .callback_url = arguments_value(arguments, OPTION_CALLBACK_URL),
        .api_timeout_ms = API_TIMEOUT_MS,
        .all_outputs = arguments_have(arguments, OPTION_ALL_OUTPUTS),
        .dry_run = arguments_have(arguments, OPTION_DRY_RUN),
        .wait = arguments_have(arguments, OPTION_WAIT),
    };
    buffer_init(&plan->inputs, object_bytes_max);
    buffer_init(&plan->metadata, object_bytes_max);
    buffer_init(&plan->tags, object_bytes_max);
    if (workflow[0] == '\0')
        return error_set(error, ERROR_USAGE, "the workflow's name is empty");
    if (read_mode(plan, arguments, error) != 0 || read_version(plan, arguments, error) != 0 ||
        launch_plan_read_wait(arguments, OPTION_WAIT, "wait", &plan->wait_ms, error) != 0 ||
        launch_plan_read_deadline(arguments, now_ms, &plan->deadline_at_ms, error) != 0 ||
        arguments_duration_ms(arguments, OPTION_TIMEOUT, "timeout", &plan->api_timeout_ms, error) !=
            0 ||
        read_texts(arguments, OPTION_METADATA, "--metadata", &plan->metadata, error) != 0 ||
        read_texts(arguments, OPTION_TAG, "--tag", &plan->tags, error) != 0 ||
        check_unregistered(plan, arguments, error) != 0)
        return -1;
    /* Last, for it may wait for somebody to type. */
    return read_inputs(arguments, &plan->inputs, error);
}

struct promptlayer_run launch_plan_request(const struct launch_plan *plan, const char *callback_url)
{
    return (struct promptlayer_run){
        .workflow = plan->workflow,
        .label = plan->label,
        .version = plan->version,
        .inputs_json = buffer_bytes(&plan->inputs),
        .metadata_json = buffer_bytes(&plan->metadata),
        .all_outputs = plan->all_outputs,
        .callback_url = callback_url,
    };
}
