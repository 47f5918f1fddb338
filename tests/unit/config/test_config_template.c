/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"
#include "config_private.h"

static const char *fault_of(const char *text, const char **name_out, size_t *length_out)
{
    return config_template_fault(text, name_out, length_out);
}

static void texts_fields_pointers_and_braces_are_good(void **state)
{
    (void)state;
    static const char *const good[] = {
        "",
        "plain",
        "{hook}",
        "{endpoint}",
        "{result_id}",
        "{execution_id}",
        "{run_id}",
        "{workflow}",
        "{status}",
        "{received_at}",
        "{attempt}",
        "{job_id}",
        "{event}",
        "{/}",
        "{/final_output/Node 2/value}",
        "{/a~0b~1c}",
        "--id={execution_id}:{run_id}",
        "{{",
        "}}",
        "{{hook}}",
        "{{{hook}}}",
        "{{}}",
        "a{{b}}c{status}",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const char *name;
        size_t length;
        assert_null(fault_of(good[i], &name, &length));
    }
}

static void unknown_fields_are_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{}", ""},           {"{ hook}", " hook"}, {"{Hook}", "Hook"}, {"x{hooks}", "hooks"},
        {"{hook }", "hook "}, {"{a/b}", "a/b"},     {"{/a~2}", "/a~2"}, {"{/a~}", "/a~"},
        {"{body}", "body"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name;
        size_t length;
        const char *fault = fault_of(cases[i][0], &name, &length);
        assert_non_null(fault);
        assert_non_null(strstr(fault, "is not a field"));
        assert_non_null(name);
        assert_int_equal(length, strlen(cases[i][1]));
        assert_memory_equal(name, cases[i][1], length);
    }
}

static void braces_that_do_not_match_are_said(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{", "not closed"},     {"{hook", "not closed"}, {"{hook{status}", "not closed"},
        {"}", "single }"},       {"a}b", "single }"},     {"{hook}}", "single }"},
        {"{{hook}", "single }"}, {"{{{", "not closed"},   {"}}}", "single }"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *name;
        size_t length;
        const char *fault = fault_of(cases[i][0], &name, &length);
        assert_non_null(fault);
        assert_non_null(strstr(fault, cases[i][1]));
        assert_null(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_fields_pointers_and_braces_are_good),
        cmocka_unit_test(unknown_fields_are_named),
        cmocka_unit_test(braces_that_do_not_match_are_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
