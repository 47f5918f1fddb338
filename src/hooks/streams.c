/* SPDX-License-Identifier: MIT */
/* All copies of all streams of an engine. */
#include <string.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "stream.h"
#include "stream_copy.h"

/* ---- their family ---- */

static int read_family(struct state_tx *tx, void *context, struct error *error)
{
    struct hook_engine *engine = context;
    return state_stream_family_get(tx, &engine->stream_family, error);
}

int streams_read_family(struct hook_engine *engine, struct error *error)
{
    return state_read(engine->state, read_family, engine, error);
}

static int write_family(struct state_tx *tx, void *context, struct error *error)
{
    return state_stream_family_set(tx, *(const int64_t *)context, error);
}

int streams_need_family(
    struct hook_engine *engine, const struct hook_slot *slots, size_t count, struct error *error)
{
    bool needed = false;
    uint64_t chance;
    for (size_t i = 0; i < count; i++)
        needed = needed || slots[i].stream;
    if (!needed || engine->stream_family != 0)
        return 0;
    os_random(&chance, sizeof(chance));
    int64_t family = (int64_t)(chance >> (64 - PROCESS_FAMILY_BITS)) | 1;
    if (state_write(engine->state, write_family, &family, error) != 0)
        return error_prefix(error, "cannot note how processes of streams are found");
    engine->stream_family = family;
    return 0;
}

/* ---- in the engine's rounds ---- */

void streams_feed(struct hook_engine *engine)
{
    for (struct stream_copy *copy = engine->copies; copy; copy = copy->next) {
        if (copy->ungiven)
            stream_copy_feed(engine, copy);
    }
}

static void remove_gone(struct hook_engine *engine)
{
    struct stream_copy **link = &engine->copies;
    while (*link) {
        struct stream_copy *copy = *link;
        if (copy->phase != COPY_GONE) {
            link = &copy->next;
            continue;
        }
        *link = copy->next;
        stream_copy_free(copy);
        metrics_set(engine->metrics, METRIC_STREAM_WORKERS, --engine->copy_count);
    }
}

/* A pause after a failure that is over: there is room for jobs again. */
static void wake_streams(struct hook_engine *engine, int64_t now_ms)
{
    for (size_t i = 0; i < engine->slot_count; i++) {
        struct stream *stream = engine->slots[i].stream;
        if (!stream || stream->restart_ms == 0 || now_ms < stream->restart_ms)
            continue;
        stream->restart_ms = 0;
        engine->look_now = true;
    }
}

void streams_attend(struct hook_engine *engine)
{
    struct process_table table = {.count = 0};
    struct error error;
    bool read = false;
    bool gone = false;
    for (struct stream_copy *copy = engine->copies; copy; copy = copy->next) {
        if (clock_monotonic_ms() >= stream_copy_due_ms(copy)) {
            bool wanted = stream_copy_wants_table(copy);
            if (wanted && !read && process_table_read(&table, &error) != 0)
                log_error("only process groups can be ended now", LOG_ERROR(&error));
            read = read || wanted;
            stream_copy_attend(engine, copy, &table);
        }
        gone = gone || copy->phase == COPY_GONE;
    }
    process_table_fini(&table);
    if (gone)
        remove_gone(engine);
    wake_streams(engine, clock_monotonic_ms());
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

int64_t streams_due_ms(const struct hook_engine *engine)
{
    int64_t due_ms = INT64_MAX;
    for (const struct stream_copy *copy = engine->copies; copy; copy = copy->next)
        due_ms = earlier(due_ms, stream_copy_due_ms(copy));
    for (size_t i = 0; i < engine->slot_count; i++) {
        const struct stream *stream = engine->slots[i].stream;
        if (stream && stream->restart_ms != 0)
            due_ms = earlier(due_ms, stream->restart_ms);
    }
    return due_ms;
}

bool streams_own(const struct hook_engine *engine, pid_t pid)
{
    for (const struct stream_copy *copy = engine->copies; copy; copy = copy->next) {
        if (copy->process.pid == pid)
            return true;
    }
    return false;
}

/* ---- reload and stop ---- */

/* Of `stream`, those over `keep`. */
static void retire_from(
    struct hook_engine *engine, const struct stream *stream, int keep, int64_t grace_ms)
{
    for (struct stream_copy *copy = engine->copies; copy; copy = copy->next) {
        if (copy->stream == stream && keep-- <= 0)
            stream_copy_retire(copy, grace_ms);
    }
}

/* The old stream goes on in the new slot. */
static void keep_one(
    struct hook_engine *engine, struct hook_slot *slot, struct hook_slot *old, int64_t grace_ms)
{
    stream_free(slot->stream);
    slot->stream = old->stream;
    old->stream = NULL;
    stream_configure(slot->stream, slot->hook);
    retire_from(engine, slot->stream, slot->stream->copies_max, grace_ms);
    for (struct stream_copy *copy = engine->copies; copy; copy = copy->next) {
        if (copy->stream == slot->stream)
            copy->timeout_ms = slot->stream->timeout_ms;
    }
}

void streams_keep(
    struct hook_engine *engine, struct hook_slot *slots, size_t count, int64_t grace_ms)
{
    for (size_t i = 0; i < engine->slot_count; i++) {
        struct hook_slot *old = &engine->slots[i];
        struct hook_slot *slot = old->stream ? slots_find(slots, count, old->hook->name) : NULL;
        if (!old->stream)
            continue;
        if (slot && slot->stream &&
            stream_recipe_equal(&old->stream->recipe, &slot->stream->recipe))
            keep_one(engine, slot, old, grace_ms);
        else
            retire_from(engine, old->stream, 0, grace_ms);
    }
    for (size_t i = 0; i < count; i++) {
        if (slots[i].stream)
            stream_say(engine, slots[i].stream);
    }
}

void streams_retire(struct hook_engine *engine, int64_t grace_ms)
{
    for (struct stream_copy *copy = engine->copies; copy; copy = copy->next)
        stream_copy_retire(copy, grace_ms);
}

void streams_end(struct hook_engine *engine)
{
    for (struct stream_copy *copy = engine->copies; copy; copy = copy->next)
        stream_copy_end(copy, COPY_ASKED, NULL);
}
