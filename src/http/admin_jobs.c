/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "admin_private.h"
#include "callbackd/clock.h"

/* ---- what a job looks like ---- */

/* Leaves the object open: attempts may follow. */
static void write_job(
    struct json_writer *writer, const struct state *state, const struct job_record *job)
{
    json_object_begin(writer);
    admin_write_id(writer, "id", &job->id);
    json_member_text(writer, "hook", job->hook);
    admin_write_id(writer, "result_id", &job->result);
    json_member_text(writer, "state", job_state_name(job->state));
    json_member_int(writer, "attempts_made", job->attempts_made);
    json_member_time(writer, "next_at", state_clock_to_wall_ms(state, job->next_at_ms));
    json_member_time(writer, "created_at", job->created_at_ms);
    json_member_time(writer, "ended_at", job->ended_at_ms);
    json_member_bool(writer, "replay", job->replay);
    json_member_text(writer, "reason", job->reason);
    json_member_text(writer, "dead_job_id", job->death.job);
}

/* "output" is what both streams said, one after the other, for people; each by itself follows.
 * Bytes that are not UTF-8 become U+FFFD. */
static void write_output(struct json_writer *writer, const struct attempt_record *attempt)
{
    struct buffer both;
    buffer_init(&both, attempt->standard_output.length + attempt->standard_error.length);
    buffer_append_bytes(&both, attempt->standard_output);
    buffer_append_bytes(&both, attempt->standard_error);
    json_member_bytes(writer, "output", buffer_bytes(&both));
    json_member_bytes(writer, "stdout", attempt->standard_output);
    json_member_bytes(writer, "stderr", attempt->standard_error);
    json_member_bool(writer, "output_truncated", attempt->output_truncated);
    buffer_fini(&both);
}

static int write_attempt(struct json_writer *writer, const struct attempt_record *attempt)
{
    json_object_begin(writer);
    json_member_int(writer, "n", attempt->number);
    json_member_time(writer, "started_at", attempt->started_at_ms);
    json_member_time(writer, "ended_at", attempt->ended_at_ms);
    json_member_text(writer, "outcome", attempt_outcome_name(attempt->outcome));
    json_key(writer, "exit_code");
    if (attempt->exit_code >= 0)
        json_int(writer, attempt->exit_code);
    else
        json_null(writer);
    json_key(writer, "signal");
    if (attempt->signal > 0)
        json_int(writer, attempt->signal);
    else
        json_null(writer);
    write_output(writer, attempt);
    json_member_text(writer, "message", attempt->message);
    json_object_end(writer);
    return 0;
}

/* ---- GET /jobs ---- */

struct job_listing {
    const struct state *state;
    struct job_filter filter;
    struct admin_list list;
};

static int add_job(void *context, const struct job_record *job)
{
    struct job_listing *listing = context;
    if (!admin_list_add(&listing->list, &job->id))
        return 1;
    write_job(&listing->list.writer, listing->state, job);
    json_object_end(&listing->list.writer);
    return 0;
}

static int list_jobs(struct state_tx *tx, void *context, struct error *error)
{
    struct job_listing *listing = context;
    return state_job_list(tx, &listing->filter, add_job, listing, error) < 0 ? -1 : 0;
}

static int read_state_filter(
    const struct admin_request *request, int *state_out, struct error *error)
{
    char text[32];
    enum job_state state;
    *state_out = -1;
    if (admin_query(request, "state", text, sizeof(text), error) != 0)
        return -1;
    if (text[0] == '\0')
        return 0;
    if (!job_state_parse(text, &state))
        return error_set(error, ERROR_INVALID, "There is no job state of that name.");
    *state_out = (int)state;
    return 0;
}

void admin_list_jobs(struct admin_request *request)
{
    struct job_listing listing = {.state = request->admin->options.state};
    struct error error = {0};
    struct id cursor;
    struct id result;
    bool has_cursor;
    int limit;
    char hook[256];
    char result_text[64];
    if (admin_query_page(request, &limit, &cursor, &has_cursor, &error) != 0 ||
        read_state_filter(request, &listing.filter.state, &error) != 0 ||
        admin_query(request, "hook", hook, sizeof(hook), &error) != 0 ||
        admin_query(request, "result_id", result_text, sizeof(result_text), &error) != 0) {
        admin_fail(request, &error);
        return;
    }
    if (result_text[0] != '\0' && !id_parse(bytes_of_text(result_text), &result)) {
        error_set(&error, ERROR_INVALID, "result_id is the id of a result.");
        admin_fail(request, &error);
        return;
    }
    listing.filter.hook = hook[0] != '\0' ? hook : NULL;
    listing.filter.result = result_text[0] != '\0' ? &result : NULL;
    listing.filter.before = has_cursor ? &cursor : NULL;
    listing.filter.limit = limit + 1;
    admin_list_begin(&listing.list, limit);
    if (state_read(request->admin->options.state, list_jobs, &listing, &error) == 0)
        admin_list_answer(request, &listing.list);
    else
        admin_fail(request, &error);
    buffer_fini(&listing.list.json);
}

/* ---- one job ---- */

struct job_look {
    struct id id;
    const struct state *state;
    struct json_writer *writer;
    bool is_live; /* `live` is what its running attempt has printed */
    struct hook_output live;
};

static int show_attempt(void *context, const struct attempt_record *recorded)
{
    const struct job_look *look = context;
    struct attempt_record attempt = *recorded;
    if (look->is_live && attempt.ended_at_ms == 0 && attempt.number == look->live.attempt) {
        attempt.standard_output = buffer_bytes(&look->live.output);
        attempt.standard_error = buffer_bytes(&look->live.errors);
        attempt.output_truncated = look->live.truncated;
    }
    return write_attempt(look->writer, &attempt);
}

static int show_job(struct state_tx *tx, void *context, struct error *error)
{
    struct job_look *look = context;
    struct job_record job = {0};
    if (state_job_get(tx, &look->id, &job, error) != 0)
        return -1;
    write_job(look->writer, look->state, &job);
    json_key(look->writer, "attempts");
    json_array_begin(look->writer);
    int outcome = state_attempt_list(tx, &look->id, show_attempt, look, error);
    json_array_end(look->writer);
    json_object_end(look->writer);
    job_record_fini(&job);
    return outcome < 0 ? -1 : 0;
}

struct running_look {
    const struct id *id;
    bool is_running;
};

static int look_whether_it_runs(struct state_tx *tx, void *context, struct error *error)
{
    struct running_look *look = context;
    struct job_record job = {0};
    if (state_job_get(tx, look->id, &job, error) != 0)
        return -1;
    look->is_running = job.state == JOB_RUNNING;
    job_record_fini(&job);
    return 0;
}

/* What runs prints into the worker's memory: the engine is asked, outside of any transaction. */
static int look_at_output(struct admin *admin, struct job_look *look, struct error *error)
{
    struct running_look running = {.id = &look->id};
    if (state_read(admin->options.state, look_whether_it_runs, &running, error) != 0)
        return -1;
    if (running.is_running && admin->options.hooks)
        look->is_live = hook_view_ask(admin->options.hooks, &look->id, &look->live);
    return 0;
}

static void answer_job(struct admin_request *request, const struct id *id)
{
    struct error error = {0};
    struct buffer json;
    struct json_writer writer;
    buffer_init(&json, ADMIN_ANSWER_MAX_BYTES);
    json_writer_init(&writer, &json);
    struct job_look look = {.id = *id, .state = request->admin->options.state, .writer = &writer};
    if (look_at_output(request->admin, &look, &error) == 0 &&
        state_read(request->admin->options.state, show_job, &look, &error) == 0)
        admin_answer(request, 200, &json);
    else
        admin_fail(request, &error);
    hook_output_fini(&look.live);
    buffer_fini(&json);
}

void admin_get_job(struct admin_request *request)
{
    struct error error = {0};
    struct id id;
    if (admin_path_id(request, &id, &error) == 0)
        answer_job(request, &id);
    else
        admin_fail(request, &error);
}

/* ---- POST /jobs/{id}/retry and /cancel ---- */

/* Dead and cancelled jobs come back; one that waits for its next try gets it now. */
static int retry_job(struct state_tx *tx, void *context, struct error *error)
{
    const struct id *id = context;
    struct job_record job = {0};
    if (state_job_get(tx, id, &job, error) != 0)
        return -1;
    int outcome;
    if (job.state == JOB_RUNNING || job.state == JOB_SUCCEEDED) {
        outcome = error_set(
            error, ERROR_CONFLICT,
            job.state == JOB_RUNNING ? "The job is running."
                                     : "The job has succeeded; replay its result to run it again.");
    } else {
        job.state = JOB_WAITING;
        job.attempts_made = 0; /* all of its attempts again */
        job.next_at_ms = state_tx_clock_ms(tx);
        job.ended_at_ms = 0;
        job.cancel_requested = false;
        free(job.reason);
        job.reason = NULL;
        outcome = state_job_update(tx, &job, error);
    }
    job_record_fini(&job);
    return outcome;
}

/* A running job is asked to end: the worker sees to it. */
static int cancel_job(struct state_tx *tx, void *context, struct error *error)
{
    const struct id *id = context;
    struct job_record job = {0};
    if (state_job_get(tx, id, &job, error) != 0)
        return -1;
    int outcome;
    if (job.ended_at_ms != 0) {
        outcome = error_set(
            error, ERROR_CONFLICT, "The job has ended: it is %s.", job_state_name(job.state));
    } else {
        job.cancel_requested = job.state == JOB_RUNNING;
        if (job.state != JOB_RUNNING) {
            job.state = JOB_CANCELLED;
            job.ended_at_ms = clock_wall_ms();
            job.next_at_ms = 0;
        }
        outcome = state_job_update(tx, &job, error);
    }
    job_record_fini(&job);
    return outcome;
}

static void change_job(struct admin_request *request, state_work *change)
{
    struct error error = {0};
    struct id id;
    if (admin_path_id(request, &id, &error) != 0 ||
        state_write(request->admin->options.state, change, &id, &error) != 0) {
        admin_fail(request, &error);
        return;
    }
    admin_wake_worker(request->admin);
    answer_job(request, &id);
}

void admin_retry_job(struct admin_request *request)
{
    change_job(request, retry_job);
}

void admin_cancel_job(struct admin_request *request)
{
    change_job(request, cancel_job);
}
