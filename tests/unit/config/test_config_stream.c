/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

/* Loads with one hook that has these members beside its name. */
static bool load_hook(struct fixture *f, const char *members)
{
    char extra[2048];
    snprintf(extra, sizeof extra, ", \"hooks\": [ { \"name\": \"h\", %s } ]", members);
    return fixture_load(f, (struct parts){.extra = extra});
}

static void expect(struct fixture *f, const char *members, const char *key, const char *problem)
{
    assert_false(load_hook(f, members));
    expect_only_problem(f, 7, key, problem);
}

static void a_hook_is_a_process_for_each_job_unless_it_says_stream(void **state)
{
    struct fixture *f = *state;
    assert_true(load_hook(f, "\"shell\": \"cat\""));
    assert_int_equal(f->config->hooks[0].mode, MODE_PROCESS);
    assert_true(load_hook(f, "\"shell\": \"cat\", \"mode\": \"stream\""));
    const struct config_hook *hook = &f->config->hooks[0];
    assert_int_equal(hook->mode, MODE_STREAM);
    assert_int_equal(hook->window, 16);
    assert_int_equal(hook->body, LINE_BODY_JSON);
    assert_true(load_hook(
        f, "\"command\": [\"true\", \"{{x}}\"], \"mode\": \"stream\", \"window\": 3, "
           "\"body\": \"base64\""));
    hook = &f->config->hooks[0];
    assert_int_equal(hook->window, 3);
    assert_int_equal(hook->body, LINE_BODY_BASE64);
    expect(f, "\"shell\": \"x\", \"mode\": \"pipe\"", "hooks[0].mode", "stream");
}

static void arguments_of_a_stream_take_no_fields(void **state)
{
    struct fixture *f = *state;
    static const char problem[] = "a stream is started once for many jobs";
    expect(
        f, "\"mode\": \"stream\", \"command\": [\"true\", \"-v\", \"{job_id}\"]",
        "hooks[0].command[2]", problem);
    expect(
        f, "\"mode\": \"stream\", \"command\": [\"true\", \"a{/final_output}\"]",
        "hooks[0].command[1]", problem);
    /* What is no template is said once. */
    expect(
        f, "\"mode\": \"stream\", \"command\": [\"true\", \"{colour}\"]", "hooks[0].command[1]",
        "is not a field");
}

static void what_is_of_the_other_mode_is_refused(void **state)
{
    struct fixture *f = *state;
    expect(
        f, "\"shell\": \"x\", \"window\": 2", "hooks[0].window",
        "is for a hook with \"mode\": \"stream\"");
    expect(
        f, "\"shell\": \"x\", \"body\": \"json\"", "hooks[0].body",
        "is for a hook with \"mode\": \"stream\"");
    expect(
        f, "\"shell\": \"x\", \"mode\": \"stream\", \"retry_on\": [1]", "hooks[0].retry_on",
        "each answer says");
    expect(
        f, "\"shell\": \"x\", \"mode\": \"stream\", \"fail_on\": []", "hooks[0].fail_on",
        "each answer says");
}

static void what_posts_on_is_no_stream(void **state)
{
    struct fixture *f = *state;
    expect(
        f, "\"http\": { \"url\": \"https://example.com/x\" }, \"mode\": \"stream\"",
        "hooks[0].mode", "is for commands");
}

static void jobs_in_flight_are_bounded(void **state)
{
    struct fixture *f = *state;
    expect(f, "\"shell\": \"x\", \"mode\": \"stream\", \"window\": 0", "hooks[0].window", "1");
    expect(
        f, "\"shell\": \"x\", \"mode\": \"stream\", \"window\": 10000, \"concurrency\": 11",
        "hooks[0].window", "more than 100000 jobs in flight");
    assert_true(load_hook(
        f, "\"shell\": \"x\", \"mode\": \"stream\", \"window\": 10000, \"concurrency\": 10"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_hook_is_a_process_for_each_job_unless_it_says_stream),
        WITH_FIXTURE(arguments_of_a_stream_take_no_fields),
        WITH_FIXTURE(what_is_of_the_other_mode_is_refused),
        WITH_FIXTURE(what_posts_on_is_no_stream),
        WITH_FIXTURE(jobs_in_flight_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
