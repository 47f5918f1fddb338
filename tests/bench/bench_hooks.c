/* SPDX-License-Identifier: MIT */
/*
 * How many hooks a second the engine completes, beside a bare loop of posix_spawn and waitpid:
 *
 *     bench_hooks DIRECTORY [JOBS [CONCURRENCY [WITHOUT-CGROUPS]]]
 *
 * DIRECTORY is made, filled and left there. Each job runs /bin/true with a body on its stdin
 * and a body file, in a control group where one can be made (unless WITHOUT-CGROUPS is 1), and is
 * recorded as running and as ended with a sync each (shared by the jobs of a round). Prints one
 * line: bare/s, hooks/s, and their ratio.
 */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "bench_engine.h"
#include "callbackd/clock.h"
#include "callbackd/log.h"

static char program[] = "/bin/true";

struct bench {
    struct bench_engine base;
    struct result_record result;
    int64_t jobs;
};

static double rate(int64_t count, int64_t start_ns)
{
    return (double)count * 1e9 / (double)(clock_monotonic_ns() - start_ns);
}

static double run_bare(int64_t jobs)
{
    char *arguments[] = {program, NULL};
    char *environment[] = {NULL};
    int64_t start_ns = clock_monotonic_ns();
    for (int64_t i = 0; i < jobs; i++) {
        pid_t pid;
        if (posix_spawn(&pid, program, NULL, NULL, arguments, environment) != 0)
            exit(1);
        waitpid(pid, NULL, 0);
    }
    return rate(jobs, start_ns);
}

static int queue_jobs(struct state_tx *tx, void *context, struct error *error)
{
    struct bench *bench = context;
    if (state_result_insert(tx, &bench->result, error) != 0)
        return -1;
    for (int64_t i = 0; i < bench->jobs; i++) {
        int queued;
        if (hook_engine_queue(
                bench->base.engine, tx, &bench->result, NULL, false, &queued, error) != 0)
            return -1;
    }
    return 0;
}

static double run_engine(struct bench *bench)
{
    struct error error;
    bench_check(state_write(bench->base.state, queue_jobs, bench, &error), &error);
    int64_t start_ns = clock_monotonic_ns();
    (void)bench_engine_run(&bench->base, bench->jobs);
    return rate(bench->jobs, start_ns);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_hooks DIRECTORY [JOBS [CONCURRENCY [WITHOUT-CGROUPS]]]\n");
        return 64;
    }
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_WARNING, "bench");
    char *command[] = {program, NULL};
    int concurrency = (int)bench_option(argc, argv, 3, 16);
    struct config_hook hook = {
        .name = "true",
        .when = {.type = CONDITION_ALL},
        .command = command,
        .directory = "/",
        .timeout_ms = 30000,
        .concurrency = concurrency,
        .retry = {.attempts = 1},
    };
    struct bench bench = {
        .jobs = bench_option(argc, argv, 2, 10000),
        .base.config =
            {.hooks = &hook,
             .hook_count = 1,
             .hook_concurrency = concurrency,
             .hook_cgroups = bench_option(argc, argv, 4, 0) == 0,
             .directory = "/"},
    };
    double start_us = bench_own_us();
    double bare = run_bare(bench.jobs);
    double bare_us = (bench_own_us() - start_us) / (double)bench.jobs;
    bench_engine_open(&bench.base, argv[1]);
    bench_engine_append(&bench.base, &bench.result);
    bench_engine_start(&bench.base);
    start_us = bench_own_us();
    double hooks = run_engine(&bench);
    double hooks_us = (bench_own_us() - start_us) / (double)bench.jobs;
    printf("bare %.0f/s, hooks %.0f/s, ratio %.2f\n", bare, hooks, hooks / bare);
    printf("own processor time: bare %.0f us, hooks %.0f us each\n", bare_us, hooks_us);
    bench_engine_close(&bench.base);
    return 0;
}
