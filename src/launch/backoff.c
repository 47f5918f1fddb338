/* SPDX-License-Identifier: MIT */
#include "backoff.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/os.h"

enum {
    FIRST_DELAY_MS = 2000,
    MAX_DELAY_MS = 5 * 60 * 1000,
    DOUBLINGS_MAX = 8,
    KEPT_MS = 10 * 60 * 1000,
    GIVEN_UP_MS = 24 * 3600 * 1000
};

void backoff_fini(struct backoff *backoff)
{
    free(backoff->entries);
    *backoff = (struct backoff){0};
}

/* The entry, or the place where it would stand. */
static size_t place_of(const struct backoff *backoff, const struct id *id)
{
    size_t low = 0;
    size_t high = backoff->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(backoff->entries[middle].id.bytes, id->bytes, ID_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct backoff_entry *find(const struct backoff *backoff, const struct id *id)
{
    size_t place = place_of(backoff, id);
    if (place == backoff->count || !id_equal(&backoff->entries[place].id, id))
        return NULL;
    return &backoff->entries[place];
}

/* NULL when memory is short: then it is asked for more often than it should be, no worse. */
static struct backoff_entry *find_or_add(struct backoff *backoff, const struct id *id)
{
    struct backoff_entry *known = find(backoff, id);
    if (known)
        return known;
    if (!backoff->entries || backoff->count == backoff->capacity) {
        size_t capacity = backoff->capacity > 0 ? 2 * backoff->capacity : 16;
        struct backoff_entry *entries = reallocarray(backoff->entries, capacity, sizeof *entries);
        if (!entries)
            return NULL;
        backoff->entries = entries;
        backoff->capacity = capacity;
    }
    size_t place = place_of(backoff, id);
    for (size_t i = backoff->count; i > place; i--)
        backoff->entries[i] = backoff->entries[i - 1];
    backoff->entries[place] = (struct backoff_entry){.id = *id};
    backoff->count++;
    return &backoff->entries[place];
}

bool backoff_is_due(const struct backoff *backoff, const struct id *id, int64_t now_ms)
{
    const struct backoff_entry *entry = find(backoff, id);
    return !entry || (!entry->given_up && entry->next_at_ms <= now_ms);
}

int backoff_attempts(const struct backoff *backoff, const struct id *id)
{
    const struct backoff_entry *entry = find(backoff, id);
    return entry ? entry->attempts : 0;
}

/* Between three quarters of the delay and all of it. */
static int64_t delay_after(int attempts)
{
    int doublings = attempts - 1 < DOUBLINGS_MAX ? attempts - 1 : DOUBLINGS_MAX;
    int64_t delay_ms = (int64_t)FIRST_DELAY_MS << doublings;
    if (delay_ms > MAX_DELAY_MS)
        delay_ms = MAX_DELAY_MS;
    uint32_t random = 0;
    os_random(&random, sizeof random);
    return delay_ms - (int64_t)(random % (uint32_t)(delay_ms / 4));
}

int backoff_failed(
    struct backoff *backoff, const struct id *id, int64_t now_ms, int64_t at_least_ms)
{
    struct backoff_entry *entry = find_or_add(backoff, id);
    if (!entry)
        return 1;
    entry->attempts++;
    int64_t delay_ms = delay_after(entry->attempts);
    entry->next_at_ms = now_ms + (delay_ms > at_least_ms ? delay_ms : at_least_ms);
    return entry->attempts;
}

void backoff_wait(struct backoff *backoff, const struct id *id, int64_t now_ms, int64_t delay_ms)
{
    struct backoff_entry *entry = find_or_add(backoff, id);
    if (entry)
        entry->next_at_ms = now_ms + delay_ms;
}

void backoff_give_up(struct backoff *backoff, const struct id *id, int64_t now_ms)
{
    struct backoff_entry *entry = find_or_add(backoff, id);
    if (!entry)
        return;
    entry->given_up = true;
    entry->next_at_ms = now_ms + GIVEN_UP_MS;
}

void backoff_prune(struct backoff *backoff, int64_t now_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < backoff->count; i++)
        if (backoff->entries[i].next_at_ms + KEPT_MS > now_ms)
            backoff->entries[kept++] = backoff->entries[i];
    backoff->count = kept;
}
