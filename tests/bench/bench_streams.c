/* SPDX-License-Identifier: MIT */
/*
 * How many jobs a second go through one stream hook:
 *
 *     bench_streams DIRECTORY WORKER [JOBS [WINDOW [COPIES]]]
 *
 * DIRECTORY is made, filled and left there; WORKER is the command (bench_stream_echo). The jobs are
 * queued first. Each is picked, recorded as running, its body read from the log, its line written,
 * its answer read, and its end recorded, with a sync for each of the two records (shared by the
 * jobs of a round).
 */
#include <stdio.h>

#include "bench_engine.h"
#include "callbackd/clock.h"
#include "callbackd/log.h"

enum { RESULTS = 200 };

struct bench {
    struct bench_engine base;
    struct result_record results[RESULTS];
    int64_t jobs;
};

static int queue_jobs(struct state_tx *tx, void *context, struct error *error)
{
    struct bench *bench = context;
    for (int i = 0; i < RESULTS; i++) {
        if (state_result_insert(tx, &bench->results[i], error) != 0)
            return -1;
    }
    for (int64_t i = 0; i < bench->jobs; i++) {
        int queued;
        if (hook_engine_queue(
                bench->base.engine, tx, &bench->results[i % RESULTS], NULL, false, &queued,
                error) != 0)
            return -1;
    }
    return 0;
}

static void run(struct bench *bench)
{
    struct error error;
    for (int i = 0; i < RESULTS; i++)
        bench_engine_append(&bench->base, &bench->results[i]);
    bench_check(state_write(bench->base.state, queue_jobs, bench, &error), &error);
    int64_t start_ns = clock_monotonic_ns();
    double start_us = bench_own_us();
    int rounds = bench_engine_run(&bench->base, bench->jobs);
    double seconds = (double)(clock_monotonic_ns() - start_ns) / 1e9;
    printf(
        "%.0f jobs/s, %.0f jobs a round, own processor time %.1f us each\n",
        (double)bench->jobs / seconds, (double)bench->jobs / rounds,
        (bench_own_us() - start_us) / (double)bench->jobs);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench_streams DIRECTORY WORKER [JOBS [WINDOW [COPIES]]]\n");
        return 64;
    }
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_WARNING, "bench");
    char *command[] = {argv[2], NULL};
    struct config_hook hook = {
        .name = "echo",
        .when = {.type = CONDITION_ALL},
        .command = command,
        .directory = "/",
        .mode = MODE_STREAM,
        .window = (int)bench_option(argc, argv, 4, 512),
        .concurrency = (int)bench_option(argc, argv, 5, 1),
        .timeout_ms = 30000,
        .retry = {.attempts = 1},
    };
    struct bench bench = {
        .jobs = bench_option(argc, argv, 3, 100000),
        .base.config =
            {.hooks = &hook,
             .hook_count = 1,
             .hook_concurrency = 16,
             .hook_cgroups = true,
             .directory = "/"},
    };
    bench_engine_open(&bench.base, argv[1]);
    bench_engine_start(&bench.base);
    run(&bench);
    bench_engine_close(&bench.base);
    return 0;
}
