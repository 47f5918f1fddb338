/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "callbackd/hooks.h"

static void assert_environment(
    const struct config_hook *hook, const struct result_record *result, bool replay,
    const char *const *expected)
{
    struct hook_values values = {
        .hook = hook,
        .result = result,
        .job_id = "the-job",
        .body_file = "/run/callbackd/the-job",
        .attempt = 2,
        .replay = replay,
        .body = bytes_of_text("{}"),
    };
    struct error error;
    char **environment = NULL;
    assert_int_equal(hook_environment(&values, &environment, &error), 0);
    size_t i = 0;
    for (; expected[i]; i++) {
        assert_non_null(environment[i]);
        assert_string_equal(environment[i], expected[i]);
    }
    assert_null(environment[i]);
    hook_strings_free(environment);
}

static int set_up(void **state)
{
    (void)state;
    return setenv("PATH", "/usr/bin:/bin", 1) || setenv("HOME", "/home/me", 1) ||
           setenv("LANG", "de_DE.UTF-8", 1) || setenv("SECRET", "not for hooks", 1);
}

static void holds_what_is_documented_and_nothing_else(void **state)
{
    (void)state;
    struct config_variable env[] = {{"MODE", "fast and \"loose\""}, {"EMPTY", ""}};
    struct config_hook hook = {.name = "notify", .env = env, .env_count = 2};
    struct result_record result = {
        .endpoint = "results",
        .has_execution_id = true,
        .execution_id = -5,
        .has_run = true,
        .workflow = "triage",
        .event = "an event",
        .status = STATUS_FAILED,
        .received_at_ms = INT64_C(1795457045678),
    };
    memset(result.id.bytes, 0x11, ID_BYTES);
    memset(result.run.bytes, 0x22, ID_BYTES);
    const char *const expected[] = {
        "PATH=/usr/bin:/bin",
        "HOME=/home/me",
        "LANG=de_DE.UTF-8",
        "MODE=fast and \"loose\"",
        "EMPTY=",
        "CALLBACK_HOOK=notify",
        "CALLBACK_ENDPOINT=results",
        "CALLBACK_RESULT_ID=11111111-1111-1111-1111-111111111111",
        "CALLBACK_EXECUTION_ID=-5",
        "CALLBACK_RUN_ID=22222222-2222-2222-2222-222222222222",
        "CALLBACK_WORKFLOW=triage",
        "CALLBACK_STATUS=failed",
        "CALLBACK_RECEIVED_AT=2026-11-23T18:04:05.678Z",
        "CALLBACK_ATTEMPT=2",
        "CALLBACK_JOB_ID=the-job",
        "CALLBACK_BODY_FILE=/run/callbackd/the-job",
        "CALLBACK_REPLAY=1",
        NULL,
    };
    assert_environment(&hook, &result, true, expected);
}

static void what_is_absent_is_empty(void **state)
{
    (void)state;
    unsetenv("PATH");
    unsetenv("LANG");
    setenv("HOME", "", 1);
    struct config_hook hook = {.name = "h"};
    struct result_record result = {.endpoint = "e", .status = STATUS_RECEIVED};
    const char *const expected[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/",
        "LANG=C.UTF-8",
        "CALLBACK_HOOK=h",
        "CALLBACK_ENDPOINT=e",
        "CALLBACK_RESULT_ID=00000000-0000-0000-0000-000000000000",
        "CALLBACK_EXECUTION_ID=",
        "CALLBACK_RUN_ID=",
        "CALLBACK_WORKFLOW=",
        "CALLBACK_STATUS=received",
        "CALLBACK_RECEIVED_AT=1970-01-01T00:00:00.000Z",
        "CALLBACK_ATTEMPT=2",
        "CALLBACK_JOB_ID=the-job",
        "CALLBACK_BODY_FILE=/run/callbackd/the-job",
        "CALLBACK_REPLAY=",
        NULL,
    };
    assert_environment(&hook, &result, false, expected);
}

static void no_name_comes_twice(void **state)
{
    (void)state;
    struct config_variable env[] = {{"PATH", "/opt/bin"}, {"CALLBACK_STATUS", "forged"}};
    struct config_hook hook = {.name = "h", .env = env, .env_count = 2};
    struct result_record result = {.endpoint = "e", .status = STATUS_SUCCESS};
    const char *const expected[] = {
        "HOME=/home/me",
        "LANG=de_DE.UTF-8",
        "PATH=/opt/bin",
        "CALLBACK_HOOK=h",
        "CALLBACK_ENDPOINT=e",
        "CALLBACK_RESULT_ID=00000000-0000-0000-0000-000000000000",
        "CALLBACK_EXECUTION_ID=",
        "CALLBACK_RUN_ID=",
        "CALLBACK_WORKFLOW=",
        "CALLBACK_STATUS=success",
        "CALLBACK_RECEIVED_AT=1970-01-01T00:00:00.000Z",
        "CALLBACK_ATTEMPT=2",
        "CALLBACK_JOB_ID=the-job",
        "CALLBACK_BODY_FILE=/run/callbackd/the-job",
        "CALLBACK_REPLAY=",
        NULL,
    };
    assert_environment(&hook, &result, false, expected);
}

static void a_value_that_cannot_be_a_variable_is_refused(void **state)
{
    (void)state;
    char *workflow = malloc(128 * 1024);
    assert_non_null(workflow);
    memset(workflow, 'w', 128 * 1024 - 1);
    workflow[128 * 1024 - 1] = '\0';
    struct config_hook hook = {.name = "h"};
    struct result_record result = {.endpoint = "e", .workflow = workflow};
    struct hook_values values = {.hook = &hook, .result = &result, .job_id = "j"};
    struct error error;
    char **environment = NULL;
    assert_int_equal(hook_environment(&values, &environment, &error), -1);
    assert_int_equal(error.code, ERROR_INVALID);
    assert_non_null(strstr(error.message, "CALLBACK_WORKFLOW"));
    assert_null(environment);
    free(workflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(holds_what_is_documented_and_nothing_else, set_up),
        cmocka_unit_test_setup(what_is_absent_is_empty, set_up),
        cmocka_unit_test_setup(no_name_comes_twice, set_up),
        cmocka_unit_test_setup(a_value_that_cannot_be_a_variable_is_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
