/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "launch_plan.h"

enum { NOW_MS = 1000000 };

static struct launch_plan plan;
static struct error error;

static int read_plan(const struct argument *items, size_t count)
{
    struct arguments arguments = {.items = (struct argument *)(uintptr_t)items, .count = count};
    launch_plan_fini(&plan);
    error = (struct error){0};
    return launch_plan_read(&plan, &arguments, "flow", NOW_MS, &error);
}

#define READ(...)                                                                                  \
    read_plan(                                                                                     \
        (const struct argument[]){__VA_ARGS__},                                                    \
        sizeof((const struct argument[]){__VA_ARGS__}) / sizeof(struct argument))

static void assert_usage(int result, const char *message)
{
    assert_int_equal(result, -1);
    assert_int_equal(error.code, ERROR_USAGE);
    assert_holds(error.message, message);
}

static void test_nothing_given_is_a_registered_run(void **state)
{
    (void)state;
    assert_int_equal(read_plan(NULL, 0), 0);
    assert_int_equal(plan.mode, LAUNCH_REGISTERED);
    assert_string_equal(buffer_text(&plan.inputs), "{}");
    assert_int_equal(plan.metadata.length, 0);
    assert_false(plan.wait);
    assert_int_equal(plan.deadline_at_ms, 0);
}

static void test_all_that_is_given_is_taken(void **state)
{
    (void)state;
    assert_int_equal(
        READ(
            {OPTION_INPUT, "a=1"}, {OPTION_METADATA, "m=x"}, {OPTION_TAG, "t=y"},
            {OPTION_INPUT_JSON, "b=2"}, {OPTION_VERSION_NUMBER, "3"}, {OPTION_ALL_OUTPUTS, NULL},
            {OPTION_DEADLINE, "10m"}, {OPTION_WAIT, "30s"}),
        0);
    assert_string_equal(buffer_text(&plan.inputs), "{\"a\":\"1\",\"b\":2}");
    assert_string_equal(buffer_text(&plan.metadata), "{\"m\":\"x\"}");
    assert_string_equal(buffer_text(&plan.tags), "{\"t\":\"y\"}");
    assert_int_equal(plan.version, 3);
    assert_int_equal(plan.deadline_at_ms, NOW_MS + 600000);
    assert_int_equal(plan.wait_ms, 30000);
    struct promptlayer_run run = launch_plan_request(&plan, "https://x/y");
    assert_true(run.all_outputs);
    assert_string_equal(run.workflow, "flow");
    assert_string_equal(run.callback_url, "https://x/y");
}

static void test_wait_without_a_duration_is_for_ever(void **state)
{
    (void)state;
    assert_int_equal(READ({OPTION_WAIT, NULL}), 0);
    assert_true(plan.wait);
    assert_int_equal(plan.wait_ms, WAIT_FOR_EVER);
}

static void test_ways_to_call_back_exclude_each_other(void **state)
{
    (void)state;
    assert_usage(READ({OPTION_OFFLINE, NULL}, {OPTION_NO_CALLBACK, NULL}), "only one");
    assert_usage(READ({OPTION_CALLBACK_URL, "x"}, {OPTION_NO_CALLBACK, NULL}), "only one");
    assert_usage(READ({OPTION_LABEL, "l"}, {OPTION_VERSION_NUMBER, "1"}), "exclude");
    assert_usage(READ({OPTION_OFFLINE, NULL}, {OPTION_IDEMPOTENCY_KEY, "k"}), "registers");
    assert_usage(READ({OPTION_NO_CALLBACK, NULL}, {OPTION_TAG, "a=b"}), "registers");
    assert_usage(READ({OPTION_NO_CALLBACK, NULL}, {OPTION_DEADLINE, "1m"}), "callback URL");
    assert_int_equal(READ({OPTION_OFFLINE, NULL}, {OPTION_DEADLINE, "1m"}), 0);
}

static void test_deadlines_are_checked(void **state)
{
    (void)state;
    assert_int_equal(READ({OPTION_DEADLINE, "2026-11-23T18:00:00Z"}), 0);
    assert_int_equal(plan.deadline_at_ms, 1795456800000);
    assert_usage(READ({OPTION_DEADLINE, "1960-01-01T00:00:00Z"}), "not in the future");
    assert_usage(READ({OPTION_DEADLINE, "later"}), "neither");
    assert_usage(READ({OPTION_DEADLINE, "99999999d"}), "too far");
}

static void test_versions_are_checked(void **state)
{
    (void)state;
    assert_usage(READ({OPTION_VERSION_NUMBER, "0"}), "--version-number");
    assert_usage(READ({OPTION_VERSION_NUMBER, "one"}), "--version-number");
}

static void test_inputs_come_from_a_file(void **state)
{
    (void)state;
    CLEANUP_FREE char *directory = make_directory();
    CLEANUP_FREE char *path = os_path_join(directory, "in.json");
    os_write_file_atomic(path, bytes_of_text("{\"a\": 1, \"b\": 2}"), 0600, &error);
    assert_int_equal(READ({OPTION_INPUTS, path}, {OPTION_INPUT, "a=x"}), 0);
    assert_string_equal(buffer_text(&plan.inputs), "{\"a\":\"x\",\"b\":2}");
    unlink(path);
    assert_int_equal(READ({OPTION_INPUTS, path}), -1);
    assert_int_equal(error.code, ERROR_IO);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_given_is_a_registered_run),
        cmocka_unit_test(test_all_that_is_given_is_taken),
        cmocka_unit_test(test_wait_without_a_duration_is_for_ever),
        cmocka_unit_test(test_ways_to_call_back_exclude_each_other),
        cmocka_unit_test(test_deadlines_are_checked),
        cmocka_unit_test(test_versions_are_checked),
        cmocka_unit_test(test_inputs_come_from_a_file),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    launch_plan_fini(&plan);
    return failed;
}
