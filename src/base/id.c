/* SPDX-License-Identifier: MIT */
#include "callbackd/id.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

/* Where the five groups of hex digits stand in the text, and how many bytes each is. */
static const struct {
    size_t at;
    size_t bytes;
} groups[] = {{0, 4}, {9, 2}, {14, 2}, {19, 2}, {24, 6}};

enum {
    ID_GROUPS = sizeof(groups) / sizeof(groups[0]),
    NS_PER_MS = 1000000,
    MS_AHEAD_MAX = 1000, /* of the clock; further back it was set */
    TICKS_PER_MS = 4096, /* RFC 9562, section 6.2, method 3: twelve bits of rand_a */
    RANDOM_BYTES = 10,   /* of an id */
    POOL_BYTES = 40 * RANDOM_BYTES,
};

/* Asking the kernel for random bytes costs more than all the rest of an id. Ids are no secrets, so
 * what is left here may be seen; used bytes are not used again, also not by a forked child. */
static _Thread_local struct {
    unsigned char bytes[POOL_BYTES];
    size_t left;
    uint64_t last_ticks; /* of the id made last */
} pool;

/* In the child, whose one thread is the one that forked. */
static void forget_pool(void)
{
    pool.left = 0;
}

__attribute__((constructor)) static void watch_forks(void)
{
    (void)pthread_atfork(NULL, NULL, forget_pool);
}

static void take_random(unsigned char out[static RANDOM_BYTES])
{
    if (pool.left < RANDOM_BYTES) {
        os_random(pool.bytes, POOL_BYTES);
        pool.left = POOL_BYTES;
    }
    pool.left -= RANDOM_BYTES;
    memcpy(out, pool.bytes + pool.left, RANDOM_BYTES);
}

/* Ticks of 1/4096 ms since 1970. Ids are made faster than these pass, and those of one thread shall
 * sort as they were made, if need be a little ahead of the clock. One that was set back is
 * believed. */
static uint64_t next_ticks(void)
{
    uint64_t ns = (uint64_t)clock_wall_ns();
    uint64_t ticks = ns / NS_PER_MS * TICKS_PER_MS + ns % NS_PER_MS * TICKS_PER_MS / NS_PER_MS;
    if (ticks <= pool.last_ticks && pool.last_ticks - ticks < (uint64_t)TICKS_PER_MS * MS_AHEAD_MAX)
        ticks = pool.last_ticks + 1;
    pool.last_ticks = ticks;
    return ticks;
}

struct id id_new(void)
{
    struct id id;
    take_random(id.bytes + sizeof(id.bytes) - RANDOM_BYTES);
    uint64_t ticks = next_ticks();
    uint64_t ms = ticks / TICKS_PER_MS;
    uint64_t fraction = ticks % TICKS_PER_MS;
    for (int i = 0; i < 6; i++)
        id.bytes[i] = (unsigned char)(ms >> (40 - 8 * i));
    id.bytes[6] = (unsigned char)(0x70 | (fraction >> 8));
    id.bytes[7] = (unsigned char)fraction;
    id.bytes[8] = (unsigned char)(0x80 | (id.bytes[8] & 0x3f));
    return id;
}

void id_format(const struct id *id, char out[static ID_TEXT_BYTES])
{
    const unsigned char *from = id->bytes;
    for (size_t i = 0; i < ID_GROUPS; i++) {
        text_hex_encode(bytes_of(from, groups[i].bytes), out + groups[i].at);
        from += groups[i].bytes;
        out[groups[i].at + 2 * groups[i].bytes] = i + 1 < ID_GROUPS ? '-' : '\0';
    }
}

/* One spelling an id: two spellings would be two keys for the same row. */
static bool has_id_shape(struct bytes text)
{
    if (text.length != ID_TEXT_BYTES - 1)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text.data[i] == '-') || (text.data[i] >= 'A' && text.data[i] <= 'Z'))
            return false;
    }
    return true;
}

bool id_parse(struct bytes text, struct id *id_out)
{
    if (!has_id_shape(text))
        return false;
    struct id id = {0};
    unsigned char *to = id.bytes;
    for (size_t i = 0; i < ID_GROUPS; i++) {
        struct bytes group = bytes_of(text.data + groups[i].at, 2 * groups[i].bytes);
        if (!text_hex_decode(group, to, groups[i].bytes))
            return false;
        to += groups[i].bytes;
    }
    *id_out = id;
    return true;
}

bool id_equal(const struct id *a, const struct id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
