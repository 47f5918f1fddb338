/* SPDX-License-Identifier: MIT */
/*
 * How many synced appends a second the log takes:
 *
 *     bench_append DIRECTORY [THREADS [SECONDS [BODY_BYTES]]]
 *
 * DIRECTORY is made, filled and left there. Prints one line: appends/s, batches/s,
 * and how long an append took (median, 99 %, longest).
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/store.h"
#include "callbackd/text.h"

enum { THREADS_MAX = 1024, BUCKETS = 40000, BUCKET_US = 5 };

struct bench {
    struct result_log *log;
    struct bytes body;
    _Atomic bool stop;
    _Atomic int64_t failures;
};

struct client {
    struct bench *bench;
    pthread_t thread;
    int64_t appends;
    int64_t longest_us;
    int *buckets; /* how many took i * BUCKET_US */
};

static int64_t option_at(int argc, char **argv, int index, int64_t fallback)
{
    int64_t value;

    if (index < argc && text_parse_int64(bytes_of_text(argv[index]), &value))
        return value;
    return fallback;
}

static void append_one(struct client *client)
{
    static const struct body_summary summary = {.status = STATUS_SUCCESS};
    struct result_post post = {
        .endpoint = "results",
        .kind = BODY_WORKFLOW_RESULT,
        .has_run = true,
        .run = id_new(),
        .summary = &summary,
        .delivery_id = "",
        .source = "callback",
        .received_at_ms = clock_wall_ms(),
        .remote_address = "192.0.2.1",
        .verified_by = "run-token",
        .content_type = "application/json",
        .headers_json = bytes_of_text("[[\"content-type\",\"application/"
                                      "json\"],[\"user-agent\",\"bench\"],[\"host\",\"h\"]]"),
        .body = client->bench->body,
    };
    char key[ID_TEXT_BYTES];
    struct result_receipt receipt;
    int64_t started_ns = clock_monotonic_ns();
    int64_t took_us;

    id_format(&post.run, key);
    post.key = key;
    if (result_log_append(client->bench->log, &post, &receipt, NULL) != 0) {
        atomic_fetch_add(&client->bench->failures, 1);
        return;
    }
    took_us = (clock_monotonic_ns() - started_ns) / 1000;
    client->appends++;
    client->buckets[took_us / BUCKET_US < BUCKETS ? took_us / BUCKET_US : BUCKETS - 1]++;
    if (took_us > client->longest_us)
        client->longest_us = took_us;
}

static void *run_client(void *argument)
{
    struct client *client = argument;

    while (!atomic_load_explicit(&client->bench->stop, memory_order_relaxed))
        append_one(client);
    return NULL;
}

static int64_t percentile_us(
    const struct client *clients, int64_t threads, int64_t appends, double share)
{
    int64_t seen = 0;

    for (int i = 0; i < BUCKETS; i++) {
        for (int64_t c = 0; c < threads; c++)
            seen += clients[c].buckets[i];
        if ((double)seen >= share * (double)appends)
            return (int64_t)i * BUCKET_US;
    }
    return (int64_t)BUCKETS * BUCKET_US;
}

static void report(
    const struct bench *bench, const struct client *clients, int64_t threads, int64_t took_ms,
    int64_t batches)
{
    int64_t appends = 0;
    int64_t longest_us = 0;

    for (int64_t i = 0; i < threads; i++) {
        appends += clients[i].appends;
        if (clients[i].longest_us > longest_us)
            longest_us = clients[i].longest_us;
    }
    printf(
        "%lld appends/s, %lld batches/s, p50 %lld us, p99 %lld us, longest %lld us, %lld failed\n",
        (long long)(appends * 1000 / took_ms), (long long)(batches * 1000 / took_ms),
        (long long)percentile_us(clients, threads, appends, 0.5),
        (long long)percentile_us(clients, threads, appends, 0.99), (long long)longest_us,
        (long long)atomic_load(&bench->failures));
}

static void run(struct bench *bench, struct metrics *metrics, int64_t threads, int64_t seconds)
{
    static struct client clients[THREADS_MAX];
    int64_t started_ms = clock_monotonic_ms();

    for (int64_t i = 0; i < threads; i++) {
        clients[i] = (struct client){.bench = bench, .buckets = calloc(BUCKETS, sizeof(int))};
        if (clients[i].buckets == NULL ||
            pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) != 0)
            exit(EXIT_FAILURE);
    }
    sleep((unsigned)seconds);
    atomic_store(&bench->stop, true);
    for (int64_t i = 0; i < threads; i++)
        (void)pthread_join(clients[i].thread, NULL);
    report(
        bench, clients, threads, clock_monotonic_ms() - started_ms,
        metrics_get(metrics, METRIC_STORE_BATCHES));
    for (int64_t i = 0; i < threads; i++)
        free(clients[i].buckets);
}

int main(int argc, char **argv)
{
    int64_t threads = option_at(argc, argv, 2, 64);
    int64_t seconds = option_at(argc, argv, 3, 5);
    size_t body_bytes = (size_t)option_at(argc, argv, 4, 500);
    struct bench bench = {0};
    struct error error = {0};
    int metrics_fd = -1;
    struct metrics *metrics = metrics_create(&metrics_fd, &error);
    char *body = malloc(body_bytes + 1);

    if (argc < 2 || threads < 1 || threads > THREADS_MAX || body == NULL || metrics == NULL) {
        fprintf(stderr, "usage: bench_append DIRECTORY [THREADS [SECONDS [BODY_BYTES]]]\n");
        return 64;
    }
    memset(body, 'x', body_bytes);
    bench.body = bytes_of(body, body_bytes);
    if (store_prepare(argv[1], &error) == 0)
        bench.log = result_log_open(
            &(struct result_log_options){
                .directory = argv[1],
                .metrics = metrics,
                .wake_fd = -1,
                .keep_rejected = 10,
                .checkpoint_at_start = true,
            },
            &error);
    if (bench.log == NULL) {
        fprintf(stderr, "bench_append: %s\n", error.message);
        return EXIT_FAILURE;
    }
    run(&bench, metrics, threads, seconds);
    result_log_close(bench.log);
    metrics_close(metrics);
    free(body);
    return atomic_load(&bench.failures) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
