/* SPDX-License-Identifier: MIT */
/* Which jobs a result becomes, replays, and reloads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine_fixture.h"

static void conditions_see_the_stored_body_and_headers(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct config_condition yes[] = {
        {.type = CONDITION_POINTER, .source = "/go", .text = "yes"},
        {.type = CONDITION_HEADER, .source = "x-test", .text = "yes"},
    };
    struct config_condition no[] = {{.type = CONDITION_POINTER, .source = "/go", .text = "no"}};
    struct config_hook *matching = fixture_hook(f, "matching");
    struct config_hook *other = fixture_hook(f, "other");
    matching->shell = other->shell = "exit 0";
    matching->when.children = yes;
    matching->when.child_count = 2;
    other->when.children = no;
    other->when.child_count = 1;
    fixture_open_store(f);
    fixture_start(f);
    struct result_record result = fixture_result(f, bytes_of_text("{\"go\":\"yes\"}"));
    assert_int_equal(fixture_queue(f, &result), 1);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "matching").succeeded, 1);
    assert_false(fixture_see(f, "other").found);
    fixture_free(f);
}

static int try_replay(
    struct fixture *f, const struct result_record *result, const char *hook, struct error *error)
{
    struct queueing q = {f, result, hook, true, 0};
    return state_write(f->state, queue_work, &q, error) == 0 ? q.jobs : -1;
}

static void a_replay_of_a_named_hook_asks_no_conditions_and_is_marked(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("echo \"$CALLBACK_REPLAY $CALLBACK_STATUS\"");
    f->hooks[0].endpoint = "another";
    f->hooks[0].delay_ms = 3600000;
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    struct error error;
    assert_int_equal(fixture_queue(f, &result), 0);
    assert_int_equal(try_replay(f, &result, NULL, &error), 0);
    assert_int_equal(try_replay(f, &result, "hook", &error), 1);
    fixture_run(f, all_ended);
    struct seen seen = fixture_see(f, "hook");
    assert_true(seen.replay);
    assert_string_equal(seen.attempts[0].output, "1 success\n");
    fixture_free(f);
}

static void a_replay_of_all_asks_the_conditions(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 0");
    struct config_hook *other = fixture_hook(f, "other");
    other->shell = "exit 0";
    other->endpoint = "another";
    struct error error;
    must(hook_engine_reload(f->engine, &f->config, &error), &error);
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    assert_int_equal(try_replay(f, &result, NULL, &error), 1);
    fixture_free(f);
}

static void a_hook_that_does_not_exist_cannot_be_replayed(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 0");
    struct result_record result = fixture_result(f, bytes_of_text("{}"));
    struct error error;
    assert_int_equal(try_replay(f, &result, "nope", &error), -1);
    assert_int_equal(error.code, ERROR_NOT_FOUND);
    fixture_free(f);
}

static void a_queued_job_waits_for_its_hook_to_come_back(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 0");
    struct error error;
    fixture_post(f, "{}");
    struct config empty = f->config;
    empty.hook_count = 0;
    must(hook_engine_reload(f->engine, &empty, &error), &error);
    for (int i = 0; i < 10; i++)
        fixture_turn(f, 1);
    assert_int_equal(fixture_counts(f, "hook").waiting, 1);
    must(hook_engine_reload(f->engine, &f->config, &error), &error);
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 1);
    fixture_free(f);
}

static bool is_ready(struct fixture *f)
{
    return has_file(f, "ready");
}

static bool nothing_runs(struct fixture *f)
{
    return hook_engine_running(f->engine) == 0;
}

static void a_running_job_goes_on_when_its_hook_is_gone(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("touch ready; sleep 0.3; echo done; exit 3");
    struct error error;
    fixture_post(f, "{}");
    fixture_run(f, is_ready);
    struct config empty = f->config;
    empty.hook_count = 0;
    must(hook_engine_reload(f->engine, &empty, &error), &error);
    memset(&f->hooks[0], 0, sizeof f->hooks[0]); /* nobody may look at it any more */
    fixture_run(f, nothing_runs);
    fixture_turn(f, 20);
    struct seen seen = fixture_see(f, "hook");
    assert_int_equal(seen.state, JOB_RETRYING); /* by the policy it was started with */
    assert_string_equal(seen.attempts[0].output, "done\n");
    fixture_free(f);
}

static void a_wrong_configuration_is_refused_and_the_old_one_kept(void **state)
{
    (void)state;
    struct fixture *f = fixture_with_shell("exit 0");
    struct config wrong = f->config;
    struct config_hook hooks[1] = {f->hooks[0]};
    char *command[] = {"/bin/true", "{nonsense}", NULL};
    hooks[0].shell = NULL;
    hooks[0].command = command;
    wrong.hooks = hooks;
    struct error error;
    assert_int_equal(hook_engine_reload(f->engine, &wrong, &error), -1);
    assert_int_equal(error.code, ERROR_CONFIG);
    assert_non_null(strstr(error.message, "{nonsense}"));
    fixture_post(f, "{}");
    fixture_run(f, all_ended);
    assert_int_equal(fixture_counts(f, "hook").succeeded, 1);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_see_the_stored_body_and_headers),
        cmocka_unit_test(a_replay_of_a_named_hook_asks_no_conditions_and_is_marked),
        cmocka_unit_test(a_replay_of_all_asks_the_conditions),
        cmocka_unit_test(a_hook_that_does_not_exist_cannot_be_replayed),
        cmocka_unit_test(a_queued_job_waits_for_its_hook_to_come_back),
        cmocka_unit_test(a_running_job_goes_on_when_its_hook_is_gone),
        cmocka_unit_test(a_wrong_configuration_is_refused_and_the_old_one_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
