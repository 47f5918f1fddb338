/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "callbackd/log.h"
#include "supervisor_private.h"

static void log_problems(const struct config_problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        log_error(
            "configuration problem", LOG_INT("line", problems->items[i].line),
            LOG_TEXT("key", problems->items[i].key), LOG_TEXT("problem", problems->items[i].text));
}

static void warn_of_restart(void *context, const char *key)
{
    (void)context;
    log_warning("a change needs a restart to be taken over", LOG_TEXT("key", key));
}

static int replace(struct supervisor *supervisor, struct config *config, struct error *error)
{
    if (strcmp(config->store.directory, supervisor->config->store.directory) != 0)
        return error_set(
            error, ERROR_CONFIG, "store.directory cannot change while running (restart callbackd)");
    if (!supervisor_may_reload(supervisor))
        return error_set(
            error, ERROR_BUSY,
            "too many receivers are still ending their connections (reload "
            "again when they have: limits.idle_timeout)");
    if (supervisor_check_sandbox(config, supervisor->roles, error) != 0)
        return -1;
    struct listeners listeners;
    if (listeners_open(
            config, (supervisor->roles & CONFIG_ROLE_RECEIVER) != 0,
            (supervisor->roles & CONFIG_ROLE_WORKER) != 0, &supervisor->listeners, &listeners,
            error) != 0)
        return -1;
    char *public_url = listeners_public_url(&listeners, config);
    config_visit_restarts(supervisor->config, config, warn_of_restart, NULL);
    supervisor->listeners = listeners;
    config_free(supervisor->config);
    supervisor->config = config;
    /* Without memory the one in use stays: nothing can be undone here, and it is not wrong. */
    if (public_url != NULL) {
        free(supervisor->public_url);
        supervisor->public_url = public_url;
    }
    return 0;
}

static void tell_worker(struct supervisor *supervisor)
{
    struct error error = {0};
    for (int i = 0; i < CHILDREN_MAX; i++) {
        struct child *child = &supervisor->children[i];
        if (child->pid == 0 || child->role != CHILD_WORKER)
            continue;
        if (handover_say_reload(
                child->control_fd, supervisor->config, CONFIG_ROLE_WORKER, supervisor->public_url,
                &error) != 0)
            log_error("worker not told of the reload", LOG_ERROR(&error));
    }
}

void supervisor_reload(struct supervisor *supervisor)
{
    struct config_problems problems = {0};
    struct error error = {0};
    struct config *config = config_load(supervisor->config->path, &problems);
    if (config == NULL) {
        log_problems(&problems);
        error_set(&error, ERROR_CONFIG, "%zu problems in the configuration", problems.count);
    }
    config_problems_free(&problems);
    if (config == NULL || replace(supervisor, config, &error) != 0) {
        config_free(config);
        metrics_add(supervisor->metrics, METRIC_RELOADS_REFUSED, 1);
        log_error("reload refused, the old configuration stays", LOG_ERROR(&error));
        return;
    }
    log_open(supervisor->config->log_format, supervisor->config->log_level, "supervisor");
    if (listeners_announce(
            &supervisor->listeners, supervisor->config, supervisor->public_url, &error) != 0)
        log_warning("listeners not announced", LOG_ERROR(&error));
    tell_worker(supervisor);
    if ((supervisor->roles & CONFIG_ROLE_RECEIVER) != 0)
        supervisor_start_child(supervisor, CHILD_RECEIVER);
    metrics_add(supervisor->metrics, METRIC_RELOADS, 1);
    log_info("configuration reloaded");
}
