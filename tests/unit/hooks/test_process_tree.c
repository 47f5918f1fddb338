/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbackd/hooks.h"
#include "process_table.h"
#include "process_tree.h"

/* A process that waits for ever, with a child and an orphaned grandchild that do the same; all
 * ignore SIGTERM. Returns when all three are there. */
static pid_t start_tree(void)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGTERM, SIG_IGN);
        if (fork() == 0 && fork() == 0)
            setsid();
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    char byte;
    for (int i = 0; i < 3; i++)
        assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static size_t count_descendants(void)
{
    struct process_table table;
    struct error error;
    assert_int_equal(process_table_read(&table, &error), 0);
    size_t count = 0;
    for (size_t i = 0; i < table.count; i++)
        count += table.entries[i].descends;
    process_table_fini(&table);
    return count;
}

static void the_table_knows_who_descends_from_us(void **state)
{
    (void)state;
    assert_int_equal(count_descendants(), 0);
    pid_t pid = start_tree();
    assert_int_equal(count_descendants(), 3);
    struct process_table table;
    struct error error;
    assert_int_equal(process_table_read(&table, &error), 0);
    const struct process_entry *entry = process_table_find(&table, pid);
    assert_non_null(entry);
    assert_int_equal(entry->parent, getpid());
    assert_int_equal(entry->session, getsid(0));
    assert_true(process_entry_is_alive(entry));
    assert_null(process_table_find(&table, 1 << 30));
    process_table_fini(&table);
    process_kill_descendants(NULL);
}

static void all_descendants_are_killed_and_reaped(void **state)
{
    (void)state;
    start_tree();
    start_tree();
    process_kill_descendants(NULL);
    assert_int_equal(count_descendants(), 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* not even a zombie */
}

static void what_is_kept_is_kept_with_all_below_it(void **state)
{
    (void)state;
    pid_t kept = start_tree();
    start_tree();
    const int keep[] = {kept, 0};
    process_kill_descendants(keep);
    assert_int_equal(count_descendants(), 3);
    assert_int_equal(kill(kept, 0), 0);
    process_kill_descendants(NULL);
    assert_int_equal(count_descendants(), 0);
}

static void an_entry_whose_number_means_another_process_is_not_signalled(void **state)
{
    (void)state;
    pid_t pid = start_tree();
    struct process_table table;
    struct error error;
    assert_int_equal(process_table_read(&table, &error), 0);
    struct process_entry *entry = process_table_find(&table, pid);
    assert_non_null(entry);
    entry->started++;
    assert_false(process_entry_signal(entry, SIGKILL));
    entry->started--;
    assert_true(process_entry_signal(entry, 0));
    assert_true(process_entry_signal(entry, SIGKILL));
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(process_entry_signal(entry, SIGKILL));
    process_table_fini(&table);
    process_kill_descendants(NULL);
}

static void our_own_session_is_never_a_leftover(void **state)
{
    (void)state;
    /* A child of our session which carries a job's id, as a daemon started from a hook does. */
    struct id job = id_new();
    char text[ID_TEXT_BYTES];
    char variable[64];
    id_format(&job, text);
    snprintf(variable, sizeof variable, "CALLBACK_JOB_ID=%s", text);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *const arguments[] = {"sleep", "1000", NULL};
        char *const environment[] = {variable, NULL};
        execve("/bin/sleep", arguments, environment);
        _exit(127);
    }
    struct process_entry entry = {.pid = pid, .state = 'R'};
    const struct id *carried = NULL;
    while (!carried) { /* until it has executed */
        entry.job_known = false;
        carried = process_entry_job(&entry);
    }
    assert_true(id_equal(carried, &job));
    process_tree_kill_leftovers(&job, 1, 0);
    assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
    process_kill_descendants(NULL);
}

static int set_up(void **state)
{
    (void)state;
    return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_knows_who_descends_from_us),
        cmocka_unit_test(all_descendants_are_killed_and_reaped),
        cmocka_unit_test(what_is_kept_is_kept_with_all_below_it),
        cmocka_unit_test(an_entry_whose_number_means_another_process_is_not_signalled),
        cmocka_unit_test(our_own_session_is_never_a_leftover),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
