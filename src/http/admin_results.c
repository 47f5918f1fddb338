/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "admin_private.h"
#include "callbackd/clock.h"
#include "callbackd/hooks.h"
#include "callbackd/text.h"

enum { HEADERS_MAX_BYTES = 1024 * 1024 };

/* ---- GET /results ---- */

struct result_listing {
    struct admin_result_query query;
    struct admin_list list;
};

static int add_result(void *context, const struct result_record *result)
{
    struct result_listing *listing = context;
    if (!admin_list_add(&listing->list, &result->id))
        return 1;
    admin_write_result(&listing->list.writer, result, bytes_of(NULL, 0));
    return 0;
}

static int list_results(struct state_tx *tx, void *context, struct error *error)
{
    struct result_listing *listing = context;
    return state_result_list(tx, &listing->query.filter, add_result, listing, error) < 0 ? -1 : 0;
}

static int read_status_filter(
    const struct admin_request *request, int *status_out, struct error *error)
{
    char text[32];
    enum result_status status;
    *status_out = -1;
    if (admin_query(request, "status", text, sizeof(text), error) != 0)
        return -1;
    if (text[0] == '\0')
        return 0;
    if (!result_status_parse(text, &status))
        return error_set(error, ERROR_INVALID, "There is no result status of that name.");
    *status_out = (int)status;
    return 0;
}

static int read_id_filters(
    const struct admin_request *request, struct admin_result_query *query, struct error *error)
{
    struct result_filter *filter = &query->filter;
    char text[64];
    if (admin_query(request, "execution_id", text, sizeof(text), error) != 0)
        return -1;
    filter->has_execution_id = text[0] != '\0';
    if (filter->has_execution_id && !text_parse_int64(bytes_of_text(text), &filter->execution_id))
        return error_set(error, ERROR_INVALID, "execution_id is an integer.");
    if (admin_query(request, "run_id", text, sizeof(text), error) != 0)
        return -1;
    if (text[0] != '\0' && !id_parse(bytes_of_text(text), &query->run))
        return error_set(error, ERROR_INVALID, "run_id is the id of a run.");
    filter->run = text[0] != '\0' ? &query->run : NULL;
    return 0;
}

int admin_query_results(
    const struct admin_request *request, struct admin_result_query *query, struct error *error)
{
    struct result_filter *filter = &query->filter;
    bool has_cursor;
    filter->pending = -1;
    if (admin_query_page(request, &query->limit, &query->cursor, &has_cursor, error) != 0 ||
        read_status_filter(request, &filter->status, error) != 0 ||
        read_id_filters(request, query, error) != 0 ||
        admin_query(request, "endpoint", query->endpoint, sizeof(query->endpoint), error) != 0 ||
        admin_query(request, "workflow", query->workflow, sizeof(query->workflow), error) != 0 ||
        admin_query_time(request, "since", &filter->since_ms, error) != 0 ||
        admin_query_time(request, "until", &filter->until_ms, error) != 0)
        return -1;
    filter->endpoint = query->endpoint[0] != '\0' ? query->endpoint : NULL;
    filter->workflow = query->workflow[0] != '\0' ? query->workflow : NULL;
    filter->before = has_cursor ? &query->cursor : NULL;
    filter->limit = query->limit + 1;
    return 0;
}

void admin_list_results(struct admin_request *request)
{
    struct result_listing listing = {0};
    struct error error = {0};
    if (admin_query_results(request, &listing.query, &error) != 0) {
        admin_fail(request, &error);
        return;
    }
    admin_list_begin(&listing.list, listing.query.limit);
    if (state_read(request->admin->options.state, list_results, &listing, &error) == 0)
        admin_list_answer(request, &listing.list);
    else
        admin_fail(request, &error);
    buffer_fini(&listing.list.json);
}

/* ---- one result ---- */

struct result_look {
    struct id id;
    struct result_record result;
};

static int get_result(struct state_tx *tx, void *context, struct error *error)
{
    struct result_look *look = context;
    return state_result_get(tx, &look->id, &look->result, error);
}

static int find_result(struct admin_request *request, struct result_look *look, struct error *error)
{
    if (admin_path_id(request, &look->id, error) != 0)
        return -1;
    return state_read(request->admin->options.state, get_result, look, error);
}

static int copy_headers(void *context, const struct result_entry *entry)
{
    buffer_append_bytes(context, entry->headers_json);
    return 0;
}

void admin_get_result(struct admin_request *request)
{
    struct result_look look = {0};
    struct error error = {0};
    struct buffer headers;
    struct buffer json;
    struct json_writer writer;
    buffer_init(&headers, HEADERS_MAX_BYTES);
    buffer_init(&json, ADMIN_ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    if (find_result(request, &look, &error) == 0) {
        /* Without its row in the log (removed meanwhile) it is shown without headers. */
        result_log_get(
            request->admin->options.log, look.result.seq, copy_headers, &headers, &error);
        admin_write_result(&writer, &look.result, buffer_bytes(&headers));
        admin_answer(request, 200, &json);
        result_record_fini(&look.result);
    } else {
        admin_fail(request, &error);
    }
    buffer_fini(&headers);
    buffer_fini(&json);
}

void admin_get_body(struct admin_request *request)
{
    struct result_look look = {0};
    struct error error = {0};
    struct buffer body;
    /* A limit that was lowered since must not hide what is stored. */
    buffer_init(&body, SIZE_MAX / 2);
    if (find_result(request, &look, &error) != 0) {
        admin_fail(request, &error);
        return;
    }
    if (result_log_body(request->admin->options.log, look.result.seq, &body, &error) == 0)
        /* Never the sender's type: a browser must not render what a stranger sent. */
        http_respond(
            request->http, 200, "application/octet-stream",
            (struct http_header[]){{"X-Content-Type-Options", "nosniff"}, {0}},
            buffer_bytes(&body));
    else
        admin_fail(request, &error);
    result_record_fini(&look.result);
    buffer_fini(&body);
}

/* ---- POST /results/{id}/replay ---- */

struct replay {
    const struct config *config;
    const char *hook; /* NULL: all that match */
    struct result_record *result;
    struct buffer *headers;
    struct buffer *body;
    const struct config_hook **hooks; /* those that will run */
    size_t hook_count;
    struct json_writer *jobs;
};

static int matches(
    const struct config_hook *hook, const struct replay *replay, bool *matches_out,
    struct error *error)
{
    struct hook_matcher *matcher = hook_matcher_new(hook, error);
    if (matcher == NULL)
        return -1;
    struct hook_subject subject = {
        .result = replay->result,
        .headers_json = buffer_bytes(replay->headers),
        .body = buffer_bytes(replay->body),
    };
    int matched = hook_matcher_matches(matcher, &subject, error);
    hook_matcher_free(matcher);
    *matches_out = matched > 0;
    return matched < 0 ? -1 : 0;
}

/* A named hook runs whatever its conditions say: the operator asked for it. */
static int choose_hooks(struct replay *replay, struct error *error)
{
    const struct config *config = replay->config;
    replay->hooks = calloc(config->hook_count + 1, sizeof(struct config_hook *));
    if (replay->hooks == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for hooks");
    for (size_t i = 0; i < config->hook_count; i++) {
        const struct config_hook *hook = &config->hooks[i];
        bool chosen = replay->hook != NULL && hook->takes == TAKES_RESULTS &&
                      strcmp(hook->name, replay->hook) == 0;
        bool considered =
            replay->hook == NULL &&
            (hook->endpoint == NULL || strcmp(hook->endpoint, replay->result->endpoint) == 0);
        if (considered && matches(hook, replay, &chosen, error) != 0)
            return -1;
        if (chosen)
            replay->hooks[replay->hook_count++] = hook;
    }
    if (replay->hook != NULL && replay->hook_count == 0)
        return error_set(error, ERROR_NOT_FOUND, "No hook of that name takes results.");
    return 0;
}

static int insert_jobs(struct state_tx *tx, void *context, struct error *error)
{
    struct replay *replay = context;
    for (size_t i = 0; i < replay->hook_count; i++) {
        const struct config_hook *hook = replay->hooks[i];
        struct id job;
        if (hook_job_insert(tx, hook, replay->result, true, &job, error) != 0)
            return -1;
        json_object_begin(replay->jobs);
        admin_write_id(replay->jobs, "id", &job);
        json_member_text(replay->jobs, "hook", hook->name);
        json_object_end(replay->jobs);
    }
    return 0;
}

static int do_replay(struct admin_request *request, struct replay *replay, struct error *error)
{
    struct admin *admin = request->admin;
    int64_t seq = replay->result->seq;
    if (result_log_get(admin->options.log, seq, copy_headers, replay->headers, error) < 0 ||
        result_log_body(admin->options.log, seq, replay->body, error) != 0)
        return -1;
    if (choose_hooks(replay, error) != 0)
        return -1;
    if (state_write(admin->options.state, insert_jobs, replay, error) != 0)
        return -1;
    metrics_add(admin->options.metrics, METRIC_JOBS_CREATED, (int64_t)replay->hook_count);
    admin_wake_worker(admin);
    return 0;
}

void admin_replay_result(struct admin_request *request)
{
    struct result_look look = {0};
    struct error error = {0};
    struct buffer headers;
    struct buffer body;
    struct buffer json;
    struct json_writer writer;
    char hook[256];
    if (admin_query(request, "hook", hook, sizeof(hook), &error) != 0 ||
        find_result(request, &look, &error) != 0) {
        admin_fail(request, &error);
        return;
    }
    buffer_init(&headers, HEADERS_MAX_BYTES);
    buffer_init(&body, SIZE_MAX / 2);
    buffer_init(&json, ADMIN_ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    json_object_begin(&writer);
    json_key(&writer, "jobs");
    json_array_begin(&writer);
    struct replay replay = {
        .config = admin_lock_config(request->admin),
        .hook = hook[0] != '\0' ? hook : NULL,
        .result = &look.result,
        .headers = &headers,
        .body = &body,
        .jobs = &writer,
    };
    int outcome = do_replay(request, &replay, &error);
    admin_unlock_config(request->admin);
    json_array_end(&writer);
    json_object_end(&writer);
    if (outcome == 0)
        admin_answer(request, 200, &json);
    else
        admin_fail(request, &error);
    free(replay.hooks);
    buffer_fini(&headers);
    buffer_fini(&body);
    buffer_fini(&json);
    result_record_fini(&look.result);
}
