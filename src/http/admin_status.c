/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "admin_private.h"
#include "callbackd/hooks.h"
#include "callbackd/text.h"

/* ---- GET /metrics ---- */

void admin_metrics(struct admin_request *request)
{
    struct buffer text;
    buffer_init(&text, ADMIN_ANSWER_MAX_BYTES);
    if (metrics_expose(request->admin->options.metrics, &text) == 0 &&
        buffer_append_text(&text, "# EOF\n") == 0)
        http_respond(
            request->http, 200, "application/openmetrics-text; version=1.0.0; charset=utf-8", NULL,
            buffer_bytes(&text));
    else
        http_respond_problem(request->http, ERROR_MEMORY, "No memory for metrics.", NULL);
    buffer_fini(&text);
}

/* ---- GET /status ---- */

enum { SET_ASIDE_SHOWN = 10, SET_ASIDE_COUNTED = 1000 };

/* How far the worker is. */
struct lag {
    int64_t cursor;
    int64_t last;
    int64_t set_aside;         /* counted up to SET_ASIDE_COUNTED */
    struct buffer latest;      /* the newest of them, as JSON */
    struct json_writer writer; /* into `latest` */
};

static int add_set_aside(void *context, const struct set_aside_record *record)
{
    struct lag *lag = context;
    if (lag->set_aside++ >= SET_ASIDE_SHOWN)
        return 0;
    json_object_begin(&lag->writer);
    json_member_int(&lag->writer, "seq", record->seq);
    json_member_text(&lag->writer, "endpoint", record->endpoint);
    json_member_time(&lag->writer, "received_at", record->received_at_ms);
    json_member_time(&lag->writer, "set_aside_at", record->set_aside_at_ms);
    json_member_text(&lag->writer, "reason", record->reason);
    json_object_end(&lag->writer);
    return 0;
}

static int read_lag(struct state_tx *tx, void *context, struct error *error)
{
    struct lag *lag = context;
    if (state_cursor_get(tx, &lag->cursor, error) != 0)
        return -1;
    return state_set_aside_list(tx, SET_ASIDE_COUNTED, add_set_aside, lag, error);
}

static void lag_init(struct lag *lag)
{
    *lag = (struct lag){0};
    buffer_init(&lag->latest, ADMIN_ANSWER_MAX_BYTES);
    json_writer_init(&lag->writer, &lag->latest);
    json_array_begin(&lag->writer);
}

static void write_check(struct json_writer *writer, struct store_checker *checker)
{
    struct store_checker_status check = {0};
    if (checker != NULL)
        store_checker_look(checker, &check);
    json_key(writer, "check");
    json_object_begin(writer);
    json_member_text(writer, "state", store_checker_state_name(check.state));
    if (check.started_at_ms != 0) {
        json_member_time(writer, "started_at", check.started_at_ms);
        json_member_time(writer, "ended_at", check.ended_at_ms);
        json_member_int(writer, "findings", check.findings);
        json_member_text(writer, "message", check.message[0] != '\0' ? check.message : NULL);
    }
    json_object_end(writer);
}

static void write_store(
    struct json_writer *writer, bool ready, const struct error *error,
    struct store_checker *checker)
{
    json_key(writer, "store");
    json_object_begin(writer);
    json_member_bool(writer, "ready", ready);
    json_member_text(writer, "error", ready ? NULL : error->message);
    write_check(writer, checker);
    json_object_end(writer);
}

static void write_worker(struct json_writer *writer, struct lag *lag)
{
    json_array_end(&lag->writer);
    json_key(writer, "worker");
    json_object_begin(writer);
    json_member_int(writer, "last_seq", lag->last);
    json_member_int(writer, "cursor", lag->cursor);
    json_member_int(writer, "lag", lag->last - lag->cursor);
    json_member_int(writer, "set_aside", lag->set_aside);
    json_member_raw(writer, "set_aside_latest", buffer_bytes(&lag->latest));
    json_object_end(writer);
}

static void write_children(struct json_writer *writer, const struct metrics *metrics)
{
    json_key(writer, "children");
    json_object_begin(writer);
    json_member_int(writer, "receiver_restarts", metrics_get(metrics, METRIC_RECEIVER_RESTARTS));
    json_member_int(writer, "worker_restarts", metrics_get(metrics, METRIC_WORKER_RESTARTS));
    json_object_end(writer);
}

static void write_protection(
    struct json_writer *writer, const char *key, int64_t protected, int64_t receivers)
{
    if (receivers > 0)
        json_member_bool(writer, key, protected >= receivers);
    else
        json_member_null(writer, key);
}

/* What holds for all receivers that there are; null where there is none. */
static void write_sandbox(
    struct json_writer *writer, const struct metrics *metrics, const struct config *config)
{
    static const char *const modes[] = {
        [SANDBOX_AUTO] = "auto", [SANDBOX_REQUIRED] = "required", [SANDBOX_OFF] = "off"};
    int64_t receivers = metrics_get(metrics, METRIC_RECEIVERS);
    json_key(writer, "sandbox");
    json_object_begin(writer);
    json_member_text(writer, "mode", modes[config->sandbox]);
    json_member_int(writer, "receivers", receivers);
    write_protection(writer, "seccomp", metrics_get(metrics, METRIC_RECEIVERS_SECCOMP), receivers);
    write_protection(
        writer, "landlock", metrics_get(metrics, METRIC_RECEIVERS_LANDLOCK), receivers);
    json_object_end(writer);
}

/* How what a hook started is killed: null before the engine has begun. */
static void write_kill(struct json_writer *writer, struct hook_view *view)
{
    struct hook_kill kill = {0};
    if (view)
        hook_view_kill(view, &kill);
    bool grouped = kill.cgroup[0] != '\0';
    json_key(writer, "hooks");
    json_object_begin(writer);
    json_member_text(writer, "kill", !kill.known ? NULL : grouped ? "cgroup" : "subreaper");
    json_member_text(writer, "cgroup", grouped ? kill.cgroup : NULL);
    json_member_text(writer, "reason", kill.known && !grouped ? kill.reason : NULL);
    json_object_end(writer);
}

static int write_orphan(void *context, const char *hook, const struct hook_counts *counts)
{
    json_member_int(context, hook, counts->waiting);
    return 0;
}

struct orphan_look {
    const struct config *config;
    struct json_writer *writer;
};

static int write_orphans(struct state_tx *tx, void *context, struct error *error)
{
    struct orphan_look *look = context;
    return hook_visit_orphans(tx, look->config, write_orphan, look->writer, error);
}

void admin_status(struct admin_request *request)
{
    struct admin *admin = request->admin;
    struct error error = {0};
    struct lag lag;
    struct buffer json;
    struct json_writer writer;
    lag_init(&lag);
    bool ready = result_log_check(admin->options.log, &error) == 0 &&
                 result_log_last_seq(admin->options.log, &lag.last, &error) == 0 &&
                 state_read(admin->options.state, read_lag, &lag, &error) == 0;
    buffer_init(&json, ADMIN_ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    json_object_begin(&writer);
    json_member_bool(&writer, "ready", ready);
    json_member_text(&writer, "version", CALLBACKD_VERSION);
    const struct config *config = admin_lock_config(admin);
    json_member_text(&writer, "public_url", admin->options.public_url);
    json_member_bool(&writer, "api_key", config->promptlayer.api_key.count > 0);
    write_store(&writer, ready, &error, admin->options.checker);
    write_worker(&writer, &lag);
    write_children(&writer, admin->options.metrics);
    write_sandbox(&writer, admin->options.metrics, config);
    write_kill(&writer, admin->options.hooks);
    json_key(&writer, "orphaned_jobs");
    json_object_begin(&writer);
    struct orphan_look look = {config, &writer};
    /* A store that cannot be read was said to be so above. */
    (void)state_read(admin->options.state, write_orphans, &look, NULL);
    json_object_end(&writer);
    admin_unlock_config(admin);
    json_object_end(&writer);
    admin_answer(request, 200, &json);
    buffer_fini(&json);
    buffer_fini(&lag.latest);
}

/* ---- hooks ---- */

struct hook_listing {
    const struct config *config;
    struct hook_view *view;
    struct json_writer *writer;
};

static void write_counts(struct json_writer *writer, const struct hook_counts *counts)
{
    json_member_int(writer, "waiting", counts->waiting);
    json_member_int(writer, "running", counts->running);
    json_member_int(writer, "succeeded", counts->succeeded);
    json_member_int(writer, "dead", counts->dead);
    json_member_time(writer, "oldest_waiting_at", counts->oldest_waiting_ms);
}

static void write_milliseconds(struct json_writer *writer, const char *key, int64_t ms)
{
    if (ms >= 0)
        json_member_int(writer, key, ms);
    else
        json_member_null(writer, key);
}

static void write_recent(struct json_writer *writer, const struct hook_recent *recent)
{
    json_member_int(writer, "recent_attempts", recent->attempts);
    if (recent->attempts > 0)
        json_member_double(
            writer, "recent_success_rate", (double)recent->succeeded / (double)recent->attempts);
    else
        json_member_null(writer, "recent_success_rate");
    write_milliseconds(writer, "recent_p50_ms", recent->p50_ms);
    write_milliseconds(writer, "recent_p99_ms", recent->p99_ms);
}

static void write_mode(
    struct json_writer *writer, const struct config_hook *hook, struct hook_view *view)
{
    struct hook_stream stream = {.copies = 0};
    json_member_text(writer, "mode", hook->mode == MODE_STREAM ? "stream" : "process");
    if (hook->mode != MODE_STREAM)
        return;
    if (view)
        hook_view_stream(view, hook->name, &stream);
    json_member_int(writer, "window", hook->window);
    json_member_int(writer, "copies", stream.copies);
    json_member_int(writer, "restarts", stream.restarts);
}

static int write_hook(
    struct state_tx *tx, const struct config_hook *hook, struct hook_view *view,
    struct json_writer *writer, struct error *error)
{
    struct hook_counts counts = {0};
    struct hook_recent recent;
    bool paused = false;
    if (state_hook_counts(tx, hook->name, &counts, error) != 0 ||
        state_hook_recent(tx, hook->name, &recent, error) != 0 ||
        state_hook_paused(tx, hook->name, &paused, error) != 0)
        return -1;
    json_object_begin(writer);
    json_member_text(writer, "name", hook->name);
    json_member_text(writer, "state", paused ? "paused" : "active");
    json_member_text(writer, "endpoint", hook->endpoint);
    json_member_bool(writer, "paused", paused);
    json_member_int(writer, "concurrency", hook->concurrency);
    write_mode(writer, hook, view);
    write_counts(writer, &counts);
    write_recent(writer, &recent);
    json_object_end(writer);
    return 0;
}

/* Not in the configuration any more, but jobs wait for it. */
static int write_gone_hook(void *context, const char *name, const struct hook_counts *counts)
{
    struct json_writer *writer = context;
    json_object_begin(writer);
    json_member_text(writer, "name", name);
    json_member_text(writer, "state", "gone");
    write_counts(writer, counts);
    json_object_end(writer);
    return 0;
}

static int list_hooks(struct state_tx *tx, void *context, struct error *error)
{
    struct hook_listing *listing = context;
    for (size_t i = 0; i < listing->config->hook_count; i++)
        if (write_hook(tx, &listing->config->hooks[i], listing->view, listing->writer, error) != 0)
            return -1;
    return hook_visit_orphans(tx, listing->config, write_gone_hook, listing->writer, error);
}

void admin_list_hooks(struct admin_request *request)
{
    struct error error = {0};
    struct admin_list list;
    admin_list_begin(&list, ADMIN_PAGE_MAX);
    struct hook_listing listing = {
        .config = admin_lock_config(request->admin),
        .view = request->admin->options.hooks,
        .writer = &list.writer};
    int outcome = state_read(request->admin->options.state, list_hooks, &listing, &error);
    admin_unlock_config(request->admin);
    if (outcome == 0)
        admin_list_answer(request, &list);
    else
        admin_fail(request, &error);
    buffer_fini(&list.json);
}

struct hook_change {
    const struct config_hook *hook;
    struct hook_view *view;
    bool paused;
    struct json_writer *writer;
};

static int change_hook(struct state_tx *tx, void *context, struct error *error)
{
    struct hook_change *change = context;
    if (state_hook_set_paused(tx, change->hook->name, change->paused, error) != 0)
        return -1;
    return write_hook(tx, change->hook, change->view, change->writer, error);
}

static void set_paused(struct admin_request *request, bool paused)
{
    struct error error = {0};
    struct buffer json;
    struct json_writer writer;
    buffer_init(&json, ADMIN_ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    struct hook_change change = {
        .view = request->admin->options.hooks, .paused = paused, .writer = &writer};
    change.hook = config_hook(admin_lock_config(request->admin), request->parameter);
    int outcome = change.hook == NULL
                      ? error_set(&error, ERROR_NOT_FOUND, "There is no hook of that name.")
                      : state_write(request->admin->options.state, change_hook, &change, &error);
    admin_unlock_config(request->admin);
    if (outcome == 0) {
        admin_wake_worker(request->admin);
        admin_answer(request, 200, &json);
    } else {
        admin_fail(request, &error);
    }
    buffer_fini(&json);
}

void admin_pause_hook(struct admin_request *request)
{
    set_paused(request, true);
}

void admin_resume_hook(struct admin_request *request)
{
    set_paused(request, false);
}

/* ---- GET /rejected ---- */

enum { BODY_START_BYTES = 4096 };

static int add_rejected(void *context, const struct rejected_post *post)
{
    struct admin_list *list = context;
    if (!admin_list_add(list, &post->id))
        return 1;
    struct bytes start = post->body;
    if (start.length > BODY_START_BYTES)
        start.length = BODY_START_BYTES;
    struct json_writer *writer = &list->writer;
    json_object_begin(writer);
    admin_write_id(writer, "id", &post->id);
    json_member_time(writer, "received_at", post->received_at_ms);
    json_member_text(writer, "endpoint", post->endpoint);
    json_member_text(writer, "remote_address", post->remote_address);
    json_member_int(writer, "status", post->status);
    json_member_text(writer, "reason", post->reason);
    admin_write_id(writer, "run_id", post->has_run ? &post->run : NULL);
    json_member_int(writer, "size", post->size);
    if (post->headers_json.length > 0)
        json_member_raw(writer, "headers", post->headers_json);
    json_member_bytes(writer, "body_start", start);
    json_object_end(writer);
    return 0;
}

void admin_list_rejected(struct admin_request *request)
{
    struct error error = {0};
    struct admin_list list;
    struct id cursor;
    bool has_cursor;
    int limit;
    if (admin_query_page(request, &limit, &cursor, &has_cursor, &error) != 0) {
        admin_fail(request, &error);
        return;
    }
    admin_list_begin(&list, limit);
    if (result_log_rejected(
            request->admin->options.log, has_cursor ? &cursor : NULL, limit + 1, add_rejected,
            &list, &error) >= 0)
        admin_list_answer(request, &list);
    else
        admin_fail(request, &error);
    buffer_fini(&list.json);
}
