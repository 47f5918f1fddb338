/* SPDX-License-Identifier: MIT */
#include "store_fixture.h"

#include <sys/wait.h>

static int take(struct fixture *fixture, int64_t wait_ms)
{
    int fd = -1;

    return store_lock(fixture->directory, "worker", wait_ms, &fd, &fixture->error) == 0 ? fd : -1;
}

static void a_lock_is_had_by_one(void **state)
{
    struct fixture *fixture = *state;
    int fd = take(fixture, 0);
    char pid[32];

    assert_true(fd >= 0);
    assert_int_equal(take(fixture, 0), -1);
    assert_int_equal(fixture->error.code, ERROR_CONFLICT);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(fixture->error.message, pid));
    close(fd);
    fd = take(fixture, 0);
    assert_true(fd >= 0);
    close(fd);
}

static void locks_of_other_names_are_others(void **state)
{
    struct fixture *fixture = *state;
    int worker = take(fixture, 0);
    int receiver = -1;

    assert_int_equal(store_lock(fixture->directory, "receiver", 0, &receiver, NULL), 0);
    close(worker);
    close(receiver);
}

static void waiting_ends_with_the_wait(void **state)
{
    struct fixture *fixture = *state;
    int fd = take(fixture, 0);
    int64_t started_ms = clock_monotonic_ms();

    assert_int_equal(take(fixture, 100), -1);
    assert_true(clock_monotonic_ms() - started_ms >= 100);
    close(fd);
}

/* The child holds a copy: the lock lasts until that is closed too, which is when it ends. */
static void a_copy_in_another_process_holds_it(void **state)
{
    struct fixture *fixture = *state;
    int fd = take(fixture, 0);
    int gate[2];
    pid_t child;

    assert_int_equal(pipe(gate), 0);
    child = fork();
    if (child == 0) {
        char byte;

        close(gate[1]);
        _exit(read(gate[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(gate[0]);
    close(fd);
    assert_int_equal(take(fixture, 0), -1);
    close(gate[1]);
    fd = take(fixture, 10000);
    assert_true(fd >= 0);
    close(fd);
    waitpid(child, NULL, 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_directory, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_lock_is_had_by_one),
        CASE(locks_of_other_names_are_others),
        CASE(waiting_ends_with_the_wait),
        CASE(a_copy_in_another_process_holds_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
