/* SPDX-License-Identifier: MIT */
/* Groups of attempts: made, used again, put aside, cleared. Skipped where none can be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/os.h"
#include "callbackd/text.h"
#include "cgroup.h"
#include "job_groups.h"
#include "spawn.h"

static struct job_groups *groups_open(void)
{
    struct error error;
    char name[32];
    snprintf(name, sizeof name, "callbackd-test-%d", (int)getpid());
    struct job_groups *groups = job_groups_open(name, &error);
    if (!groups)
        print_message("no control group: %s\n", error.message);
    return groups;
}

static int open_groups(void **state)
{
    *state = groups_open();
    return 0;
}

static int close_groups(void **state)
{
    job_groups_close(*state);
    return 0;
}

static struct job_groups *groups_of(void **state)
{
    if (!*state)
        skip();
    return *state;
}

/* Starts `sh -c text` in the group. */
static pid_t start_in(const struct job_group *group, const char *text)
{
    static const struct spawn_nature nature = {.mode_mask = 022};
    char *arguments[] = {"sh", "-c", (char *)text, NULL};
    char *environment[] = {NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct spawn_request request = {
        .program = "/bin/sh",
        .arguments = arguments,
        .environment = environment,
        .directory = "/",
        .streams = {null, null, null},
        .nature = &nature,
        .group = group,
    };
    struct spawned spawned = {.pid = -1, .pidfd = -1};
    enum spawn_step step;
    assert_int_equal(spawn_process(&request, &spawned, &step), 0);
    assert_true(spawned.in_group);
    close(spawned.pidfd);
    close(null);
    return spawned.pid;
}

/* How many groups there are, in use or not. */
static long count_groups(const struct job_groups *groups)
{
    struct stat status;
    assert_int_equal(stat(job_groups_path(groups), &status), 0);
    return (long)status.st_nlink - 2;
}

static void what_is_given_back_is_taken_again(void **state)
{
    struct job_groups *groups = groups_of(state);
    struct job_group *one = job_groups_take(groups);
    struct job_group *two = job_groups_take(groups);
    assert_non_null(one);
    assert_non_null(two);
    assert_int_not_equal(one->number, two->number);
    job_groups_give(groups, one);
    assert_ptr_equal(job_groups_take(groups), one);
    job_groups_give(groups, one);
    job_groups_give(groups, two);
    assert_int_equal(count_groups(groups), 2);
}

static void all_in_a_group_is_killed_in_one_step(void **state)
{
    struct job_groups *groups = groups_of(state);
    struct job_group *group = job_groups_take(groups);
    pid_t pid = start_in(group, "trap '' TERM; (setsid env -i sleep 1000 &) ; sleep 1000");
    struct buffer members;
    buffer_init(&members, 4096);
    assert_true(cgroup_is_populated(group->fd));
    assert_int_equal(cgroup_members(group->fd, &members), 0);
    assert_int_equal(strtol(buffer_text(&members), NULL, 10), pid);
    buffer_fini(&members);
    assert_false(cgroup_wait_until_empty(group->fd, 1));
    assert_true(cgroup_kill(group->fd));
    assert_true(cgroup_wait_until_empty(group->fd, 30000));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    job_groups_give(groups, group);
}

static void a_group_with_processes_is_put_aside_until_they_are_gone(void **state)
{
    struct job_groups *groups = groups_of(state);
    struct job_group *group = job_groups_take(groups);
    unsigned number = group->number;
    pid_t pid = start_in(group, "exec sleep 1000");
    job_groups_give(groups, group);
    job_groups_tidy(groups);
    assert_int_equal(count_groups(groups), 1);
    group = job_groups_take(groups);
    assert_int_not_equal(group->number, number);
    assert_int_equal(count_groups(groups), 2);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    job_groups_tidy(groups);
    assert_int_equal(count_groups(groups), 1);
    job_groups_give(groups, group);
}

static void what_is_started_after_a_kill_lives(void **state)
{
    struct job_groups *groups = groups_of(state);
    for (int i = 0; i < 3; i++) {
        struct job_group *group = job_groups_take(groups);
        int status;
        pid_t pid = start_in(group, "exit 7");
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        pid = start_in(group, "exec sleep 1000");
        job_groups_kill(group);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_true(cgroup_wait_until_empty(group->fd, 30000));
        job_groups_give(groups, group);
    }
    assert_int_equal(count_groups(groups), 0);
}

static void a_frozen_group_is_not_used_again(void **state)
{
    struct job_groups *groups = groups_of(state);
    struct job_group *group = job_groups_take(groups);
    assert_true(cgroup_is_as_new(group->fd));
    int fd = openat(group->fd, "cgroup.freeze", O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "1", 1), 1);
    close(fd);
    assert_false(cgroup_is_as_new(group->fd));
    assert_false(cgroup_is_populated(group->fd));
    job_groups_give(groups, group);
    assert_int_equal(count_groups(groups), 0);
}

static void groups_that_a_hook_made_in_its_own_are_removed(void **state)
{
    struct job_groups *groups = groups_of(state);
    struct job_group *group = job_groups_take(groups);
    assert_int_equal(mkdirat(group->fd, "a", 0755), 0);
    assert_int_equal(mkdirat(group->fd, "a/b", 0755), 0);
    job_groups_discard(groups, group);
    assert_int_equal(count_groups(groups), 0);
}

static void a_process_is_started_beside_a_group_that_is_gone(void **state)
{
    struct job_groups *groups = groups_of(state);
    struct job_group *group = job_groups_take(groups);
    CLEANUP_FREE char *path = text_format("%s/%u", job_groups_path(groups), group->number);
    assert_int_equal(rmdir(path), 0);
    static const struct spawn_nature nature = {.mode_mask = 022};
    char *arguments[] = {"true", NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct spawn_request request = {
        .program = "/bin/true",
        .arguments = arguments,
        .environment = arguments + 1,
        .directory = "/",
        .streams = {null, null, null},
        .nature = &nature,
        .group = group,
    };
    struct spawned spawned = {.pid = -1, .pidfd = -1};
    enum spawn_step step;
    int status;
    assert_int_equal(spawn_process(&request, &spawned, &step), 0);
    assert_false(spawned.in_group);
    assert_int_equal(waitpid(spawned.pid, &status, 0), spawned.pid);
    assert_int_equal(status, 0);
    close(spawned.pidfd);
    close(null);
    job_groups_discard(groups, group);
}

static void what_an_earlier_one_left_is_killed_by_the_next(void **state)
{
    struct job_groups *groups = groups_of(state);
    struct job_group *group = job_groups_take(groups);
    pid_t pid = start_in(group, "exec env -i sleep 1000");
    /* As after a kill -9: the directories stay as they are. */
    struct job_groups *next = groups_open();
    assert_non_null(next);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(count_groups(next), 0);
    job_groups_give(groups, group);
    job_groups_close(groups);
    *state = next;
}

static void what_is_left_is_killed_at_the_end(void **state)
{
    struct job_groups *groups = groups_of(state);
    struct job_group *group = job_groups_take(groups);
    CLEANUP_FREE char *path = text_copy(job_groups_path(groups));
    pid_t pid = start_in(group, "exec sleep 1000");
    job_groups_give(groups, group);
    job_groups_close(groups);
    *state = NULL;
    bool is_left = access(path, F_OK) == 0;
    int status;
    if (is_left)
        kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_false(is_left);
}

static void a_name_that_cannot_be_made_is_told(void **state)
{
    (void)groups_of(state);
    struct error error;
    assert_null(job_groups_open("no/such/place", &error));
    assert_int_equal(error.code, ERROR_IO);
}

int main(void)
{
#define WITH_GROUPS(test) cmocka_unit_test_setup_teardown(test, open_groups, close_groups)
    const struct CMUnitTest tests[] = {
        WITH_GROUPS(what_is_given_back_is_taken_again),
        WITH_GROUPS(what_is_left_is_killed_at_the_end),
        WITH_GROUPS(all_in_a_group_is_killed_in_one_step),
        WITH_GROUPS(a_group_with_processes_is_put_aside_until_they_are_gone),
        WITH_GROUPS(what_is_started_after_a_kill_lives),
        WITH_GROUPS(a_frozen_group_is_not_used_again),
        WITH_GROUPS(groups_that_a_hook_made_in_its_own_are_removed),
        WITH_GROUPS(a_process_is_started_beside_a_group_that_is_gone),
        WITH_GROUPS(what_an_earlier_one_left_is_killed_by_the_next),
        WITH_GROUPS(a_name_that_cannot_be_made_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
