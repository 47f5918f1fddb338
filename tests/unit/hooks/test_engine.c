/* SPDX-License-Identifier: MIT */
/* What a hook sees, how it ends, and what is recorded of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>

#include "engine_fixture.h"

static void assert_file(struct fixture *f, const char *name, const void *data, size_t length)
{
    struct buffer content = read_out(f, name);
    assert_int_equal(content.length, length);
    if (length > 0)
        assert_memory_equal(content.data, data, length);
    buffer_fini(&content);
}

/* ---- what it sees ---- */

static void assert_body_arrives(const void *data, size_t length)
{
    struct fixture *f = fixture_with_shell(
        "cat >stdin; cat \"$CALLBACK_BODY_FILE\" >file; stat -c %a \"$CALLBACK_BODY_FILE\" >mode");
    struct result_record record = fixture_result(f, bytes_of(data, length));
    assert_int_equal(fixture_queue(f, &record), 1);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_see(f, "hook").state, JOB_SUCCEEDED);
    assert_file(f, "stdin", data, length);
    assert_file(f, "file", data, length);
    assert_file(f, "mode", "400\n", 4);
    fixture_free(f);
}

static void the_body_is_on_stdin_and_in_a_file_byte_for_byte(void **state)
{
    (void)state;
    static const char awkward[] =
        "{ \"a\":\"'\\\"\\n$(touch pwned)`id`\\u0000\xF0\x9F\x98\x80\" ,\n\n"
        "\t\"b\" : [ 1.0e0 ] }\r\n";
    assert_body_arrives(awkward, sizeof awkward - 1);
    assert_body_arrives("1", 1);
    enum { LARGE = 5 * 1024 * 1024 };
    char *large = malloc(LARGE);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    large[0] = '"';
    large[LARGE - 1] = '"';
    assert_body_arrives(large, LARGE);
    free(large);
}

static bool no_body_files(struct fixture *f)
{
    DIR *directory = opendir(f->runtime);
    assert_non_null(directory);
    int count = 0;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count == 2; /* . and .. */
}

static void the_body_file_goes_with_the_attempt(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 65");
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_true(no_body_files(f));
    fixture_free(f);
}

static void the_environment_is_exactly_what_is_documented(void **state)
{
    (void)state;
    setenv("NOT_FOR_HOOKS", "1", 1);
    setenv("LANG", "C.UTF-8", 1);
    struct fixture *f = fixture_new();
    char *command[] = {"/usr/bin/env", "-0", NULL};
    struct config_variable env[] = {{"MODE", "a b"}};
    struct config_hook *hook = fixture_hook(f, "hook");
    hook->command = command;
    hook->env = env;
    hook->env_count = 1;
    fixture_open_store(f);
    fixture_start(f);
    struct result_record record = fixture_post(f, "{}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_SUCCEEDED);
    char result[ID_TEXT_BYTES];
    char job[ID_TEXT_BYTES];
    char received[CLOCK_RFC3339_BYTES];
    id_format(&record.id, result);
    id_format(&seen.id, job);
    clock_format_rfc3339(record.received_at_ms, received);
    CLEANUP_FREE char *runtime = realpath(f->runtime, NULL);
    CLEANUP_FREE char *expected = text_format(
        "PATH=%s|HOME=%s|LANG=C.UTF-8|MODE=a b|CALLBACK_HOOK=hook|CALLBACK_ENDPOINT=results|"
        "CALLBACK_RESULT_ID=%s|CALLBACK_EXECUTION_ID=|CALLBACK_RUN_ID=|CALLBACK_WORKFLOW=triage|"
        "CALLBACK_STATUS=success|CALLBACK_RECEIVED_AT=%s|CALLBACK_ATTEMPT=1|CALLBACK_JOB_ID=%s|"
        "CALLBACK_BODY_FILE=%s/%s|CALLBACK_REPLAY=|",
        getenv("PATH"), getenv("HOME"), result, received, job, runtime, job);
    /* env -0 ends each with a NUL; they are shown as | here. */
    assert_int_equal(seen.attempts[0].output_length, strlen(expected));
    for (size_t i = 0; i < seen.attempts[0].output_length; i++) {
        char c = seen.attempts[0].output[i];
        assert_int_equal(c == '\0' ? '|' : c, expected[i]);
    }
    fixture_free(f);
}

static void no_value_changes_where_arguments_end(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    char *command[] = {
        "/bin/sh",       "-c", "printf '%s\\0' \"$@\" >arguments", "sh", "{/v}", "{/none}",
        "{status} {/o}", NULL};
    fixture_hook(f, "hook")->command = command;
    fixture_open_store(f);
    fixture_start(f);
    fixture_post(
        f,
        "{\"v\":\"' \\\" \\n $(touch pwned) `touch pwned` ; * \\\\ \xF0\x9F\x98\x80 \",\"o\":{ }}");
    fixture_run(f, all_ended);
    static const char expected[] =
        "' \" \n $(touch pwned) `touch pwned` ; * \\ \xF0\x9F\x98\x80 \0\0success { }";
    assert_file(f, "arguments", expected, sizeof expected);
    assert_false(has_file(f, "pwned"));
    fixture_free(f);
}

static void it_has_a_session_clean_signals_and_no_descriptor_of_ours(void **state)
{
    (void)state;
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
    signal(SIGPIPE, SIG_IGN);
    struct fixture *f = fixture_with_shell("ls /proc/self/fd | wc -l; awk '/^SigBlk/ {print $2} "
                                           "/^SigIgn/ {print substr($2, 10)}' /proc/self/status;"
                                           "test $(cut -d' ' -f6 /proc/$$/stat) = $$ && pwd");
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    struct seen seen = fixture_see(f, "hook");
    CLEANUP_FREE char *out = realpath(f->out, NULL);
    /* Four: the three and the one that ls reads the directory with. Of the signals those from 29
     * on are left out: the C library keeps its own two ignored. */
    CLEANUP_FREE char *expected = text_format("4\n0000000000000000\n0000000\n%s\n", out);
    assert_string_equal(seen.attempts[0].output, expected);
    fixture_free(f);
}

static void a_program_without_slash_is_found_in_the_hooks_own_path(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    char *command[] = {"my-program", NULL};
    struct config_variable env[] = {{"PATH", "/nowhere::bin"}};
    struct config_hook *hook = fixture_hook(f, "hook");
    hook->command = command;
    hook->env = env;
    hook->env_count = 1;
    CLEANUP_FREE char *bin = make_directory(f->out, "bin");
    CLEANUP_FREE char *program = os_path_join(bin, "my-program");
    struct error error;
    must(
        os_write_file_atomic(program, bytes_of_text("#!/bin/sh\necho found\n"), 0755, &error),
        &error);
    fixture_open_store(f);
    fixture_start(f);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_string_equal(fixture_see(f, "hook").attempts[0].output, "found\n");
    fixture_free(f);
}

/* ---- how it ends ---- */

static struct seen run_shell(char *shell)
{
    struct fixture *f = fixture_with_shell(shell);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    fixture_free(f);
    return seen;
}

static void exit_0_is_success_with_its_output(void **state)
{
    (void)state;
    struct seen seen = run_shell("echo out; echo err >&2");
    assert_int_equal(seen.state, JOB_SUCCEEDED);
    assert_int_equal(seen.attempts_made, 1);
    assert_int_equal(seen.next_at_ms, 0);
    assert_true(seen.ended_at_ms >= seen.created_at_ms);
    assert_int_equal(seen.attempt_count, 1);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_EXIT);
    assert_int_equal(seen.attempts[0].exit_code, 0);
    assert_string_equal(seen.attempts[0].output, "out\n");
    assert_string_equal(seen.attempts[0].errors, "err\n");
    assert_false(seen.attempts[0].truncated);
}

static void exit_65_is_not_retried(void **state)
{
    (void)state;
    struct seen seen = run_shell("exit 65");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempt_count, 1);
    assert_int_equal(seen.attempts[0].exit_code, 65);
}

static void a_failure_is_retried_until_attempts_are_used_up(void **state)
{
    (void)state;
    struct seen seen = run_shell("echo $CALLBACK_ATTEMPT; exit 75");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempts_made, 3);
    assert_int_equal(seen.attempt_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen.attempts[i].number, i + 1);
        assert_int_equal(seen.attempts[i].exit_code, 75);
        CLEANUP_FREE char *output = text_format("%d\n", i + 1);
        assert_string_equal(seen.attempts[i].output, output);
    }
}

static void one_that_works_in_the_end_succeeds_after_documented_gaps(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct config_hook *hook = fixture_hook(f, "hook");
    hook->shell = "test $CALLBACK_ATTEMPT = 5";
    hook->retry = (struct config_retry){9, 20, 80};
    fixture_open_store(f);
    fixture_start(f);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_SUCCEEDED);
    assert_int_equal(seen.attempt_count, 5);
    static const int64_t longest_ms[] = {40, 80, 80, 80};
    for (int i = 0; i < 4; i++) {
        int64_t gap_ms = seen.attempts[i + 1].started_at_ms - seen.attempts[i].ended_at_ms;
        assert_true(gap_ms >= 0);
        assert_true(gap_ms < longest_ms[i] + 20000); /* a busy machine is no failure */
    }
    fixture_free(f);
}

static void a_signal_is_recorded_as_such(void **state)
{
    (void)state;
    struct seen seen = run_shell("kill -SEGV $$");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_SIGNAL);
    assert_int_equal(seen.attempts[0].signal, SIGSEGV);
    assert_int_equal(seen.attempts[0].exit_code, -1);
}

static void a_program_that_is_not_there_is_a_spawn_error_and_retried(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    char *command[] = {"./late", NULL};
    struct config_hook *hook = fixture_hook(f, "hook");
    hook->command = command;
    hook->retry = (struct config_retry){1000, 5, 5};
    fixture_open_store(f);
    fixture_start(f);
    fixture_post(f, "{}");
    while (fixture_see(f, "hook").attempts_made < 2)
        fixture_turn(f, 20);
    CLEANUP_FREE char *program = os_path_join(f->out, "late");
    struct error error;
    must(os_write_file_atomic(program, bytes_of_text("#!/bin/sh\n"), 0755, &error), &error);
    while (!all_ended(f))
        fixture_turn(f, 20);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_SUCCEEDED);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_SPAWN_ERROR);
    assert_non_null(strstr(seen.attempts[0].message, "./late"));
    fixture_free(f);
}

static struct seen run_command(char *argument, const char *body)
{
    struct fixture *f = fixture_new();
    char *command[] = {"/bin/true", argument, NULL};
    fixture_hook(f, "hook")->command = command;
    fixture_open_store(f);
    fixture_start(f);
    fixture_post(f, body);
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_true(no_body_files(f));
    fixture_free(f);
    return seen;
}

static void a_value_that_cannot_be_an_argument_makes_it_dead_with_the_reason(void **state)
{
    (void)state;
    struct seen seen = run_command("{/v}", "{\"v\":\"a\\u0000b\"}");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempts_made, 1);
    assert_string_equal(seen.reason, "argument 1 contains a NUL character");
    enum { LENGTH = 200 * 1024 };
    struct buffer body;
    buffer_init(&body, LENGTH + 100);
    buffer_append_text(&body, "{\"v\":\"");
    for (int i = 0; i < LENGTH; i++)
        buffer_append_char(&body, 'v');
    buffer_append_text(&body, "\"}");
    seen = run_command("{/v}", buffer_text(&body));
    assert_int_equal(seen.state, JOB_DEAD);
    assert_string_equal(seen.reason, "argument 1 is longer than 128 KiB");
    buffer_fini(&body);
}

static void output_beyond_64_kib_is_cut_to_its_end(void **state)
{
    (void)state;
    struct seen seen = run_shell("seq 1 100000; echo the end; echo short >&2");
    assert_int_equal(seen.state, JOB_SUCCEEDED);
    assert_int_equal(seen.attempts[0].output_length, 64 * 1024);
    assert_true(seen.attempts[0].truncated);
    const char *end = seen.attempts[0].output + strlen(seen.attempts[0].output);
    assert_string_equal(end - strlen("100000\nthe end\n"), "100000\nthe end\n");
    assert_string_equal(seen.attempts[0].errors, "short\n");
}

static void closing_its_outputs_does_not_end_it(void **state)
{
    (void)state;
    struct seen seen = run_shell("echo before; exec >&- 2>&-; i=0; "
                                 "while [ $i -lt 3000 ]; do i=$((i+1)); done; exit 7");
    assert_int_equal(seen.attempts[0].exit_code, 7);
    assert_string_equal(seen.attempts[0].output, "before\n");
}

static void not_reading_stdin_is_no_failure(void **state)
{
    (void)state;
    struct seen seen = run_shell("exec <&-; exit 0");
    assert_int_equal(seen.state, JOB_SUCCEEDED);
}

static void metrics_count_what_happened(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("test $CALLBACK_ATTEMPT = 2");
    struct config_hook *dying = fixture_hook(f, "dying");
    dying->shell = "exit 65";
    struct error error;
    must(hook_engine_reload(f->engine, &f->config, &error), &error);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(metrics_get(f->metrics, METRIC_JOBS_SUCCEEDED), 1);
    assert_int_equal(metrics_get(f->metrics, METRIC_JOBS_DEAD), 1);
    assert_int_equal(metrics_get(f->metrics, METRIC_JOBS_RUNNING), 0);
    assert_int_equal(metrics_get(f->metrics, METRIC_ATTEMPTS), 3);
    assert_int_equal(metrics_get(f->metrics, METRIC_ATTEMPTS_FAILED), 2);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_body_is_on_stdin_and_in_a_file_byte_for_byte),
        cmocka_unit_test(the_body_file_goes_with_the_attempt),
        cmocka_unit_test(the_environment_is_exactly_what_is_documented),
        cmocka_unit_test(no_value_changes_where_arguments_end),
        cmocka_unit_test(it_has_a_session_clean_signals_and_no_descriptor_of_ours),
        cmocka_unit_test(a_program_without_slash_is_found_in_the_hooks_own_path),
        cmocka_unit_test(exit_0_is_success_with_its_output),
        cmocka_unit_test(exit_65_is_not_retried),
        cmocka_unit_test(a_failure_is_retried_until_attempts_are_used_up),
        cmocka_unit_test(one_that_works_in_the_end_succeeds_after_documented_gaps),
        cmocka_unit_test(a_signal_is_recorded_as_such),
        cmocka_unit_test(a_program_that_is_not_there_is_a_spawn_error_and_retried),
        cmocka_unit_test(a_value_that_cannot_be_an_argument_makes_it_dead_with_the_reason),
        cmocka_unit_test(output_beyond_64_kib_is_cut_to_its_end),
        cmocka_unit_test(closing_its_outputs_does_not_end_it),
        cmocka_unit_test(not_reading_stdin_is_no_failure),
        cmocka_unit_test(metrics_count_what_happened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
