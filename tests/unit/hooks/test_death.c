/* SPDX-License-Identifier: MIT */
/* The hook that `on_dead` names gets a job for each that died, with what it must know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_fixture.h"

static bool is_ready(struct fixture *f)
{
    return has_file(f, "ready");
}

static struct fixture *with_two(char *shell, char *told_shell)
{
    struct fixture *f = fixture_new();
    struct config_hook *hook = fixture_hook(f, "hook");
    struct config_hook *told = fixture_hook(f, "told");
    hook->shell = shell;
    hook->on_dead = "told";
    hook->retry.attempts = 2;
    told->shell = told_shell;
    told->takes = TAKES_DEAD;
    told->retry.attempts = 1;
    fixture_open_store(f);
    fixture_start(f);
    return f;
}

static char say[] = "cat; echo; echo \"$CALLBACK_DEAD_HOOK,$CALLBACK_DEAD_JOB_ID,"
                    "$CALLBACK_DEAD_REASON,$CALLBACK_HOOK\"";

static void expect_told(struct fixture *f, const char *body, const char *reason)
{
    struct seen dead = fixture_see(f, "hook");
    struct seen told = fixture_see(f, "told");
    char id[ID_TEXT_BYTES];
    char expected[1024];
    id_format(&dead.id, id);
    snprintf(expected, sizeof expected, "%s\nhook,%s,%s,told\n", body, id, reason);
    assert_int_equal(dead.state, JOB_DEAD);
    assert_int_equal(told.state, JOB_SUCCEEDED);
    assert_string_equal(told.attempts[0].output, expected);
}

static void it_is_told_which_job_died_of_what_on_the_same_body(void **state)
{
    (void)state;
    struct fixture *f = with_two("exit 3", say);
    fixture_post(f, "{\"a\":1}");
    fixture_run(f, all_ended);
    expect_told(f, "{\"a\":1}", "exit 3");
    assert_int_equal(fixture_counts(f, "told").succeeded, 1);
    fixture_free(f);
}

static void a_signal_and_a_timeout_are_named(void **state)
{
    (void)state;
    struct fixture *f = with_two("kill -USR1 $$", say);
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    expect_told(f, "{}", "signal 10");
    f->hooks[0].shell = "sleep 1000";
    f->hooks[0].timeout_ms = 20;
    f->hooks[0].retry.attempts = 1;
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    expect_told(f, "{}", "timeout");
    fixture_free(f);
}

static void a_job_that_was_never_started_is_told_too(void **state)
{
    (void)state;
    struct fixture *f = with_two("exit 0", say);
    f->hooks[0].delay_ms = 5;
    f->hooks[0].give_up_after_ms = 1;
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    expect_told(f, "{}", "not started within give_up_after (1ms)");
    fixture_free(f);
}

static void it_is_told_though_its_hook_has_gone_meanwhile(void **state)
{
    (void)state;
    struct fixture *f =
        with_two("touch ready; while [ ! -e go ]; do sleep 0.01; done; exit 65", say);
    struct config without = f->config;
    struct error error;
    fixture_post(f, "{}");
    fixture_run(f, is_ready);
    struct config_hook told = f->hooks[1];
    without.hooks = &told;
    without.hook_count = 1;
    must(hook_engine_reload(f->engine, &without, &error), &error);
    CLEANUP_FREE char *go = os_path_join(f->out, "go");
    close(open(go, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    fixture_run(f, all_ended);
    expect_told(f, "{}", "exit 65");
    must(hook_engine_reload(f->engine, &f->config, &error), &error);
    fixture_free(f);
}

static void neither_success_nor_a_result_is_told_nor_a_death_of_its_own(void **state)
{
    (void)state;
    struct fixture *f = with_two("test $CALLBACK_ATTEMPT = 2", "exit 65");
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_false(fixture_see(f, "told").found);
    f->hooks[0].shell = "exit 65";
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "told").dead, 1);
    assert_int_equal(fixture_counts(f, "hook").dead, 1);
    fixture_free(f);
}

static void a_replay_cannot_name_it(void **state)
{
    (void)state;
    struct fixture *f = with_two("exit 0", say);
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    struct queueing q = {f, &result, "told", true, 0};
    struct error error;
    assert_int_equal(state_write(f->state, queue_work, &q, &error), -1);
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_told_which_job_died_of_what_on_the_same_body),
        cmocka_unit_test(a_signal_and_a_timeout_are_named),
        cmocka_unit_test(a_job_that_was_never_started_is_told_too),
        cmocka_unit_test(neither_success_nor_a_result_is_told_nor_a_death_of_its_own),
        cmocka_unit_test(it_is_told_though_its_hook_has_gone_meanwhile),
        cmocka_unit_test(a_replay_cannot_name_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
