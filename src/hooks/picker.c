/* SPDX-License-Identifier: MIT */
#include "picker.h"

#include <stdlib.h>

#include "callbackd/os.h"
#include "claim.h"
#include "stream.h"

enum {
    /* A round drops no more than this, so that a long queue of expired jobs is no long
     * transaction. */
    DROPS_PER_ROUND = 500,
    /* Nor starts more jobs of a stream. */
    STREAM_PICKS_PER_ROUND = 1000,
};

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* ---- room ---- */

static bool may_drop(const struct queue_round *round)
{
    return round->dropped_count < DROPS_PER_ROUND;
}

/* Of all hooks together, but for streams. */
static int room_of_engine(const struct queue_round *round)
{
    const struct hook_engine *engine = round->engine;
    int started = engine->active_count - engine->shared_count;
    int picked = round->picked_count - round->shared_count;
    return larger(engine->config->hook_concurrency, 1) - started - picked;
}

static int free_places(const struct queue_round *round, const struct hook_slot *slot)
{
    if (round->engine->stopping)
        return 0;
    if (slot->stream)
        return stream_room(round->engine, slot->stream) - slot->picked;
    int own = larger(slot->hook->concurrency, 1) - slot->running - slot->picked;
    return smaller(own, room_of_engine(round));
}

/* How many of its jobs may be picked now, if its share is `share`. */
static int room_of_slot(const struct queue_round *round, const struct hook_slot *slot, int share)
{
    int rated = rate_room(&slot->rate, round->now_ms) - slot->picked;
    if (!may_drop(round))
        return 0;
    if (slot->stream)
        share = STREAM_PICKS_PER_ROUND - slot->picked;
    return smaller(smaller(free_places(round, slot), rated), share);
}

/* 1: it may start jobs, 0: it may not now, -1: error. */
static int is_open(
    struct state_tx *tx, const struct queue_round *round, const struct hook_slot *slot,
    struct error *error)
{
    bool paused = false;
    if (free_places(round, slot) <= 0)
        return 0;
    if (state_hook_paused(tx, slot->hook->name, &paused, error) != 0)
        return -1;
    return paused ? 0 : 1;
}

static int64_t larger_ms(int64_t a_ms, int64_t b_ms)
{
    return a_ms > b_ms ? a_ms : b_ms;
}

/* When the rate lets another one start, those that are picked now being started. */
static int64_t rated_ms(const struct queue_round *round, const struct hook_slot *slot)
{
    struct rate rate = slot->rate;
    rate_take(&rate, round->now_ms, slot->picked);
    return rate_next_ms(&rate, round->now_ms);
}

int picker_next_due(struct state_tx *tx, struct queue_round *round, struct error *error)
{
    const struct hook_engine *engine = round->engine;
    round->due_at_ms = 0;
    for (size_t i = 0; i < engine->slot_count; i++) {
        int open = is_open(tx, round, &engine->slots[i], error);
        if (open < 0)
            return -1;
        int64_t next_at_ms = 0;
        if (open && state_job_next_at(tx, engine->slots[i].hook->name, &next_at_ms, error) != 0)
            return -1;
        if (next_at_ms != 0)
            next_at_ms = larger_ms(next_at_ms, rated_ms(round, &engine->slots[i]));
        if (next_at_ms != 0 && (round->due_at_ms == 0 || next_at_ms < round->due_at_ms))
            round->due_at_ms = next_at_ms;
    }
    return 0;
}

/* ---- order ---- */

/* A hook's place in the queue of hooks. */
struct turn {
    struct hook_slot *slot;
};

static int by_turn(const void *a, const void *b)
{
    const struct hook_slot *left = ((const struct turn *)a)->slot;
    const struct hook_slot *right = ((const struct turn *)b)->slot;
    if (left->hook->priority != right->hook->priority)
        return left->hook->priority > right->hook->priority ? -1 : 1;
    if (left->last_served != right->last_served)
        return left->last_served < right->last_served ? -1 : 1;
    return (left > right) - (left < right);
}

/* The open slots in the order in which they are served. */
static int order_slots(
    struct state_tx *tx, const struct queue_round *round, struct turn *order, size_t *count_out,
    struct error *error)
{
    struct hook_engine *engine = round->engine;
    size_t count = 0;
    for (size_t i = 0; i < engine->slot_count; i++) {
        int open = is_open(tx, round, &engine->slots[i], error);
        if (open < 0)
            return -1;
        if (open)
            order[count++].slot = &engine->slots[i];
    }
    if (count > 0)
        qsort(order, count, sizeof(*order), by_turn);
    *count_out = count;
    return 0;
}

/* ---- picking ---- */

/* Takes at most `limit` due jobs of a hook; *found_out says how many there were, dropped ones
 * too. */
static int pick_from(
    struct state_tx *tx, struct queue_round *round, struct hook_slot *slot, int limit,
    int *found_out, struct error *error)
{
    CLEANUP_FREE struct claim *claims = calloc((size_t)limit, sizeof(*claims));
    struct claim_list list = {claims, 0, (size_t)limit};
    if (!claims)
        return error_set(error, ERROR_MEMORY, "no memory to pick jobs");
    if (state_job_due(tx, slot->hook->name, round->now_ms, limit, claim_visit, &list, error) != 0)
        return -1;
    for (size_t i = 0; i < list.count; i++) {
        if (claim_take(tx, round, slot, &claims[i], error) != 0)
            return -1;
    }
    if (list.count > 0)
        slot->last_served = ++round->engine->turn;
    *found_out = (int)list.count;
    return 0;
}

/* Hooks of one priority, until the slots are full or nothing is due. */
static int pick_from_equals(
    struct state_tx *tx, struct queue_round *round, const struct turn *turns, size_t count,
    struct error *error)
{
    for (bool progress = true; progress;) {
        progress = false;
        int share = larger(room_of_engine(round) / (int)count, 1);
        for (size_t i = 0; i < count; i++) {
            struct hook_slot *slot = turns[i].slot;
            int limit = room_of_slot(round, slot, share);
            int found = 0;
            if (limit > 0 && pick_from(tx, round, slot, limit, &found, error) != 0)
                return -1;
            progress = progress || found > 0;
        }
    }
    return 0;
}

static int pick_in_order(
    struct state_tx *tx, struct queue_round *round, const struct turn *order, size_t count,
    struct error *error)
{
    for (size_t i = 0; i < count && may_drop(round);) {
        size_t end = i + 1;
        while (end < count && order[end].slot->hook->priority == order[i].slot->hook->priority)
            end++;
        if (pick_from_equals(tx, round, order + i, end - i, error) != 0)
            return -1;
        i = end;
    }
    return 0;
}

int picker_pick(struct state_tx *tx, struct queue_round *round, struct error *error)
{
    struct hook_engine *engine = round->engine;
    if (engine->slot_count == 0)
        return 0;
    size_t count = 0;
    struct turn *order = calloc(engine->slot_count, sizeof(*order));
    if (!order)
        return error_set(error, ERROR_MEMORY, "no memory to order hooks");
    int result = order_slots(tx, round, order, &count, error);
    if (result == 0)
        result = pick_in_order(tx, round, order, count, error);
    free(order);
    return result;
}
