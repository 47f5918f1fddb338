/* SPDX-License-Identifier: MIT */
#include "job_groups.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "cgroup.h"
#include "clone_into.h"

enum {
    NAME_BYTES = 16,
    /* What SIGKILL does not end within this is stuck inside the kernel. */
    KILL_WAIT_MS = 5000,
    PROBE_STACK_BYTES = 16 * 1024,
};

struct job_groups {
    char *path;
    int fd;
    struct job_group *free;
    struct job_group *aside;
    unsigned last_number;
    bool is_in_use; /* attempts may have run in groups of it */
};

static void format_name(unsigned number, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%u", number);
}

const char *job_groups_path(const struct job_groups *groups)
{
    return groups->path;
}

/* ---- one group ---- */

/* The next number that nobody has: a group whose processes are stuck may have been left. */
static bool make_directory(struct job_groups *groups, unsigned *number_out, int *fd_out)
{
    char name[NAME_BYTES];
    int made;
    do {
        format_name(++groups->last_number, name);
        made = mkdirat(groups->fd, name, (mode_t)0755);
    } while (made != 0 && errno == EEXIST);
    *number_out = groups->last_number;
    *fd_out = made == 0 ? openat(groups->fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (made == 0 && *fd_out < 0)
        unlinkat(groups->fd, name, AT_REMOVEDIR);
    return *fd_out >= 0;
}

static struct job_group *make_group(struct job_groups *groups)
{
    struct job_group *group = calloc(1, sizeof(*group));
    if (group && !make_directory(groups, &group->number, &group->fd)) {
        free(group);
        group = NULL;
    }
    return group;
}

static bool remove_group(const struct job_groups *groups, struct job_group *group)
{
    char name[NAME_BYTES];
    format_name(group->number, name);
    if (!cgroup_remove(groups->fd, name) && errno != ENOENT)
        return false;
    os_close(group->fd);
    free(group);
    return true;
}

static void put_aside(struct job_groups *groups, struct job_group *group)
{
    os_close(group->fd);
    group->fd = -1;
    group->next = groups->aside;
    groups->aside = group;
}

struct job_group *job_groups_take(struct job_groups *groups)
{
    if (!groups)
        return NULL;
    struct job_group *group = groups->free;
    if (!group)
        return make_group(groups);
    groups->free = group->next;
    return group;
}

void job_groups_kill(struct job_group *group)
{
    group->killed = true;
    cgroup_kill(group->fd);
}

void job_groups_discard(struct job_groups *groups, struct job_group *group)
{
    if (!remove_group(groups, group))
        put_aside(groups, group);
}

void job_groups_give(struct job_groups *groups, struct job_group *group)
{
    if (!group)
        return;
    if (!group->killed && cgroup_is_as_new(group->fd)) {
        group->next = groups->free;
        groups->free = group;
    } else if (cgroup_is_populated(group->fd)) {
        put_aside(groups, group);
    } else {
        job_groups_discard(groups, group);
    }
}

void job_groups_tidy(struct job_groups *groups)
{
    struct job_group **link = groups ? &groups->aside : NULL;
    while (link && *link) {
        struct job_group *group = *link;
        struct job_group *next = group->next;
        if (remove_group(groups, group))
            *link = next;
        else
            link = &group->next;
    }
}

/* ---- all of them ---- */

static void clear(const struct job_groups *groups, const char *whom)
{
    if (cgroup_is_populated(groups->fd)) {
        log_info(
            "killing processes that were left", LOG_TEXT("by", whom),
            LOG_TEXT("cgroup", groups->path));
        cgroup_kill(groups->fd);
        if (!cgroup_wait_until_empty(groups->fd, KILL_WAIT_MS))
            log_warning("a process that was left does not end", LOG_TEXT("by", whom));
    }
    cgroup_remove_below(groups->fd);
}

IN_CHILD static int end_at_once(void *context)
{
    (void)context;
    syscall(SYS_exit_group, 0);
    return 0;
}

/* Kernels that kill what is started in a group that was killed once compare it with ours: was ours
 * killed, they kill whatever is started in another. */
static int wait_for_good_end(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return errno;
    }
    return WIFSIGNALED(status) ? ECANCELED : 0;
}

/* Starts a process that ends at once; 0 or an errno. */
static int start_in(const struct job_group *group)
{
    _Alignas(16) unsigned char stack[PROBE_STACK_BYTES];
    int pidfd = -1;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = clone_into_group(group->fd, stack, sizeof(stack), end_at_once, NULL, &pidfd);
    int failed = pid < 0 ? errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid > 0)
        failed = wait_for_good_end(pid);
    os_close(pidfd);
    return failed;
}

/* Many a group can be made in which nothing may be started. */
static int probe(struct job_groups *groups, struct error *error)
{
    struct job_group *group = make_group(groups);
    if (!group)
        return error_set_errno(error, ERROR_IO, errno, "cannot make a group in %s", groups->path);
    int failed = start_in(group);
    bool kills = cgroup_kill(group->fd);
    job_groups_discard(groups, group);
    if (failed != 0)
        return error_set_errno(
            error, ERROR_IO, failed, "cannot start a process in %s", groups->path);
    if (!kills)
        return error_set(error, ERROR_IO, "the kernel has no cgroup.kill");
    return 0;
}

static int open_directory(struct job_groups *groups, struct error *error)
{
    if (mkdir(groups->path, (mode_t)0755) != 0 && errno != EEXIST)
        return error_set_errno(error, ERROR_IO, errno, "cannot make %s", groups->path);
    groups->fd = open(groups->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (groups->fd < 0)
        return error_set_errno(error, ERROR_IO, errno, "cannot open %s", groups->path);
    clear(groups, "an earlier worker");
    return probe(groups, error);
}

struct job_groups *job_groups_open(const char *name, struct error *error)
{
    CLEANUP_FREE char *own = cgroup_own(error);
    if (!own)
        return NULL;
    struct job_groups *groups = calloc(1, sizeof(*groups));
    if (groups)
        groups->path = text_format("%s/%s", own, name);
    if (!groups || !groups->path) {
        free(groups);
        error_set(error, ERROR_MEMORY, "no memory for control groups");
        return NULL;
    }
    groups->fd = -1;
    if (open_directory(groups, error) != 0) {
        job_groups_close(groups);
        return NULL;
    }
    groups->is_in_use = true;
    return groups;
}

static void remove_all(const struct job_groups *groups, struct job_group *list)
{
    while (list) {
        struct job_group *next = list->next;
        if (!remove_group(groups, list)) {
            os_close(list->fd);
            free(list);
        }
        list = next;
    }
}

void job_groups_close(struct job_groups *groups)
{
    if (!groups)
        return;
    remove_all(groups, groups->free);
    remove_all(groups, groups->aside);
    if (groups->is_in_use)
        clear(groups, "hooks");
    os_close(groups->fd);
    (void)rmdir(groups->path);
    free(groups->path);
    free(groups);
}
