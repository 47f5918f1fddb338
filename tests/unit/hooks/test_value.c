/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "value.h"

static void assert_finds(
    enum body_kind kind, const char *body, const char *pointer, const char *expected)
{
    struct buffer value;
    buffer_init(&value, 1000);
    bool found = value_find(kind, bytes_of_text(body), pointer, &value);
    assert_int_equal(found, expected != NULL);
    assert_string_equal(buffer_text(&value), expected ? expected : "");
    buffer_fini(&value);
}

static void strings_are_decoded_and_all_else_is_as_spelled(void **state)
{
    (void)state;
    const char *body = "{\"a\":\"x\\n\\u00e4\",\"b\":1.50e3,\"c\":{ \"d\" : [1, 2] },\"e\":null,"
                       "\"f\":true,\"g\":\"\"}";
    assert_finds(BODY_JSON, body, "/a", "x\n\xC3\xA4");
    assert_finds(BODY_JSON, body, "/b", "1.50e3");
    assert_finds(BODY_JSON, body, "/c", "{ \"d\" : [1, 2] }");
    assert_finds(BODY_JSON, body, "/c/d/1", "2");
    assert_finds(BODY_JSON, body, "/e", "null");
    assert_finds(BODY_JSON, body, "/f", "true");
    assert_finds(BODY_JSON, body, "/g", "");
    assert_finds(BODY_WORKFLOW_RESULT, "\"bare\"", "", "bare");
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    assert_finds(BODY_JSON, "{\"a\":1}", "/b", NULL);
    assert_finds(BODY_JSON, "{\"a\":1}", "/a/b", NULL);
    assert_finds(BODY_JSON, "", "/a", NULL);
    assert_finds(BODY_JSON, "", "", NULL);
}

static void a_pointer_into_a_form_is_a_field(void **state)
{
    (void)state;
    const char *body = "plain=1&two+words=a%26b+c&empty=&bare&a%2Fb=slash&plain=2";
    assert_finds(BODY_FORM, body, "/plain", "1");
    assert_finds(BODY_FORM, body, "/two words", "a&b c");
    assert_finds(BODY_FORM, body, "/empty", "");
    assert_finds(BODY_FORM, body, "/bare", "");
    assert_finds(BODY_FORM, body, "/a~1b", "slash");
    assert_finds(BODY_FORM, body, "/a/b", NULL);
    assert_finds(BODY_FORM, body, "/plai", NULL);
    assert_finds(BODY_FORM, body, "/plainly", NULL);
    assert_finds(BODY_FORM, body, "", NULL);
    assert_finds(BODY_FORM, "x=%zz", "/x", NULL);
}

static void a_value_that_does_not_fit_marks_the_buffer(void **state)
{
    (void)state;
    struct buffer value;
    buffer_init(&value, 3);
    value_find(BODY_JSON, bytes_of_text("{\"a\":\"four\"}"), "/a", &value);
    assert_true(buffer_failed(&value));
    buffer_fini(&value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_decoded_and_all_else_is_as_spelled),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(a_pointer_into_a_form_is_a_field),
        cmocka_unit_test(a_value_that_does_not_fit_marks_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
