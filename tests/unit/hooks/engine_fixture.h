/* SPDX-License-Identifier: MIT */
/*
 * A hook engine on a store of its own in a temporary directory, with a configuration made by
 * hand. Nothing sleeps: everything waits on the engine's descriptor and timers, up to
 * WAIT_MAX_MS.
 */
#ifndef CALLBACKD_TESTS_ENGINE_FIXTURE_H
#define CALLBACKD_TESTS_ENGINE_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/hooks.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

enum { WAIT_MAX_MS = 60000, HOOKS_MAX = 8, ATTEMPTS_SEEN_MAX = 32 };

struct fixture {
    char *root; /* holds store, runtime and out */
    char *store;
    char *runtime;
    char *out; /* where hooks leave what is looked at; the working directory of all */
    struct config_hook hooks[HOOKS_MAX];
    struct config config;
    struct metrics *metrics;
    int metrics_fd;
    struct state *state;
    struct result_log *log;
    struct hook_engine *engine;
    char cgroup[32]; /* its name; made when config.hook_cgroups says so */
};

static inline void must(int result, const struct error *error)
{
    if (result != 0)
        fail_msg("%s", error->message);
}

/* ---- life ---- */

static inline char *make_directory(const char *root, const char *name)
{
    char *path = os_path_join(root, name);
    assert_int_equal(mkdir(path, 0700), 0);
    return path;
}

/* Directories and an empty store, nothing open. */
static inline struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    const char *temporary = getenv("TMPDIR");
    f->root = text_format("%s/hooks.XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(f->root));
    f->store = make_directory(f->root, "store");
    f->runtime = make_directory(f->root, "runtime");
    f->out = make_directory(f->root, "out");
    f->config = (struct config){.directory = f->out, .hooks = f->hooks, .hook_concurrency = 16};
    snprintf(f->cgroup, sizeof f->cgroup, "callbackd-test-%d", (int)getpid());
    f->config.limits.body_bytes = 16 * 1024 * 1024;
    struct error error;
    must(store_prepare(f->store, &error), &error);
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR, "test");
    return f;
}

static inline void fixture_open_store(struct fixture *f)
{
    struct error error;
    f->metrics = metrics_create(&f->metrics_fd, &error);
    assert_non_null(f->metrics);
    struct result_log_options options = {
        .directory = f->store, .metrics = f->metrics, .wake_fd = -1, .keep_rejected = 10};
    f->log = result_log_open(&options, &error);
    if (!f->log)
        fail_msg("%s", error.message);
    f->state = state_open(f->store, &error);
    if (!f->state)
        fail_msg("%s", error.message);
}

static inline void fixture_start(struct fixture *f)
{
    struct error error;
    struct hook_engine_options options = {
        .config = &f->config,
        .state = f->state,
        .log = f->log,
        .metrics = f->metrics,
        .runtime_directory = f->runtime,
        .cgroup = f->cgroup,
    };
    f->engine = hook_engine_start(&options, &error);
    if (!f->engine)
        fail_msg("%s", error.message);
}

static inline int remove_entry(
    const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static inline void fixture_free(struct fixture *f)
{
    if (f->engine)
        hook_engine_stop(f->engine, 0);
    state_close(f->state);
    result_log_close(f->log);
    metrics_close(f->metrics);
    if (f->metrics)
        close(f->metrics_fd);
    nftw(f->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f->root);
    free(f->store);
    free(f->runtime);
    free(f->out);
    free(f);
}

/* ---- hooks ---- */

/* A hook that takes everything, with the defaults of most tests; to be changed before start. */
static inline struct config_hook *fixture_hook(struct fixture *f, char *name)
{
    assert_true(f->config.hook_count < HOOKS_MAX);
    struct config_hook *hook = &f->hooks[f->config.hook_count++];
    *hook = (struct config_hook){
        .name = name,
        .when = {.type = CONDITION_ALL},
        .directory = f->out,
        .timeout_ms = 30000,
        .concurrency = 4,
        .mode_mask = 022,
        .retry = {.attempts = 3, .first_delay_ms = 1, .max_delay_ms = 4},
    };
    return hook;
}

/* Store opened and engine started, with one hook that runs this shell text. */
static inline struct fixture *fixture_with_shell(char *shell)
{
    struct fixture *f = fixture_new();
    fixture_hook(f, "hook")->shell = shell;
    fixture_open_store(f);
    fixture_start(f);
    return f;
}

/* ---- results and jobs ---- */

struct stored {
    struct result_post post;
    struct body_summary summary;
    struct result_receipt receipt;
    struct result_record record;
};

static inline int insert_result(struct state_tx *tx, void *context, struct error *error)
{
    return state_result_insert(tx, context, error);
}

/* A result in both databases; the texts of the record are literals. */
static inline struct result_record fixture_result(struct fixture *f, struct bytes body)
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
        .verified_by = "none",
        .content_type = "application/json",
        .headers_json = bytes_of_text("[[\"X-Test\",\"yes\"]]"),
        .body = body,
    };
    struct result_receipt receipt;
    must(result_log_append(f->log, &post, &receipt, &error), &error);
    struct result_record record = {
        .seq = receipt.seq,
        .id = receipt.id,
        .endpoint = "results",
        .kind = BODY_JSON,
        .workflow = "triage",
        .event = "",
        .status = STATUS_SUCCESS,
        .triggered = true,
        .source = "callback",
        .revision = 1,
        .received_at_ms = post.received_at_ms,
        .remote_address = "192.0.2.1",
        .verified_by = "none",
        .content_type = "application/json",
        .size = (int64_t)body.length,
    };
    must(state_write(f->state, insert_result, &record, &error), &error);
    return record;
}

struct queueing {
    struct fixture *fixture;
    const struct result_record *result;
    const char *only_hook;
    bool replay;
    int jobs;
};

static inline int queue_work(struct state_tx *tx, void *context, struct error *error)
{
    struct queueing *q = context;
    return hook_engine_queue(
        q->fixture->engine, tx, q->result, q->only_hook, q->replay, &q->jobs, error);
}

static inline int fixture_queue(struct fixture *f, const struct result_record *result)
{
    struct error error;
    struct queueing q = {f, result, NULL, false, 0};
    must(state_write(f->state, queue_work, &q, &error), &error);
    return q.jobs;
}

/* Stores a body and queues what it triggers. */
static inline struct result_record fixture_post(struct fixture *f, const char *body)
{
    struct result_record record = fixture_result(f, bytes_of_text(body));
    fixture_queue(f, &record);
    return record;
}

/* ---- looking ---- */

/* The newest job of a hook (NULL: any), with its attempts; output copied. */
struct seen_attempt {
    int number;
    enum attempt_outcome outcome;
    int exit_code;
    int signal;
    int64_t started_at_ms;
    int64_t ended_at_ms;
    bool truncated;
    size_t output_length;
    size_t error_length;
    char output[1024]; /* the last bytes of it */
    char errors[1024];
    char message[256];
};
struct seen {
    const char *hook;
    bool found;
    struct id id;
    enum job_state state;
    int attempts_made;
    int64_t next_at_ms;
    int64_t created_at_ms;
    int64_t ended_at_ms;
    bool replay;
    char reason[256];
    int attempt_count;
    struct seen_attempt attempts[ATTEMPTS_SEEN_MAX];
};

static inline void copy_end(char *out, size_t out_bytes, struct bytes bytes)
{
    size_t length = bytes.length < out_bytes - 1 ? bytes.length : out_bytes - 1;
    if (length > 0)
        memcpy(out, bytes.data + bytes.length - length, length);
    out[length] = '\0';
}

static inline int see_attempt(void *context, const struct attempt_record *attempt)
{
    struct seen *seen = context;
    assert_true(seen->attempt_count < ATTEMPTS_SEEN_MAX);
    struct seen_attempt *to = &seen->attempts[seen->attempt_count++];
    to->number = attempt->number;
    to->outcome = attempt->outcome;
    to->exit_code = attempt->exit_code;
    to->signal = attempt->signal;
    to->started_at_ms = attempt->started_at_ms;
    to->ended_at_ms = attempt->ended_at_ms;
    to->truncated = attempt->output_truncated;
    to->output_length = attempt->standard_output.length;
    to->error_length = attempt->standard_error.length;
    copy_end(to->output, sizeof to->output, attempt->standard_output);
    copy_end(to->errors, sizeof to->errors, attempt->standard_error);
    copy_end(to->message, sizeof to->message, bytes_of_text(attempt->message));
    return 0;
}

static inline int see_job(void *context, const struct job_record *job)
{
    struct seen *seen = context;
    seen->found = true;
    seen->id = job->id;
    seen->state = job->state;
    seen->attempts_made = job->attempts_made;
    seen->next_at_ms = job->next_at_ms;
    seen->created_at_ms = job->created_at_ms;
    seen->ended_at_ms = job->ended_at_ms;
    seen->replay = job->replay;
    copy_end(seen->reason, sizeof seen->reason, bytes_of_text(job->reason));
    return 0;
}

static inline int see_work(struct state_tx *tx, void *context, struct error *error)
{
    struct seen *seen = context;
    struct job_filter filter = {.hook = seen->hook, .state = -1, .limit = 1};
    if (state_job_list(tx, &filter, see_job, seen, error) != 0)
        return -1;
    return seen->found ? state_attempt_list(tx, &seen->id, see_attempt, seen, error) : 0;
}

static inline struct seen fixture_see(struct fixture *f, const char *hook)
{
    struct error error;
    struct seen seen = {.hook = hook};
    must(state_read(f->state, see_work, &seen, &error), &error);
    return seen;
}

struct counting {
    const char *hook;
    struct hook_counts counts;
};

static inline int count_work(struct state_tx *tx, void *context, struct error *error)
{
    struct counting *counting = context;
    return state_hook_counts(tx, counting->hook, &counting->counts, error);
}

static inline struct hook_counts fixture_counts(struct fixture *f, const char *hook)
{
    struct error error;
    struct counting counting = {.hook = hook};
    must(state_read(f->state, count_work, &counting, &error), &error);
    return counting.counts;
}

/* ---- changing, as other threads would ---- */

struct change {
    struct id job;
    void (*apply)(struct job_record *job);
};

static inline int change_work(struct state_tx *tx, void *context, struct error *error)
{
    const struct change *change = context;
    struct job_record job = {0};
    if (state_job_get(tx, &change->job, &job, error) != 0)
        return -1;
    change->apply(&job);
    int result = state_job_update(tx, &job, error);
    job_record_fini(&job);
    return result;
}

static inline void fixture_change(
    struct fixture *f, const struct id *job, void (*apply)(struct job_record *job))
{
    struct error error;
    struct change change = {*job, apply};
    must(state_write(f->state, change_work, &change, &error), &error);
}

static inline void put_back(struct job_record *job)
{
    job->state = JOB_WAITING;
    job->next_at_ms = clock_wall_ms(); /* the queue's clock, as long as nobody sets the other */
    job->ended_at_ms = 0;
    free(job->reason);
    job->reason = NULL;
}

struct pausing {
    const char *hook;
    bool paused;
};

static inline int pause_work(struct state_tx *tx, void *context, struct error *error)
{
    const struct pausing *pausing = context;
    return state_hook_set_paused(tx, pausing->hook, pausing->paused, error);
}

static inline void fixture_pause(struct fixture *f, const char *hook, bool paused)
{
    struct error error;
    struct pausing pausing = {hook, paused};
    must(state_write(f->state, pause_work, &pausing, &error), &error);
}

/* ---- running ---- */

/* One turn of an owner's loop: waits for the engine, at most `wait_ms`. */
static inline void fixture_turn(struct fixture *f, int wait_ms)
{
    struct error error;
    int64_t next_ms = hook_engine_next_ms(f->engine);
    if (next_ms >= 0 && next_ms < wait_ms)
        wait_ms = (int)next_ms;
    struct pollfd ready = {.fd = hook_engine_fd(f->engine), .events = POLLIN};
    poll(&ready, 1, wait_ms);
    must(hook_engine_run(f->engine, &error), &error);
}

/* Runs until `done` says so. */
static inline void fixture_run(struct fixture *f, bool (*done)(struct fixture *f))
{
    int64_t give_up_ms = clock_monotonic_ms() + WAIT_MAX_MS;
    while (!done(f)) {
        if (clock_monotonic_ms() > give_up_ms)
            fail_msg("nothing came of it within %d ms", WAIT_MAX_MS);
        fixture_turn(f, 20);
    }
}

/* Nothing waits, nothing runs, in no hook of the configuration. */
static inline bool all_ended(struct fixture *f)
{
    for (size_t i = 0; i < f->config.hook_count; i++) {
        struct hook_counts counts = fixture_counts(f, f->hooks[i].name);
        if (counts.waiting > 0 || counts.running > 0)
            return false;
    }
    return hook_engine_running(f->engine) == 0;
}

/* ---- files that hooks leave in `out` ---- */

static inline bool has_file(struct fixture *f, const char *name)
{
    CLEANUP_FREE char *path = os_path_join(f->out, name);
    return access(path, F_OK) == 0;
}

/* The content; fails when there is no such file. The caller ends the buffer. */
static inline struct buffer read_out(struct fixture *f, const char *name)
{
    CLEANUP_FREE char *path = os_path_join(f->out, name);
    struct buffer content;
    struct error error;
    buffer_init(&content, 64 * 1024 * 1024);
    must(os_read_file(path, &content, &error), &error);
    return content;
}

/* The pids in a file, one a line. */
static inline size_t read_pids(struct fixture *f, const char *name, pid_t *pids, size_t max)
{
    struct buffer content = read_out(f, name);
    size_t count = 0;
    const char *at = buffer_text(&content);
    for (char *end; *at != '\0' && count < max; at = end + 1) {
        pids[count++] = (pid_t)strtol(at, &end, 10);
        if (*end == '\0')
            break;
    }
    buffer_fini(&content);
    return count;
}

/* Gone or a zombie. */
static inline bool is_dead(pid_t pid)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, 4096);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (os_read_file(path, &text, NULL) != 0)
        return true;
    const char *state = strrchr(buffer_text(&text), ')');
    return state && (state[2] == 'Z' || state[2] == 'X');
}

#endif
