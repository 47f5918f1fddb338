/* SPDX-License-Identifier: MIT */
#include "admin_guesses.h"

#include <arpa/inet.h>
#include <string.h>

enum {
    IPV4_AT = 12,          /* an IPv4 address stands at the end, as in ::ffff:192.0.2.1 */
    IPV6_NETWORK_BYTES = 8 /* one subscriber has a /64 to choose addresses from */
};

void guesses_init(struct guesses *guesses)
{
    memset(guesses->of, 0, sizeof guesses->of);
    pthread_mutex_init(&guesses->lock, NULL);
}

void guesses_fini(struct guesses *guesses)
{
    pthread_mutex_destroy(&guesses->lock);
}

/* All zero for what is no address: a Unix socket has one kind of peer. */
static void key_of(const char *peer, unsigned char key_out[static GUESSES_KEY_BYTES])
{
    memset(key_out, 0, GUESSES_KEY_BYTES);
    if (inet_pton(AF_INET, peer, key_out + IPV4_AT) == 1)
        memset(key_out + IPV4_AT - 2, 0xff, 2);
    else if (inet_pton(AF_INET6, peer, key_out) == 1)
        memset(key_out + IPV6_NETWORK_BYTES, 0, GUESSES_KEY_BYTES - IPV6_NETWORK_BYTES);
}

/* The place of that address, or the one to give to it. */
static struct guesses_of *find_locked(
    struct guesses *guesses, const unsigned char key[static GUESSES_KEY_BYTES])
{
    struct guesses_of *oldest = &guesses->of[0];
    for (size_t i = 0; i < GUESSES_ADDRESSES; i++) {
        struct guesses_of *of = &guesses->of[i];
        if (of->count > 0 && memcmp(of->address, key, GUESSES_KEY_BYTES) == 0)
            return of;
        if (oldest->count > 0 && (of->count == 0 || of->last_ms < oldest->last_ms))
            oldest = of;
    }
    oldest->count = 0;
    memcpy(oldest->address, key, GUESSES_KEY_BYTES);
    return oldest;
}

static void forget(struct guesses_of *of, int64_t now_ms)
{
    int64_t forgotten = (now_ms - of->since_ms) / GUESSES_FORGET_MS;
    if (forgotten >= (int64_t)of->count) {
        of->count = 0;
        of->since_ms = now_ms;
    } else {
        of->count -= (unsigned)forgotten;
        of->since_ms += forgotten * GUESSES_FORGET_MS;
    }
}

/* 1, 2, 4 … seconds. */
static int wait_of(unsigned count)
{
    int wait_s = 1;
    for (unsigned i = GUESSES_FREE + 1; i < count && wait_s < GUESSES_WAIT_MAX_S; i++)
        wait_s *= 2;
    return wait_s < GUESSES_WAIT_MAX_S ? wait_s : GUESSES_WAIT_MAX_S;
}

int guesses_add(
    struct guesses *guesses, const char *peer, uint64_t token, int64_t now_ms, bool *begins_out)
{
    unsigned char key[GUESSES_KEY_BYTES];
    key_of(peer, key);
    pthread_mutex_lock(&guesses->lock);
    struct guesses_of *of = find_locked(guesses, key);
    forget(of, now_ms);
    bool is_new = of->count == 0 || of->latest != token;
    *begins_out = is_new && of->count == GUESSES_FREE;
    /* No further than where the wait stops to grow: it has to be forgotten again some time. */
    if (is_new && (of->count <= GUESSES_FREE || wait_of(of->count) < GUESSES_WAIT_MAX_S))
        of->count++;
    of->latest = token;
    of->last_ms = now_ms;
    unsigned count = of->count;
    pthread_mutex_unlock(&guesses->lock);
    return count > GUESSES_FREE ? wait_of(count) : 0;
}
