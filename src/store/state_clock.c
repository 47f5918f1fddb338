/* SPDX-License-Identifier: MIT */
/* The queue's clock: CLOCK_BOOTTIME and what is to be added to it in this boot. */
#include <stdlib.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "state_private.h"

enum {
    BOOT_ID_BYTES_MAX = 64,
    BOOT_DIGITS = 15, /* hexadecimal: what fits into a column of 63 bits */
    NOTE_EVERY_MS = 30000,
};

/* As kept in `meta`. */
struct clock_note {
    int64_t boot;   /* which boot `offset` is of */
    int64_t offset; /* the clock less CLOCK_BOOTTIME */
    int64_t skew;   /* wall time less the clock, when it was noted */
    int64_t seen;   /* the clock, when it was noted */
};

/* 0: not known, which no boot is the same as. */
static int64_t read_boot(void)
{
    CLEANUP_BUFFER struct buffer text;
    char digits[BOOT_DIGITS + 1] = "";
    size_t count = 0;

    buffer_init(&text, BOOT_ID_BYTES_MAX);
    if (os_read_file("/proc/sys/kernel/random/boot_id", &text, NULL) != 0)
        return 0;
    for (const char *c = buffer_text(&text); *c != '\0' && count < BOOT_DIGITS; c++) {
        if (*c != '-')
            digits[count++] = *c;
    }
    return (int64_t)strtoull(digits, NULL, 16);
}

static int read_note(struct state_tx *tx, struct clock_note *note, struct error *error)
{
    if (state_number_get(tx, "clock_boot", &note->boot, error) < 0 ||
        state_number_get(tx, "clock_offset", &note->offset, error) < 0 ||
        state_number_get(tx, "clock_skew", &note->skew, error) < 0 ||
        state_number_get(tx, "clock_seen", &note->seen, error) < 0)
        return -1;
    return 0;
}

/* Another boot: how long the machine was off only the wall clock can tell, and that may have
 * lost its time. Then jobs are late by the pause, but they do come. */
static int64_t offset_of_new_boot(const struct clock_note *note)
{
    int64_t now_ms = clock_wall_ms() - note->skew;

    if (now_ms < note->seen)
        now_ms = note->seen;
    return now_ms - clock_monotonic_ms();
}

static int write_note(struct state_tx *tx, struct error *error)
{
    int64_t now_ms = state_clock_ms(tx->state);

    if (state_number_set(tx, "clock_boot", tx->state->clock_boot, error) < 0 ||
        state_number_set(tx, "clock_offset", tx->state->clock_offset_ms, error) < 0 ||
        state_number_set(tx, "clock_skew", clock_wall_ms() - now_ms, error) < 0 ||
        state_number_set(tx, "clock_seen", now_ms, error) < 0)
        return -1;
    tx->state->clock_noted_ms = now_ms;
    return 0;
}

static int first_note(struct state_tx *tx, void *context, struct error *error)
{
    (void)context;
    return write_note(tx, error);
}

static int read_last_note(struct state_tx *tx, void *context, struct error *error)
{
    return read_note(tx, context, error);
}

int state_clock_start(struct state *state, struct error *error)
{
    struct clock_note note;

    if (state_read(state, read_last_note, &note, error) < 0)
        return -1;
    state->clock_boot = read_boot();
    state->clock_offset_ms = note.offset;
    if (state->clock_boot != 0 && state->clock_boot == note.boot)
        return 0;
    state->clock_offset_ms = offset_of_new_boot(&note);
    /* A disk that is full is no reason not to start: it is noted with the next changes. */
    (void)state_write(state, first_note, NULL, NULL);
    return 0;
}

int64_t state_clock_ms(const struct state *state)
{
    return clock_monotonic_ms() + state->clock_offset_ms;
}

int64_t state_tx_clock_ms(const struct state_tx *tx)
{
    return state_clock_ms(tx->state);
}

int64_t state_clock_to_wall_ms(const struct state *state, int64_t clock_ms)
{
    return clock_ms == 0 ? 0 : clock_ms - state_clock_ms(state) + clock_wall_ms();
}

int state_clock_note(struct state_tx *tx, struct error *error)
{
    if (state_clock_ms(tx->state) - tx->state->clock_noted_ms < NOTE_EVERY_MS)
        return 0;
    return write_note(tx, error);
}
