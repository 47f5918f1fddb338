/* SPDX-License-Identifier: MIT */
/* Streams in the engine: real processes of /bin/sh, which read lines and answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_fixture.h"
#include "process_table.h"

/* The job's id is in $job; `body` does something for each line. */
#define EACH_LINE(body)                                                                            \
    "while IFS= read -r line; do job=${line#'{\"job\":\"'} job=${job%%\\\"*}; " body "; done"
#define ANSWER(members) "printf '{\"job\":\"%s\"," members "}\\n' \"$job\""
#define OK ANSWER("\"status\":\"ok\"")

static struct config_hook *stream_hook(struct fixture *f, char *name, char *shell)
{
    struct config_hook *hook = fixture_hook(f, name);
    hook->shell = shell;
    hook->mode = MODE_STREAM;
    hook->concurrency = 1;
    hook->window = 4;
    return hook;
}

static struct fixture *fixture_with_stream(char *shell)
{
    struct fixture *f = fixture_new();
    stream_hook(f, "hook", shell);
    fixture_open_store(f);
    fixture_start(f);
    return f;
}

static int lines_in(struct fixture *f, const char *name)
{
    int lines = 0;
    if (!has_file(f, name))
        return 0;
    struct buffer content = read_out(f, name);
    for (size_t i = 0; i < content.length; i++)
        lines += content.data[i] == '\n';
    buffer_fini(&content);
    return lines;
}

static void let_go(struct fixture *f)
{
    CLEANUP_FREE char *path = os_path_join(f->out, "go");
    struct error error;
    must(os_write_file_atomic(path, bytes_of_text(""), 0600, &error), &error);
}

static void reload(struct fixture *f)
{
    struct error error;
    must(hook_engine_reload(f->engine, &f->config, &error), &error);
}

static bool has_two_lines(struct fixture *f)
{
    return lines_in(f, "lines") >= 2;
}

/* ---- jobs ---- */

static void one_process_serves_all_jobs(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream(
        "echo start >>starts; " EACH_LINE("printf '%s\\n' \"$line\" >>lines; " OK));
    for (int i = 0; i < 50; i++)
        fixture_post(f, "{\n\"a\":\r\n1}");
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 50);
    assert_int_equal(lines_in(f, "starts"), 1);
    assert_int_equal(lines_in(f, "lines"), 50);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.attempts_made, 1);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_EXIT);
    assert_int_equal(seen.attempts[0].exit_code, 0);
    fixture_free(f);
}

static void an_answer_says_what_becomes_of_the_job(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream(EACH_LINE(
        "case $line in"
        " *'\"attempt\":1,'*) " ANSWER(
            "\"status\":\"retry\",\"message\":\"later\",\"retry_"
            "after\":0") ";;"
                         " *'\"attempt\":2,'*) " ANSWER("\"status\":\"maybe\"") ";;"
                                                                                " *)"
                                                                                " " ANSWER(
                                                                                    "\"statu"
                                                                                    "s\":"
                                                                                    "\"fail"
                                                                                    "\","
                                                                                    "\"messa"
                                                                                    "ge\":"
                                                                                    "\"never"
                                                                                    "\"") ";"
                                                                                          ";"
                                                                                          " "
                                                                                          "e"
                                                                                          "s"
                                                                                          "a"
                                                                                          "c"));
    f->hooks[0].retry =
        (struct config_retry){.attempts = 9, .first_delay_ms = 1, .max_delay_ms = 2};
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_string_equal(seen.reason, "never");
    assert_int_equal(seen.attempt_count, 3);
    assert_int_equal(seen.attempts[0].exit_code, 75);
    assert_string_equal(seen.attempts[0].output, "later");
    assert_int_equal(seen.attempts[1].exit_code, 75);
    assert_string_equal(seen.attempts[1].message, "the stream answered with a status that is none");
    assert_int_equal(seen.attempts[2].exit_code, 65);
    assert_string_equal(seen.attempts[2].output, "never");
    fixture_free(f);
}

static void answers_come_in_any_order(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream(
        EACH_LINE("jobs=\"$job $jobs\"; n=$((n + 1)); "
                  "if test $n = 4; then for job in $jobs; do " OK "; done; n=0; jobs=; fi"));
    for (int i = 0; i < 12; i++)
        fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 12);
    fixture_free(f);
}

static void a_copy_has_no_more_jobs_than_its_window(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    stream_hook(
        f, "hook",
        EACH_LINE(
            "echo \"$job\" >>lines; test -e go || while test ! -e go; do sleep 0.01; done; " OK));
    f->hooks[0].window = 3;
    f->hooks[0].concurrency = 2;
    /* Jobs of streams are apart from the others'. */
    f->config.hook_concurrency = 1;
    fixture_open_store(f);
    fixture_start(f);
    for (int i = 0; i < 20; i++)
        fixture_post(f, "{}");
    fixture_run(f, has_two_lines);
    assert_int_equal(hook_engine_running(f->engine), 6);
    assert_int_equal(fixture_counts(f, "hook").running, 6);
    let_go(f);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 20);
    fixture_free(f);
}

static void a_large_body_passes_a_pipe_that_takes_little(void **state)
{
    (void)state;
    enum { LARGE = 3 * 1024 * 1024 };
    char *large = malloc(LARGE + 1);
    assert_non_null(large);
    memset(large, 'x', LARGE);
    large[0] = '"';
    large[LARGE - 1] = '"';
    large[LARGE] = '\0';
    struct fixture *f = fixture_with_stream(
        "head -n 2 >lines; for job in $(cut -c 9-44 lines); do " OK "; done; cat >/dev/null");
    fixture_post(f, large);
    fixture_post(f, large);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 2);
    struct buffer content = read_out(f, "lines");
    assert_true(content.length > (size_t)2 * LARGE);
    buffer_fini(&content);
    free(large);
    fixture_free(f);
}

/* ---- when it ends ---- */

static int see_oldest_work(struct state_tx *tx, void *context, struct error *error)
{
    struct seen *seen = context;
    struct job_filter filter = {.hook = seen->hook, .state = -1, .limit = 100};
    if (state_job_list(tx, &filter, see_job, seen, error) != 0)
        return -1;
    return state_attempt_list(tx, &seen->id, see_attempt, seen, error);
}

static struct seen see_oldest(struct fixture *f)
{
    struct error error;
    struct seen seen = {.hook = "hook"};
    must(state_read(f->state, see_oldest_work, &seen, &error), &error);
    return seen;
}

static void of_a_process_that_ended_the_oldest_job_is_put_down(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream(
        "if test ! -e starts; then echo start >>starts; echo warned >&2;"
        " for i in 1 2 3 4; do read -r line; done; exit 7; fi; echo start >>starts; " EACH_LINE(
            OK));
    for (int i = 0; i < 4; i++)
        fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 4);
    assert_int_equal(lines_in(f, "starts"), 2);
    struct seen seen = see_oldest(f);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_EXIT);
    assert_int_equal(seen.attempts[0].exit_code, 7);
    assert_string_equal(seen.attempts[0].errors, "warned\n");
    seen = fixture_see(f, "hook"); /* the newest */
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_INTERRUPTED);
    assert_int_equal(seen.attempts[0].error_length, 0);
    fixture_free(f);
}

static void exit_without_an_answer_is_no_success(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream("echo start >>starts; echo why >&2; read -r line");
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempt_count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen.attempts[i].outcome, ATTEMPT_EXIT);
        assert_int_equal(seen.attempts[i].exit_code, 0);
        assert_string_equal(seen.attempts[i].errors, "why\n");
        assert_string_equal(
            seen.attempts[i].message, "the stream's process ended before it had answered");
    }
    /* Each start has cost an attempt: it does not spin. */
    assert_int_equal(lines_in(f, "starts"), 3);
    fixture_free(f);
}

static void exit_75_after_an_answer_puts_no_job_down(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream(
        "read -r line; job=${line#'{\"job\":\"'}; job=${job%%\\\"*}; " OK "; exit 75");
    f->hooks[0].retry.attempts = 1;
    for (int i = 0; i < 6; i++)
        fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 6);
    assert_int_equal(fixture_counts(f, "hook").dead, 0);
    fixture_free(f);
}

static void assert_broken(char *shell, enum attempt_outcome outcome, const char *message)
{
    struct fixture *f = fixture_new();
    stream_hook(f, "hook", shell)->retry.attempts = 1;
    fixture_open_store(f);
    fixture_start(f);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempts[0].outcome, outcome);
    if (!strstr(seen.attempts[0].message, message))
        fail_msg("\"%s\" is not in \"%s\"", message, seen.attempts[0].message);
    fixture_free(f);
}

static void what_breaks_the_protocol_ends_the_copy(void **state)
{
    (void)state;
    assert_broken(
        "read -r line; echo 'hello\x1b'; exec sleep 100", ATTEMPT_SIGNAL,
        "wrote a line that is no answer");
    assert_broken(
        "read -r line; echo '{\"status\":\"ok\"}'; exec sleep 100", ATTEMPT_SIGNAL, "no \"job\"");
    assert_broken(
        "read -r line; head -c 70000 /dev/zero | tr '\\0' ' '; exec sleep 100", ATTEMPT_SIGNAL,
        "over 64 KiB");
    assert_broken("exec >&-; exec sleep 100", ATTEMPT_SIGNAL, "closed its stdout");
    assert_broken(
        "trap 'exit 3' TERM; exec <&-; while :; do sleep 0.01; done", ATTEMPT_EXIT,
        "closed its stdin");
}

static void answers_for_jobs_that_it_does_not_have_do_not_count(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream(EACH_LINE(
        OK "; echo; " ANSWER("\"status\":\"fail\"") "; "
                                                    "echo "
                                                    "'{\"job\":\"019dd1c5-7a55-7c10-8b26-"
                                                    "0f7a4c0d6a11\",\"status\":\"fail\"}'"));
    for (int i = 0; i < 5; i++)
        fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 5);
    fixture_free(f);
}

static bool oldest_has_timed_out(struct fixture *f)
{
    return see_oldest(f).attempts[0].outcome == ATTEMPT_TIMEOUT;
}

static void silence_is_a_timeout_of_the_oldest_job(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    stream_hook(f, "hook", EACH_LINE("if test -e go; then " OK "; fi"));
    f->hooks[0].timeout_ms = 50;
    f->hooks[0].retry.attempts = 5;
    fixture_open_store(f);
    fixture_start(f);
    for (int i = 0; i < 3; i++)
        fixture_post(f, "{}");
    fixture_run(f, oldest_has_timed_out);
    /* Those that follow answer, and have the time to start. */
    f->hooks[0].timeout_ms = 30000;
    reload(f);
    let_go(f);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 3);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_INTERRUPTED);
    assert_int_equal(see_oldest(f).attempts[0].outcome, ATTEMPT_TIMEOUT);
    fixture_free(f);
}

static void one_that_never_reads_is_found_out(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    stream_hook(f, "hook", "exec sleep 100")->timeout_ms = 50;
    f->hooks[0].retry.attempts = 1;
    fixture_open_store(f);
    fixture_start(f);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_DEAD);
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_TIMEOUT);
    assert_int_equal(seen.attempts[0].signal, SIGTERM);
    fixture_free(f);
}

static void what_cannot_be_started_is_a_spawn_error(void **state)
{
    (void)state;
    static char *command[] = {"/nowhere/at/all", NULL};
    struct fixture *f = fixture_new();
    struct config_hook *hook = stream_hook(f, "hook", NULL);
    hook->command = command;
    hook->retry.attempts = 2;
    fixture_open_store(f);
    fixture_start(f);
    fixture_post(f, "{}");
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").dead, 2);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.attempts[0].outcome, ATTEMPT_SPAWN_ERROR);
    assert_non_null(strstr(seen.attempts[0].message, "/nowhere/at/all"));
    fixture_free(f);
}

/* ---- by hand ---- */

static void ask_to_cancel(struct job_record *job)
{
    job->cancel_requested = true;
}

static void cancelling_a_job_that_was_given_ends_the_copy(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream("echo start >>starts; " EACH_LINE(
        "go=; test -e go && go=1; echo \"$job\" >>lines; test -z \"$go\" || " OK));
    fixture_post(f, "{}");
    fixture_post(f, "{}");
    fixture_run(f, has_two_lines);
    struct seen seen = fixture_see(f, "hook"); /* the newer one */
    fixture_change(f, &seen.id, ask_to_cancel);
    let_go(f);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_see(f, "hook").state, JOB_CANCELLED);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 1);
    assert_int_equal(lines_in(f, "starts"), 2);
    fixture_free(f);
}

static void a_paused_stream_gets_no_jobs(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream("echo start >>starts; " EACH_LINE(OK));
    fixture_pause(f, "hook", true);
    fixture_post(f, "{}");
    fixture_turn(f, 20);
    fixture_turn(f, 20);
    assert_int_equal(lines_in(f, "starts"), 0);
    assert_int_equal(hook_engine_running(f->engine), 0);
    fixture_pause(f, "hook", false);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 1);
    fixture_free(f);
}

/* ---- reload and stop ---- */

static void a_reload_starts_others_only_for_what_changed(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream("echo one >>starts; " EACH_LINE(OK));
    f->config.limits.stop_timeout_ms = 60000;
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    f->hooks[0].window = 2;
    reload(f);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(lines_in(f, "starts"), 1);
    f->hooks[0].shell = "echo two >>starts; " EACH_LINE(OK);
    reload(f);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(lines_in(f, "starts"), 2);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 3);
    fixture_free(f);
}

static bool has_one_line(struct fixture *f)
{
    return lines_in(f, "lines") >= 1;
}

static bool has_one_success(struct fixture *f)
{
    return fixture_counts(f, "hook").succeeded >= 1;
}

static bool has_ended_file(struct fixture *f)
{
    return has_file(f, "ended");
}

static void after_a_reload_an_old_copy_answers_what_it_has(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream(EACH_LINE(
        "echo \"$job\" >>lines; while test ! -e go; do sleep 0.01; done; " OK) "; echo end >ended");
    f->config.limits.stop_timeout_ms = 60000;
    fixture_post(f, "{}");
    fixture_post(f, "{}");
    fixture_run(f, has_one_line);
    f->hooks[0].shell = "echo two >>starts; " EACH_LINE(OK);
    reload(f);
    fixture_post(f, "{}");
    fixture_run(f, has_one_success);
    assert_int_equal(hook_engine_running(f->engine), 2);
    let_go(f);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 3);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.attempt_count, 1);
    /* The end of its input has told it to end. */
    fixture_run(f, has_ended_file);
    fixture_free(f);
}

static void a_stop_waits_for_answers_and_gives_back_what_has_none(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_stream(EACH_LINE(
        "case $line in *slow*) ;; *) " OK ";; esac; echo \"$job\" >>lines") "; echo end >ended");
    fixture_post(f, "{\"slow\":1}");
    fixture_post(f, "{}");
    fixture_run(f, has_two_lines);
    hook_engine_stop(f->engine, 50);
    f->engine = NULL;
    assert_int_equal(fixture_counts(f, "hook").succeeded, 1);
    assert_int_equal(fixture_counts(f, "hook").waiting, 1);
    assert_false(has_file(f, "ended"));
    f->hooks[0].shell = EACH_LINE(OK) "; echo end >ended";
    fixture_start(f);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 2);
    /* One that has answered all is told by the end of its input, and has the time to end. */
    hook_engine_stop(f->engine, 60000);
    f->engine = NULL;
    assert_true(has_file(f, "ended"));
    fixture_free(f);
}

/* ---- nothing of it lives on ---- */

static bool has_child(struct fixture *f)
{
    return lines_in(f, "child") >= 1;
}

static void jobs_end_when_nothing_of_the_copy_is_alive(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    /* The child leaves session, parent and environment behind, and hears no SIGTERM. */
    stream_hook(
        f, "hook",
        "(setsid env -i sh -c 'trap \"\" TERM; echo $$ >>child; exec sleep 1000' &) ; "
        "read -r line; while test ! -e child; do sleep 0.01; done; exit 3")
        ->retry.attempts = 1;
    fixture_open_store(f);
    fixture_start(f);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_true(has_child(f));
    pid_t child = 0;
    assert_int_equal(read_pids(f, "child", &child, 1), 1);
    assert_true(is_dead(child));
    assert_int_equal(fixture_see(f, "hook").attempts[0].exit_code, 3);
    fixture_free(f);
}

static void copies_have_marks_of_one_family(void **state)
{
    (void)state;
    const int64_t family = 0x2fedcba98765;
    const struct id one = process_copy_id(family, 1);
    const struct id last = process_copy_id(family, UINT16_MAX);
    assert_false(id_equal(&one, &last));
    assert_true(process_mark(&one) != process_mark(&last));
    struct process_entry entry = {.job_known = true, .mark = process_mark(&last)};
    assert_true(process_entry_is_of_family(&entry, family));
    assert_true(process_entry_is_of(&entry, &last));
    assert_false(process_entry_is_of(&entry, &one));
    assert_false(process_entry_is_of_family(&entry, family + 1));
    entry = (struct process_entry){.job_known = true, .has_job = true, .job = one};
    assert_true(process_entry_is_of_family(&entry, family));
    assert_false(process_entry_is_of_family(&entry, family - 1));
    entry.job = id_new();
    assert_false(process_entry_is_of_family(&entry, family));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_process_serves_all_jobs),
        cmocka_unit_test(an_answer_says_what_becomes_of_the_job),
        cmocka_unit_test(answers_come_in_any_order),
        cmocka_unit_test(a_copy_has_no_more_jobs_than_its_window),
        cmocka_unit_test(a_large_body_passes_a_pipe_that_takes_little),
        cmocka_unit_test(of_a_process_that_ended_the_oldest_job_is_put_down),
        cmocka_unit_test(exit_without_an_answer_is_no_success),
        cmocka_unit_test(exit_75_after_an_answer_puts_no_job_down),
        cmocka_unit_test(what_breaks_the_protocol_ends_the_copy),
        cmocka_unit_test(answers_for_jobs_that_it_does_not_have_do_not_count),
        cmocka_unit_test(silence_is_a_timeout_of_the_oldest_job),
        cmocka_unit_test(one_that_never_reads_is_found_out),
        cmocka_unit_test(what_cannot_be_started_is_a_spawn_error),
        cmocka_unit_test(cancelling_a_job_that_was_given_ends_the_copy),
        cmocka_unit_test(a_paused_stream_gets_no_jobs),
        cmocka_unit_test(a_reload_starts_others_only_for_what_changed),
        cmocka_unit_test(after_a_reload_an_old_copy_answers_what_it_has),
        cmocka_unit_test(a_stop_waits_for_answers_and_gives_back_what_has_none),
        cmocka_unit_test(jobs_end_when_nothing_of_the_copy_is_alive),
        cmocka_unit_test(copies_have_marks_of_one_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
