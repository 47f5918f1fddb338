/* SPDX-License-Identifier: MIT */
#include "client_limit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/clock.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "client_address.h"

enum {
    BUCKETS = 256, /* a power of two */
    ADDRESS_BYTES = 16,
    NETWORK_BYTES = 8, /* of an IPv6 address: what is a client */
    MAPPED_BYTES = 12, /* before an IPv4 address that is written as one of IPv6 */
    LOG_PAUSE_MS = 10000
};

struct client_count {
    struct client_count *next; /* in its bucket; the bucket's lock */
    unsigned char address[ADDRESS_BYTES];
    int open;           /* all that is counted here; the bucket's lock */
    atomic_int staying; /* of that, without the connections that were told to end */
};

struct bucket {
    pthread_mutex_t lock;
    struct client_count *first;
};

struct client_limit {
    const struct config_proxies *proxies;
    int most;
    struct metrics *metrics;
    uint64_t seed;                /* nobody outside knows who shares a bucket */
    atomic_int_least64_t refused; /* since the last line about it */
    atomic_int_least64_t quiet_until_ms;
    struct bucket buckets[BUCKETS];
};

struct client_limit *client_limit_create(
    const struct config_proxies *proxies, int most, struct metrics *metrics, struct error *error)
{
    struct client_limit *limit = calloc(1, sizeof(*limit));
    if (!limit) {
        error_set(error, ERROR_MEMORY, "no memory for clients");
        return NULL;
    }
    limit->proxies = proxies;
    limit->most = most;
    limit->metrics = metrics;
    os_random(&limit->seed, sizeof(limit->seed));
    for (size_t i = 0; i < BUCKETS; i++)
        (void)pthread_mutex_init(&limit->buckets[i].lock, NULL);
    return limit;
}

void client_limit_free(struct client_limit *limit)
{
    if (!limit)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        (void)pthread_mutex_destroy(&limit->buckets[i].lock);
    free(limit);
}

/* ---- counting ---- */

static bool is_ipv4(const unsigned char address[static ADDRESS_BYTES])
{
    static const unsigned char mapped[MAPPED_BYTES] = {[10] = 0xff, [11] = 0xff};
    return memcmp(address, mapped, MAPPED_BYTES) == 0;
}

static struct bucket *bucket_of(
    struct client_limit *limit, const unsigned char address[static ADDRESS_BYTES])
{
    uint64_t hash = limit->seed;
    for (size_t i = 0; i < ADDRESS_BYTES; i++)
        hash = (hash ^ address[i]) * UINT64_C(0x100000001b3);
    return &limit->buckets[(hash ^ hash >> 32) & (BUCKETS - 1)];
}

static struct client_count *find_or_add_locked(
    struct bucket *bucket, const unsigned char address[static ADDRESS_BYTES])
{
    struct client_count *count = bucket->first;
    while (count && memcmp(count->address, address, ADDRESS_BYTES) != 0)
        count = count->next;
    if (count)
        return count;
    count = calloc(1, sizeof(*count));
    if (!count)
        return NULL;
    memcpy(count->address, address, ADDRESS_BYTES);
    count->next = bucket->first;
    bucket->first = count;
    return count;
}

static struct client_count *enter(
    struct client_limit *limit, unsigned char address[static ADDRESS_BYTES])
{
    if (!is_ipv4(address))
        memset(address + NETWORK_BYTES, 0, ADDRESS_BYTES - NETWORK_BYTES);
    struct bucket *bucket = bucket_of(limit, address);
    (void)pthread_mutex_lock(&bucket->lock);
    struct client_count *count = find_or_add_locked(bucket, address);
    if (count) {
        count->open++;
        atomic_fetch_add(&count->staying, 1);
    }
    (void)pthread_mutex_unlock(&bucket->lock);
    return count;
}

void client_limit_leave_ended(struct client_limit *limit, struct client_count *count)
{
    if (!count)
        return;
    struct bucket *bucket = bucket_of(limit, count->address);
    (void)pthread_mutex_lock(&bucket->lock);
    bool is_last = --count->open == 0;
    struct client_count **link = &bucket->first;
    while (is_last && *link != count)
        link = &(*link)->next;
    if (is_last)
        *link = count->next;
    (void)pthread_mutex_unlock(&bucket->lock);
    if (is_last)
        free(count);
}

void client_limit_leave(struct client_limit *limit, struct client_count *count)
{
    client_limit_note_ending(count);
    client_limit_leave_ended(limit, count);
}

bool client_limit_is_over(const struct client_limit *limit, const struct client_count *count)
{
    return count && atomic_load(&count->staying) > limit->most;
}

void client_limit_note_ending(struct client_count *count)
{
    if (count)
        atomic_fetch_sub(&count->staying, 1);
}

/* ---- who it is ---- */

static bool address_of(const struct sockaddr *peer, unsigned char out[static ADDRESS_BYTES])
{
    if (peer->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, ADDRESS_BYTES);
        return true;
    }
    if (peer->sa_family != AF_INET)
        return false;
    memset(out, 0, MAPPED_BYTES);
    out[10] = out[11] = 0xff;
    memcpy(
        out + MAPPED_BYTES, &((const struct sockaddr_in *)(const void *)peer)->sin_addr,
        ADDRESS_BYTES - MAPPED_BYTES);
    return true;
}

struct client_count *client_limit_connect(struct client_limit *limit, const struct sockaddr *peer)
{
    unsigned char address[ADDRESS_BYTES];
    if (!address_of(peer, address) || client_address_is_proxy(limit->proxies, address))
        return NULL;
    return enter(limit, address);
}

struct client_count *client_limit_request(
    struct client_limit *limit, const char *peer, const char *client)
{
    if (strcmp(peer, client) == 0)
        return NULL;
    /* Whom no address names is one client together with all others like it. */
    unsigned char address[ADDRESS_BYTES];
    if (!config_parse_address(client, address))
        memset(address, 0xff, ADDRESS_BYTES); /* nobody's */
    return enter(limit, address);
}

/* ---- saying so ---- */

void client_limit_note_refusal(
    struct client_limit *limit, enum metric metric, const struct client_count *count)
{
    metrics_add(limit->metrics, metric, 1);
    atomic_fetch_add(&limit->refused, 1);
    int64_t now_ms = clock_monotonic_ms();
    int64_t quiet_until_ms = atomic_load(&limit->quiet_until_ms);
    if (now_ms < quiet_until_ms ||
        !atomic_compare_exchange_strong(
            &limit->quiet_until_ms, &quiet_until_ms, now_ms + LOG_PAUSE_MS))
        return;
    char text[INET6_ADDRSTRLEN] = "";
    if (is_ipv4(count->address))
        (void)inet_ntop(AF_INET, count->address + MAPPED_BYTES, text, sizeof(text));
    else
        (void)inet_ntop(AF_INET6, count->address, text, sizeof(text));
    log_warning(
        "a client has too much open", LOG_TEXT("client", text), LOG_INT("limit", limit->most),
        LOG_INT("refused", atomic_exchange(&limit->refused, 0)));
}
