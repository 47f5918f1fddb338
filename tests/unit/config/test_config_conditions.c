/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

static bool load_when(struct fixture *f, const char *members)
{
    char extra[4096];
    snprintf(
        extra, sizeof extra,
        ", \"hooks\": [ { \"name\": \"h\", \"shell\": \"x\", \"when\": { %s } } ]", members);
    return fixture_load(f, (struct parts){.extra = extra});
}

static const struct config_condition *when(const struct fixture *f)
{
    assert_non_null(f->config);
    return &f->config->hooks[0].when;
}

static void every_condition_becomes_a_child(void **state)
{
    struct fixture *f = *state;
    assert_true(load_when(
        f, "\"not\": { \"workflow\": \"a\" }, \"event\": \"e.*\", \"endpoint\": \"results\", "
           "\"workflow\": \"support-*\", \"status\": [\"failed\", \"running\"], \"any\": [ { "
           "\"event\": \"x\" }, { \"event\": \"y\" } ], \"all\": [ {} ]"));
    const struct config_condition *all = when(f);
    assert_int_equal(all->type, CONDITION_ALL);
    assert_int_equal(all->child_count, 7);
    assert_int_equal(all->children[0].type, CONDITION_STATUS);
    assert_int_equal(all->children[0].statuses, 1U << STATUS_FAILED | 1U << STATUS_RUNNING);
    assert_int_equal(all->children[1].type, CONDITION_WORKFLOW);
    assert_string_equal(all->children[1].text, "support-*");
    assert_int_equal(all->children[2].type, CONDITION_ENDPOINT);
    assert_string_equal(all->children[2].text, "results");
    assert_int_equal(all->children[3].type, CONDITION_EVENT);
    assert_int_equal(all->children[4].type, CONDITION_ALL);
    assert_int_equal(all->children[4].child_count, 1);
    assert_int_equal(all->children[4].children[0].type, CONDITION_ALL);
    assert_int_equal(all->children[4].children[0].child_count, 0);
    assert_int_equal(all->children[5].type, CONDITION_ANY);
    assert_int_equal(all->children[5].child_count, 2);
    assert_string_equal(all->children[5].children[1].children[0].text, "y");
    assert_int_equal(all->children[6].type, CONDITION_NOT);
    assert_int_equal(all->children[6].child_count, 1);
    assert_int_equal(all->children[6].children[0].type, CONDITION_ALL);
    assert_string_equal(all->children[6].children[0].children[0].text, "a");
    assert_true(f->config->hooks[0].takes_status);
}

static void a_status_counts_wherever_it_stands(void **state)
{
    struct fixture *f = *state;
    assert_true(load_when(f, "\"workflow\": \"a\""));
    assert_false(f->config->hooks[0].takes_status);
    assert_true(load_when(f, "\"any\": [ { \"not\": { \"status\": \"running\" } } ]"));
    assert_true(f->config->hooks[0].takes_status);
    assert_true(load_when(f, ""));
    assert_false(f->config->hooks[0].takes_status);
}

static void a_single_status_needs_no_list(void **state)
{
    struct fixture *f = *state;
    assert_true(load_when(f, "\"status\": \"success\""));
    assert_int_equal(when(f)->children[0].statuses, 1U << STATUS_SUCCESS);
}

static void all_statuses_have_their_bit(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < STATUS_COUNT; i++) {
        char member[64];
        snprintf(
            member, sizeof member, "\"status\": [\"%s\"]",
            result_status_name((enum result_status)i));
        assert_true(load_when(f, member));
        assert_int_equal(when(f)->children[0].statuses, 1U << i);
    }
}

static void unknown_statuses_are_told_all_of_them(void **state)
{
    struct fixture *f = *state;
    assert_false(load_when(f, "\"status\": [\"failed\", \"FAILED\", 3]"));
    expect_problem(f, 7, "hooks[0].when.status[1]", "choose from received, success, failed");
    expect_problem(f, 7, "hooks[0].when.status[2]", "must be a string");
    assert_false(load_when(f, "\"status\": []"));
    expect_only_problem(f, 7, "hooks[0].when.status", "never holds");
    assert_false(load_when(f, "\"status\": {}"));
    expect_only_problem(f, 7, "hooks[0].when.status", "must be an array");
}

static const struct config_condition *first_match(const struct fixture *f)
{
    assert_int_equal(when(f)->children[0].type, CONDITION_ALL);
    assert_true(when(f)->children[0].child_count > 0);
    return &when(f)->children[0].children[0];
}

static void matches_have_a_source_and_an_operator(void **state)
{
    struct fixture *f = *state;
    assert_true(load_when(f, "\"match\": [ { \"pointer\": \"/a\", \"glob\": \"x*\" } ]"));
    assert_int_equal(first_match(f)->type, CONDITION_POINTER);
    assert_int_equal(first_match(f)->operator, OPERATOR_GLOB);
    assert_string_equal(first_match(f)->source, "/a");
    assert_string_equal(first_match(f)->text, "x*");
    assert_true(load_when(f, "\"match\": [ { \"header\": \"X-A\", \"regex\": \"^a+$\" } ]"));
    assert_int_equal(first_match(f)->type, CONDITION_HEADER);
    assert_int_equal(first_match(f)->operator, OPERATOR_REGEX);
    assert_true(load_when(f, "\"match\": [ { \"pointer\": \"\", \"exists\": false } ]"));
    assert_string_equal(first_match(f)->source, "");
    assert_int_equal(first_match(f)->operator, OPERATOR_EXISTS);
    assert_string_equal(first_match(f)->text, "false");
}

static void equals_takes_the_spelling_of_what_is_no_text(void **state)
{
    struct fixture *f = *state;
    static const char *const cases[][2] = {
        {"\"x\\u0041\"", "xA"}, {"\"\"", ""},     {"1", "1"},       {"1.50", "1.50"},
        {"true", "true"},       {"null", "null"}, {"-1e3", "-1e3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char member[128];
        snprintf(
            member, sizeof member, "\"match\": [ { \"pointer\": \"/a\", \"equals\": %s } ]",
            cases[i][0]);
        assert_true(load_when(f, member));
        assert_int_equal(first_match(f)->operator, OPERATOR_EQUALS);
        assert_string_equal(first_match(f)->text, cases[i][1]);
    }
    assert_false(load_when(f, "\"match\": [ { \"pointer\": \"/a\", \"equals\": [1] } ]"));
    expect_only_problem(f, 7, "hooks[0].when.match[0].equals", "is an array");
}

static void half_a_match_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_false(load_when(
        f,
        "\"match\": [ {}, { \"pointer\": \"/a\" }, { \"equals\": \"a\" }, { \"pointer\": \"/a\", "
        "\"header\": \"b\", \"equals\": \"a\" }, { \"header\": \"b\", \"equals\": \"a\", "
        "\"glob\": \"a\" }, { \"pointer\": \"a\", \"exists\": \"yes\" }, 3, { \"header\": \"\", "
        "\"exists\": true } ]"));
    expect_problem(f, 7, "hooks[0].when.match[0]", "needs either a \"pointer\"");
    expect_problem(f, 7, "hooks[0].when.match[0]", "has none of");
    expect_problem(f, 7, "hooks[0].when.match[1]", "has none of");
    expect_problem(f, 7, "hooks[0].when.match[2]", "needs either");
    expect_problem(f, 7, "hooks[0].when.match[3]", "needs either");
    expect_problem(f, 7, "hooks[0].when.match[4]", "more than one");
    expect_problem(f, 7, "hooks[0].when.match[5].pointer", "is not a JSON pointer");
    expect_problem(f, 7, "hooks[0].when.match[5].exists", "must be");
    expect_problem(f, 7, "hooks[0].when.match[6]", "must be an object");
    expect_problem(f, 7, "hooks[0].when.match[7].header", "is empty");
    assert_int_equal(f->problems.count, 10);
}

static void a_broken_regex_says_where(void **state)
{
    struct fixture *f = *state;
    assert_false(load_when(f, "\"match\": [ { \"pointer\": \"/a\", \"regex\": \"a(b\" } ]"));
    expect_only_problem(f, 7, "hooks[0].when.match[0].regex", "at byte 3");
    assert_false(load_when(f, "\"match\": [ { \"pointer\": \"/a\", \"regex\": \"[z-a]\" } ]"));
    assert_int_equal(f->problems.count, 1);
}

static void globs_that_cannot_be_meant_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const good[] = {"*",    "a?c",    "[a-z]*", "[]a]",     "[!]]",
                                       "[^a]", "\\\\[x", "a]b",    "[a\\\\]]", "\\\\\\\\"};
    static const char *const bad[] = {"[", "a[b", "[]", "[!]", "[a\\\\]", "a\\\\", "\\\\\\\\["};
    char member[64];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        snprintf(member, sizeof member, "\"workflow\": \"%s\"", good[i]);
        if (!load_when(f, member))
            fail_msg("%s was refused", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(member, sizeof member, "\"event\": \"%s\"", bad[i]);
        if (load_when(f, member))
            fail_msg("%s was taken", bad[i]);
        expect_only_problem(f, 7, "hooks[0].when.event", "is not a glob");
    }
}

static void an_endpoint_must_exist_wherever_it_stands(void **state)
{
    struct fixture *f = *state;
    assert_false(
        load_when(f, "\"any\": [ { \"endpoint\": \"results\" }, { \"endpoint\": \"resultz\" } ]"));
    expect_only_problem(f, 7, "hooks[0].when.any[1].endpoint", "did you mean \"results\"?");
}

static void empty_and_wrong_nestings_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_false(
        load_when(f, "\"any\": [], \"all\": {}, \"not\": [], \"match\": [], \"workflow\": 1"));
    expect_problem(f, 7, "hooks[0].when.any", "is empty");
    expect_problem(f, 7, "hooks[0].when.all", "must be an array");
    expect_problem(f, 7, "hooks[0].when.not", "must be an object");
    expect_problem(f, 7, "hooks[0].when.match", "is empty");
    expect_problem(f, 7, "hooks[0].when.workflow", "must be a string");
    assert_int_equal(f->problems.count, 5);
}

static void deep_nesting_does_no_harm(void **state)
{
    struct fixture *f = *state;
    char members[1024];
    size_t length = 0;
    enum { DEPTH = 50 };
    for (int i = 0; i < DEPTH; i++)
        length += (size_t)snprintf(members + length, sizeof members - length, "\"not\": {");
    length += (size_t)snprintf(members + length, sizeof members - length, "\"status\": \"failed\"");
    for (int i = 0; i < DEPTH; i++)
        length += (size_t)snprintf(members + length, sizeof members - length, "}");
    assert_true(load_when(f, members));
    assert_true(f->config->hooks[0].takes_status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(every_condition_becomes_a_child),
        WITH_FIXTURE(a_status_counts_wherever_it_stands),
        WITH_FIXTURE(a_single_status_needs_no_list),
        WITH_FIXTURE(all_statuses_have_their_bit),
        WITH_FIXTURE(unknown_statuses_are_told_all_of_them),
        WITH_FIXTURE(matches_have_a_source_and_an_operator),
        WITH_FIXTURE(equals_takes_the_spelling_of_what_is_no_text),
        WITH_FIXTURE(half_a_match_is_refused),
        WITH_FIXTURE(a_broken_regex_says_where),
        WITH_FIXTURE(globs_that_cannot_be_meant_are_refused),
        WITH_FIXTURE(an_endpoint_must_exist_wherever_it_stands),
        WITH_FIXTURE(empty_and_wrong_nestings_are_refused),
        WITH_FIXTURE(deep_nesting_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
