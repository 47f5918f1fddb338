/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "callbackd/clock.h"
#include "callbackd/hooks.h"
#include "callbackd/log.h"
#include "supervisor_private.h"

enum {
    EARLY_DELAY_MS = 100, /* after a death before readiness; doubled each time */
    DELAY_MAX_MS = 5000,
    DEATHS_WINDOW_MS = 60000,
    CRASH_LOOP_DELAY_MS = 1000, /* when all remembered deaths lie in the window */
    KILL_GRACE_MS = 2000,       /* after it was told to stop and killed its own */
};

static enum config_role config_role_of(enum child_role role)
{
    return role == CHILD_RECEIVER ? CONFIG_ROLE_RECEIVER : CONFIG_ROLE_WORKER;
}

static enum metric restarts_of(enum child_role role)
{
    return role == CHILD_RECEIVER ? METRIC_RECEIVER_RESTARTS : METRIC_WORKER_RESTARTS;
}

int supervisor_count(const struct supervisor *supervisor, enum child_role role)
{
    int count = 0;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (supervisor->children[i].pid != 0 && supervisor->children[i].role == role)
            count++;
    return count;
}

/* The first one is the worker's: many reloads in a row must not keep it from starting again. */
static struct child *free_slot(struct supervisor *supervisor, enum child_role role)
{
    for (int i = role == CHILD_WORKER ? 0 : 1; i < CHILDREN_MAX; i++)
        if (supervisor->children[i].pid == 0)
            return &supervisor->children[i];
    return NULL;
}

bool supervisor_may_reload(const struct supervisor *supervisor)
{
    int free_slots = 0;
    for (int i = 1; i < CHILDREN_MAX; i++)
        free_slots += supervisor->children[i].pid == 0;
    return free_slots > 1;
}

static int64_t delay_after_death(const struct death_record *deaths, int64_t now_ms)
{
    if (deaths->early > 0) {
        int doublings = deaths->early < 7 ? deaths->early - 1 : 6;
        int64_t delay_ms = (int64_t)EARLY_DELAY_MS << doublings;
        return delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS;
    }
    int64_t oldest_ms = deaths->at_ms[deaths->count % DEATHS_REMEMBERED];
    bool loop = deaths->count >= DEATHS_REMEMBERED && now_ms - oldest_ms < DEATHS_WINDOW_MS;
    return loop ? CRASH_LOOP_DELAY_MS : 0;
}

/* Plans the next start of a role whose child has just died (or could not be started). */
static void plan_restart(struct supervisor *supervisor, enum child_role role, bool was_ready)
{
    struct death_record *deaths = &supervisor->deaths[role];
    int64_t now_ms = clock_monotonic_ms();
    deaths->early = was_ready ? 0 : deaths->early + 1;
    int64_t delay_ms = delay_after_death(deaths, now_ms);
    deaths->at_ms[deaths->count++ % DEATHS_REMEMBERED] = now_ms;
    deaths->start_at_ms = now_ms + delay_ms;
}

void supervisor_start_child(struct supervisor *supervisor, enum child_role role)
{
    struct handover_offer offer = {
        .config = supervisor->config,
        .role = config_role_of(role),
        .public_url = supervisor->public_url,
        .metrics_fd = supervisor->metrics_fd,
        .wake_fd = supervisor->wake_fd,
        .lock_fd = role == CHILD_RECEIVER ? supervisor->receiver_lock : supervisor->worker_lock,
        .listeners = &supervisor->listeners,
    };
    struct error error = {0};
    struct child *child = free_slot(supervisor, role);
    supervisor->deaths[role].start_at_ms = 0;
    if (child == NULL)
        error_set(&error, ERROR_BUSY, "too many receivers are still ending");
    else if (child_start(child, role, ++supervisor->generation, &offer, &error) == 0)
        return;
    log_error("child not started", LOG_TEXT("child", child_role_name(role)), LOG_ERROR(&error));
    plan_restart(supervisor, role, false);
}

/* Whatever hooks a dead worker left: they are ours now (we are their subreaper). */
static void kill_leftovers(const struct supervisor *supervisor)
{
    int keep[CHILDREN_MAX + 1] = {0};
    size_t count = 0;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (supervisor->children[i].pid != 0)
            keep[count++] = (int)supervisor->children[i].pid;
    process_kill_descendants(keep);
}

static void log_end(const struct child *child, int status)
{
    const char *role = child_role_name(child->role);
    if (WIFSIGNALED(status))
        log_write(
            child->leaving ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "child died",
            (struct log_field[]){
                LOG_TEXT("child", role),
                LOG_INT("pid", child->pid),
                LOG_TEXT("signal", sigabbrev_np(WTERMSIG(status))),
                LOG_BOOL("core", WCOREDUMP(status)),
                {0}});
    else
        log_write(
            child->leaving ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "child ended",
            (struct log_field[]){
                LOG_TEXT("child", role),
                LOG_INT("pid", child->pid),
                LOG_INT("exit", WEXITSTATUS(status)),
                {0}});
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        log_error(
            "a child was ended by its sandbox: it called what it never calls by itself",
            LOG_TEXT("child", role), LOG_INT("pid", child->pid));
}

static void take_end(struct supervisor *supervisor, struct child *child, int status)
{
    enum child_role role = child->role;
    bool left = child->leaving;
    bool was_ready = child->ready;
    log_end(child, status);
    metrics_forget(supervisor->metrics, child->pid);
    child_ended(child);
    if (role == CHILD_WORKER)
        kill_leftovers(supervisor);
    if (left || supervisor->stopping)
        return;
    metrics_add(supervisor->metrics, restarts_of(role), 1);
    plan_restart(supervisor, role, was_ready);
}

void supervisor_reap(struct supervisor *supervisor)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (int i = 0; i < CHILDREN_MAX; i++)
            if (supervisor->children[i].pid == pid)
                take_end(supervisor, &supervisor->children[i], status);
}

bool supervisor_is_replaced(const struct supervisor *supervisor, int index, int ready)
{
    const struct child *child = &supervisor->children[index];
    const struct child *successor = &supervisor->children[ready];
    return successor->role == CHILD_RECEIVER && !successor->leaving && child->pid != 0 &&
           child->role == CHILD_RECEIVER && !child->leaving &&
           child->generation < successor->generation;
}

/* A receiver that is ready takes over from those before it, which end their connections: with
 * several reloads in a row also from one that is not ready yet. */
static void retire_predecessors(struct supervisor *supervisor, int successor)
{
    for (int i = 0; i < CHILDREN_MAX; i++) {
        struct child *child = &supervisor->children[i];
        if (supervisor_is_replaced(supervisor, i, successor))
            child_leave(child, HANDOVER_DRAIN, child->drain_ms + KILL_GRACE_MS);
    }
}

/* Of several reloads in a row, the last one says which addresses remain. */
static bool is_newest_receiver(const struct supervisor *supervisor, const struct child *child)
{
    for (int i = 0; i < CHILDREN_MAX; i++) {
        const struct child *other = &supervisor->children[i];
        if (other->pid != 0 && other->role == CHILD_RECEIVER &&
            other->generation > child->generation)
            return false;
    }
    return child->role == CHILD_RECEIVER;
}

void supervisor_hear(struct supervisor *supervisor, struct child *child)
{
    if (handover_listen(child->control_fd, NULL) != HANDOVER_READY)
        return;
    child->ready = true;
    supervisor->deaths[child->role].early = 0;
    log_info(
        "child ready", LOG_TEXT("child", child_role_name(child->role)), LOG_INT("pid", child->pid),
        LOG_INT("after_ms", clock_monotonic_ms() - child->started_at_ms));
    retire_predecessors(supervisor, (int)(child - supervisor->children));
    /* Until now those before it have served there. */
    if (is_newest_receiver(supervisor, child))
        listeners_close_leaving(&supervisor->listeners);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t supervisor_tick(struct supervisor *supervisor)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t next_ms = -1;
    for (int role = 0; role < CHILD_ROLES; role++) {
        int64_t at_ms = supervisor->deaths[role].start_at_ms;
        if (at_ms != 0 && at_ms <= now_ms)
            supervisor_start_child(supervisor, (enum child_role)role);
        at_ms = supervisor->deaths[role].start_at_ms;
        if (at_ms != 0)
            next_ms = earlier(next_ms, at_ms > now_ms ? at_ms - now_ms : 0);
    }
    for (int i = 0; i < CHILDREN_MAX; i++) {
        struct child *child = &supervisor->children[i];
        if (child->pid == 0 || child->leave_until_ms == 0)
            continue;
        if (child->leave_until_ms <= now_ms) {
            log_warning(
                "child killed: it did not end in time",
                LOG_TEXT("child", child_role_name(child->role)), LOG_INT("pid", child->pid));
            kill(child->pid, SIGKILL);
            child->leave_until_ms = 0;
        } else {
            next_ms = earlier(next_ms, child->leave_until_ms - now_ms);
        }
    }
    return next_ms;
}
