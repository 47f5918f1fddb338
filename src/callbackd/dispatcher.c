/* SPDX-License-Identifier: MIT */
#include "dispatcher.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/clock.h"
#include "callbackd/ledger.h"
#include "callbackd/log.h"
#include "callbackd/text.h"
#include "precedence.h"

enum {
    BATCH = 256,
    LARGE_BATCH = 1024, /* costs less for each of them; the rest of the worker waits for it */
    SETTLE_MAX = 256,
    SWEEP_MAX = 256,
};

/* A copy of an entry: it outlives the visit, because reading bodies for conditions must not
 * happen inside another read of the log. */
struct taken_entry {
    struct result_entry entry;
    char *texts[9];
    char *refusal; /* why it can never be taken in; NULL: it can, as far as is known */
};

struct batch {
    struct dispatcher *dispatcher;
    struct taken_entry *entries;
    size_t copied;
    size_t count; /* of these, the first: what the transaction takes in */
    size_t limit;
    bool failed;
    struct taken_entry *failing; /* that failed in the last transaction; NULL: none */
    int64_t now_ms;
    int jobs;
    int mismatched;
};

static const char *keep_text(struct taken_entry *taken, size_t index, const char *text)
{
    taken->texts[index] = text_copy(text);
    return taken->texts[index];
}

/* Between two entries, on whichever thread is at them. */
static void give_way(struct dispatcher *dispatcher)
{
    int64_t before_ns = clock_monotonic_ns();
    if (before_ns < dispatcher->give_way_at_ns)
        return;
    (void)sched_yield();
    dispatcher->give_way_at_ns = precedence_give_way_at_ns(before_ns, clock_monotonic_ns());
}

static int copy_entry(void *context, const struct result_entry *entry)
{
    struct batch *batch = context;
    give_way(batch->dispatcher);
    struct taken_entry *taken = &batch->entries[batch->copied++];
    taken->entry = *entry;
    taken->entry.fault = NULL;
    taken->refusal = text_copy(entry->fault);
    batch->failed = batch->failed || (entry->fault != NULL && taken->refusal == NULL);
    taken->entry.endpoint = keep_text(taken, 0, entry->endpoint);
    taken->entry.key = keep_text(taken, 1, entry->key);
    taken->entry.delivery_id = keep_text(taken, 2, entry->delivery_id);
    taken->entry.event = keep_text(taken, 3, entry->event);
    taken->entry.name = keep_text(taken, 4, entry->name);
    taken->entry.source = keep_text(taken, 5, entry->source);
    taken->entry.remote_address = keep_text(taken, 6, entry->remote_address);
    taken->entry.verified_by = keep_text(taken, 7, entry->verified_by);
    taken->entry.content_type = keep_text(taken, 8, entry->content_type);
    taken->entry.headers_json = bytes_of(NULL, 0);
    for (size_t i = 0; i < 9; i++)
        batch->failed = batch->failed || taken->texts[i] == NULL;
    return batch->copied == batch->limit;
}

static void batch_fini(struct batch *batch)
{
    for (size_t i = 0; i < batch->copied; i++) {
        for (size_t k = 0; k < 9; k++)
            free(batch->entries[i].texts[k]);
        free(batch->entries[i].refusal);
    }
    free(batch->entries);
}

/* Queues the hooks of a decided result, if it is marked as one that triggers. */
static int trigger(
    struct batch *batch, struct state_tx *tx, const struct result_record *result,
    struct error *error)
{
    int jobs = 0;
    if (result->triggered &&
        hook_engine_queue(batch->dispatcher->engine, tx, result, NULL, false, &jobs, error) != 0)
        return -1;
    batch->jobs += jobs;
    batch->mismatched += result->status == STATUS_MISMATCH;
    return 0;
}

/* For one that was taken in while it was pending: marks it, so that it is asked once. */
static int trigger_settled(
    struct batch *batch, struct state_tx *tx, struct result_record *result, struct error *error)
{
    bool may = false;
    if (ledger_may_trigger(tx, batch->dispatcher->config, result, &may, error) != 0)
        return -1;
    result->triggered = may;
    if (trigger(batch, tx, result, error) != 0)
        return -1;
    return state_result_update(tx, result, error);
}

static int take_entry(
    struct batch *batch, struct state_tx *tx, const struct result_entry *entry, struct error *error)
{
    if (entry->duplicate_of != 0)
        return state_result_count_duplicate(tx, entry->duplicate_of, error);
    struct result_record result = {0};
    if (ledger_take(tx, batch->dispatcher->config, entry, batch->now_ms, &result, error) != 0)
        return -1;
    int outcome = result.pending ? 0 : trigger(batch, tx, &result, error);
    result_record_fini(&result);
    return outcome;
}

/* It stays in the log, and its body with it, until it is old enough to go. */
static int set_aside(
    const struct batch *batch, struct state_tx *tx, const struct taken_entry *taken,
    struct error *error)
{
    const struct set_aside_record record = {
        .seq = taken->entry.seq,
        .endpoint = taken->entry.endpoint,
        .received_at_ms = taken->entry.received_at_ms,
        .set_aside_at_ms = batch->now_ms,
        .reason = taken->refusal,
    };
    return state_set_aside(tx, &record, error);
}

static int take_batch(struct state_tx *tx, void *context, struct error *error)
{
    struct batch *batch = context;
    batch->jobs = 0;
    batch->mismatched = 0;
    batch->failing = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        struct taken_entry *taken = &batch->entries[i];
        give_way(batch->dispatcher);
        int outcome = taken->refusal != NULL ? set_aside(batch, tx, taken, error)
                                             : take_entry(batch, tx, &taken->entry, error);
        if (outcome != 0) {
            batch->failing = taken;
            return error_prefix(error, "entry %lld", (long long)taken->entry.seq);
        }
    }
    return state_cursor_set(tx, batch->entries[batch->count - 1].entry.seq, error);
}

static int read_cursor(struct state_tx *tx, void *context, struct error *error)
{
    return state_cursor_get(tx, context, error);
}

/* After the commit: what is undone was never there. */
static void count_decisions(const struct batch *batch)
{
    struct metrics *metrics = batch->dispatcher->metrics;
    metrics_add(metrics, METRIC_RESULTS_MISMATCHED, batch->mismatched);
    metrics_add(metrics, METRIC_JOBS_CREATED, batch->jobs);
}

static void count_batch(const struct batch *batch)
{
    struct metrics *metrics = batch->dispatcher->metrics;
    metrics_add(metrics, METRIC_RESULTS_DECIDED, (int64_t)batch->count);
    count_decisions(batch);
    metrics_set(metrics, METRIC_LOG_CURSOR, batch->entries[batch->count - 1].entry.seq);
    log_debug("results taken in", LOG_INT("count", batch->count), LOG_INT("jobs", batch->jobs));
}

/* What the same entry would meet again however often it were tried. A fault of the disk, of memory
 * or of the database as a whole is none: to go on after it would skip what comes. ("Not found" is
 * what a store says whose files were moved away.) */
static bool is_permanent(enum error_code code)
{
    return code == ERROR_CONFLICT || code == ERROR_INVALID || code == ERROR_TOO_LARGE;
}

static void note_refusals(const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct taken_entry *taken = &batch->entries[i];
        if (taken->refusal == NULL)
            continue;
        metrics_add(batch->dispatcher->metrics, METRIC_RESULTS_SET_ASIDE, 1);
        log_error(
            "an entry of the log can never be taken in, it is set aside",
            LOG_INT("seq", taken->entry.seq), LOG_TEXT("endpoint", taken->entry.endpoint),
            LOG_TEXT("error", taken->refusal));
    }
}

/* One entry that can never be taken in must not hold up those behind it: the transaction, undone
 * because of it, is repeated with it set aside. It then ends with that one, so that many of them do
 * not each cost a whole batch: hooks are looked after between two batches. */
static int write_batch(struct batch *batch, struct error *error)
{
    while (state_write(batch->dispatcher->state, take_batch, batch, error) != 0) {
        struct taken_entry *failing = batch->failing;
        if (failing == NULL || failing->refusal != NULL || !is_permanent(error->code))
            return -1;
        failing->refusal = text_copy(error->message);
        if (failing->refusal == NULL)
            return error_set(error, ERROR_MEMORY, "no memory to set an entry aside");
        batch->count = (size_t)(failing - batch->entries) + 1;
    }
    count_batch(batch);
    note_refusals(batch);
    return 0;
}

/* They are as new as they can be, whatever the clock said when they came. */
static int note_age(const struct batch *batch, struct error *error)
{
    int64_t oldest_ms = batch->entries[0].entry.received_at_ms;
    for (size_t i = 1; i < batch->count; i++)
        if (batch->entries[i].entry.received_at_ms < oldest_ms)
            oldest_ms = batch->entries[i].entry.received_at_ms;
    return state_age_note(batch->dispatcher->state, oldest_ms, error);
}

int dispatcher_take(struct dispatcher *dispatcher, int *taken_out, struct error *error)
{
    struct batch batch = {
        .dispatcher = dispatcher,
        .limit = dispatcher->has_much && !dispatcher->was_cut ? LARGE_BATCH : BATCH,
        .now_ms = clock_wall_ms(),
    };
    int64_t cursor = 0;
    *taken_out = 0;
    dispatcher->is_behind = false;
    if (state_read(dispatcher->state, read_cursor, &cursor, error) != 0)
        return -1;
    metrics_set(dispatcher->metrics, METRIC_LOG_CURSOR, cursor);
    batch.entries = calloc(batch.limit, sizeof(*batch.entries));
    if (batch.entries == NULL)
        return error_set(error, ERROR_MEMORY, "no memory for a batch of results");
    int outcome =
        result_log_read(dispatcher->log, cursor, (int)batch.limit, copy_entry, &batch, error);
    if (outcome >= 0 && batch.failed)
        outcome = error_set(error, ERROR_MEMORY, "no memory for a batch of results");
    batch.count = batch.copied;
    if (outcome >= 0 && batch.count > 0) {
        outcome = note_age(&batch, error) == 0 ? write_batch(&batch, error) : -1;
        if (outcome == 0)
            *taken_out = (int)batch.count;
        dispatcher->was_cut = batch.count < batch.copied;
        dispatcher->is_behind = outcome == 0 && (dispatcher->was_cut || batch.count == batch.limit);
    }
    batch_fini(&batch);
    return outcome < 0 ? -1 : 0;
}

/* ---- results whose run was still launching ---- */

struct settling {
    struct batch batch;
    int64_t *seqs; /* of all that are pending, newest first */
    size_t count;
    size_t capacity;
    struct id last; /* of the one at count - 1 */
    size_t from;    /* the slice of them at hand: from, and up to but not including `to` */
    size_t to;
    int settled;
    bool failed;
};

static int collect_pending(void *context, const struct result_record *result)
{
    struct settling *settling = context;
    if (settling->count == settling->capacity) {
        size_t capacity = settling->capacity + SETTLE_MAX;
        int64_t *seqs = reallocarray(settling->seqs, capacity, sizeof(*seqs));
        settling->failed = seqs == NULL;
        if (seqs == NULL)
            return 1;
        settling->seqs = seqs;
        settling->capacity = capacity;
    }
    settling->seqs[settling->count++] = result->seq;
    settling->last = result->id;
    return 0;
}

/* All of them: were only the newest looked at, those behind would wait for as long as others
 * come. */
static int find_pending(struct state_tx *tx, void *context, struct error *error)
{
    struct settling *settling = context;
    struct result_filter filter = {.status = -1, .pending = 1, .limit = SETTLE_MAX};
    size_t before;
    struct id last;
    do {
        before = settling->count;
        if (state_result_list(tx, &filter, collect_pending, settling, error) < 0)
            return -1;
        if (settling->failed)
            return error_set(error, ERROR_MEMORY, "no memory for results that wait");
        last = settling->last;
        filter.before = &last;
    } while (settling->count - before == SETTLE_MAX);
    return 0;
}

static int settle_slice(struct state_tx *tx, void *context, struct error *error)
{
    struct settling *settling = context;
    struct dispatcher *dispatcher = settling->batch.dispatcher;
    int64_t now_ms = settling->batch.now_ms;
    settling->settled = 0;
    settling->batch.mismatched = 0;
    settling->batch.jobs = 0;
    /* The list is newest first; the first result of a run is the one that triggers. */
    for (size_t i = settling->to; i-- > settling->from;) {
        struct result_record result = {0};
        if (state_result_by_seq(tx, settling->seqs[i], &result, error) != 0)
            return -1;
        int outcome = ledger_settle(tx, dispatcher->config, &result, now_ms, error);
        if (outcome == 0 && !result.pending) {
            outcome = trigger_settled(&settling->batch, tx, &result, error);
            settling->settled++;
        }
        result_record_fini(&result);
        if (outcome != 0)
            return -1;
    }
    return 0;
}

/* In slices, oldest first: no transaction holds up the others for long. */
static int settle_all(struct settling *settling, int *settled_out, struct error *error)
{
    struct dispatcher *dispatcher = settling->batch.dispatcher;
    for (settling->to = settling->count; settling->to > 0; settling->to = settling->from) {
        settling->from = settling->to > SETTLE_MAX ? settling->to - SETTLE_MAX : 0;
        if (state_write(dispatcher->state, settle_slice, settling, error) != 0)
            return -1;
        count_decisions(&settling->batch);
        *settled_out += settling->settled;
    }
    return 0;
}

int dispatcher_settle(struct dispatcher *dispatcher, int *settled_out, struct error *error)
{
    struct settling settling = {
        .batch = {.dispatcher = dispatcher, .now_ms = clock_wall_ms()},
    };
    *settled_out = 0;
    int outcome = state_read(dispatcher->state, find_pending, &settling, error);
    if (outcome == 0)
        outcome = settle_all(&settling, settled_out, error);
    free(settling.seqs);
    return outcome;
}

/* ---- deadlines ---- */

struct sweeping {
    int64_t now_ms;
    bool due;
    int moved;
};

static int sweep(struct state_tx *tx, void *context, struct error *error)
{
    struct sweeping *sweeping = context;
    return ledger_sweep(tx, sweeping->now_ms, SWEEP_MAX, &sweeping->moved, error);
}

static int look_for_due(struct state_tx *tx, void *context, struct error *error)
{
    struct sweeping *sweeping = context;
    return ledger_sweep_is_due(tx, sweeping->now_ms, &sweeping->due, error);
}

int dispatcher_sweep(struct dispatcher *dispatcher, struct error *error)
{
    struct sweeping sweeping = {.now_ms = clock_wall_ms()};
    if (state_read(dispatcher->state, look_for_due, &sweeping, error) != 0)
        return -1;
    if (!sweeping.due)
        return 0;
    if (state_write(dispatcher->state, sweep, &sweeping, error) != 0)
        return -1;
    log_warning("runs are overdue or lost", LOG_INT("count", sweeping.moved));
    return 0;
}
