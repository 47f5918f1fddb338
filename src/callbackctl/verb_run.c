/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/json_writer.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "dry_run.h"
#include "exit_status.h"
#include "launch_plan.h"
#include "listing.h"
#include "mint.h"
#include "registration.h"
#include "table.h"
#include "verbs.h"
#include "waiting.h"
#include "workflow_api.h"

enum { PRINT_BYTES = 64 * 1024, URL_BYTES = 16 * 1024 };

static const struct option_row run_options[] = {
    {OPTION_INPUT, "input", "K=V", "an input variable, a string; may be given again"},
    {OPTION_INPUT_JSON, "input-json", "K=JSON", "an input variable, any JSON"},
    {OPTION_INPUTS, "inputs", "FILE", "a JSON object of input variables; - is standard input"},
    {OPTION_METADATA, "metadata", "K=V", "metadata of the run, a string; may be given again"},
    {OPTION_LABEL, "label", "L", "the workflow's version with this label"},
    {OPTION_VERSION_NUMBER, "version-number", "N", "the workflow's version of this number"},
    {OPTION_ALL_OUTPUTS, "all-outputs", NULL, "ask for the outputs of all nodes"},
    {OPTION_DEADLINE, "deadline", "TIME",
     "when the result is overdue: 10m from now, or 2026-11-23T18:00:00Z"},
    {OPTION_ENDPOINT, "endpoint", "NAME", "where the result is to be posted"},
    {OPTION_TAG, "tag", "K=V", "a tag that the ledger keeps with the run; may be given again"},
    {OPTION_IDEMPOTENCY_KEY, "idempotency-key", "KEY",
     "a run that was registered with this key is not launched again"},
    {OPTION_WAIT, "wait", "[DURATION]", "wait for the result, for ever or so long, and print it"},
    {OPTION_NO_CALLBACK, "no-callback", NULL, "launch without a callback; --wait asks the API"},
    {OPTION_CALLBACK_URL, "callback-url", "URL", "have the result posted to this URL"},
    {OPTION_OFFLINE, "offline", NULL,
     "mint the callback URL from the configured key, without the daemon"},
    {OPTION_DRY_RUN, "dry-run", NULL, "print the request; send and register nothing"},
    {OPTION_TIMEOUT, "timeout", "DURATION", "how long the launch may take (60s)"},
    {OPTION_END, NULL, NULL, NULL},
};

/* A launch under way. What is not used stays zero. */
struct launch {
    struct session *session;
    struct launch_plan plan;
    struct workflow_api api;
    bool registered;
    struct registration registration;
    char run_id[ID_TEXT_BYTES]; /* "": no run */
    struct buffer callback_url; /* empty: none */
    int64_t execution_id;
};

static void launch_fini(struct launch *launch)
{
    launch_plan_fini(&launch->plan);
    workflow_api_fini(&launch->api);
    buffer_fini(&launch->callback_url);
    if (launch->registered)
        registration_fini(&launch->registration);
}

static int register_run(struct launch *launch, struct error *error)
{
    const struct launch_plan *plan = &launch->plan;
    struct registration_request request = {
        .workflow = plan->workflow,
        .endpoint = plan->endpoint,
        .idempotency_key = plan->idempotency_key,
        .deadline_at_ms = plan->deadline_at_ms,
        .tags_json = buffer_bytes(&plan->tags),
    };
    struct admin_client *admin = session_admin(launch->session, error);
    if (!admin || registration_make(admin, &request, &launch->registration, error) != 0)
        return -1;
    launch->registered = true;
    memcpy(launch->run_id, launch->registration.run_id, ID_TEXT_BYTES);
    return buffer_append_text(&launch->callback_url, launch->registration.callback_url) == 0
               ? 0
               : error_set(error, ERROR_MEMORY, "the callback URL is too long");
}

static int mint(struct launch *launch, struct error *error)
{
    const struct config *config = session_config(launch->session, NEED_RUN_TOKEN_KEY, error);
    struct minted minted;
    buffer_init_secret(&minted.url, URL_BYTES);
    if (!config || mint_callback_url(
                       config, launch->plan.endpoint, launch->plan.deadline_at_ms,
                       launch->session->display.now_ms, &minted, error) != 0)
        return -1;
    id_format(&minted.run, launch->run_id);
    buffer_append_bytes(&launch->callback_url, buffer_bytes(&minted.url));
    buffer_fini(&minted.url);
    return 0;
}

static int find_callback(struct launch *launch, struct error *error)
{
    switch (launch->plan.mode) {
    case LAUNCH_REGISTERED:
        return register_run(launch, error);
    case LAUNCH_OFFLINE:
        return mint(launch, error);
    case LAUNCH_OWN_URL:
        return buffer_append_text(&launch->callback_url, launch->plan.callback_url) == 0
                   ? 0
                   : error_set(error, ERROR_USAGE, "--callback-url: the URL is too long");
    case LAUNCH_NO_CALLBACK:
        break;
    }
    return 0;
}

/* Only these say for certain that nothing was started; anything else may have. */
static bool is_certainly_not_started(const struct error *error)
{
    return error->code == ERROR_REFUSED || error->code == ERROR_UNREACHABLE ||
           error->code == ERROR_INVALID;
}

static int explain_unclear(const struct launch *launch, struct error *error)
{
    error_prefix(error, "it is not clear whether the run was launched");
    error->code = ERROR_IO;
    display_note("%s", error->message);
    if (launch->registered)
        display_note(
            "it is not launched a second time. Run %s stays \"launching\"; if it was launched, its "
            "result is still taken in: callbackctl wait %s",
            launch->run_id, launch->run_id);
    else
        display_note("it is not launched a second time");
    return EXIT_STATUS_LOCAL;
}

static int explain_failure(const struct launch *launch, struct error *error)
{
    if (!is_certainly_not_started(error))
        return explain_unclear(launch, error);
    if (error->code == ERROR_INVALID)
        error->code = ERROR_CONFIG; /* an address that is none, say: nobody was asked */
    struct error record_error = {0};
    if (launch->registered &&
        registration_failed(
            launch->session->admin, launch->run_id, error->message, &record_error) != 0)
        display_note(
            "the daemon could not be told that run %s was not launched: %s", launch->run_id,
            record_error.message);
    return error_prefix(error, "the workflow was not launched");
}

/* -1 with the run launched all the same: its result is taken in, the ledger lags behind. */
static int record_launch(const struct launch *launch, struct error *error)
{
    if (!launch->registered ||
        registration_launched(
            launch->session->admin, launch->run_id, launch->execution_id, error) == 0)
        return 0;
    display_note(
        "the workflow was launched (run %s, execution %" PRId64 "), but the daemon could not be "
        "told its execution id; the result is taken in all the same. Do not launch it again",
        launch->run_id, launch->execution_id);
    return error_prefix(error, "recording the launch");
}

static int print_json(const struct launch *launch, struct error *error)
{
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, PRINT_BYTES);
    struct json_writer writer;
    char execution_id[32];
    snprintf(execution_id, sizeof(execution_id), "%" PRId64, launch->execution_id);
    json_writer_init(&writer, &out);
    json_object_begin(&writer);
    json_member_text(&writer, "run_id", launch->run_id[0] != '\0' ? launch->run_id : NULL);
    json_member_text(&writer, "execution_id", launch->execution_id ? execution_id : NULL);
    json_member_text(&writer, "workflow", launch->plan.workflow);
    json_object_end(&writer);
    buffer_append_char(&out, '\n');
    return display_write(buffer_bytes(&out), error);
}

static int print_launch(const struct launch *launch, struct error *error)
{
    static const struct table_column columns[] = {
        {"RUN", false, false}, {"EXECUTION", false, false}, {"WORKFLOW", false, false}};
    const struct display *display = &launch->session->display;
    if (display->json)
        return print_json(launch, error);
    CLEANUP_BUFFER struct buffer out;
    buffer_init(&out, PRINT_BYTES);
    struct table table;
    table_init(&table, columns, COUNT_OF(columns));
    table_add_text(&table, launch->run_id);
    if (launch->execution_id)
        table_addf(&table, "%" PRId64, launch->execution_id);
    else
        table_add_text(&table, NULL);
    table_add_text(&table, launch->plan.workflow);
    int rendered = table_render(&table, display->colour, &out);
    table_fini(&table);
    if (rendered != 0)
        return error_set(error, ERROR_MEMORY, "no memory for a table");
    return display_write(buffer_bytes(&out), error);
}

static int wait_for_it(struct launch *launch, bool knows_execution, struct error *error)
{
    struct waiting waiting = {
        .run_id = launch->run_id,
        .has_execution_id = knows_execution,
        .execution_id = launch->execution_id,
        .wait_ms = launch->plan.wait_ms,
        .all_outputs = launch->plan.all_outputs,
    };
    if (launch->registered)
        return wait_at_daemon(launch->session, &waiting, error);
    return wait_at_api(launch->session, &launch->api.api, &waiting, error);
}

/* Is the run of a repeated key known not to have been launched? */
static bool may_launch_again(const struct launch *launch)
{
    const struct json *run = json_root(launch->registration.answer.document);
    const char *state = json_get_text(json_get(run, "state"));
    return state && strcmp(state, "launch_failed") == 0;
}

/* The run of a repeated key that is launched, or perhaps launched: never again by us. */
static int take_existing(struct launch *launch, struct error *error)
{
    const struct json *run = json_root(launch->registration.answer.document);
    const char *execution_id = json_get_text(json_get(run, "execution_id"));
    const char *state = json_get_text(json_get(run, "state"));
    if (state && strcmp(state, "launching") == 0)
        return error_set(
            error, ERROR_IO,
            "run %s has this idempotency key already, and how its launch went was never reported: "
            "not launched again",
            launch->run_id);
    if (execution_id)
        text_parse_int64(bytes_of_text(execution_id), &launch->execution_id);
    display_note(
        "run %s has this idempotency key already (%s): not launched again", launch->run_id,
        state ? state : "state unknown");
    if (launch->plan.wait)
        return wait_for_it(launch, false, error);
    return print_launch(launch, error) == 0 ? EXIT_STATUS_DONE : -1;
}

static int launch_it(struct launch *launch, struct error *error)
{
    const char *url = launch->callback_url.length > 0 ? buffer_text(&launch->callback_url) : NULL;
    struct promptlayer_run request = launch_plan_request(&launch->plan, url);
    struct promptlayer_launch launched = {0};
    if (promptlayer_run(launch->session->http, &launch->api.api, &request, &launched, error) != 0)
        return explain_failure(launch, error);
    launch->execution_id = launched.execution_id;
    if (launched.warning)
        display_note("the workflow API warns: %s", launched.warning);
    free(launched.warning);
    struct error record_error = {0};
    int recorded = record_launch(launch, &record_error);
    if (launch->plan.wait)
        return wait_for_it(launch, true, error);
    if (print_launch(launch, error) != 0)
        return -1;
    *error = record_error;
    return recorded == 0 ? EXIT_STATUS_DONE : -1;
}

static int launch_by_plan(struct launch *launch, struct error *error)
{
    struct session *session = launch->session;
    const struct launch_plan *plan = &launch->plan;
    if (plan->dry_run)
        return dry_run_print(session, plan, error);
    /* All that can be missing is looked for before the daemon writes the run down. */
    if (!session_http(session, error) ||
        workflow_api_open(&launch->api, session, true, plan->api_timeout_ms, error) != 0 ||
        find_callback(launch, error) != 0)
        return -1;
    if (launch->registered && launch->registration.existing && !may_launch_again(launch))
        return take_existing(launch, error);
    return launch_it(launch, error);
}

static int run_run(struct session *session, struct error *error)
{
    struct launch launch = {.session = session};
    buffer_init_secret(&launch.callback_url, URL_BYTES);
    int status = launch_plan_read(
        &launch.plan, &session->arguments, session_operand(session, 0), session->display.now_ms,
        error);
    if (status == 0)
        status = launch_by_plan(&launch, error);
    launch_fini(&launch);
    return status;
}

const struct verb verb_run = {
    "run",
    "WORKFLOW",
    1,
    1,
    "launch a workflow, by name or id; its result comes to the daemon",
    "The run is registered before it is launched, so that no result comes unexpected. Without "
    "--wait the ids of run and execution are printed; with it, standard output is the "
    "workflow's output alone (a string as it is, anything else as compact JSON) and standard "
    "error says why it failed. Without --all-outputs, of a map of nodes the value of the first "
    "output node that succeeded is printed. With --json one object is printed: the result as "
    "the daemon says it, with its \"output\".\n\n"
    "A launch whose answer never came (exit status 6) is not repeated: the workflow API has no "
    "means to tell the same request from another. The run stays in the ledger as launching, and "
    "its result is taken in if it comes.\n\n"
    "Runs launched with --no-callback, --callback-url or --offline are not registered; --wait "
    "then asks the workflow API every five seconds.",
    run_options,
    run_run,
};
