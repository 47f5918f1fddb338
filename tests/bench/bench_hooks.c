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
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/hooks.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

static char program[] = "/bin/true";

struct bench {
    struct config config;
    struct config_hook hook;
    struct state *state;
    struct result_log *log;
    struct hook_engine *engine;
    struct result_record result;
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
    fprintf(stderr, "bench_hooks: %s\n", error->message);
    exit(1);
}

/* Processor time of this process alone, in microseconds: what others do beside it hardly counts. */
static double own_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

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

static int insert_result(struct state_tx *tx, void *context, struct error *error)
{
    struct bench *bench = context;
    return state_result_insert(tx, &bench->result, error);
}

static void append_result(struct bench *bench)
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
    bench->result = (struct result_record){
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
    check(state_write(bench->state, insert_result, bench, &error), &error);
}

static int queue_jobs(struct state_tx *tx, void *context, struct error *error)
{
    struct bench *bench = context;
    for (int64_t i = 0; i < bench->jobs; i++) {
        int queued;
        if (hook_engine_queue(bench->engine, tx, &bench->result, NULL, false, &queued, error) != 0)
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
    bench->done = counts.waiting == 0 && counts.running == 0;
    if (counts.dead > 0)
        return error_set(error, ERROR_INTERNAL, "a job died");
    return 0;
}

static double run_engine(struct bench *bench)
{
    struct error error;
    check(state_write(bench->state, queue_jobs, bench, &error), &error);
    int64_t start_ns = clock_monotonic_ns();
    while (!bench->done) {
        struct pollfd ready = {.fd = hook_engine_fd(bench->engine), .events = POLLIN};
        int64_t next_ms = hook_engine_next_ms(bench->engine);
        poll(&ready, 1, next_ms < 0 || next_ms > 1000 ? 1000 : (int)next_ms);
        check(hook_engine_run(bench->engine, &error), &error);
        if (hook_engine_running(bench->engine) == 0)
            check(state_read(bench->state, look, bench, &error), &error);
    }
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
    struct bench bench = {.jobs = option_at(argc, argv, 2, 10000)};
    int concurrency = (int)option_at(argc, argv, 3, 16);
    bench.hook = (struct config_hook){
        .name = "true",
        .when = {.type = CONDITION_ALL},
        .command = command,
        .directory = "/",
        .timeout_ms = 30000,
        .concurrency = concurrency,
        .retry = {.attempts = 1},
    };
    bench.config = (struct config){
        .hooks = &bench.hook,
        .hook_count = 1,
        .hook_concurrency = concurrency,
        .hook_cgroups = option_at(argc, argv, 4, 0) == 0,
        .directory = "/"};
    double start_us = own_us();
    double bare = run_bare(bench.jobs);
    double bare_us = (own_us() - start_us) / (double)bench.jobs;
    open_store(&bench, argv[1]);
    append_result(&bench);
    CLEANUP_FREE char *runtime = text_format("/dev/shm/bench-hooks.%d", (int)getpid());
    CLEANUP_FREE char *cgroup = text_format("bench-hooks-%d", (int)getpid());
    struct error error;
    check(os_make_directories(runtime, 0700, &error), &error);
    struct hook_engine_options options = {
        .config = &bench.config,
        .state = bench.state,
        .log = bench.log,
        .runtime_directory = runtime,
        .cgroup = cgroup,
    };
    bench.engine = hook_engine_start(&options, &error);
    check(bench.engine ? 0 : -1, &error);
    start_us = own_us();
    double hooks = run_engine(&bench);
    double hooks_us = (own_us() - start_us) / (double)bench.jobs;
    printf("bare %.0f/s, hooks %.0f/s, ratio %.2f\n", bare, hooks, hooks / bare);
    printf("own processor time: bare %.0f us, hooks %.0f us each\n", bare_us, hooks_us);
    hook_engine_stop(bench.engine, 0);
    state_close(bench.state);
    result_log_close(bench.log);
    rmdir(runtime);
    return 0;
}
