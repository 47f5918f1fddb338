/* SPDX-License-Identifier: MIT */
/* From a picked job to a process: body, arguments, environment, spawn; and what other kinds of
 * hooks start with, too. */
#include <signal.h>
#include <stdlib.h>

#include "body_file.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "engine_private.h"
#include "process_table.h"

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

int starter_load_body(
    struct hook_engine *engine, const struct running *running, struct buffer *body,
    struct error *error)
{
    int64_t size = running->result.size;
    buffer_init(body, (size_t)(size > 0 ? size : 0));
    if (result_log_body(engine->log, running->result.seq, body, error) != 0)
        return error_prefix(error, "cannot load the result's body");
    return 0;
}

struct hook_values starter_values(
    const struct running *running, const char *body_path, struct bytes body)
{
    return (struct hook_values){
        .hook = running->slot->hook,
        .result = &running->result,
        .job_id = running->job_text,
        .body_file = body_path,
        .death = running->death,
        .home = running->slot->identity.home,
        .attempt = running->number,
        .replay = running->replay,
        .body = body,
    };
}

static int load(
    struct hook_engine *engine, const struct running *running, struct launch *launch,
    struct error *error)
{
    if (starter_load_body(engine, running, &launch->body, error) != 0)
        return -1;
    launch->body_path = os_path_join(engine->runtime_directory, running->job_text);
    if (!launch->body_path)
        return error_set(error, ERROR_MEMORY, "no memory for a path");
    return 0;
}

static int make_words(const struct running *running, struct launch *launch, struct error *error)
{
    const struct hook_values values =
        starter_values(running, launch->body_path, buffer_bytes(&launch->body));
    if (hook_arguments(&values, &launch->arguments, error) != 0)
        return -1;
    return hook_environment(&values, &launch->environment, error);
}

/* One in which nothing can be started any more (somebody outside changed it) is given up; what was
 * started beside it is searched for when it is to be killed. */
static void take_group(struct hook_engine *engine, struct running *running, struct job_group *group)
{
    running->group = running->process.in_group ? group : NULL;
    if (running->group || !group)
        return;
    log_warning(
        "a hook could not be started in its control group", LOG_TEXT("job", running->job_text));
    job_groups_discard(engine->groups, group);
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
    struct job_group *group = job_groups_take(engine_groups(engine));
    struct process_spec spec = {
        .arguments = launch->arguments,
        .environment = launch->environment,
        .directory = hook->directory ? hook->directory : engine->config->directory,
        .stdin_fd = launch->body_fd,
        .nature = &running->slot->nature,
        .group = group,
        .mark = process_mark(&running->job),
    };
    if (process_spawn(&spec, &running->process, error) != 0) {
        job_groups_give(engine->groups, group);
        return -1;
    }
    take_group(engine, running, group);
    if (running_watch(running, engine->epoll_fd, hook->timeout_ms, error) == 0)
        return 0;
    process_signal_group(&running->process, SIGKILL);
    process_close(&running->process);
    job_groups_give(engine->groups, running->group);
    running->group = NULL;
    return -1;
}

int command_start(struct hook_engine *engine, struct running *running, struct error *error)
{
    struct launch launch = {.body_fd = -1};
    int result = load(engine, running, &launch, error);
    if (result == 0)
        result = make_words(running, &launch, error);
    if (result == 0)
        result = spawn(engine, running, running->slot->hook, &launch, error);
    launch_fini(&launch);
    if (result != 0)
        body_file_remove(engine->runtime_fd, running->job_text);
    else
        log_debug(
            "process started", LOG_TEXT("job", running->job_text),
            LOG_INT("pid", running->process.pid));
    return result;
}

bool starter_is_fatal(enum error_code code)
{
    return code == ERROR_INVALID || code == ERROR_NOT_FOUND || code == ERROR_TOO_LARGE;
}

void starter_start(struct hook_engine *engine, struct running *running)
{
    struct error error;
    metrics_add(engine->metrics, METRIC_ATTEMPTS, 1);
    if (running->kind->start(engine, running, &error) != 0) {
        running_fail(running, error.message, starter_is_fatal(error.code));
        running->next = engine->ended;
        engine->ended = running;
        return;
    }
    log_debug(
        "job started", LOG_TEXT("hook", running->hook), LOG_TEXT("job", running->job_text),
        LOG_INT("attempt", running->number));
    engine_begin(engine, running);
}
