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
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/hooks.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

enum { RESULTS = 200 };

struct bench {
    struct config config;
    struct config_hook hook;
    struct state *state;
    struct result_log *log;
    struct hook_engine *engine;
    struct result_record results[RESULTS];
    int64_t jobs;
    bool done;
};

static int64_t option_at(int argc, char **argv, int index, int64_t fallback)
{
    int64_t value;
    bool given = index < argc && text_parse_int64(bytes_of_text(argv[index]), &value);
    return given && value > 0 ? value : fallback;
}

static void check(int result, const struct error *error)
{
    if (result == 0)
        return;
    fprintf(stderr, "bench_streams: %s\n", error->message);
    exit(1);
}

static void open_store(struct bench *bench, const char *directory)
{
    struct error error;
    check(os_make_directories(directory, 0700, &error), &error);
    check(store_prepare(directory, &error), &error);
    struct result_log_options options = {.directory = directory, .wake_fd = -1, .keep_rejected = 1};
    bench->log = result_log_open(&options, &error);
    check(bench->log ? 0 : -1, &error);
    bench->state = state_open(directory, &error);
    check(bench->state ? 0 : -1, &error);
}

static void append_result(struct bench *bench, struct result_record *result)
{
    struct error error;
    struct body_summary summary = {.status = STATUS_SUCCESS};
    struct result_post post = {
        .endpoint = "results",
        .kind = BODY_JSON,
        .summary = &summary,
        .delivery_id = "",
        .source = "callback",
        .received_at_ms = clock_wall_ms(),
        .remote_address = "192.0.2.1",
        .verified_by = "run-token",
        .content_type = "application/json",
        .headers_json = bytes_of_text("[]"),
        .body = bytes_of_text("{\"workflow_version_execution_id\":1,\"final_output\":\"done\"}"),
    };
    struct result_receipt receipt;
    check(result_log_append(bench->log, &post, &receipt, &error), &error);
    *result = (struct result_record){
        .seq = receipt.seq,
        .id = receipt.id,
        .endpoint = "results",
        .kind = BODY_JSON,
        .workflow = "bench",
        .event = "",
        .status = STATUS_SUCCESS,
        .triggered = true,
        .source = "callback",
        .revision = 1,
        .received_at_ms = post.received_at_ms,
        .remote_address = "192.0.2.1",
        .verified_by = "run-token",
        .content_type = "application/json",
        .size = (int64_t)post.body.length,
    };
}

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
                bench->engine, tx, &bench->results[i % RESULTS], NULL, false, &queued, error) != 0)
            return -1;
    }
    return 0;
}

static int look(struct state_tx *tx, void *context, struct error *error)
{
    struct bench *bench = context;
    struct hook_counts counts;
    if (state_hook_counts(tx, bench->hook.name, &counts, error) != 0)
        return -1;
    bench->done = counts.succeeded == bench->jobs;
    return counts.dead > 0 ? error_set(error, ERROR_INTERNAL, "a job died") : 0;
}

static void start_engine(struct bench *bench, const char *runtime, const char *cgroup)
{
    struct error error;
    check(os_make_directories(runtime, 0700, &error), &error);
    struct hook_engine_options options = {
        .config = &bench->config,
        .state = bench->state,
        .log = bench->log,
        .runtime_directory = runtime,
        .cgroup = cgroup,
    };
    bench->engine = hook_engine_start(&options, &error);
    check(bench->engine ? 0 : -1, &error);
    for (int i = 0; i < RESULTS; i++)
        append_result(bench, &bench->results[i]);
    check(state_write(bench->state, queue_jobs, bench, &error), &error);
}

static int run_engine(struct bench *bench)
{
    struct error error;
    int rounds = 0;
    while (!bench->done) {
        struct pollfd ready = {.fd = hook_engine_fd(bench->engine), .events = POLLIN};
        int64_t next_ms = hook_engine_next_ms(bench->engine);
        poll(&ready, 1, next_ms < 0 || next_ms > 1000 ? 1000 : (int)next_ms);
        check(hook_engine_run(bench->engine, &error), &error);
        rounds++;
        if (hook_engine_running(bench->engine) == 0)
            check(state_read(bench->state, look, bench, &error), &error);
    }
    return rounds;
}

static double own_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void configure(struct bench *bench, int argc, char **argv, char **command)
{
    bench->jobs = option_at(argc, argv, 3, 100000);
    bench->hook = (struct config_hook){
        .name = "echo",
        .when = {.type = CONDITION_ALL},
        .command = command,
        .directory = "/",
        .mode = MODE_STREAM,
        .window = (int)option_at(argc, argv, 4, 512),
        .concurrency = (int)option_at(argc, argv, 5, 1),
        .timeout_ms = 30000,
        .retry = {.attempts = 1},
    };
    bench->config = (struct config){
        .hooks = &bench->hook,
        .hook_count = 1,
        .hook_concurrency = 16,
        .hook_cgroups = true,
        .directory = "/"};
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench_streams DIRECTORY WORKER [JOBS [WINDOW [COPIES]]]\n");
        return 64;
    }
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_WARNING, "bench");
    char *command[] = {argv[2], NULL};
    struct bench bench = {.done = false};
    configure(&bench, argc, argv, command);
    open_store(&bench, argv[1]);
    CLEANUP_FREE char *runtime = text_format("/dev/shm/bench-streams.%d", (int)getpid());
    CLEANUP_FREE char *cgroup = text_format("bench-streams-%d", (int)getpid());
    start_engine(&bench, runtime, cgroup);
    int64_t start_ns = clock_monotonic_ns();
    double start_us = own_us();
    int rounds = run_engine(&bench);
    double seconds = (double)(clock_monotonic_ns() - start_ns) / 1e9;
    printf(
        "%.0f jobs/s, %.0f jobs a round, own processor time %.1f us each\n",
        (double)bench.jobs / seconds, (double)bench.jobs / rounds,
        (own_us() - start_us) / (double)bench.jobs);
    hook_engine_stop(bench.engine, 1000);
    state_close(bench.state);
    result_log_close(bench.log);
    rmdir(runtime);
    return 0;
}
