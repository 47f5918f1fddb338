/* SPDX-License-Identifier: MIT */
/* Posting the callbacks of a run: when, how often, and broken in the ways that were asked for. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "random.h"
#include "sim_private.h"

enum {
    BODY_MAX_BYTES = 512 * 1024 * 1024,
    ANSWER_MAX_BYTES = 64 * 1024,
    CUT_TIMEOUT_MS = 300, /* half a body is there long before */
    PURPOSE_ORDER = 3
};

/* One post to come. */
struct callback {
    struct sim_run *run;
    enum sim_kind kind;
    int attempt;
    bool follows; /* what comes after it is its to schedule */
};

void callback_drop(void *item)
{
    free(item);
}

static void schedule(struct sim *sim, struct callback callback, int64_t due_ms)
{
    struct callback *item = malloc(sizeof *item);
    if (item)
        *item = callback;
    if (!item || sender_add(sim->sender, due_ms, item) != 0)
        log_warning("a callback is not posted", LOG_INT("id", callback.run->id));
}

void callback_schedule(struct sim *sim, struct sim_run *run, int64_t now_ms)
{
    const struct sim_faults *faults = &run->faults;
    struct sim_random random = sim_random_of(sim->options->seed, run->id, PURPOSE_ORDER);
    struct callback first = {.run = run, .kind = SIM_KIND_FIRST, .attempt = 1, .follows = true};
    int64_t due_ms = run->ready_at_ms;
    if (!run->callback_url || faults->callback == SIM_CALLBACK_NEVER)
        return;
    if (faults->callback == SIM_CALLBACK_BEFORE_202)
        due_ms = now_ms;
    if (faults->callback == SIM_CALLBACK_LATE)
        due_ms += faults->late_ms;
    if (faults->order_ms > 0)
        due_ms += (int64_t)sim_random_below(&random, (uint64_t)faults->order_ms + 1);
    schedule(sim, first, due_ms);
    if (faults->callback == SIM_CALLBACK_TWICE_AT_ONCE) {
        first.kind = SIM_KIND_AGAIN;
        first.follows = false;
        schedule(sim, first, due_ms);
    }
}

int callback_body(
    const struct sim *sim, const struct sim_run *run, enum sim_kind kind, struct buffer *out)
{
    struct sim_subject subject = sim_subject_of(sim, run);
    return sim_body_callback(&subject, kind == SIM_KIND_REVISION ? SIM_REVISION : SIM_FIRST, out);
}

/* ---- one post ---- */

/* A length that is not kept to, and no patience for the answer: the other side sees the
 * connection end in the middle of the body. */
static void cut(
    struct http_client_request *request, size_t whole, char *header, size_t header_bytes)
{
    snprintf(header, header_bytes, "Content-Length: %zu", whole);
    request->body.length = whole / 2;
    request->timeout_ms = CUT_TIMEOUT_MS;
}

static void post(
    const struct sim *sim, struct http_client *client, const struct callback *callback,
    struct bytes body, struct sim_sent *sent)
{
    char header[64];
    const char *const headers[] = {header, NULL};
    struct http_client_response response = {0};
    struct error error = {0};
    struct http_client_request request = {
        .method = "POST",
        .url = callback->run->callback_url,
        .ca_file = sim->options->ca_file,
        .body = body,
        .content_type = "application/json",
        .timeout_ms = sim->options->callback_timeout_ms,
        .response_max_bytes = ANSWER_MAX_BYTES,
    };
    if (sent->cut) {
        cut(&request, body.length, header, sizeof header);
        request.headers = headers;
    }
    sent->length = request.body.length;
    sent->started_ms = clock_wall_ms();
    if (http_client_perform(client, &request, &response, &error) == 0) {
        sent->status = response.status;
        http_client_response_fini(&response);
    } else {
        snprintf(
            sent->error, sizeof sent->error, "%.*s", (int)sizeof sent->error - 1, error.message);
    }
    sent->ended_ms = clock_wall_ms();
}

static void remember(struct sim *sim, struct sim_run *run, const struct sim_sent *sent)
{
    pthread_mutex_lock(&sim->lock);
    if (run->sent_count == run->sent_capacity) {
        size_t capacity = run->sent_capacity > 0 ? 2 * run->sent_capacity : 2;
        struct sim_sent *longer = reallocarray(run->sent, capacity, sizeof *longer);
        if (longer) {
            run->sent = longer;
            run->sent_capacity = capacity;
        }
    }
    if (run->sent_count < run->sent_capacity)
        run->sent[run->sent_count++] = *sent;
    run->callback_done = true;
    pthread_cond_broadcast(&sim->changed);
    pthread_mutex_unlock(&sim->lock);
}

/* ---- and then ---- */

static void schedule_next(struct sim *sim, const struct callback *callback, bool accepted)
{
    const struct sim_faults *faults = &callback->run->faults;
    struct callback next = *callback;
    int64_t now_ms = clock_monotonic_ms();
    if (!accepted && callback->attempt <= faults->retries) {
        next.attempt++;
        schedule(sim, next, now_ms + faults->retry_ms);
        return;
    }
    if (!callback->follows)
        return;
    next.attempt = 1;
    if (callback->kind == SIM_KIND_FIRST && faults->callback == SIM_CALLBACK_TWICE) {
        next.kind = SIM_KIND_AGAIN;
        schedule(sim, next, now_ms);
    } else if (callback->kind != SIM_KIND_REVISION && faults->revision) {
        next.kind = SIM_KIND_REVISION;
        schedule(sim, next, now_ms + faults->revision_ms);
    }
}

void callback_work(void *context, struct http_client *client, void *item)
{
    struct sim *sim = context;
    struct callback *callback = item;
    struct sim_run *run = callback->run;
    struct sim_sent sent = {
        .kind = callback->kind,
        .attempt = callback->attempt,
        .cut = run->faults.drop && callback->kind == SIM_KIND_FIRST && callback->attempt == 1,
    };
    struct buffer body;
    buffer_init(&body, BODY_MAX_BYTES);
    if (callback_body(sim, run, callback->kind, &body) == 0) {
        post(sim, client, callback, buffer_bytes(&body), &sent);
        sim_record_append(
            &sim->record, run->id, run->callback_url, &sent, bytes_of(body.data, sent.length));
    } else {
        snprintf(sent.error, sizeof sent.error, "memory is short for the body");
    }
    buffer_fini(&body);
    remember(sim, run, &sent);
    schedule_next(sim, callback, sent.status >= 200 && sent.status < 300);
    free(callback);
}
