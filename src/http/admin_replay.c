/* SPDX-License-Identifier: MIT */
/*
 * POST /results/replay: runs hooks again for all results that a filter finds, oldest first, a
 * slice at a time. A slice is bounded in results, in jobs and in time, so that neither this
 * request nor the transaction that queues its jobs keeps others waiting.
 */
#include <stdlib.h>
#include <string.h>

#include "admin_private.h"
#include "callbackd/clock.h"
#include "callbackd/hooks.h"

enum {
    SLICE_JOBS_MAX = 1000, /* a result may exceed it by its own hooks */
    SLICE_MS = 2000,
    HEADERS_MAX_BYTES = 1024 * 1024,
};

struct candidate {
    const struct config_hook *hook; /* borrowed */
    struct hook_matcher *matcher;
};

/* What the filter found. */
struct found {
    int64_t seq;
    struct id id;
};

/* A result and one of the hooks that match it. */
struct replay_job {
    const struct config_hook *hook;
    struct result_record *result; /* borrowed from the slice */
};

struct slice {
    struct admin *admin;
    const struct config *config; /* locked */
    struct admin_result_query query;
    bool dry_run;
    struct candidate *candidates;
    size_t candidate_count;
    bool needs_content;
    struct found *found; /* up to query.filter.limit */
    int found_count;
    struct result_record *results; /* those looked at */
    int result_count;
    struct replay_job *jobs;
    size_t job_count;
    size_t job_capacity;
    struct buffer headers;
    struct buffer body;
};

static void slice_fini(struct slice *slice)
{
    for (size_t i = 0; i < slice->candidate_count; i++)
        hook_matcher_free(slice->candidates[i].matcher);
    for (int i = 0; i < slice->result_count; i++)
        result_record_fini(&slice->results[i]);
    free(slice->candidates);
    free(slice->found);
    free(slice->results);
    free(slice->jobs);
    buffer_fini(&slice->headers);
    buffer_fini(&slice->body);
}

/* ---- which hooks may run ---- */

/* Unlike a single result's, these hooks run only for what they would take: nobody means that one
 * hook should get everything that came in since yesterday. */
static int choose_candidates(struct slice *slice, const char *name, struct error *error)
{
    slice->candidates = calloc(slice->config->hook_count + 1, sizeof(struct candidate));
    if (slice->candidates == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for hooks");
    for (size_t i = 0; i < slice->config->hook_count; i++) {
        const struct config_hook *hook = &slice->config->hooks[i];
        if (hook->takes != TAKES_RESULTS || (name[0] != '\0' && strcmp(hook->name, name) != 0))
            continue;
        struct hook_matcher *matcher = hook_matcher_new(hook, error);
        if (matcher == NULL)
            return -1;
        slice->candidates[slice->candidate_count++] = (struct candidate){hook, matcher};
        slice->needs_content |= hook_matcher_needs_content(matcher);
    }
    if (name[0] != '\0' && slice->candidate_count == 0)
        return error_set(error, ERROR_NOT_FOUND, "No hook of that name takes results.");
    return 0;
}

/* ---- what the filter finds ---- */

static int note_found(void *context, const struct result_record *result)
{
    struct slice *slice = context;
    slice->found[slice->found_count++] = (struct found){result->seq, result->id};
    return 0;
}

static int find_all(struct state_tx *tx, void *context, struct error *error)
{
    struct slice *slice = context;
    return state_result_list(tx, &slice->query.filter, note_found, slice, error);
}

static int find_results(struct slice *slice, struct error *error)
{
    size_t limit = (size_t)slice->query.filter.limit;
    slice->found = calloc(limit, sizeof(*slice->found));
    slice->results = calloc(limit, sizeof(*slice->results));
    if (slice->found == NULL || slice->results == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for results");
    return state_read(slice->admin->options.state, find_all, slice, error);
}

/* ---- which of them match ---- */

static int copy_headers(void *context, const struct result_entry *entry)
{
    buffer_append_bytes(context, entry->headers_json);
    return 0;
}

/* Body and headers, which conditions may look at. ERROR_NOT_FOUND: retention was here. */
static int load_content(
    struct slice *slice, const struct result_record *result, struct error *error)
{
    struct result_log *log = slice->admin->options.log;
    buffer_clear(&slice->headers);
    buffer_clear(&slice->body);
    if (!slice->needs_content)
        return 0;
    if (result_log_get(log, result->seq, copy_headers, &slice->headers, error) < 0 ||
        result_log_body(log, result->seq, &slice->body, error) != 0)
        return -1;
    return buffer_failed(&slice->headers) ? error_set(error, ERROR_MEMORY, "no memory for headers")
                                          : 0;
}

static int add_job(
    struct slice *slice, const struct config_hook *hook, struct result_record *result,
    struct error *error)
{
    if (slice->job_count == slice->job_capacity) {
        size_t capacity = slice->job_capacity * 2 + 64;
        struct replay_job *jobs = reallocarray(slice->jobs, capacity, sizeof(*jobs));
        if (jobs == NULL)
            return error_set(error, ERROR_MEMORY, "no memory for jobs");
        slice->jobs = jobs;
        slice->job_capacity = capacity;
    }
    slice->jobs[slice->job_count++] = (struct replay_job){hook, result};
    return 0;
}

struct result_by_seq {
    int64_t seq;
    struct result_record *result;
};

static int get_result(struct state_tx *tx, void *context, struct error *error)
{
    struct result_by_seq *look = context;
    return state_result_by_seq(tx, look->seq, look->result, error);
}

/* Adds the result and the jobs that it would get. */
static int look_at(struct slice *slice, int64_t seq, struct error *error)
{
    struct result_record *result = &slice->results[slice->result_count];
    struct result_by_seq look = {seq, result};
    if (state_read(slice->admin->options.state, get_result, &look, error) != 0)
        return -1;
    slice->result_count++;
    if (load_content(slice, result, error) != 0)
        return -1;
    struct hook_subject subject = {
        result,
        buffer_bytes(&slice->headers),
        buffer_bytes(&slice->body),
    };
    for (size_t i = 0; i < slice->candidate_count; i++) {
        int matched = hook_matcher_matches(slice->candidates[i].matcher, &subject, error);
        if (matched < 0 ||
            (matched > 0 && add_job(slice, slice->candidates[i].hook, result, error) != 0))
            return -1;
    }
    return 0;
}

/* As many as the slice may have. *looked_out: how many of those found are done, with those that
 * retention removed meanwhile. */
static int look_at_all(struct slice *slice, int *looked_out, struct error *error)
{
    int64_t end_ms = clock_monotonic_ms() + SLICE_MS;
    int looked = 0;
    while (looked < slice->found_count && looked < slice->query.limit) {
        struct error why = {0};
        if (look_at(slice, slice->found[looked].seq, &why) != 0 && why.code != ERROR_NOT_FOUND) {
            *error = why;
            return -1;
        }
        looked++;
        if (slice->job_count >= SLICE_JOBS_MAX || clock_monotonic_ms() >= end_ms)
            break;
    }
    *looked_out = looked;
    return 0;
}

/* ---- queueing them ---- */

static int insert_jobs(struct state_tx *tx, void *context, struct error *error)
{
    struct slice *slice = context;
    for (size_t i = 0; i < slice->job_count; i++) {
        const struct replay_job *job = &slice->jobs[i];
        struct id id;
        bool exists = false;
        if (state_result_exists(tx, job->result->seq, &exists, error) != 0)
            return -1;
        if (exists && hook_job_insert(tx, job->hook, job->result, true, &id, error) != 0)
            return -1;
    }
    return 0;
}

static int queue_jobs(struct slice *slice, struct error *error)
{
    if (slice->dry_run || slice->job_count == 0)
        return 0;
    if (state_write(slice->admin->options.state, insert_jobs, slice, error) != 0)
        return -1;
    metrics_add(slice->admin->options.metrics, METRIC_JOBS_CREATED, (int64_t)slice->job_count);
    admin_wake_worker(slice->admin);
    return 0;
}

/* ---- the route ---- */

static void answer(struct admin_request *request, const struct slice *slice, int looked)
{
    struct buffer json;
    struct json_writer writer;
    bool more = looked > 0 && looked < slice->found_count;
    buffer_init(&json, ADMIN_ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    json_object_begin(&writer);
    json_member_int(&writer, "results", slice->result_count);
    json_member_int(&writer, "jobs", (int64_t)slice->job_count);
    json_member_bool(&writer, "dry_run", slice->dry_run);
    admin_write_id(&writer, "next_cursor", more ? &slice->found[looked - 1].id : NULL);
    json_object_end(&writer);
    admin_answer(request, 200, &json);
    buffer_fini(&json);
}

static int read_query(
    const struct admin_request *request, struct slice *slice, char *hook, size_t hook_bytes,
    struct error *error)
{
    char dry_run[8];
    if (admin_query_results(request, &slice->query, error) != 0 ||
        admin_query(request, "hook", hook, hook_bytes, error) != 0 ||
        admin_query(request, "dry_run", dry_run, sizeof(dry_run), error) != 0)
        return -1;
    slice->dry_run = strcmp(dry_run, "true") == 0;
    if (!slice->dry_run && dry_run[0] != '\0' && strcmp(dry_run, "false") != 0)
        return error_set(error, ERROR_INVALID, "dry_run is true or false.");
    slice->query.filter.oldest_first = true;
    slice->query.filter.pending = 0; /* what is not decided yet will trigger by itself */
    return 0;
}

void admin_replay_results(struct admin_request *request)
{
    struct slice slice = {.admin = request->admin};
    struct error error = {0};
    char hook[256];
    int looked = 0;
    buffer_init(&slice.headers, HEADERS_MAX_BYTES);
    buffer_init(&slice.body, SIZE_MAX / 2);
    int outcome = read_query(request, &slice, hook, sizeof(hook), &error);
    slice.config = admin_lock_config(request->admin);
    if (outcome == 0 &&
        (choose_candidates(&slice, hook, &error) != 0 || find_results(&slice, &error) != 0 ||
         look_at_all(&slice, &looked, &error) != 0 || queue_jobs(&slice, &error) != 0))
        outcome = -1;
    admin_unlock_config(request->admin);
    if (outcome == 0)
        answer(request, &slice, looked);
    else
        admin_fail(request, &error);
    slice_fini(&slice);
}
