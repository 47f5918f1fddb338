/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"
#include "config_private.h"

static void problems_come_in_the_order_of_the_file(void **state)
{
    (void)state;
    struct config_problems problems = {0};
    static const int lines[] = {5, 2, 9, 2, 0, 5};
    for (size_t i = 0; i < 6; i++) {
        char key[2] = {(char)('a' + i), '\0'};
        assert_int_equal(config_problem_add(&problems, lines[i], key, strdup("x")), 0);
    }
    config_problems_sort(&problems);
    char order[7] = "";
    for (size_t i = 0; i < 6; i++)
        order[i] = problems.items[i].key[0];
    assert_string_equal(order, "ebdafc");
    config_problems_free(&problems);
    assert_null(problems.items);
    assert_int_equal(problems.count, 0);
}

static void a_problem_without_a_text_is_not_added(void **state)
{
    (void)state;
    struct config_problems problems = {0};
    assert_int_equal(config_problem_add(&problems, 1, "a", NULL), -1);
    assert_int_equal(problems.count, 0);
}

static void what_the_file_says_is_quoted_so_that_it_can_be_printed(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){
               .store = "\"store\": { \"directory\": \"d\", \"retention\": \"\\u001b[31m\\n\" },",
               .extra = ", \"a\\u0007\\u001b\": 1"}));
    for (size_t i = 0; i < f->problems.count; i++)
        for (const char *c = f->problems.items[i].text; *c; c++)
            assert_true(*c != '\033' && *c != '\n');
    expect_problem(f, 4, "store.retention", "\"\\x1b[31m\\x0a\" is not a duration");
    expect_problem(f, 7, "a\\x07\\x1b", "is not a known key");
}

static void a_very_long_value_is_cut_and_does_no_harm(void **state)
{
    struct fixture *f = *state;
    char *extra = malloc(40000);
    assert_non_null(extra);
    size_t length = (size_t)snprintf(extra, 40000, ", \"log\": { \"level\": \"");
    memset(extra + length, 'x', 20000);
    snprintf(extra + length + 20000, 40000 - length - 20000, "\" }");
    assert_false(fixture_load(f, (struct parts){.extra = extra}));
    assert_int_equal(f->problems.count, 1);
    assert_true(strlen(f->problems.items[0].text) < 5000);
    free(extra);
}

static void a_key_of_any_length_has_a_place(void **state)
{
    struct fixture *f = *state;
    char *extra = malloc(40000);
    assert_non_null(extra);
    size_t length = (size_t)snprintf(extra, 40000, ", \"");
    memset(extra + length, 'k', 20000);
    snprintf(extra + length + 20000, 40000 - length - 20000, "\": 1");
    assert_false(fixture_load(f, (struct parts){.extra = extra}));
    assert_int_equal(f->problems.count, 1);
    assert_int_equal(f->problems.items[0].line, 7);
    free(extra);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(problems_come_in_the_order_of_the_file),
        cmocka_unit_test(a_problem_without_a_text_is_not_added),
        WITH_FIXTURE(what_the_file_says_is_quoted_so_that_it_can_be_printed),
        WITH_FIXTURE(a_very_long_value_is_cut_and_does_no_harm),
        WITH_FIXTURE(a_key_of_any_length_has_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
