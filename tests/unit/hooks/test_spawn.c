/* SPDX-License-Identifier: MIT */
/* What a process is that was started: limits, niceness, mask, user, signals, descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn.h"

enum { OUTPUT_BYTES = 4096 };

struct run {
    struct spawn_nature nature;
    const char *directory;
    const char *program;
    rlim_t mark;
    char output[OUTPUT_BYTES];
    int status;
    enum spawn_step step;
};

/* Runs `sh -c text`; 0, or the errno of run->step. */
static int run_shell(struct run *run, const char *text)
{
    char *arguments[] = {"sh", "-c", (char *)text, NULL};
    char *environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    struct spawn_request request = {
        .program = run->program ? run->program : "/bin/sh",
        .arguments = arguments,
        .environment = environment,
        .directory = run->directory ? run->directory : "/",
        .streams = {null, ends[1], ends[1]},
        .nature = &run->nature,
        .mark = run->mark,
    };
    struct spawned spawned = {.pid = -1, .pidfd = -1};
    int failed = spawn_process(&request, &spawned, &run->step);
    close(null);
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got = 1; got > 0; length += (size_t)got)
        got = read(ends[0], run->output + length, sizeof run->output - 1 - length);
    run->output[length] = '\0';
    close(ends[0]);
    if (failed == 0) {
        assert_true(spawned.pidfd >= 0);
        assert_int_equal(waitpid(spawned.pid, &run->status, 0), spawned.pid);
        close(spawned.pidfd);
    } else {
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left of it */
    }
    return failed;
}

static void expect_output(struct run *run, const char *text, const char *output)
{
    assert_int_equal(run_shell(run, text), 0);
    assert_string_equal(run->output, output);
    assert_int_equal(run->status, 0);
}

static void a_mark_is_handed_on_to_all_that_it_starts(void **state)
{
    (void)state;
    struct run run = {.mark = 4611686018427387905};
    expect_output(
        &run,
        "env -i setsid sh -c 'sed -n \"s/^Max file locks *\\([0-9]*\\) .*/\\1/p\" "
        "/proc/self/limits'",
        "4611686018427387905\n");
}

static void limits_are_those_that_were_asked_for(void **state)
{
    (void)state;
    struct run run = {
        .nature = {
            .limits =
                {{RLIMIT_CPU, 7},
                 {RLIMIT_NOFILE, 20},
                 {RLIMIT_CORE, 0},
                 {RLIMIT_AS, 512 * 1024 * 1024},
                 {RLIMIT_FSIZE, 8192}},
            .limit_count = 5,
        }};
    expect_output(
        &run, "ulimit -t; ulimit -n; ulimit -c; ulimit -v; ulimit -f", "7\n20\n0\n524288\n16\n");
}

static void a_limit_over_ours_is_ours(void **state)
{
    (void)state;
    struct rlimit ours;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &ours), 0);
    struct run run = {.nature = {.limits = {{RLIMIT_NOFILE, RLIM_INFINITY - 1}}, .limit_count = 1}};
    char expected[64];
    snprintf(expected, sizeof expected, "%llu\n", (unsigned long long)ours.rlim_max);
    expect_output(&run, "ulimit -n", expected);
}

static void the_mask_and_the_niceness_are_its_own(void **state)
{
    (void)state;
    struct run run = {.nature = {.mode_mask = 027}};
    mode_t before = umask(0);
    umask(before);
    int nice_before = getpriority(PRIO_PROCESS, 0);
    run.nature.nice = nice_before < 12 ? 12 : 19;
    char expected[32];
    snprintf(expected, sizeof expected, "0027\n%d\n", run.nature.nice);
    expect_output(&run, "umask; nice", expected);
    assert_int_equal(umask(before), before);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), nice_before);
}

static void it_leads_a_session_and_has_three_descriptors(void **state)
{
    (void)state;
    struct run run = {.directory = "/tmp"};
    int other = open("/dev/null", O_RDONLY); /* not close-on-exec, as a library might leave one */
    expect_output(
        &run, "ls /proc/self/fd | tr '\\n' ' '; test $$ = $(ps -o sid= -p $$) && pwd",
        "0 1 2 3 /tmp\n"); /* 3 is that of ls */
    close(other);
}

static void no_signal_is_ignored_or_blocked(void **state)
{
    (void)state;
    struct run run = {.nature = {.mode_mask = 022}};
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    expect_output(
        &run, "grep -E 'Sig(Blk|Ign)' /proc/self/status",
        "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    assert_true(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
    sigset_t now;
    sigprocmask(SIG_UNBLOCK, &blocked, &now);
    assert_true(sigismember(&now, SIGUSR1));
}

static void what_could_not_be_done_is_said(void **state)
{
    (void)state;
    struct run run = {.directory = "/does/not/exist"};
    assert_int_equal(run_shell(&run, "true"), ENOENT);
    assert_int_equal(run.step, SPAWN_DIRECTORY);
    run = (struct run){.program = "/does/not/exist"};
    assert_int_equal(run_shell(&run, "true"), ENOENT);
    assert_int_equal(run.step, SPAWN_EXECUTE);
    run = (struct run){.program = "/etc/passwd"};
    assert_int_equal(run_shell(&run, "true"), EACCES);
    assert_int_equal(run.step, SPAWN_EXECUTE);
    run = (struct run){.nature = {.limits = {{12345, 1}}, .limit_count = 1}};
    assert_int_equal(run_shell(&run, "true"), EINVAL);
    assert_int_equal(run.step, SPAWN_LIMIT);
}

static void it_is_who_it_was_told_to_be_and_cannot_come_back(void **state)
{
    (void)state;
    struct error error;
    struct os_identity nobody;
    assert_int_equal(os_identity_find("nobody", NULL, &nobody, &error), 0);
    if (geteuid() != 0) {
        struct run run = {.nature = {.identity = &nobody}};
        assert_false(os_identity_may_be_taken(&nobody));
        assert_int_equal(run_shell(&run, "true"), EPERM);
        assert_int_equal(run.step, SPAWN_IDENTITY);
    } else {
        struct run run = {.nature = {.identity = &nobody}};
        expect_output(
            &run, "grep -E '^(Uid|Gid|Groups|CapPrm)' /proc/self/status",
            "Uid:\t65534\t65534\t65534\t65534\nGid:\t65534\t65534\t65534\t65534\n"
            "Groups:\t65534 \nCapPrm:\t0000000000000000\n");
        assert_int_equal(geteuid(), 0);
    }
    os_identity_fini(&nobody);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_is_handed_on_to_all_that_it_starts),
        cmocka_unit_test(limits_are_those_that_were_asked_for),
        cmocka_unit_test(a_limit_over_ours_is_ours),
        cmocka_unit_test(the_mask_and_the_niceness_are_its_own),
        cmocka_unit_test(it_leads_a_session_and_has_three_descriptors),
        cmocka_unit_test(no_signal_is_ignored_or_blocked),
        cmocka_unit_test(what_could_not_be_done_is_said),
        cmocka_unit_test(it_is_who_it_was_told_to_be_and_cannot_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
