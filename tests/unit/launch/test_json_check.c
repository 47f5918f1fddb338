/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "json_check.h"

static void assert_object(const char *json, const char *fault)
{
    struct error error = {0};
    assert_int_equal(json_check_object(bytes_of_text(json), "tags", &error), fault ? -1 : 0);
    if (fault)
        assert_non_null(strstr(error.message, fault));
}

static void assert_strings(const char *json, const char *fault)
{
    struct error error = {0};
    int expected = fault ? -1 : 0;
    assert_int_equal(json_check_object_of_strings(bytes_of_text(json), "meta", &error), expected);
    if (fault)
        assert_non_null(strstr(error.message, fault));
}

static void an_object_is_one_whatever_it_holds(void **state)
{
    (void)state;
    assert_object("{}", NULL);
    assert_object(" {\"a\":[1,{\"b\":null}]} ", NULL);
    assert_object("[]", "tags must be a JSON object");
    assert_object("null", "tags must be a JSON object");
    assert_object("\"{}\"", "tags must be a JSON object");
    assert_object("", "tags: ");
    assert_object("{\"a\":}", "tags: ");
    assert_object("{}{}", "tags: ");
}

static void an_object_of_strings_holds_nothing_else(void **state)
{
    (void)state;
    assert_strings("{}", NULL);
    assert_strings("{\"a\":\"1\",\"b\":\"\"}", NULL);
    assert_strings("{\"a\":1}", "meta may hold only strings");
    assert_strings("{\"a\":\"1\",\"b\":null}", "meta may hold only strings");
    assert_strings("{\"a\":{}}", "meta may hold only strings");
    assert_strings("{\"a\":[\"b\"]}", "meta may hold only strings");
    assert_strings("[\"a\"]", "meta must be a JSON object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_one_whatever_it_holds),
        cmocka_unit_test(an_object_of_strings_holds_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
