/* SPDX-License-Identifier: MIT */
/*
 * The clock for age: the queue's clock, and what the wall clock was ahead of it at the
 * least, in this period and the one before it. So a wall clock that was set forward is
 * followed when it has stood for a whole period, and what was noted lasts for one.
 */
#include <stdlib.h>

#include "callbackd/clock.h"
#include "state_private.h"

enum {
    WAITED_MAX_MS = 3600 * 1000,  /* by whoever is behind, no clock is wrong */
    DRIFT_MS = 1000,              /* clocks that are disciplined wander by less */
    WRITE_EVERY_MS = 3600 * 1000, /* also when nothing but the period is another one */
};

static int read_age(struct state_tx *tx, void *context, struct error *error)
{
    struct age_clock *age = context;

    if (state_number_get(tx, "age_since", &age->since_ms, error) < 0 ||
        state_number_get(tx, "age_ahead", &age->ahead_ms, error) < 0 ||
        state_number_get(tx, "age_ahead_before", &age->ahead_before_ms, error) < 0)
        return -1;
    return 0;
}

static int write_age(struct state_tx *tx, void *context, struct error *error)
{
    const struct age_clock *age = context;

    if (state_number_set(tx, "age_since", age->since_ms, error) < 0 ||
        state_number_set(tx, "age_ahead", age->ahead_ms, error) < 0 ||
        state_number_set(tx, "age_ahead_before", age->ahead_before_ms, error) < 0)
        return -1;
    return 0;
}

static int load(struct state *state, int64_t queue_ms, struct error *error)
{
    if (state->age.since_ms != 0)
        return 0;
    if (state_read(state, read_age, &state->age_written, error) < 0)
        return -1;
    state->age = state->age_written;
    /* A store that is new, or a copy from a machine whose clock is ahead of ours. */
    if (state->age.since_ms == 0 || state->age.since_ms > queue_ms)
        state->age.since_ms = queue_ms;
    return 0;
}

static void follow(struct age_clock *age, int64_t queue_ms, int64_t ahead_ms, int64_t hold_ms)
{
    if (queue_ms - age->since_ms >= hold_ms) {
        age->ahead_before_ms = age->ahead_ms;
        age->ahead_ms = ahead_ms;
        age->since_ms = queue_ms;
    }
    if (ahead_ms < age->ahead_ms)
        age->ahead_ms = ahead_ms;
}

/* A period that is written late begins anew after a restart, and counts as the one before. */
static bool is_worth_writing(const struct age_clock *age, const struct age_clock *written)
{
    return llabs(age->ahead_ms - written->ahead_ms) > DRIFT_MS ||
           llabs(age->ahead_before_ms - written->ahead_before_ms) > DRIFT_MS ||
           llabs(age->since_ms - written->since_ms) >= WRITE_EVERY_MS;
}

/* What cannot be written now will be: a full disk must not keep anybody from removing things. */
static void keep(struct state *state)
{
    if (is_worth_writing(&state->age, &state->age_written) &&
        state_write(state, write_age, &state->age, NULL) == 0)
        state->age_written = state->age;
}

int state_age_note(struct state *state, int64_t wall_ms, struct error *error)
{
    int64_t queue_ms = state_clock_ms(state);

    if (load(state, queue_ms, error) < 0)
        return -1;
    if (wall_ms - queue_ms < state->age.ahead_ms - WAITED_MAX_MS)
        state->age.ahead_ms = wall_ms - queue_ms;
    keep(state);
    return 0;
}

int state_age_clock_ms(
    struct state *state, int64_t hold_ms, int64_t *now_ms_out, struct error *error)
{
    struct age_clock *age = &state->age;
    int64_t queue_ms = state_clock_ms(state);

    if (load(state, queue_ms, error) < 0)
        return -1;
    follow(age, queue_ms, clock_wall_ms() - queue_ms, hold_ms);
    keep(state);
    *now_ms_out =
        queue_ms + (age->ahead_ms < age->ahead_before_ms ? age->ahead_ms : age->ahead_before_ms);
    return 0;
}
