/* SPDX-License-Identifier: MIT */
/* From a picked job to a process: body, arguments, environment, spawn. */
#include <signal.h>
#include <stdlib.h>

#include "body_file.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "engine_private.h"

/* Everything that an attempt is made of while it is being started. */
struct launch {
    struct buffer body;
    int body_fd;
    char *body_path;
    char **arguments;
    char **environment;
};

static void launch_fini(struct launch *launch)
{
    buffer_fini(&launch->body);
    os_close(launch->body_fd);
    free(launch->body_path);
    hook_strings_free(launch->arguments);
    hook_strings_free(launch->environment);
}

static int load_body(
    struct hook_engine *engine, const struct running *running, struct launch *launch,
    struct error *error)
{
    if (result_log_body(engine->log, running->result.seq, &launch->body, error) != 0)
        return error_prefix(error, "cannot load the result's body");
    launch->body_path = os_path_join(engine->runtime_directory, running->job_text);
    if (!launch->body_path)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    return 0;
}

static int make_words(
    const struct running *running, const struct config_hook *hook, struct launch *launch,
    struct error *error)
{
    struct hook_values values = {
        .hook = hook,
        .result = &running->result,
        .job_id = running->job_text,
        .body_file = launch->body_path,
        .death = running->death,
        .home = running->slot->identity.home,
        .attempt = running->number,
        .replay = running->replay,
        .body = buffer_bytes(&launch->body),
    };
    if (hook_arguments(&values, &launch->arguments, error) != 0)
        return -1;
    return hook_environment(&values, &launch->environment, error);
}

static int spawn(
    struct hook_engine *engine, struct running *running, const struct config_hook *hook,
    struct launch *launch, struct error *error)
{
    launch->body_fd = body_file_make(
        engine->runtime_fd, running->job_text, buffer_bytes(&launch->body),
        running->slot->nature.identity, error);
    if (launch->body_fd < 0)
        return -1;
    struct process_spec spec = {
        .arguments = launch->arguments,
        .environment = launch->environment,
        .directory = hook->directory ? hook->directory : engine->config->directory,
        .stdin_fd = launch->body_fd,
        .nature = &running->slot->nature,
    };
    if (process_spawn(&spec, &running->process, error) != 0)
        return -1;
    if (running_watch(running, engine->epoll_fd, hook->timeout_ms, error) == 0)
        return 0;
    process_signal_group(&running->process, SIGKILL);
    process_close(&running->process);
    return -1;
}

static int launch(struct hook_engine *engine, struct running *running, struct error *error)
{
    const struct config_hook *hook = running->slot->hook;
    struct launch launch = {.body_fd = -1};
    int64_t size = running->result.size;
    buffer_init(&launch.body, (size_t)(size > 0 ? size : 0));
    int result = load_body(engine, running, &launch, error);
    if (result == 0)
        result = make_words(running, hook, &launch, error);
    if (result == 0)
        result = spawn(engine, running, hook, &launch, error);
    launch_fini(&launch);
    return result;
}

/* What the same job would meet again, however often it were tried. */
static bool is_fatal(enum error_code code)
{
    return code == ERROR_INVALID || code == ERROR_NOT_FOUND || code == ERROR_TOO_LARGE;
}

void starter_start(struct hook_engine *engine, struct running *running)
{
    struct error error;
    metrics_add(engine->metrics, METRIC_ATTEMPTS, 1);
    if (launch(engine, running, &error) != 0) {
        body_file_remove(engine->runtime_fd, running->job_text);
        running_fail(running, error.message, is_fatal(error.code));
        running->next = engine->ended;
        engine->ended = running;
        return;
    }
    log_debug(
        "job started", LOG_TEXT("hook", running->hook), LOG_TEXT("job", running->job_text),
        LOG_INT("attempt", running->number), LOG_INT("pid", running->process.pid));
    running->next = engine->active;
    engine->active = running;
    engine->active_count++;
    running->slot->running++;
    metrics_set(engine->metrics, METRIC_JOBS_RUNNING, engine->active_count);
}
