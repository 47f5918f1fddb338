/* SPDX-License-Identifier: MIT */
#include "retention.h"

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/upkeep.h"

enum {
    SLICE_MAX = 100,                    /* short enough not to be felt by senders */
    HOLD_MAX_MS = 7 * 24 * 3600 * 1000, /* after the clock was set forward: time to notice it */
    AHEAD_MIN_MS = 3600 * 1000,         /* by less, nobody is told */
};

struct retiring {
    struct state *state;
    int64_t before_ms;
    int64_t cursor;
    int removed;
    bool due;
};

static int look_for_old(struct state_tx *tx, void *context, struct error *error)
{
    struct retiring *retiring = context;
    if (state_cursor_get(tx, &retiring->cursor, error) != 0)
        return -1;
    return state_remove_is_due(tx, retiring->before_ms, &retiring->due, error);
}

static int note_first(void *context, const struct result_entry *entry)
{
    struct retiring *retiring = context;
    retiring->due = retiring->due || entry->received_at_ms < retiring->before_ms;
    return 1;
}

/* The log has rows that the state does not (duplicates), or not any more. */
static int look(struct retention *retention, struct retiring *retiring, struct error *error)
{
    if (state_read(retention->state, look_for_old, retiring, error) != 0)
        return -1;
    return result_log_read(retention->log, 0, 1, note_first, retiring, error) < 0 ? -1 : 0;
}

static int remove_old(struct state_tx *tx, void *context, struct error *error)
{
    struct retiring *retiring = context;
    return state_remove(tx, retiring->before_ms, SLICE_MAX, &retiring->removed, error);
}

struct existence {
    int64_t seq;
    bool exists;
};

static int ask_existence(struct state_tx *tx, void *context, struct error *error)
{
    struct existence *existence = context;
    return state_result_exists(tx, existence->seq, &existence->exists, error);
}

static bool still_wanted(void *context, int64_t seq)
{
    struct retiring *retiring = context;
    struct existence existence = {.seq = seq, .exists = true};
    struct error error = {0};
    /* In doubt it is kept. */
    return state_read(retiring->state, ask_existence, &existence, &error) != 0 || existence.exists;
}

static int remove_slice(
    struct retention *retention, struct retiring *retiring, bool *more, struct error *error)
{
    int removed = 0;
    if (state_write(retention->state, remove_old, retiring, error) != 0 ||
        result_log_remove(
            retention->log, retiring->before_ms, retiring->cursor, SLICE_MAX, still_wanted,
            retiring, &removed, error) != 0)
        return -1;
    removed += retiring->removed;
    *more = *more || removed > 0;
    if (removed > 0)
        log_debug("old results removed", LOG_INT("count", removed));
    return 0;
}

static int give_space_back(struct retention *retention, bool *more, struct error *error)
{
    bool state_shrunk = false;
    bool log_shrunk = false;
    if (state_shrink(retention->state, &state_shrunk, error) != 0 ||
        result_log_shrink(retention->log, &log_shrunk, error) != 0)
        return -1;
    *more = *more || state_shrunk || log_shrunk;
    return 0;
}

/* 1: it may be removed from, and is held; 0: not now. */
static int hold(const struct retention *retention, int *fd_out, struct error *error)
{
    struct error failure = {0};
    if (store_hold_removal(retention->config->store.directory, 0, fd_out, &failure) == 0)
        return 1;
    if (failure.code == ERROR_BUSY)
        return 0;
    *error = failure;
    return -1;
}

static void note_ahead(struct retention *retention, int64_t ahead_ms)
{
    bool is_ahead = ahead_ms >= AHEAD_MIN_MS;
    if (is_ahead && !retention->clock_is_ahead)
        log_warning(
            "the clock was set forward, or posts waited long: nothing is old because of that yet",
            LOG_INT("by_ms", ahead_ms));
    if (!is_ahead && retention->clock_is_ahead)
        log_info("what is old is judged by the clock again");
    retention->clock_is_ahead = is_ahead;
}

/* What came before this is old. A clock that goes wrong must not make everything old. */
static int find_before(struct retention *retention, int64_t *before_ms_out, struct error *error)
{
    int64_t retention_ms = retention->config->store.retention_ms;
    int64_t hold_ms = retention_ms < HOLD_MAX_MS ? retention_ms : HOLD_MAX_MS;
    int64_t now_ms = 0;
    if (state_age_clock_ms(retention->state, hold_ms, &now_ms, error) != 0)
        return -1;
    note_ahead(retention, clock_wall_ms() - now_ms);
    *before_ms_out = now_ms - retention_ms;
    return 0;
}

int retention_slice(struct retention *retention, bool *more_out, struct error *error)
{
    CLEANUP_FD int held_fd = -1;
    struct retiring retiring = {.state = retention->state};
    bool more = false;
    if (find_before(retention, &retiring.before_ms, error) != 0 ||
        look(retention, &retiring, error) != 0)
        return -1;
    if (retiring.due) {
        int held = hold(retention, &held_fd, error);
        if (held < 0 || (held == 1 && remove_slice(retention, &retiring, &more, error) != 0))
            return -1;
    }
    if (give_space_back(retention, &more, error) != 0)
        return -1;
    *more_out = more;
    return 0;
}
