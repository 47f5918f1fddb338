/* SPDX-License-Identifier: MIT */
/* Which hooks a result triggers: hook_engine_queue. */
#include <inttypes.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "engine_private.h"
#include "matcher.h"
#include "trigger.h"

enum { HEADERS_BYTES_MAX = 16 * 1024 * 1024, ORDER_KEY_BYTES_MAX = 1024 * 1024 };

/* Body and headers, loaded when the first hook asks. */
struct content {
    bool loaded;
    struct buffer body;
    struct buffer headers;
};

static int copy_headers(void *context, const struct result_entry *entry)
{
    struct content *content = context;
    buffer_append_bytes(&content->headers, entry->headers_json);
    return 0;
}

static int load(
    struct hook_engine *engine, const struct result_record *result, struct content *content,
    struct error *error)
{
    if (content->loaded)
        return 0;
    if (result_log_body(engine->log, result->seq, &content->body, error) != 0 ||
        result_log_get(engine->log, result->seq, copy_headers, content, error) != 0)
        return -1;
    if (buffer_failed(&content->headers))
        return error_set(error, ERROR_MEMORY, "no memory for the headers of a result");
    content->loaded = true;
    return 0;
}

/* 1: it matches, 0: it does not, -1: cannot say. */
static int matches(
    struct hook_engine *engine, const struct hook_slot *slot, const struct result_record *result,
    struct content *content, struct error *error)
{
    if (!hook_takes(slot->hook, result))
        return 0;
    if (hook_matcher_needs_content(slot->matcher) && load(engine, result, content, error) != 0)
        return -1;
    struct hook_subject subject = {
        .result = result,
        .headers_json = buffer_bytes(&content->headers),
        .body = buffer_bytes(&content->body),
    };
    return hook_matcher_matches(slot->matcher, &subject, error);
}

/* What the job queues for; nothing appended: it queues for nothing. A result that lacks what the
 * hook goes by waits for no other. */
static void append_order_key(
    const struct config_hook *hook, const struct result_record *result, struct buffer *out)
{
    if (hook->order == ORDER_EXECUTION && result->has_execution_id)
        buffer_appendf(out, "execution:%" PRId64, result->execution_id);
    else if (hook->order == ORDER_WORKFLOW && result->workflow && result->workflow[0] != '\0')
        buffer_appendf(out, "workflow:%s", result->workflow);
}

int trigger_insert(
    struct state_tx *tx, const struct config_hook *hook, const struct result_record *result,
    const struct job_death *death, bool replay, struct id *job_out, struct error *error)
{
    CLEANUP_BUFFER struct buffer key;
    buffer_init(&key, ORDER_KEY_BYTES_MAX);
    append_order_key(hook, result, &key);
    if (buffer_failed(&key))
        return error_set(error, ERROR_MEMORY, "no memory for a job");
    int64_t now_ms = state_tx_clock_ms(tx);
    struct job_record job = {
        .id = id_new(),
        .hook = hook->name,
        .result_seq = result->seq,
        .result = result->id,
        .state = JOB_WAITING,
        /* A delay waits for what the result set off; for a replay that is long past. */
        .next_at_ms = now_ms + (replay ? 0 : hook->delay_ms),
        .queued_at_ms = now_ms,
        .created_at_ms = clock_wall_ms(),
        .replay = replay,
        .order_key = key.length > 0 ? (char *)buffer_text(&key) : NULL,
    };
    if (death)
        job.death = *death;
    if (state_job_insert(tx, &job, error) != 0)
        return -1;
    *job_out = job.id;
    return 0;
}

int hook_job_insert(
    struct state_tx *tx, const struct config_hook *hook, const struct result_record *result,
    bool replay, struct id *job_out, struct error *error)
{
    return trigger_insert(tx, hook, result, NULL, replay, job_out, error);
}

static int queue_matching(
    struct hook_engine *engine, struct state_tx *tx, const struct result_record *result,
    bool replay, int *jobs, struct error *error)
{
    struct content content = {.loaded = false};
    buffer_init(&content.body, (size_t)(result->size > 0 ? result->size : 0));
    buffer_init(&content.headers, HEADERS_BYTES_MAX);
    struct id job;
    int outcome = 0;
    for (size_t i = 0; outcome >= 0 && i < engine->slot_count; i++) {
        outcome = matches(engine, &engine->slots[i], result, &content, error);
        if (outcome > 0) {
            outcome = hook_job_insert(tx, engine->slots[i].hook, result, replay, &job, error);
            (*jobs)++;
        }
    }
    buffer_fini(&content.body);
    buffer_fini(&content.headers);
    return outcome < 0 ? -1 : 0;
}

static int queue_named(
    struct hook_engine *engine, struct state_tx *tx, const struct result_record *result,
    const char *hook, bool replay, struct error *error)
{
    const struct hook_slot *slot = slots_find(engine->slots, engine->slot_count, hook);
    if (!slot || slot->hook->takes != TAKES_RESULTS)
        return error_set(error, ERROR_NOT_FOUND, "no hook named %s takes results", hook);
    struct id job;
    return hook_job_insert(tx, slot->hook, result, replay, &job, error);
}

int hook_engine_queue(
    struct hook_engine *engine, struct state_tx *tx, const struct result_record *result,
    const char *only_hook, bool replay, int *jobs_out, struct error *error)
{
    int jobs = only_hook ? 1 : 0;
    int failed = only_hook ? queue_named(engine, tx, result, only_hook, replay, error)
                           : queue_matching(engine, tx, result, replay, &jobs, error);
    if (failed != 0)
        return -1;
    engine->look_now = engine->look_now || jobs > 0;
    *jobs_out = jobs;
    return 0;
}
