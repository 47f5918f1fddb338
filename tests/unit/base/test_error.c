/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "callbackd/error.h"

static void every_code_has_a_row_of_its_own(void **state)
{
    (void)state;
    for (int code = 0; code < ERROR_CODES; code++) {
        const struct error_info *info = error_info((enum error_code)code);
        assert_int_equal(info->code, code);
        assert_non_null(info->name);
        assert_non_null(info->title);
        for (int other = 0; other < code; other++)
            assert_string_not_equal(info->name, error_info((enum error_code)other)->name);
    }
}

static void an_unknown_code_is_an_internal_error(void **state)
{
    (void)state;
    assert_int_equal(error_info(ERROR_CODES)->code, ERROR_INTERNAL);
    assert_int_equal(error_info((enum error_code)9999)->code, ERROR_INTERNAL);
}

static void http_statuses_are_those_of_the_contract(void **state)
{
    (void)state;
    static const struct {
        enum error_code code;
        int status;
    } expected[] = {
        {ERROR_INVALID, 400},   {ERROR_UNAUTHORIZED, 401}, {ERROR_FORBIDDEN, 403},
        {ERROR_NOT_FOUND, 404}, {ERROR_METHOD, 405},       {ERROR_TIMEOUT, 408},
        {ERROR_CONFLICT, 409},  {ERROR_TOO_LARGE, 413},    {ERROR_HEADERS_TOO_LARGE, 431},
        {ERROR_INTERNAL, 500},  {ERROR_UNREACHABLE, 502},  {ERROR_BUSY, 503},
        {ERROR_STORE, 503},     {ERROR_IO, 503},           {ERROR_MEMORY, 503},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(error_info(expected[i].code)->http_status, expected[i].status);
}

static void no_failure_answers_with_a_success(void **state)
{
    (void)state;
    for (int code = ERROR_NONE + 1; code < ERROR_CODES; code++) {
        assert_in_range(error_info((enum error_code)code)->http_status, 400, 599);
        assert_in_range(error_info((enum error_code)code)->exit_status, 2, 6);
    }
}

static void exit_statuses_are_those_of_the_contract(void **state)
{
    (void)state;
    assert_int_equal(error_info(ERROR_NONE)->exit_status, 0);
    assert_int_equal(error_info(ERROR_USAGE)->exit_status, 2);
    assert_int_equal(error_info(ERROR_REFUSED)->exit_status, 3);
    assert_int_equal(error_info(ERROR_UNAUTHORIZED)->exit_status, 3);
    assert_int_equal(error_info(ERROR_NOT_FOUND)->exit_status, 3);
    assert_int_equal(error_info(ERROR_UNREACHABLE)->exit_status, 4);
    assert_int_equal(error_info(ERROR_TIMEOUT)->exit_status, 5);
    assert_int_equal(error_info(ERROR_IO)->exit_status, 6);
}

static void set_fills_code_and_message(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(error_set(&error, ERROR_CONFLICT, "run %d is %s", 7, "closed"), -1);
    assert_int_equal(error.code, ERROR_CONFLICT);
    assert_string_equal(error.message, "run 7 is closed");
}

static void null_is_a_place_for_errors_too(void **state)
{
    (void)state;
    assert_int_equal(error_set(NULL, ERROR_IO, "gone"), -1);
    assert_int_equal(error_set_errno(NULL, ERROR_IO, EIO, "gone"), -1);
    assert_int_equal(error_prefix(NULL, "gone"), -1);
}

static void errno_text_follows_the_message(void **state)
{
    (void)state;
    struct error error;
    error_set_errno(&error, ERROR_IO, ENOENT, "cannot open %s", "a");
    assert_string_equal(error.message, "cannot open a: No such file or directory");
    error_set_errno(&error, ERROR_IO, 123456, "odd");
    assert_string_equal(error.message, "odd: Unknown error 123456");
}

static void prefix_goes_before_and_keeps_the_code(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, ERROR_STORE, "disk full");
    assert_int_equal(error_prefix(&error, "append to %s", "log"), -1);
    assert_string_equal(error.message, "append to log: disk full");
    assert_int_equal(error.code, ERROR_STORE);
}

static void a_message_may_be_made_of_itself(void **state)
{
    (void)state;
    struct error error;
    error_set(&error, ERROR_IO, "inner");
    error_set(&error, ERROR_STORE, "outer (%s)", error.message);
    assert_string_equal(error.message, "outer (inner)");
}

static void long_messages_are_cut_and_terminated(void **state)
{
    (void)state;
    struct error error;
    char text[2 * ERROR_MESSAGE_BYTES];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    error_set(&error, ERROR_INVALID, "%s", text);
    assert_int_equal(strlen(error.message), ERROR_MESSAGE_BYTES - 1);
    error_set_errno(&error, ERROR_INVALID, EIO, "%s", text);
    assert_int_equal(strlen(error.message), ERROR_MESSAGE_BYTES - 1);
    error_prefix(&error, "front");
    assert_int_equal(strlen(error.message), ERROR_MESSAGE_BYTES - 1);
    assert_memory_equal(error.message, "front: xxx", 10);
    error_prefix(&error, "%s", text);
    assert_int_equal(strlen(error.message), ERROR_MESSAGE_BYTES - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_row_of_its_own),
        cmocka_unit_test(an_unknown_code_is_an_internal_error),
        cmocka_unit_test(http_statuses_are_those_of_the_contract),
        cmocka_unit_test(no_failure_answers_with_a_success),
        cmocka_unit_test(exit_statuses_are_those_of_the_contract),
        cmocka_unit_test(set_fills_code_and_message),
        cmocka_unit_test(null_is_a_place_for_errors_too),
        cmocka_unit_test(errno_text_follows_the_message),
        cmocka_unit_test(prefix_goes_before_and_keeps_the_code),
        cmocka_unit_test(a_message_may_be_made_of_itself),
        cmocka_unit_test(long_messages_are_cut_and_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
