/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "callbackd/hook_trial.h"

static struct config_endpoint endpoint = {.name = "results"};
static struct config config = {.directory = "/"};

static struct hook_trial try_hook(struct config_hook *hook, enum result_status status, bool dry_run)
{
    struct hook_trial trial;
    struct error error = {0};
    const struct hook_trial_request request = {
        .config = &config,
        .hook = hook,
        .endpoint = &endpoint,
        .status = status,
        .workflow = "triage",
        .event = "",
        .headers_json = bytes_of_text("[]"),
        .body = bytes_of_text("{\"a\":1}"),
        .dry_run = dry_run,
    };
    if (hook_trial_run(&request, &trial, &error) != 0)
        fail_msg("%s", error.message);
    return trial;
}

static struct config_hook a_hook(const char *shell)
{
    return (struct config_hook){
        .name = "try",
        .when = {.type = CONDITION_ALL},
        .shell = (char *)(uintptr_t)shell,
        .mode_mask = 022,
        .timeout_ms = 60000,
    };
}

static void output_and_end_are_taken(void **state)
{
    (void)state;
    struct config_hook hook = a_hook("cat; echo oh >&2; exit 7");
    struct hook_trial trial = try_hook(&hook, STATUS_SUCCESS, false);
    assert_true(trial.matches);
    assert_string_equal(trial.outcome, "exit");
    assert_int_equal(trial.exit_code, 7);
    assert_string_equal(buffer_text(&trial.output), "{\"a\":1}");
    assert_string_equal(buffer_text(&trial.errors), "oh\n");
    hook_trial_fini(&trial);
}

static void a_flood_of_output_leaves_its_end(void **state)
{
    (void)state;
    struct config_hook hook = a_hook("head -c 300000 /dev/zero | tr '\\0' x; echo end");
    struct hook_trial trial = try_hook(&hook, STATUS_SUCCESS, false);
    assert_true(trial.output_truncated);
    assert_int_equal(trial.output.length, 64 * 1024);
    assert_memory_equal(trial.output.data + trial.output.length - 4, "end\n", 4);
    hook_trial_fini(&trial);
}

static void conditions_are_told_one_by_one(void **state)
{
    (void)state;
    struct config_condition inner = {
        .type = CONDITION_POINTER, .operator= OPERATOR_EQUALS, .source = "/a", .text = "2"};
    struct config_condition outer[] = {
        {.type = CONDITION_STATUS, .statuses = 1U << STATUS_FAILED | 1U << STATUS_SUCCESS},
        {.type = CONDITION_NOT, .children = &inner, .child_count = 1},
        {.type = CONDITION_WORKFLOW, .text = "other-*"},
    };
    struct config_hook hook = a_hook("true");
    hook.takes_status = true;
    hook.when.children = outer;
    hook.when.child_count = 3;
    struct hook_trial trial = try_hook(&hook, STATUS_FAILED, true);
    static const struct hook_trial_condition expected[] = {
        {0, true, "status is success or failed"},
        {0, true, "not"},
        {1, false, "body /a is 2"},
        {0, false, "workflow is like other-*"},
    };
    assert_false(trial.matches);
    assert_null(trial.outcome);
    assert_int_equal(trial.condition_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(trial.conditions[i].text, expected[i].text);
        assert_int_equal(trial.conditions[i].holds, expected[i].holds);
        assert_int_equal(trial.conditions[i].depth, expected[i].depth);
    }
    hook_trial_fini(&trial);
}

static void what_every_hook_asks_for_is_told_too(void **state)
{
    (void)state;
    struct config_hook hook = a_hook("true");
    hook.endpoint = (char *)(uintptr_t) "events";
    struct hook_trial trial = try_hook(&hook, STATUS_RUNNING, true);
    assert_false(trial.matches);
    assert_int_equal(trial.condition_count, 2);
    assert_string_equal(trial.conditions[0].text, "endpoint is events");
    assert_string_equal(trial.conditions[1].text, "status is final");
    assert_false(trial.conditions[0].holds || trial.conditions[1].holds);
    hook_trial_fini(&trial);
}

static void a_hook_that_takes_dead_jobs_is_told_of_one(void **state)
{
    (void)state;
    struct config_hook hook = a_hook("echo $CALLBACK_DEAD_REASON");
    hook.takes = TAKES_DEAD;
    struct hook_trial trial = try_hook(&hook, STATUS_SUCCESS, false);
    assert_true(trial.matches);
    assert_string_equal(buffer_text(&trial.output), "exit 1\n");
    hook_trial_fini(&trial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_and_end_are_taken),
        cmocka_unit_test(a_flood_of_output_leaves_its_end),
        cmocka_unit_test(conditions_are_told_one_by_one),
        cmocka_unit_test(what_every_hook_asks_for_is_told_too),
        cmocka_unit_test(a_hook_that_takes_dead_jobs_is_told_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
