/* SPDX-License-Identifier: MIT */
/*
 * The results' side of the ledger: an entry of the log becomes a result with a
 * status, and moves the run that it belongs to.
 *
 * Who belongs to whom: a run token in the URL says it beyond doubt; the execution
 * id in a body is only a claim, which a token's run contradicts (mismatch) or,
 * where there is no token, is believed because that endpoint was verified by other
 * means. So a run is never completed by an id that is not its own.
 */
#include "callbackd/ledger.h"

#include <string.h>

#include "callbackd/text.h"

/* ---- the record ---- */

static int copy_texts(
    struct result_record *result, const struct result_entry *entry, struct error *error)
{
    result->endpoint = text_copy(entry->endpoint);
    result->key = text_copy(entry->key);
    result->workflow = text_copy(entry->name);
    result->event = text_copy(entry->event);
    result->source = text_copy(entry->source);
    result->remote_address = text_copy(entry->remote_address);
    result->verified_by = text_copy(entry->verified_by);
    result->content_type = text_copy(entry->content_type);
    if (result->endpoint && result->key && result->workflow && result->event && result->source &&
        result->remote_address && result->verified_by && result->content_type)
        return 0;
    return error_set(error, ERROR_MEMORY, "memory is short for a result");
}

static int make_record(
    const struct result_entry *entry, struct result_record *result, struct error *error)
{
    *result = (struct result_record){
        .seq = entry->seq,
        .id = entry->id,
        .kind = entry->kind,
        .has_execution_id = entry->has_execution_id,
        .execution_id = entry->execution_id,
        .status = entry->status,
        .revision = entry->revision,
        .received_at_ms = entry->received_at_ms,
        .size = entry->size,
    };
    memcpy(result->sha256, entry->sha256, sizeof result->sha256);
    return copy_texts(result, entry, error);
}

/* ---- which run ---- */

/* What is known of the run of a result. */
enum run_found {
    RUN_FOUND_NOT, /* there is none */
    RUN_FOUND_NEW, /* it has to be inserted */
    RUN_FOUND_HERE
};

/* A run whose token was minted offline: the ledger hears of it only now, and nobody will report its
 * launch. */
static int make_offline(
    const struct result_entry *entry, struct run_record *run, struct error *error)
{
    *run = (struct run_record){
        .id = entry->run,
        .state = RUN_WAITING,
        .workflow = text_copy(entry->name),
        .endpoint = text_copy(entry->endpoint),
        .has_execution_id = entry->has_execution_id,
        .execution_id = entry->execution_id,
        .registered_at_ms = entry->received_at_ms,
    };
    if (!run->workflow || !run->endpoint)
        return error_set(error, ERROR_MEMORY, "memory is short for a run");
    return 0;
}

static int run_of_token(
    struct state_tx *tx, const struct result_entry *entry, struct run_record *run,
    enum run_found *found_out, struct error *error)
{
    struct error missing = {0};
    *found_out = RUN_FOUND_HERE;
    if (state_run_get(tx, &entry->run, run, &missing) == 0)
        return 0;
    *found_out = RUN_FOUND_NEW;
    if (missing.code == ERROR_NOT_FOUND)
        return make_offline(entry, run, error);
    if (error)
        *error = missing;
    return -1;
}

static int run_of_execution(
    struct state_tx *tx, int64_t execution_id, struct run_record *run, enum run_found *found_out,
    struct error *error)
{
    struct error missing = {0};
    if (state_run_by_execution(tx, execution_id, run, &missing) == 0)
        *found_out = RUN_FOUND_HERE;
    if (*found_out == RUN_FOUND_HERE || missing.code == ERROR_NOT_FOUND)
        return 0;
    if (error)
        *error = missing;
    return -1;
}

/* `run` is filled unless RUN_FOUND_NOT. */
static int find_run(
    struct state_tx *tx, const struct result_entry *entry, struct run_record *run,
    enum run_found *found_out, struct error *error)
{
    *found_out = RUN_FOUND_NOT;
    if (entry->kind != BODY_WORKFLOW_RESULT && entry->kind != BODY_WORKSPACE_EVENT)
        return 0;
    if (entry->kind == BODY_WORKFLOW_RESULT && entry->has_run)
        return run_of_token(tx, entry, run, found_out, error);
    if (!entry->has_execution_id)
        return 0;
    return run_of_execution(tx, entry->execution_id, run, found_out, error);
}

/* ---- what it makes of both ---- */

static int link_to_run(
    struct result_record *result, const struct run_record *run, struct error *error)
{
    result->has_run = true;
    result->run = run->id;
    if (run->workflow[0] == '\0' || strcmp(run->workflow, result->workflow) == 0)
        return 0;
    char *workflow = text_copy(run->workflow);
    if (!workflow)
        return error_set(error, ERROR_MEMORY, "memory is short for a result");
    free(result->workflow);
    result->workflow = workflow;
    return 0;
}

static bool launch_is_open(
    const struct config *config, const struct run_record *run, int64_t now_ms)
{
    return run->state == RUN_LAUNCHING &&
           now_ms - run->registered_at_ms < config->promptlayer.launch_grace_ms;
}

/* Nobody reports the execution of a run that waits without one (it was launched by something else):
 * the first post that names one names its own. A launch that was lost may yet be reported. */
static bool adopt_execution(struct run_record *run, const struct result_record *result)
{
    if (run->has_execution_id || !result->has_execution_id ||
        (run->state != RUN_WAITING && run->state != RUN_OVERDUE))
        return false;
    run->has_execution_id = true;
    run->execution_id = result->execution_id;
    return true;
}

/* Sets status and pending of a result whose status is still as posted. true: the run changed. */
static bool decide(
    const struct config *config, struct run_record *run, struct result_record *result,
    int64_t now_ms)
{
    result->pending = launch_is_open(config, run, now_ms);
    if (result->pending)
        return false;
    bool adopted = adopt_execution(run, result);
    if (run->has_execution_id && result->has_execution_id &&
        run->execution_id != result->execution_id) {
        result->status = STATUS_MISMATCH;
        /* It does not complete the run, but whoever waits for the run must hear of it. */
        if (run->state == RUN_COMPLETED)
            return false;
        run->has_result = true;
        run->result = result->id;
        return true;
    }
    bool final = result->status == STATUS_SUCCESS || result->status == STATUS_FAILED;
    if (!final || run->state == RUN_COMPLETED)
        return adopted;
    run->state = RUN_COMPLETED;
    run->completed_at_ms = result->received_at_ms;
    run->has_result = true;
    run->result = result->id;
    return true;
}

/* A run that is new is written once, as what it becomes here. */
static int take_of_run(
    struct state_tx *tx, const struct config *config, struct run_record *run, bool is_new,
    int64_t now_ms, struct result_record *result, struct error *error)
{
    bool existing = false;
    bool changed = false;
    if (link_to_run(result, run, error) != 0)
        return -1;
    /* An event tells that something happened to the run; it carries no result. */
    if (result->kind == BODY_WORKFLOW_RESULT)
        changed = decide(config, run, result, now_ms);
    if (is_new)
        return state_run_insert(tx, run, &existing, error);
    return changed ? state_run_update(tx, run, error) : 0;
}

int ledger_take(
    struct state_tx *tx, const struct config *config, const struct result_entry *entry,
    int64_t now_ms, struct result_record *result_out, struct error *error)
{
    struct result_record result;
    struct run_record run = {0};
    enum run_found found = RUN_FOUND_NOT;
    int status = make_record(entry, &result, error);
    if (status == 0)
        status = find_run(tx, entry, &run, &found, error);
    if (status == 0 && found != RUN_FOUND_NOT)
        status = take_of_run(tx, config, &run, found == RUN_FOUND_NEW, now_ms, &result, error);
    /* Known before it is written, so that it is written once. */
    bool may = false;
    if (status == 0)
        status = ledger_may_trigger(tx, config, &result, &may, error);
    result.triggered = may;
    if (status == 0)
        status = state_result_insert(tx, &result, error);
    run_record_fini(&run);
    if (status != 0) {
        result_record_fini(&result);
        return -1;
    }
    *result_out = result;
    return 0;
}

int ledger_settle(
    struct state_tx *tx, const struct config *config, struct result_record *result, int64_t now_ms,
    struct error *error)
{
    struct run_record run = {0};
    struct error missing = {0};
    bool run_changed = false;
    if (!result->pending)
        return 0;
    if (!result->has_run || state_run_get(tx, &result->run, &run, &missing) != 0) {
        if (result->has_run && missing.code != ERROR_NOT_FOUND) {
            if (error)
                *error = missing;
            return -1;
        }
        /* There is nobody left to wait for. */
        result->pending = false;
    } else {
        run_changed = decide(config, &run, result, now_ms);
    }
    int status = result->pending ? 0 : state_result_update(tx, result, error);
    if (status == 0 && run_changed)
        status = state_run_update(tx, &run, error);
    run_record_fini(&run);
    return status;
}
