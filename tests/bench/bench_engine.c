/* SPDX-License-Identifier: MIT */
#include "bench_engine.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

enum { LOOK_MS = 1000, PATIENCE_MS = 1000 };

int64_t bench_option(int argc, char **argv, int index, int64_t fallback)
{
    int64_t value;
    bool given = index < argc && text_parse_int64(bytes_of_text(argv[index]), &value);
    return given && value > 0 ? value : fallback;
}

void bench_check(int result, const struct error *error)
{
    if (result == 0)
        return;
    fprintf(stderr, "benchmark: %s\n", error->message);
    exit(1);
}

double bench_own_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

void bench_engine_open(struct bench_engine *bench, const char *directory)
{
    struct error error;
    bench_check(os_make_directories(directory, 0700, &error), &error);
    bench_check(store_prepare(directory, &error), &error);
    struct result_log_options options = {.directory = directory, .wake_fd = -1, .keep_rejected = 1};
    bench->log = result_log_open(&options, &error);
    bench_check(bench->log ? 0 : -1, &error);
    bench->state = state_open(directory, &error);
    bench_check(bench->state ? 0 : -1, &error);
}

void bench_engine_append(struct bench_engine *bench, struct result_record *result_out)
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
    bench_check(result_log_append(bench->log, &post, &receipt, &error), &error);
    *result_out = (struct result_record){
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

void bench_engine_start(struct bench_engine *bench)
{
    struct error error;
    CLEANUP_FREE char *cgroup = text_format("bench-hooks-%d", (int)getpid());
    bench->runtime_directory = text_format("/dev/shm/bench-hooks.%d", (int)getpid());
    bench_check(os_make_directories(bench->runtime_directory, 0700, &error), &error);
    struct hook_engine_options options = {
        .config = &bench->config,
        .state = bench->state,
        .log = bench->log,
        .runtime_directory = bench->runtime_directory,
        .cgroup = cgroup,
    };
    bench->engine = hook_engine_start(&options, &error);
    bench_check(bench->engine ? 0 : -1, &error);
}

struct look {
    const char *hook;
    struct hook_counts counts;
};

static int look(struct state_tx *tx, void *context, struct error *error)
{
    struct look *look = context;
    if (state_hook_counts(tx, look->hook, &look->counts, error) != 0)
        return -1;
    if (look->counts.dead > 0)
        return error_set(error, ERROR_INTERNAL, "a job died");
    return 0;
}

int bench_engine_run(struct bench_engine *bench, int64_t jobs)
{
    struct look seen = {.hook = bench->config.hooks[0].name};
    struct error error;
    int rounds = 0;
    while (seen.counts.succeeded < jobs) {
        struct pollfd ready = {.fd = hook_engine_fd(bench->engine), .events = POLLIN};
        int64_t next_ms = hook_engine_next_ms(bench->engine);
        poll(&ready, 1, next_ms < 0 || next_ms > LOOK_MS ? LOOK_MS : (int)next_ms);
        bench_check(hook_engine_run(bench->engine, &error), &error);
        rounds++;
        if (hook_engine_running(bench->engine) == 0)
            bench_check(state_read(bench->state, look, &seen, &error), &error);
    }
    return rounds;
}

void bench_engine_close(struct bench_engine *bench)
{
    hook_engine_stop(bench->engine, PATIENCE_MS);
    state_close(bench->state);
    result_log_close(bench->log);
    rmdir(bench->runtime_directory);
    free(bench->runtime_directory);
}
