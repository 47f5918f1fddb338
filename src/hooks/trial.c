/* SPDX-License-Identifier: MIT */
/* A hook run once, by the engine's own parts and without its queue. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "body_file.h"
#include "callbackd/clock.h"
#include "callbackd/hook_trial.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "engine_private.h"
#include "explain.h"
#include "header.h"
#include "http_hook.h"
#include "process_table.h"
#include "stream_answer.h"
#include "stream_line.h"
#include "stream_recipe.h"

enum { EVENTS = 8, WAIT_MAX_MS = 60000, MS_PER_S = 1000 };

/* Everything that is made for it and removed after it. */
struct bench {
    const struct hook_trial_request *request;
    struct config_hook hook; /* the request's: what it points to is not ours */
    struct config config;    /* of the one hook */
    struct hook_slot *slot;
    struct running *running;
    struct http_hooks *http; /* of an http hook; NULL */
    struct http_message message;
    char *directory; /* of the body file; removed */
    int directory_fd;
    char *body_path;
    int body_fd;
    int epoll_fd;
    int signal_fd;
    sigset_t signals_before;
};

static void bench_fini(struct bench *bench)
{
    if (bench->signal_fd >= 0)
        sigprocmask(SIG_SETMASK, &bench->signals_before, NULL);
    os_close(bench->signal_fd);
    if (bench->directory_fd >= 0)
        body_file_remove(bench->directory_fd, bench->running->job_text);
    running_free(bench->running); /* before what it is connected by */
    http_message_fini(&bench->message);
    http_hooks_free(bench->http);
    os_close(bench->epoll_fd);
    os_close(bench->body_fd);
    if (bench->directory)
        (void)rmdir(bench->directory);
    os_close(bench->directory_fd);
    free(bench->directory);
    free(bench->body_path);
    slots_free(bench->slot, bench->slot ? 1 : 0);
}

/* ---- making it ---- */

/* A copy of a text that may be NULL. -1: memory is short. */
static int copy_given(const char *text, char **copy_out)
{
    *copy_out = text ? text_copy(text) : NULL;
    return text && !*copy_out ? -1 : 0;
}

static bool keep_value(void *context, struct bytes value)
{
    struct buffer *out = context;
    buffer_append_bytes(out, value);
    return true;
}

/* What the post would have said of its body, "" when nothing. */
static char *content_type_of(struct bytes headers_json)
{
    CLEANUP_BUFFER struct buffer value;
    bool starved;
    buffer_init(&value, headers_json.length);
    header_find(headers_json, "Content-Type", keep_value, &value, &starved);
    return text_copy(buffer_text(&value));
}

/* The engine's record of the result. On -1, too, what it holds is to be released. */
static int fill_result(
    const struct hook_trial_request *request, struct result_record *result, struct error *error)
{
    *result = (struct result_record){
        .seq = 1,
        .id = id_new(),
        .kind = request->endpoint->kind,
        .has_execution_id = request->has_execution_id,
        .execution_id = request->execution_id,
        .status = request->status,
        .revision = 1,
        .received_at_ms = clock_wall_ms(),
        .size = (int64_t)request->body.length,
    };
    if (copy_given(request->endpoint->name, &result->endpoint) == 0 &&
        copy_given("", &result->key) == 0 &&
        copy_given(request->workflow, &result->workflow) == 0 &&
        copy_given(request->event, &result->event) == 0 &&
        copy_given("callback", &result->source) == 0 &&
        (result->content_type = content_type_of(request->headers_json)) != NULL)
        return 0;
    error_set(error, ERROR_MEMORY, "no memory for a result");
    return -1;
}

/* A folder that another user's hook can pass through, but not list. */
static int make_directory(struct bench *bench, struct error *error)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing of ours changes the environment */
    const char *temporary = getenv("TMPDIR");
    bench->directory =
        os_path_join(temporary && temporary[0] == '/' ? temporary : "/tmp", "callbackd-XXXXXX");
    if (!bench->directory)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    if (!mkdtemp(bench->directory))
        return error_set_errno(error, ERROR_IO, errno, "cannot make %s", bench->directory);
    bench->directory_fd = open(bench->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (bench->directory_fd < 0 || fchmod(bench->directory_fd, 0711) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot open %s", bench->directory);
    bench->body_path = os_path_join(bench->directory, bench->running->job_text);
    return bench->body_path ? 0 : error_set(error, ERROR_MEMORY, "no memory for a path");
}

static int bench_init(
    struct bench *bench, const struct hook_trial_request *request, struct error *error)
{
    *bench = (struct bench){
        .request = request,
        .hook = *request->hook,
        .config = {.hooks = &bench->hook, .hook_count = 1, .directory = request->config->directory},
        .directory_fd = -1,
        .body_fd = -1,
        .epoll_fd = -1,
        .signal_fd = -1,
    };
    struct hook_slot *slot;
    if (slots_make(&bench->config, &slot, error) != 0)
        return -1;
    bench->slot = slot;
    bench->running = running_new(request->hook->name);
    if (!bench->running) {
        error_set(error, ERROR_MEMORY, "no memory for a job");
        return -1;
    }
    /* Of a stream, too, one process is started and seen to its end. */
    if (request->hook->mode != MODE_STREAM)
        bench->running->kind = bench->slot->kind;
    bench->running->job = id_new();
    id_format(&bench->running->job, bench->running->job_text);
    bench->running->has_result = true;
    if (fill_result(request, &bench->running->result, error) != 0)
        return -1;
    return bench->running->kind->has_body_file ? make_directory(bench, error) : 0;
}

/* ---- before it runs ---- */

static int make_request(
    struct bench *bench, const struct hook_values *values, struct hook_trial *trial,
    struct error *error)
{
    if (http_message_make(values, clock_wall_ms() / MS_PER_S, &bench->message, error) != 0)
        return -1;
    return http_message_show(&bench->message, &values->hook->http, &trial->request, error);
}

static int make_words(struct bench *bench, struct hook_trial *trial, struct error *error)
{
    const struct config_hook *hook = bench->request->hook;
    char reason[] = "exit 1";
    struct hook_values values = {
        .hook = hook,
        .result = &bench->running->result,
        .job_id = bench->running->job_text,
        .body_file = bench->body_path,
        .home = bench->slot->identity.home,
        .attempt = 1,
        .body = bench->request->body,
    };
    if (hook->takes == TAKES_DEAD)
        values.death = (struct job_death){bench->running->job_text, hook->name, reason};
    if (hook->http.enabled)
        return make_request(bench, &values, trial, error);
    if (hook_arguments(&values, &trial->arguments, error) != 0)
        return -1;
    if (hook->mode != MODE_STREAM)
        return hook_environment(&values, &trial->environment, error);
    stream_line_append(&values, &trial->line);
    if (buffer_failed(&trial->line))
        return error_set(error, ERROR_MEMORY, "no memory for a line");
    return stream_environment(&values, bench->running->job_text, &trial->environment, error);
}

/* ---- running it ---- */

/* An interrupted trial ends its hook, which is in a session of its own and would live on. */
static int watch_signals(struct bench *bench, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    bench->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (bench->epoll_fd < 0 || sigprocmask(SIG_BLOCK, &signals, &bench->signals_before) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot watch a process");
    bench->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (bench->signal_fd < 0) {
        sigprocmask(SIG_SETMASK, &bench->signals_before, NULL);
        return error_set_errno(error, ERROR_IO, errno, "cannot watch for signals");
    }
    if (epoll_ctl(bench->epoll_fd, EPOLL_CTL_ADD, bench->signal_fd, &event) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot watch for signals");
    return 0;
}

static int start_request(struct bench *bench, struct error *error)
{
    const struct hook_trial_request *request = bench->request;
    /* A server that goes away is an answer that does not come, and not our end. */
    signal(SIGPIPE, SIG_IGN);
    bench->http = http_hooks_new(bench->epoll_fd, error);
    if (!bench->http)
        return -1;
    return http_hook_send(
        bench->http, bench->running, request->hook, &bench->message, request->body, error);
}

static int start_process(struct bench *bench, const struct hook_trial *trial, struct error *error)
{
    const struct hook_trial_request *request = bench->request;
    struct running *running = bench->running;
    bool is_stream = request->hook->mode == MODE_STREAM;
    bench->body_fd = body_file_make(
        bench->directory_fd, running->job_text,
        is_stream ? buffer_bytes(&trial->line) : request->body, bench->slot->nature.identity,
        error);
    if (bench->body_fd < 0)
        return -1;
    struct process_spec spec = {
        .arguments = trial->arguments,
        .environment = trial->environment,
        .directory =
            request->hook->directory ? request->hook->directory : request->config->directory,
        .stdin_fd = bench->body_fd,
        .nature = &bench->slot->nature,
    };
    if (process_spawn(&spec, &running->process, error) != 0)
        return -1;
    if (running_watch(running, bench->epoll_fd, request->hook->timeout_ms, error) == 0)
        return 0;
    process_signal_group(&running->process, SIGKILL);
    process_close(&running->process);
    return -1;
}

static int start(struct bench *bench, const struct hook_trial *trial, struct error *error)
{
    return bench->request->hook->http.enabled ? start_request(bench, error)
                                              : start_process(bench, trial, error);
}

/* Stops what is over its time (or was asked to end), looks after what was stopped. true: ended. */
static bool attend(struct bench *bench, bool stop)
{
    struct running *running = bench->running;
    struct process_table table = {.count = 0};
    bool is_due = clock_monotonic_ms() >= running_due_ms(running);
    bool ended = false;
    if (!stop && !is_due)
        return false;
    if (process_table_read(&table, NULL) == 0) {
        if (running->phase == RUNNING_NORMAL)
            running_stop(running, &table, stop ? STOP_CANCEL : STOP_TIMEOUT);
        else
            ended = running_look(running, bench->epoll_fd, &table);
    }
    process_table_fini(&table);
    return ended;
}

static int wait_ms(const struct running *running)
{
    int64_t left_ms = running_due_ms(running) - clock_monotonic_ms();
    if (left_ms < 0)
        return 0;
    return left_ms < WAIT_MAX_MS ? (int)left_ms : WAIT_MAX_MS;
}

static void wait_for_end(struct bench *bench)
{
    bool ended = false;
    while (!ended) {
        struct epoll_event events[EVENTS];
        bool stop = false;
        int count = epoll_wait(bench->epoll_fd, events, EVENTS, wait_ms(bench->running));
        for (int i = 0; i < count && !ended; i++) {
            struct signalfd_siginfo signal;
            if (events[i].data.ptr && events[i].data.ptr == bench->http)
                ended = http_hooks_next_ended(bench->http) != NULL;
            else if (events[i].data.ptr)
                ended = running_event(bench->running, bench->epoll_fd, events[i].data.ptr);
            else
                stop = read(bench->signal_fd, &signal, sizeof(signal)) > 0;
        }
        ended = ended || attend(bench, stop);
    }
}

static int copy_tail(struct tail *tail, struct buffer *out, struct error *error)
{
    return buffer_append_bytes(out, tail_content(tail)) == 0
               ? 0
               : error_set(error, ERROR_MEMORY, "no memory for output");
}

/* ---- what a stream said ---- */

static void take_answer(
    struct hook_trial *trial, const struct stream_answer *answer, const struct running *running)
{
    static const char *const names[] = {
        [STREAM_OK] = "ok",
        [STREAM_RETRY] = "retry",
        [STREAM_FAIL] = "fail",
        [STREAM_OTHER] = "a status that is none"};
    free(trial->answer);
    trial->answered_ok = id_equal(&answer->job, &running->job) && answer->status == STREAM_OK;
    trial->answer = id_equal(&answer->job, &running->job)
                        ? text_format(
                              "%s%s%s", names[answer->status],
                              answer->message.length > 0 ? ": " : "", buffer_text(&answer->message))
                        : text_copy("of another job");
}

/* The first line that says something decides; the daemon would take no other for the job. */
static int read_answer(struct bytes output, struct running *running, struct hook_trial *trial)
{
    struct stream_answer answer;
    struct error error = {0};
    const unsigned char *line = output.data;
    size_t left = output.length;
    trial->answer = text_copy("none");
    stream_answer_init(&answer);
    while (left > 0 && (*line == '\n' || *line == '\r')) {
        line++;
        left--;
    }
    const unsigned char *newline = left > 0 ? memchr(line, '\n', left) : NULL;
    if (newline &&
        stream_answer_parse(&answer, bytes_of(line, (size_t)(newline - line)), &error) == 0) {
        take_answer(trial, &answer, running);
    } else if (left > 0) {
        free(trial->answer);
        trial->answer =
            text_format("a line that is no answer (%s)", newline ? error.message : "it has no end");
    }
    stream_answer_fini(&answer);
    return trial->answer ? 0 : -1;
}

static int take_end(const struct bench *bench, struct hook_trial *trial, struct error *error)
{
    struct running *running = bench->running;
    trial->outcome = attempt_outcome_name(running->outcome);
    trial->exit_code = running->exit_code;
    trial->signal = running->signal;
    trial->duration_ms = running->duration_ms;
    trial->output_truncated = running->tails[0].cut || running->tails[1].cut;
    trial->message = text_copy(running->message);
    if (running->message && !trial->message)
        return error_set(error, ERROR_MEMORY, "no memory for a message");
    if (copy_tail(&running->tails[0], &trial->output, error) != 0)
        return -1;
    if (bench->hook.mode == MODE_STREAM &&
        read_answer(buffer_bytes(&trial->output), running, trial) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for an answer");
    return copy_tail(&running->tails[1], &trial->errors, error);
}

static int say_why_not(struct hook_trial *trial, const struct error *why, struct error *error)
{
    trial->outcome = attempt_outcome_name(ATTEMPT_SPAWN_ERROR);
    trial->message = text_copy(why->message);
    return trial->message ? 0 : error_set(error, ERROR_MEMORY, "no memory for a message");
}

static int run(struct bench *bench, struct hook_trial *trial, struct error *error)
{
    struct error why = {0};
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot become a subreaper");
    if (watch_signals(bench, error) != 0)
        return -1;
    if (start(bench, trial, &why) != 0)
        return say_why_not(trial, &why, error);
    wait_for_end(bench);
    return take_end(bench, trial, error);
}

/* ---- all of it ---- */

static int try(struct bench *bench, struct hook_trial *trial, struct error *error)
{
    const struct hook_trial_request *request = bench->request;
    struct hook_subject subject = {&bench->running->result, request->headers_json, request->body};
    struct error why = {0};
    if (explain_match(bench->slot->matcher, request->hook, &subject, trial, error) != 0)
        return -1;
    if (make_words(bench, trial, &why) != 0)
        return say_why_not(trial, &why, error);
    return request->dry_run ? 0 : run(bench, trial, error);
}

int hook_trial_run(
    const struct hook_trial_request *request, struct hook_trial *trial_out, struct error *error)
{
    struct bench bench;
    *trial_out = (struct hook_trial){.exit_code = -1};
    buffer_init(&trial_out->output, TAIL_BYTES_MAX);
    buffer_init(&trial_out->errors, TAIL_BYTES_MAX);
    buffer_init(&trial_out->line, INT32_MAX);
    int result = bench_init(&bench, request, error);
    if (result == 0)
        result = try(&bench, trial_out, error);
    bench_fini(&bench);
    return result;
}

void hook_trial_fini(struct hook_trial *trial)
{
    for (size_t i = 0; i < trial->condition_count; i++)
        free(trial->conditions[i].text);
    free(trial->conditions);
    hook_strings_free(trial->arguments);
    hook_strings_free(trial->environment);
    hook_strings_free(trial->request);
    free(trial->message);
    free(trial->answer);
    buffer_fini(&trial->line);
    buffer_fini(&trial->output);
    buffer_fini(&trial->errors);
}
