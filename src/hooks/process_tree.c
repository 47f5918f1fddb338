/* SPDX-License-Identifier: MIT */
#include "process_tree.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/hooks.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "cgroup.h"

enum {
    LOOK_FIRST_MS = 1,
    LOOK_MAX_MS = 50,
    MEMBERS_BYTES_MAX = 16 * 1024 * 1024,
    /* A process that SIGKILL does not end within this is stuck inside the kernel; it will never
     * execute anything again, so it need not be waited for. */
    KILL_WAIT_MS = 5000,
};

static bool carries(struct process_entry *entry, const struct id *jobs, size_t count)
{
    if (!process_entry_is_alive(entry))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (process_entry_is_of(entry, &jobs[i]))
            return true;
    }
    return false;
}

/* Members of `group` (0: none) are only counted. */
static size_t signal_chosen(const struct process_table *table, pid_t group, int signal)
{
    size_t alive = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct process_entry *entry = &table->entries[i];
        bool reached = group != 0 && entry->group == group;
        if (entry->chosen && process_entry_is_alive(entry) &&
            process_entry_signal(entry, reached ? 0 : signal))
            alive++;
    }
    return alive;
}

/* The list is newer than the table: a number that got another meaning between the two is found out
 * when it is signalled. */
static void choose_members(struct process_table *table, const struct job_group *group)
{
    CLEANUP_BUFFER struct buffer members;
    buffer_init(&members, MEMBERS_BYTES_MAX);
    const char *at = cgroup_members(group->fd, &members) == 0 ? buffer_text(&members) : "";
    while (*at != '\0') {
        char *end;
        struct process_entry *entry = process_table_find(table, (pid_t)strtol(at, &end, 10));
        if (entry && entry->descends)
            entry->chosen = true;
        at = *end == '\n' ? end + 1 : "";
    }
}

size_t process_tree_signal(struct process_table *table, const struct process_tree *tree, int signal)
{
    pid_t leader = tree->leader;
    for (size_t i = 0; i < table->count; i++) {
        struct process_entry *entry = &table->entries[i];
        entry->chosen = entry->descends && (entry->pid == leader || entry->session == leader ||
                                            entry->group == leader || carries(entry, tree->job, 1));
    }
    if (tree->group)
        choose_members(table, tree->group);
    process_table_choose_below(table, NULL);
    return signal_chosen(table, leader, signal);
}

/* Also with a control group: a hook of ours may be allowed to leave its. */
size_t process_tree_signal_all(
    struct process_table *table, const struct process_tree *tree, int signal)
{
    if (signal != 0)
        kill(-tree->leader, signal);
    if (signal == SIGKILL && tree->group)
        job_groups_kill(tree->group);
    size_t alive = process_tree_signal(table, tree, signal);
    /* One that was forked after the table was read is not in that. */
    if (alive == 0 && tree->group && cgroup_is_populated(tree->group->fd))
        alive = 1;
    return alive;
}

/* ---- what an earlier worker left ---- */

/* Whom it is looked for by. */
struct leavers {
    const struct id *jobs;
    size_t count;
    int64_t family; /* 0: none */
};

static bool is_left(struct process_entry *entry, const struct leavers *leavers)
{
    return carries(entry, leavers->jobs, leavers->count) ||
           (leavers->family != 0 && process_entry_is_alive(entry) &&
            process_entry_is_of_family(entry, leavers->family));
}

static bool is_ancestor(const struct process_table *table, pid_t pid)
{
    const struct process_entry *at = process_table_find(table, getpid());
    for (size_t steps = 0; at && steps < table->count; steps++) {
        if (at->pid == pid)
            return true;
        at = process_table_find(table, at->parent);
    }
    return false;
}

static bool is_spared(const struct process_table *table, const struct process_entry *entry)
{
    return entry->session == getsid(0) || is_ancestor(table, entry->pid);
}

static void choose_sessions(struct process_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        if (!table->entries[i].chosen)
            continue;
        for (size_t other = 0; other < table->count; other++) {
            struct process_entry *entry = &table->entries[other];
            if (entry->session == table->entries[i].session && !is_spared(table, entry))
                entry->chosen = true;
        }
    }
}

static size_t kill_leftovers_once(const struct leavers *leavers)
{
    struct process_table table;
    struct error error;
    if (process_table_read(&table, &error) != 0) {
        log_error("cannot look for what an earlier worker left", LOG_ERROR(&error));
        return 0;
    }
    for (size_t i = 0; i < table.count; i++) {
        struct process_entry *entry = &table.entries[i];
        entry->chosen = !is_spared(&table, entry) && is_left(entry, leavers);
    }
    choose_sessions(&table);
    process_table_choose_below(&table, NULL);
    for (size_t i = 0; i < table.count; i++) {
        if (is_spared(&table, &table.entries[i]))
            table.entries[i].chosen = false;
    }
    size_t alive = signal_chosen(&table, 0, SIGKILL);
    process_table_fini(&table);
    return alive;
}

static int longer(int pause_ms)
{
    return pause_ms * 2 < LOOK_MAX_MS ? pause_ms * 2 : LOOK_MAX_MS;
}

void process_tree_kill_leftovers(const struct id *jobs, size_t count, int64_t family)
{
    const struct leavers leavers = {jobs, count, family};
    int64_t give_up_at_ms = clock_monotonic_ms() + KILL_WAIT_MS;
    int pause_ms = LOOK_FIRST_MS;
    while ((count > 0 || family != 0) && kill_leftovers_once(&leavers) > 0) {
        if (clock_monotonic_ms() > give_up_at_ms) {
            log_warning("a process left by an earlier worker does not end");
            return;
        }
        poll(NULL, 0, pause_ms);
        pause_ms = longer(pause_ms);
    }
}

/* ---- everything below the caller ---- */

static void reap(const struct process_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct process_entry *entry = &table->entries[i];
        if (entry->chosen && entry->parent == getpid())
            waitpid(entry->pid, NULL, WNOHANG);
    }
}

/* How many are left, zombies included: those still have to be reaped, by their parent or us. */
static size_t kill_descendants_once(const int *keep)
{
    struct process_table table;
    struct error error;
    if (process_table_read(&table, &error) != 0) {
        log_error("cannot look for descendants", LOG_ERROR(&error));
        return 0;
    }
    struct process_entry *self = process_table_find(&table, getpid());
    size_t left = 0;
    if (self) {
        self->chosen = true;
        process_table_choose_below(&table, keep);
        self->chosen = false;
        signal_chosen(&table, 0, SIGKILL);
        reap(&table);
        for (size_t i = 0; i < table.count; i++)
            left += table.entries[i].chosen ? 1 : 0;
    }
    process_table_fini(&table);
    return left;
}

void process_kill_descendants(const int *keep)
{
    int64_t give_up_at_ms = clock_monotonic_ms() + KILL_WAIT_MS;
    int pause_ms = LOOK_FIRST_MS;
    while (kill_descendants_once(keep) > 0 && clock_monotonic_ms() < give_up_at_ms) {
        poll(NULL, 0, pause_ms);
        pause_ms = longer(pause_ms);
    }
}
