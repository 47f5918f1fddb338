/* SPDX-License-Identifier: MIT */
/* The launcher's side of the ledger: a run is registered before it is launched, and then it is
 * said how the launch went. */
#include "callbackd/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/text.h"
#include "callbackd/verify.h"
#include "json_check.h"

enum { URL_MAX_BYTES = 8192 };

/* 9999-12-31T23:59:59.999Z: the last that can be spelled. */
static const int64_t deadline_max_ms = 253402300799999;

/* ---- registering ---- */

static bool takes_runs(const struct config_endpoint *endpoint)
{
    if (endpoint->kind != BODY_WORKFLOW_RESULT)
        return false;
    for (size_t i = 0; i < endpoint->verify_count; i++)
        if (strcmp(endpoint->verify[i].scheme, "run-token") == 0)
            return true;
    return false;
}

/* NULL with `error` filled. */
static const struct config_endpoint *find_endpoint(
    const struct config *config, const char *name, struct error *error)
{
    const struct config_endpoint *named = name ? config_endpoint(config, name) : NULL;
    if (named && takes_runs(named))
        return named;
    for (size_t i = 0; !name && i < config->endpoint_count; i++)
        if (takes_runs(&config->endpoints[i]))
            return &config->endpoints[i];
    if (name)
        error_set(
            error, ERROR_INVALID, "endpoint '%s' %s", name,
            named ? "is not of kind workflow-result with scheme run-token" : "does not exist");
    else
        error_set(
            error, ERROR_INVALID,
            "no endpoint is of kind workflow-result with scheme run-token (configure one)");
    return NULL;
}

static char *make_url(
    const struct config *config, const struct config_endpoint *endpoint,
    const struct ledger_registration *registration, const struct id *run, struct error *error)
{
    char token[RUN_TOKEN_TEXT_BYTES];
    struct buffer url;
    int64_t expires_at_s = run_token_expiry(
        registration->now_ms, config->run_token.lifetime_ms, registration->deadline_at_ms);
    if (run_token_mint(&config->run_token.key, endpoint->name, run, expires_at_s, token, error) !=
        0)
        return NULL;
    buffer_init(&url, URL_MAX_BYTES);
    char *text = NULL;
    if (run_token_url(registration->public_url, endpoint->path, token, &url) == 0)
        text = buffer_take(&url);
    buffer_fini(&url);
    if (!text)
        error_set(error, ERROR_MEMORY, "memory is short for a callback URL, or it is too long");
    return text;
}

/* Without a deadline of its own a run is waited for until its token expires: nothing can come by
 * callback after that. */
static int64_t deadline_of(
    const struct config *config, const struct ledger_registration *registration)
{
    return registration->deadline_at_ms != 0 ? registration->deadline_at_ms
                                             : registration->now_ms + config->run_token.lifetime_ms;
}

static int make_run(
    const struct config *config, const struct config_endpoint *endpoint,
    const struct ledger_registration *registration, struct run_record *run, struct error *error)
{
    *run = (struct run_record){
        .id = id_new(),
        .state = registration->external ? RUN_WAITING : RUN_LAUNCHING,
        .workflow = text_copy(registration->workflow ? registration->workflow : ""),
        .endpoint = text_copy(endpoint->name),
        .registered_at_ms = registration->now_ms,
        .deadline_at_ms = deadline_of(config, registration),
        .tags_json = text_copy(registration->tags_json),
        .idempotency_key = text_copy(registration->idempotency_key),
    };
    if (!run->workflow || !run->endpoint || (registration->tags_json && !run->tags_json) ||
        (registration->idempotency_key && !run->idempotency_key))
        return error_set(error, ERROR_MEMORY, "memory is short for a run");
    run->callback_url = make_url(config, endpoint, registration, &run->id, error);
    return run->callback_url ? 0 : -1;
}

static int check_existing(
    const struct run_record *run, const struct config_endpoint *endpoint,
    const struct ledger_registration *registration, struct error *error)
{
    const char *workflow = registration->workflow ? registration->workflow : "";
    if (strcmp(run->workflow, workflow) == 0 && strcmp(run->endpoint, endpoint->name) == 0)
        return 0;
    return error_set(
        error, ERROR_CONFLICT,
        "the idempotency key was used before, for workflow '%s' at endpoint '%s'", run->workflow,
        run->endpoint);
}

/* A new run's deadline lies ahead; a repeated registration may well find it passed. */
static int check_new(const struct ledger_registration *registration, struct error *error)
{
    if (registration->deadline_at_ms == 0 || registration->deadline_at_ms > registration->now_ms)
        return 0;
    return error_set(error, ERROR_INVALID, "the deadline has passed already");
}

static int check_registration(const struct ledger_registration *registration, struct error *error)
{
    if (registration->deadline_at_ms < 0 || registration->deadline_at_ms > deadline_max_ms)
        return error_set(error, ERROR_INVALID, "the deadline is not a time in years 1970 to 9999");
    if (!registration->tags_json)
        return 0;
    return json_check_object(bytes_of_text(registration->tags_json), "tags", error);
}

int ledger_register(
    struct state_tx *tx, const struct config *config,
    const struct ledger_registration *registration, struct run_record *run_out, bool *existing_out,
    struct error *error)
{
    const struct config_endpoint *endpoint = find_endpoint(config, registration->endpoint, error);
    if (!endpoint || check_registration(registration, error) != 0)
        return -1;
    struct run_record run;
    bool existing = false;
    int result = make_run(config, endpoint, registration, &run, error);
    if (result == 0)
        result = state_run_insert(tx, &run, &existing, error);
    /* What was inserted for nothing goes with the transaction, which fails now. */
    if (result == 0)
        result = existing ? check_existing(&run, endpoint, registration, error)
                          : check_new(registration, error);
    if (result != 0) {
        run_record_fini(&run);
        return -1;
    }
    *run_out = run;
    *existing_out = existing;
    return 0;
}

/* ---- how the launch went ---- */

static int set_launched(
    struct run_record *run, int64_t execution_id, int64_t now_ms, bool *changed_out,
    struct error *error)
{
    *changed_out = false;
    if (run->has_execution_id && run->execution_id != execution_id)
        return error_set(
            error, ERROR_CONFLICT, "the run was launched as execution %" PRId64 " already",
            run->execution_id);
    if (run->has_execution_id)
        return 0;
    run->has_execution_id = true;
    run->execution_id = execution_id;
    run->launched_at_ms = now_ms;
    /* A post for it was refused meanwhile: see ledger_refused. */
    if (run->state == RUN_LAUNCHING && run->reason)
        run->state = RUN_OVERDUE;
    /* A run can be lost without an id only because its launch had not been reported; one whose
     * launch failed was launched again. */
    if (run->state == RUN_LAUNCHING || run->state == RUN_LOST || run->state == RUN_LAUNCH_FAILED) {
        run->state = RUN_WAITING;
        free(run->reason);
        run->reason = NULL;
    }
    *changed_out = true;
    return 0;
}

int ledger_launched(
    struct state_tx *tx, const struct id *run_id, int64_t execution_id, int64_t now_ms,
    struct run_record *run_out, struct error *error)
{
    struct run_record run = {0};
    bool changed = false;
    if (state_run_get(tx, run_id, &run, error) != 0)
        return -1;
    if (set_launched(&run, execution_id, now_ms, &changed, error) != 0 ||
        (changed && state_run_update(tx, &run, error) != 0)) {
        run_record_fini(&run);
        return -1;
    }
    *run_out = run;
    return 0;
}

static int set_launch_failed(
    struct run_record *run, const char *reason, bool *changed_out, struct error *error)
{
    *changed_out = false;
    if (run->state == RUN_LAUNCH_FAILED)
        return 0;
    if (run->state != RUN_LAUNCHING)
        return error_set(
            error, ERROR_CONFLICT, "the run is %s: its launch cannot have failed",
            run_state_name(run->state));
    free(run->reason);
    run->reason = text_copy(reason ? reason : "");
    if (!run->reason)
        return error_set(error, ERROR_MEMORY, "memory is short for a reason");
    run->state = RUN_LAUNCH_FAILED;
    *changed_out = true;
    return 0;
}

int ledger_launch_failed(
    struct state_tx *tx, const struct id *run_id, const char *reason, int64_t now_ms,
    struct run_record *run_out, struct error *error)
{
    struct run_record run = {0};
    bool changed = false;
    (void)now_ms;
    if (state_run_get(tx, run_id, &run, error) != 0)
        return -1;
    if (set_launch_failed(&run, reason, &changed, error) != 0 ||
        (changed && state_run_update(tx, &run, error) != 0)) {
        run_record_fini(&run);
        return -1;
    }
    *run_out = run;
    return 0;
}
