/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "callbackd/hooks.h"

static const char body[] = "{\"answer\":\"yes\",\"count\":3,\"list\":[1,2],\"nul\":\"a\\u0000b\","
                           "\"nothing\":null}";
static const char headers[] = "[[\"Content-Type\",\"application/json\"],[\"X-Tag\",\"one\"],"
                              "[\"x-tag\",\"t\\u00fco\"],[\"X-Empty\",\"\"]]";

/* A result that all conditions below are asked of. */
static struct result_record make_result(void)
{
    return (struct result_record){
        .endpoint = "results",
        .kind = BODY_JSON,
        .workflow = "support-triage",
        .event = "agent_run_finished",
        .status = STATUS_FAILED,
    };
}

static bool hook_matches(struct config_hook *hook, const struct result_record *result)
{
    struct error error;
    hook->name = "h";
    struct hook_matcher *matcher = hook_matcher_new(hook, &error);
    assert_non_null(matcher);
    struct hook_subject subject = {result, bytes_of_text(headers), bytes_of_text(body)};
    int matches = hook_matcher_matches(matcher, &subject, &error);
    hook_matcher_free(matcher);
    assert_true(matches >= 0);
    return matches > 0;
}

static bool condition_holds(struct config_condition condition)
{
    struct config_condition children[1] = {condition};
    struct config_hook hook = {
        .when = {.type = CONDITION_ALL, .children = children, .child_count = 1}};
    struct result_record result = make_result();
    return hook_matches(&hook, &result);
}

static bool pointer_holds(char *source, enum condition_operator operator, char * text)
{
    return condition_holds((struct config_condition){
        .type = CONDITION_POINTER, .source = source, .operator= operator, .text = text});
}

static bool header_holds(char *source, enum condition_operator operator, char * text)
{
    return condition_holds((struct config_condition){
        .type = CONDITION_HEADER, .source = source, .operator= operator, .text = text});
}

static void without_conditions_every_final_result_matches(void **state)
{
    (void)state;
    static const bool expected[STATUS_COUNT] = {
        [STATUS_RECEIVED] = true, [STATUS_SUCCESS] = true, [STATUS_FAILED] = true};
    for (int status = 0; status < STATUS_COUNT; status++) {
        struct config_hook hook = {.when = {.type = CONDITION_ALL}};
        struct result_record result = make_result();
        result.status = (enum result_status)status;
        assert_int_equal(hook_matches(&hook, &result), expected[status]);
    }
}

static void a_hook_gets_the_status_that_it_asks_for_but_never_a_mismatch(void **state)
{
    (void)state;
    for (int status = 0; status < STATUS_COUNT; status++) {
        struct config_condition all[] = {
            {.type = CONDITION_STATUS, .statuses = 1u << STATUS_RUNNING | 1u << STATUS_MISMATCH}};
        struct config_hook hook = {
            .when = {.type = CONDITION_ALL, .children = all, .child_count = 1},
            .takes_status = true};
        struct result_record result = make_result();
        result.status = (enum result_status)status;
        assert_int_equal(hook_matches(&hook, &result), status == STATUS_RUNNING);
    }
}

static void the_endpoint_of_a_hook_counts(void **state)
{
    (void)state;
    struct result_record result = make_result();
    struct config_hook hook = {.endpoint = "results", .when = {.type = CONDITION_ALL}};
    assert_true(hook_matches(&hook, &result));
    hook.endpoint = "other";
    assert_false(hook_matches(&hook, &result));
}

static void fixed_fields(void **state)
{
    (void)state;
    const struct {
        enum condition_type type;
        char *text;
        bool holds;
    } rows[] = {
        {CONDITION_WORKFLOW, "support-*", true}, {CONDITION_WORKFLOW, "sales-*", false},
        {CONDITION_ENDPOINT, "results", true},   {CONDITION_ENDPOINT, "res*", false},
        {CONDITION_EVENT, "agent_run_*", true},  {CONDITION_EVENT, "dataset_*", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(
            condition_holds((struct config_condition){.type = rows[i].type, .text = rows[i].text}),
            rows[i].holds);
}

static void pointers_compare_strings_decoded_and_the_rest_as_spelled(void **state)
{
    (void)state;
    assert_true(pointer_holds("/answer", OPERATOR_EQUALS, "yes"));
    assert_false(pointer_holds("/answer", OPERATOR_EQUALS, "\"yes\""));
    assert_true(pointer_holds("/count", OPERATOR_EQUALS, "3"));
    assert_false(pointer_holds("/count", OPERATOR_EQUALS, "3.0"));
    assert_true(pointer_holds("/list", OPERATOR_EQUALS, "[1,2]"));
    assert_true(pointer_holds("/answer", OPERATOR_GLOB, "y*"));
    assert_true(pointer_holds("/answer", OPERATOR_REGEX, "e"));
    assert_false(pointer_holds("/answer", OPERATOR_REGEX, "^e"));
}

static void an_absent_value_matches_nothing_but_its_absence(void **state)
{
    (void)state;
    assert_false(pointer_holds("/none", OPERATOR_EQUALS, ""));
    assert_false(pointer_holds("/none", OPERATOR_GLOB, "*"));
    assert_false(pointer_holds("/none", OPERATOR_REGEX, ""));
    assert_false(pointer_holds("/none", OPERATOR_EXISTS, "true"));
    assert_true(pointer_holds("/none", OPERATOR_EXISTS, "false"));
    assert_true(pointer_holds("/nothing", OPERATOR_EXISTS, "true"));
    assert_false(pointer_holds("/nothing", OPERATOR_EXISTS, "false"));
}

static void a_glob_does_not_stop_at_a_nul(void **state)
{
    (void)state;
    assert_false(pointer_holds("/nul", OPERATOR_GLOB, "a"));
    assert_false(pointer_holds("/nul", OPERATOR_GLOB, "a*"));
    assert_false(pointer_holds("/nul", OPERATOR_EQUALS, "a"));
    assert_true(pointer_holds("/nul", OPERATOR_REGEX, "^a\\x00b$"));
}

static void headers_match_in_any_case_and_any_of_them(void **state)
{
    (void)state;
    assert_true(header_holds("content-type", OPERATOR_GLOB, "application/*"));
    assert_true(header_holds("X-TAG", OPERATOR_EQUALS, "one"));
    assert_true(header_holds("X-TAG", OPERATOR_EQUALS, "t\xC3\xBCo"));
    assert_false(header_holds("X-TAG", OPERATOR_EQUALS, "three"));
    assert_true(header_holds("x-empty", OPERATOR_EXISTS, "true"));
    assert_false(header_holds("x-empty", OPERATOR_EXISTS, "false"));
    assert_true(header_holds("x-missing", OPERATOR_EXISTS, "false"));
    assert_false(header_holds("one", OPERATOR_EXISTS, "true"));
    assert_true(header_holds("X-Tag", OPERATOR_REGEX, "^.{3}$"));
}

static void all_any_and_not(void **state)
{
    (void)state;
    struct config_condition yes = {.type = CONDITION_WORKFLOW, .text = "*"};
    struct config_condition no = {.type = CONDITION_WORKFLOW, .text = "x"};
    struct config_condition both[] = {yes, no};
    struct config_condition good[] = {yes, yes};
    struct config_condition bad[] = {no, no};
    assert_false(condition_holds(
        (struct config_condition){.type = CONDITION_ALL, .children = both, .child_count = 2}));
    assert_true(condition_holds(
        (struct config_condition){.type = CONDITION_ALL, .children = good, .child_count = 2}));
    assert_true(condition_holds((struct config_condition){.type = CONDITION_ALL}));
    assert_true(condition_holds(
        (struct config_condition){.type = CONDITION_ANY, .children = both, .child_count = 2}));
    assert_false(condition_holds(
        (struct config_condition){.type = CONDITION_ANY, .children = bad, .child_count = 2}));
    assert_false(condition_holds((struct config_condition){.type = CONDITION_ANY}));
    assert_true(condition_holds(
        (struct config_condition){.type = CONDITION_NOT, .children = bad, .child_count = 1}));
    assert_false(condition_holds(
        (struct config_condition){.type = CONDITION_NOT, .children = good, .child_count = 1}));
}

static bool needs_content(struct config_condition condition)
{
    struct config_condition inner[1] = {condition};
    struct config_condition outer[1] = {
        {.type = CONDITION_NOT, .children = inner, .child_count = 1}};
    struct config_hook hook = {
        .name = "h", .when = {.type = CONDITION_ALL, .children = outer, .child_count = 1}};
    struct error error;
    struct hook_matcher *matcher = hook_matcher_new(&hook, &error);
    assert_non_null(matcher);
    bool needs = hook_matcher_needs_content(matcher);
    hook_matcher_free(matcher);
    return needs;
}

static void only_pointers_and_headers_need_content(void **state)
{
    (void)state;
    assert_false(needs_content((struct config_condition){.type = CONDITION_EVENT, .text = "x"}));
    assert_true(needs_content((struct config_condition){
        .type = CONDITION_POINTER, .source = "", .operator= OPERATOR_EXISTS, .text = "true"}));
    assert_true(needs_content((struct config_condition){
        .type = CONDITION_HEADER, .source = "a", .operator= OPERATOR_EXISTS, .text = "true"}));
}

static void a_wrong_regular_expression_is_refused_with_the_hooks_name(void **state)
{
    (void)state;
    struct config_condition all[] = {
        {.type = CONDITION_WORKFLOW, .text = "*"},
        {.type = CONDITION_POINTER, .source = "/a", .operator= OPERATOR_REGEX, .text = "("},
        {.type = CONDITION_POINTER, .source = "/a", .operator= OPERATOR_REGEX, .text = "x"},
    };
    struct config_hook hook = {
        .name = "broken", .when = {.type = CONDITION_ALL, .children = all, .child_count = 3}};
    struct error error;
    assert_null(hook_matcher_new(&hook, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_non_null(strstr(error.message, "hook broken"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_conditions_every_final_result_matches),
        cmocka_unit_test(a_hook_gets_the_status_that_it_asks_for_but_never_a_mismatch),
        cmocka_unit_test(the_endpoint_of_a_hook_counts),
        cmocka_unit_test(fixed_fields),
        cmocka_unit_test(pointers_compare_strings_decoded_and_the_rest_as_spelled),
        cmocka_unit_test(an_absent_value_matches_nothing_but_its_absence),
        cmocka_unit_test(a_glob_does_not_stop_at_a_nul),
        cmocka_unit_test(headers_match_in_any_case_and_any_of_them),
        cmocka_unit_test(all_any_and_not),
        cmocka_unit_test(only_pointers_and_headers_need_content),
        cmocka_unit_test(a_wrong_regular_expression_is_refused_with_the_hooks_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
