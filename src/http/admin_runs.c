/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin_private.h"
#include "callbackd/clock.h"
#include "callbackd/ledger.h"
#include "callbackd/text.h"

enum { WAIT_MAX_MS = 60000 };

/* Whoever has the URL can post the result and have hooks run: not for a token that only reads. */
static void write_run(
    const struct admin_request *request, struct json_writer *writer, const struct run_record *run)
{
    json_object_begin(writer);
    admin_write_id(writer, "run_id", &run->id);
    json_member_text(writer, "state", run_state_name(run->state));
    json_member_text(writer, "workflow", run->workflow);
    json_member_text(writer, "endpoint", run->endpoint);
    admin_write_execution(writer, run->has_execution_id, run->execution_id);
    if (run->callback_url != NULL && request->may_act)
        json_member_text(writer, "callback_url", run->callback_url);
    json_member_time(writer, "registered_at", run->registered_at_ms);
    json_member_time(writer, "launched_at", run->launched_at_ms);
    json_member_time(writer, "deadline_at", run->deadline_at_ms);
    json_member_time(writer, "completed_at", run->completed_at_ms);
    json_member_text(writer, "reason", run->reason);
    if (run->tags_json != NULL)
        json_member_raw(writer, "tags", bytes_of_text(run->tags_json));
    admin_write_id(writer, "result_id", run->has_result ? &run->result : NULL);
    json_object_end(writer);
}

static void answer_run(struct admin_request *request, int status, const struct run_record *run)
{
    struct buffer json;
    struct json_writer writer;
    buffer_init(&json, ADMIN_ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    write_run(request, &writer, run);
    admin_answer(request, status, &json);
    buffer_fini(&json);
}

/* ---- GET /runs ---- */

struct run_listing {
    const struct admin_request *request;
    struct run_filter filter;
    struct admin_list list;
};

static int add_run(void *context, const struct run_record *run)
{
    struct run_listing *listing = context;
    if (!admin_list_add(&listing->list, &run->id))
        return 1;
    write_run(listing->request, &listing->list.writer, run);
    return 0;
}

static int list_runs(struct state_tx *tx, void *context, struct error *error)
{
    struct run_listing *listing = context;
    return state_run_list(tx, &listing->filter, add_run, listing, error) < 0 ? -1 : 0;
}

void admin_list_runs(struct admin_request *request)
{
    struct run_listing listing = {.request = request, .filter = {.state = -1}};
    struct error error = {0};
    struct id cursor;
    bool has_cursor;
    int limit;
    char state[32];
    char workflow[256];
    enum run_state wanted;
    if (admin_query_page(request, &limit, &cursor, &has_cursor, &error) != 0 ||
        admin_query(request, "state", state, sizeof(state), &error) != 0 ||
        admin_query(request, "workflow", workflow, sizeof(workflow), &error) != 0) {
        admin_fail(request, &error);
        return;
    }
    if (state[0] != '\0' && !run_state_parse(state, &wanted)) {
        error_set(&error, ERROR_INVALID, "There is no run state of that name.");
        admin_fail(request, &error);
        return;
    }
    listing.filter.state = state[0] != '\0' ? (int)wanted : -1;
    listing.filter.workflow = workflow[0] != '\0' ? workflow : NULL;
    listing.filter.before = has_cursor ? &cursor : NULL;
    listing.filter.limit = limit + 1;
    admin_list_begin(&listing.list, limit);
    if (state_read(request->admin->options.state, list_runs, &listing, &error) == 0)
        admin_list_answer(request, &listing.list);
    else
        admin_fail(request, &error);
    buffer_fini(&listing.list.json);
}

/* ---- POST /runs ---- */

struct registering {
    const struct config *config;
    struct ledger_registration registration;
    struct run_record run;
    bool existing;
};

static int register_run(struct state_tx *tx, void *context, struct error *error)
{
    struct registering *registering = context;
    return ledger_register(
        tx, registering->config, &registering->registration, &registering->run,
        &registering->existing, error);
}

/* A member that must be a string when it is there. */
static int text_member(
    const struct json *object, const char *key, const char **out, struct error *error)
{
    const struct json *member = json_get(object, key);
    *out = json_get_text(member);
    if (member != NULL && json_type_of(member) != JSON_TYPE_NULL && *out == NULL)
        return error_set(error, ERROR_INVALID, "%s is a string.", key);
    return 0;
}

static int bool_member(const struct json *object, const char *key, bool *out, struct error *error)
{
    const struct json *member = json_get(object, key);
    *out = false;
    if (member == NULL || json_type_of(member) == JSON_TYPE_NULL || json_get_bool(member, out))
        return 0;
    return error_set(error, ERROR_INVALID, "%s is true or false.", key);
}

static int read_deadline(
    const struct json *object, int64_t now_ms, int64_t *deadline_out, struct error *error)
{
    const char *text;
    int64_t in_ms;
    *deadline_out = 0;
    if (text_member(object, "deadline", &text, error) != 0)
        return -1;
    if (text == NULL || clock_parse_rfc3339(text, deadline_out))
        return 0;
    if (!text_parse_duration_ms(text, &in_ms))
        return error_set(
            error, ERROR_INVALID,
            "deadline is a time (2026-01-31T12:00:00Z) or a duration from now (10m).");
    *deadline_out = now_ms + in_ms;
    return 0;
}

static int check_members(const struct json *object, struct error *error)
{
    static const char *const known[] = {"workflow", "endpoint",        "deadline",
                                        "tags",     "idempotency_key", "external"};
    for (const struct json *member = json_first(object); member != NULL;
         member = json_next(member)) {
        bool found = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            found |= strcmp(json_key_of(member), known[i]) == 0;
        if (!found)
            return error_set(
                error, ERROR_INVALID,
                "A run has workflow, endpoint, deadline, tags, idempotency_key and external, "
                "not \"%s\".",
                json_key_of(member));
    }
    return 0;
}

/* `tags` is a buffer for the object's text, as the registration borrows it. */
static int read_registration(
    const struct json_document *document, struct ledger_registration *registration,
    struct buffer *tags, struct error *error)
{
    const struct json *object = json_root(document);
    const struct json *tag_object = json_get(object, "tags");
    registration->now_ms = clock_wall_ms();
    if (check_members(object, error) != 0 ||
        text_member(object, "workflow", &registration->workflow, error) != 0 ||
        text_member(object, "endpoint", &registration->endpoint, error) != 0 ||
        text_member(object, "idempotency_key", &registration->idempotency_key, error) != 0 ||
        bool_member(object, "external", &registration->external, error) != 0 ||
        read_deadline(object, registration->now_ms, &registration->deadline_at_ms, error) != 0)
        return -1;
    if (registration->workflow == NULL)
        registration->workflow = "";
    if (tag_object == NULL || json_type_of(tag_object) == JSON_TYPE_NULL)
        return 0;
    if (json_type_of(tag_object) != JSON_TYPE_OBJECT)
        return error_set(error, ERROR_INVALID, "tags is an object.");
    buffer_append_bytes(tags, json_source(document, tag_object));
    registration->tags_json = buffer_text(tags);
    return 0;
}

void admin_register_run(struct admin_request *request)
{
    struct registering registering = {0};
    struct error error = {0};
    struct buffer tags;
    buffer_init(&tags, ADMIN_BODY_MAX_BYTES);
    struct json_document *document = admin_read_object(request, &error);
    int outcome = document == NULL
                      ? -1
                      : read_registration(document, &registering.registration, &tags, &error);
    if (outcome == 0) {
        registering.config = admin_lock_config(request->admin);
        registering.registration.public_url = request->admin->options.public_url;
        outcome = state_write(request->admin->options.state, register_run, &registering, &error);
        admin_unlock_config(request->admin);
    }
    if (outcome == 0) {
        if (!registering.existing)
            metrics_add(request->admin->options.metrics, METRIC_RUNS_REGISTERED, 1);
        answer_run(request, registering.existing ? 200 : 201, &registering.run);
        run_record_fini(&registering.run);
    } else {
        admin_fail(request, &error);
    }
    buffer_fini(&tags);
    json_document_free(document);
}

/* ---- GET and PATCH /runs/{id} ---- */

struct run_change {
    struct id id;
    bool failed;
    const char *reason;
    int64_t execution_id;
    struct run_record run;
};

static int get_run(struct state_tx *tx, void *context, struct error *error)
{
    struct run_change *change = context;
    return state_run_get(tx, &change->id, &change->run, error);
}

void admin_get_run(struct admin_request *request)
{
    struct run_change change = {0};
    struct error error = {0};
    if (admin_path_id(request, &change.id, &error) != 0 ||
        state_read(request->admin->options.state, get_run, &change, &error) != 0) {
        admin_fail(request, &error);
        return;
    }
    answer_run(request, 200, &change.run);
    run_record_fini(&change.run);
}

static int change_run(struct state_tx *tx, void *context, struct error *error)
{
    struct run_change *change = context;
    int64_t now_ms = clock_wall_ms();
    if (change->failed)
        return ledger_launch_failed(tx, &change->id, change->reason, now_ms, &change->run, error);
    return ledger_launched(tx, &change->id, change->execution_id, now_ms, &change->run, error);
}

/* {"execution_id": "…"} (or a number) or {"failed": "reason"}; not both. */
static int read_change(
    const struct json_document *document, struct run_change *change, struct error *error)
{
    const struct json *object = json_root(document);
    const struct json *execution = json_get(object, "execution_id");
    const char *text = json_get_text(execution);
    change->reason = json_get_text(json_get(object, "failed"));
    change->failed = change->reason != NULL;
    if (json_count(object) == 1 && change->failed)
        return 0;
    if (json_count(object) == 1 &&
        (text != NULL ? text_parse_int64(bytes_of_text(text), &change->execution_id)
                      : json_get_int64(document, execution, &change->execution_id)))
        return 0;
    return error_set(
        error, ERROR_INVALID, "Say {\"execution_id\":\"<integer>\"} or {\"failed\":\"<reason>\"}.");
}

void admin_patch_run(struct admin_request *request)
{
    struct run_change change = {0};
    struct error error = {0};
    struct json_document *document = NULL;
    if (admin_path_id(request, &change.id, &error) != 0 ||
        (document = admin_read_object(request, &error)) == NULL ||
        read_change(document, &change, &error) != 0 ||
        state_write(request->admin->options.state, change_run, &change, &error) != 0) {
        admin_fail(request, &error);
    } else {
        /* A result may have been waiting for this, and whoever waits for one may go. */
        admin_wake_worker(request->admin);
        admin_notify(request->admin);
        answer_run(request, 200, &change.run);
        run_record_fini(&change.run);
    }
    json_document_free(document);
}

/* ---- GET /runs/{id}/result?wait= ---- */

struct awaiting {
    struct id id;
    struct run_record run;
    struct result_record result;
    bool found;
    bool hopeless; /* no result is expected any more */
};

/* Has the run what its launcher waits for? A mismatch counts: waiting on would hide it. */
static int look_for_result(struct state_tx *tx, void *context, struct error *error)
{
    struct awaiting *awaiting = context;
    struct run_record run = {0};
    if (state_run_get(tx, &awaiting->id, &run, error) != 0)
        return -1;
    int outcome = 0;
    awaiting->hopeless = run.state == RUN_LOST || run.state == RUN_LAUNCH_FAILED;
    if (run.has_result) {
        outcome = state_result_get(tx, &run.result, &awaiting->result, error);
        awaiting->found =
            outcome == 0 && !awaiting->result.pending &&
            (run.state == RUN_COMPLETED || awaiting->result.status == STATUS_MISMATCH);
        if (outcome == 0 && !awaiting->found)
            result_record_fini(&awaiting->result);
    }
    run_record_fini(&run);
    return outcome;
}

/* Waits until something may have changed since `seen`, or until the time. */
static void wait_for_change(struct admin *admin, uint64_t *seen, int64_t until_ms)
{
    struct timespec until;
    int64_t wait_ms = until_ms - clock_monotonic_ms();
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (wait_ms + 999) / 1000; /* to the second: it may come early, by a change */
    pthread_mutex_lock(&admin->change_lock);
    while (!admin->stopping && admin->generation == *seen &&
           pthread_cond_timedwait(&admin->changed, &admin->change_lock, &until) == 0)
        ;
    *seen = admin->generation;
    pthread_mutex_unlock(&admin->change_lock);
}

static uint64_t generation_now(struct admin *admin, bool *stopping_out)
{
    pthread_mutex_lock(&admin->change_lock);
    uint64_t generation = admin->generation;
    *stopping_out = admin->stopping;
    pthread_mutex_unlock(&admin->change_lock);
    return generation;
}

static void answer_result(struct admin_request *request, const struct result_record *result)
{
    struct buffer json;
    struct json_writer writer;
    buffer_init(&json, ADMIN_ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    admin_write_result(&writer, result, bytes_of(NULL, 0));
    admin_answer(request, 200, &json);
    buffer_fini(&json);
}

static int read_wait(struct admin_request *request, int64_t *wait_ms_out, struct error *error)
{
    char text[32];
    *wait_ms_out = 0;
    if (admin_query(request, "wait", text, sizeof(text), error) != 0)
        return -1;
    if (text[0] != '\0' && !text_parse_duration_ms(text, wait_ms_out))
        return error_set(error, ERROR_INVALID, "wait is a duration, such as 30s.");
    if (*wait_ms_out > WAIT_MAX_MS)
        *wait_ms_out = WAIT_MAX_MS;
    return 0;
}

void admin_await_result(struct admin_request *request)
{
    struct awaiting awaiting = {0};
    struct error error = {0};
    struct admin *admin = request->admin;
    int64_t wait_ms;
    bool stopping = false;
    bool held = false;
    if (admin_path_id(request, &awaiting.id, &error) != 0 ||
        read_wait(request, &wait_ms, &error) != 0) {
        admin_fail(request, &error);
        return;
    }
    int64_t until_ms = clock_monotonic_ms() + wait_ms;
    for (;;) {
        /* The generation is read before the look, so that no change falls between. */
        uint64_t seen = generation_now(admin, &stopping);
        if (state_read(admin->options.state, look_for_result, &awaiting, &error) != 0)
            break;
        if (awaiting.found || awaiting.hopeless || stopping || clock_monotonic_ms() >= until_ms)
            break;
        held = held || admin_hold(admin, &error);
        if (!held)
            break;
        wait_for_change(admin, &seen, until_ms);
    }
    if (held)
        admin_release(admin);
    if (error.code == ERROR_BUSY) { /* nothing that an operator would want in the log each time */
        http_respond_problem(request->http, error.code, error.message, NULL);
        return;
    }
    if (error.code != ERROR_NONE) {
        admin_fail(request, &error);
        return;
    }
    if (!awaiting.found) {
        http_respond(request->http, 204, NULL, NULL, bytes_of(NULL, 0));
        return;
    }
    answer_result(request, &awaiting.result);
    result_record_fini(&awaiting.result);
}
