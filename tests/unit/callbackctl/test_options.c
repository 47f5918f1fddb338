/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "options.h"

static const struct option_row rows[] = {
    {OPTION_INPUT, "input", "K=V", "an input"},
    {OPTION_WAIT, "wait", "[DURATION]", "wait"},
    {OPTION_LIMIT, "limit", "N", "so many"},
    {OPTION_DRY_RUN, "dry-run", NULL, "nothing"},
    {OPTION_END, NULL, NULL, NULL},
};

static struct arguments arguments;
static struct error error;

static int parse(const char *const *words, bool stop)
{
    static char *argv[16];
    int argc = 1;
    argv[0] = (char *)(uintptr_t) "test";
    for (; *words; words++)
        argv[argc++] = (char *)(uintptr_t)*words;
    argv[argc] = NULL;
    arguments_fini(&arguments);
    error = (struct error){0};
    return arguments_parse(&arguments, argc, argv, rows, options_of_all, stop, &error);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL}, false)

static void test_options_and_operands_mix(void **state)
{
    (void)state;
    assert_int_equal(PARSE("one", "--input", "a=1", "two", "--dry-run"), 0);
    assert_int_equal(arguments.operand_count, 2);
    assert_string_equal(arguments.operands[0], "one");
    assert_string_equal(arguments.operands[1], "two");
    assert_true(arguments_have(&arguments, OPTION_DRY_RUN));
    assert_false(arguments_have(&arguments, OPTION_JSON));
}

static void test_order_is_kept_and_the_last_counts(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--input", "a=1", "--input=b=2"), 0);
    assert_int_equal(arguments.count, 2);
    assert_string_equal(arguments.items[0].value, "a=1");
    assert_string_equal(arguments_value(&arguments, OPTION_INPUT), "b=2");
}

static void test_optional_value(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--wait", "30s"), 0);
    assert_true(arguments_have(&arguments, OPTION_WAIT));
    assert_null(arguments_value(&arguments, OPTION_WAIT));
    assert_int_equal(arguments.operand_count, 1);
    assert_int_equal(PARSE("--wait=30s"), 0);
    assert_string_equal(arguments_value(&arguments, OPTION_WAIT), "30s");
}

static void test_stops_at_the_verb(void **state)
{
    (void)state;
    const char *const words[] = {"--json", "run", "--input", "a=1", NULL};
    assert_int_equal(parse(words, true), 0);
    assert_true(arguments_have(&arguments, OPTION_JSON));
    assert_false(arguments_have(&arguments, OPTION_INPUT));
    assert_int_equal(arguments.operand_count, 3);
}

static void test_two_dashes_end_the_options(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--", "--dry-run"), 0);
    assert_false(arguments_have(&arguments, OPTION_DRY_RUN));
    assert_string_equal(arguments.operands[0], "--dry-run");
}

static void assert_usage(int result, const char *message)
{
    assert_int_equal(result, -1);
    assert_int_equal(error.code, ERROR_USAGE);
    assert_holds(error.message, message);
}

static void test_mistakes_are_named(void **state)
{
    (void)state;
    assert_usage(PARSE("--inptu=x"), "--inptu (did you mean --input?)");
    assert_usage(PARSE("--zzzzzzzz"), "no option --zzzzzzzz");
    assert_usage(PARSE("--input"), "--input needs a value: K=V");
    assert_usage(PARSE("--dry-run=yes"), "--dry-run takes no value");
    assert_usage(PARSE("-q"), "no option -q");
}

static void test_help_has_a_letter(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-h"), 0);
    assert_true(arguments_have(&arguments, OPTION_HELP));
}

static void test_numbers_are_checked(void **state)
{
    (void)state;
    int64_t value = 7;
    PARSE("x");
    assert_int_equal(arguments_int(&arguments, OPTION_LIMIT, "limit", 1, 9, &value, &error), 0);
    assert_int_equal(value, 7);
    PARSE("--limit", "9");
    assert_int_equal(arguments_int(&arguments, OPTION_LIMIT, "limit", 1, 9, &value, &error), 0);
    assert_int_equal(value, 9);
    PARSE("--limit", "10");
    assert_usage(
        arguments_int(&arguments, OPTION_LIMIT, "limit", 1, 9, &value, &error),
        "--limit: \"10\" is not a number from 1 to 9");
}

static void test_durations_are_checked(void **state)
{
    (void)state;
    int64_t value = -1;
    PARSE("--wait=2h");
    assert_int_equal(arguments_duration_ms(&arguments, OPTION_WAIT, "wait", &value, &error), 0);
    assert_int_equal(value, 7200000);
    PARSE("--wait=soon");
    assert_usage(
        arguments_duration_ms(&arguments, OPTION_WAIT, "wait", &value, &error),
        "--wait: \"soon\" is not a duration");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_and_operands_mix),
        cmocka_unit_test(test_order_is_kept_and_the_last_counts),
        cmocka_unit_test(test_optional_value),
        cmocka_unit_test(test_stops_at_the_verb),
        cmocka_unit_test(test_two_dashes_end_the_options),
        cmocka_unit_test(test_mistakes_are_named),
        cmocka_unit_test(test_help_has_a_letter),
        cmocka_unit_test(test_numbers_are_checked),
        cmocka_unit_test(test_durations_are_checked),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arguments_fini(&arguments);
    return failed;
}
