/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"

/* Loads with one hook that has these members beside its name. */
static bool load_hook(struct fixture *f, const char *members)
{
    char extra[2048];
    snprintf(extra, sizeof extra, ", \"hooks\": [ { \"name\": \"h\", %s } ]", members);
    return fixture_load(f, (struct parts){.extra = extra});
}

static void a_program_with_a_slash_is_relative_to_the_file(void **state)
{
    struct fixture *f = *state;
    char path[FIXTURE_PATH_MAX];
    assert_int_equal(mkdir(fixture_file(f, "hooks", path), 0700), 0);
    fixture_text(f, "hooks/notify.sh", "#!/bin/sh\n", 0755);
    assert_true(load_hook(f, "\"command\": [\"hooks/notify.sh\"]"));
    assert_string_equal(f->config->hooks[0].command[0], fixture_file(f, "hooks/notify.sh", path));
    assert_null(f->config->hooks[0].command[1]);
    assert_true(load_hook(f, "\"command\": [\"/bin/sh\", \"-c\", \"exit 0\"]"));
    assert_string_equal(f->config->hooks[0].command[0], "/bin/sh");
}

static void a_program_without_a_slash_is_found_in_path(void **state)
{
    struct fixture *f = *state;
    assert_true(load_hook(f, "\"command\": [\"sh\"]"));
    assert_string_equal(f->config->hooks[0].command[0], "sh");
    /* The file lies beside the configuration, but that is not in PATH. */
    assert_false(load_hook(f, "\"command\": [\"hook.sh\"]"));
    expect_only_problem(f, 7, "hooks[0].command[0]", "or write its path, as ./hook.sh");
}

static void an_unset_path_is_the_usual_one(void **state)
{
    struct fixture *f = *state;
    char *before = strdup(getenv("PATH"));
    unsetenv("PATH");
    assert_true(load_hook(f, "\"command\": [\"sh\"]"));
    setenv("PATH", "::/nowhere:", 1);
    assert_false(load_hook(f, "\"command\": [\"sh\"]"));
    setenv("PATH", f->directory, 1);
    assert_true(load_hook(f, "\"command\": [\"hook.sh\"]"));
    setenv("PATH", before, 1);
    free(before);
}

static void what_cannot_be_executed_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[FIXTURE_PATH_MAX];
    fixture_text(f, "plain", "x", 0644);
    assert_int_equal(mkdir(fixture_file(f, "folder", path), 0755), 0);
    assert_false(load_hook(f, "\"command\": [\"./plain\"]"));
    expect_only_problem(f, 7, "hooks[0].command[0]", "cannot be executed (chmod +x)");
    assert_false(load_hook(f, "\"command\": [\"./folder\"]"));
    expect_only_problem(f, 7, "hooks[0].command[0]", "cannot be executed");
    assert_false(load_hook(f, "\"command\": [\"./gone\"]"));
    expect_only_problem(f, 7, "hooks[0].command[0]", "there is no file");
}

static void the_sender_cannot_choose_the_program(void **state)
{
    struct fixture *f = *state;
    assert_false(load_hook(f, "\"command\": [\"{workflow}\"]"));
    expect_only_problem(f, 7, "hooks[0].command[0]", "a program is fixed");
    assert_false(load_hook(f, "\"command\": [\"./{{x}}\"]"));
    expect_only_problem(f, 7, "hooks[0].command[0]", "a program is fixed");
    assert_false(load_hook(f, "\"command\": [\"\"]"));
    expect_only_problem(f, 7, "hooks[0].command[0]", "is empty");
}

static void braces_of_the_folder_are_no_field(void **state)
{
    struct fixture *f = *state;
    char path[FIXTURE_PATH_MAX];
    assert_int_equal(mkdir(fixture_file(f, "{hook}", path), 0755), 0);
    fixture_text(f, "{hook}/run.sh", "#!/bin/sh\n", 0755);
    char *text = fixture_parts_text((struct parts){
        .admin = "\"admin\": { \"unix\": \"a\", \"token_file\": \"../admin.token\" },",
        .run_token = "\"run_token\": { \"key_file\": \"../run.key\" },",
        .extra = ", \"hooks\": [ { \"name\": \"h\", \"command\": [\"./run.sh\"] } ]"});
    fixture_text(f, "{hook}/callbackd.json", text, 0644);
    free(text);
    f->config = config_load(fixture_file(f, "{hook}/callbackd.json", path), &f->problems);
    fixture_print_problems(f);
    assert_non_null(f->config);
    snprintf(path, sizeof path, "%s/{{hook}}/./run.sh", f->directory);
    assert_string_equal(f->config->hooks[0].command[0], path);
}

static void every_argument_is_checked(void **state)
{
    struct fixture *f = *state;
    assert_false(load_hook(
        f, "\"command\": [\"true\", \"{colour}\", \"{hook\", 3, \"}\", \"{status}\", \"\"]"));
    expect_problem(f, 7, "hooks[0].command[1]", "{colour} is not a field");
    expect_problem(f, 7, "hooks[0].command[2]", "not closed");
    expect_problem(f, 7, "hooks[0].command[3]", "must be a string");
    expect_problem(f, 7, "hooks[0].command[4]", "single }");
    assert_int_equal(f->problems.count, 4);
}

static void a_hook_has_either_a_command_or_a_shell(void **state)
{
    struct fixture *f = *state;
    assert_false(load_hook(f, "\"command\": [\"true\"], \"shell\": \"true\""));
    expect_only_problem(f, 7, "hooks[0]", "has both");
    assert_false(load_hook(f, "\"timeout\": \"1s\""));
    expect_only_problem(f, 7, "hooks[0]", "does nothing");
    assert_false(load_hook(f, "\"shell\": \"\""));
    expect_only_problem(f, 7, "hooks[0]", "does nothing");
    assert_true(load_hook(f, "\"command\": [\"true\"], \"shell\": \"\""));
    assert_false(load_hook(f, "\"shell\": 7"));
    expect_only_problem(f, 7, "hooks[0].shell", "is a number");
    assert_false(load_hook(f, "\"command\": []"));
    expect_only_problem(f, 7, "hooks[0].command", "is empty");
    assert_false(load_hook(f, "\"command\": \"true\""));
    expect_only_problem(f, 7, "hooks[0].command", "must be an array");
    assert_true(load_hook(f, "\"shell\": \"echo {not a field\""));
}

static void variables_are_names_and_texts(void **state)
{
    struct fixture *f = *state;
    assert_true(
        load_hook(f, "\"shell\": \"x\", \"env\": { \"_A9\": \"v=1\", \"PATH\": \"/bin\" }"));
    assert_int_equal(f->config->hooks[0].env_count, 2);
    assert_string_equal(f->config->hooks[0].env[0].value, "v=1");
    assert_true(load_hook(f, "\"shell\": \"x\", \"env\": {}"));
    assert_int_equal(f->config->hooks[0].env_count, 0);
    assert_false(load_hook(
        f, "\"shell\": \"x\", \"env\": { \"9A\": \"\", \"A-B\": \"\", \"\": \"\", \"A=B\": \"\", "
           "\"CALLBACK_STATUS\": \"\", \"N\": 3 }"));
    expect_problem(f, 7, "hooks[0].env.9A", "is not a variable's name");
    expect_problem(f, 7, "hooks[0].env.A-B", "is not a variable's name");
    expect_problem(f, 7, "hooks[0].env.A=B", "is not a variable's name");
    expect_problem(f, 7, "hooks[0].env.CALLBACK_STATUS", "is one of ours");
    expect_problem(f, 7, "hooks[0].env.N", "must be a string");
    assert_int_equal(f->problems.count, 6);
    assert_false(load_hook(f, "\"shell\": \"x\", \"env\": [\"A=B\"]"));
    expect_only_problem(f, 7, "hooks[0].env", "must be an object");
}

static void the_working_directory_must_be_there(void **state)
{
    struct fixture *f = *state;
    assert_false(load_hook(f, "\"shell\": \"x\", \"directory\": \"gone\""));
    expect_only_problem(f, 7, "hooks[0].directory", "there is no folder");
    assert_false(load_hook(f, "\"shell\": \"x\", \"directory\": \"hook.sh\""));
    expect_only_problem(f, 7, "hooks[0].directory", "there is no folder");
}

static void a_hook_names_an_endpoint_that_exists(void **state)
{
    struct fixture *f = *state;
    assert_true(load_hook(f, "\"shell\": \"x\", \"endpoint\": \"results\""));
    assert_false(load_hook(f, "\"shell\": \"x\", \"endpoint\": \"result\""));
    expect_only_problem(
        f, 7, "hooks[0].endpoint", "there is no endpoint \"result\" (did you mean \"results\"?)");
}

static void expect_hooks(struct fixture *f, const char *hooks, const char *key, const char *problem)
{
    char extra[1024];
    snprintf(extra, sizeof extra, ", \"hooks\": [ %s ]", hooks);
    assert_int_equal(fixture_load(f, (struct parts){.extra = extra}), key == NULL);
    if (key)
        expect_only_problem(f, 7, key, problem);
}

static void exit_codes_are_from_1_to_255_and_in_one_list(void **state)
{
    struct fixture *f = *state;
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"fail_on\": [1, 255], \"retry_on\": [2] }", NULL,
        NULL);
    const struct config_hook *hook = &f->config->hooks[0];
    assert_true(hook->fail_on.given && hook->fail_on.holds[1] && hook->fail_on.holds[255]);
    assert_false(hook->fail_on.holds[2]);
    assert_true(hook->retry_on.given && hook->retry_on.holds[2]);
    static const char *const bad[] = {"0", "256", "-1", "1.5", "\"1\"", "null"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char hooks[256];
        snprintf(
            hooks, sizeof hooks, "{ \"name\": \"h\", \"shell\": \"x\", \"fail_on\": [3, %s] }",
            bad[i]);
        expect_hooks(f, hooks, "hooks[0].fail_on[1]", "is not an exit code");
    }
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"fail_on\": [3], \"retry_on\": [3] }",
        "hooks[0].retry_on", "names exit 3, which fail_on names too");
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"fail_on\": 3 }", "hooks[0].fail_on", "array");
}

static void who_is_told_of_dead_jobs_takes_them_and_nothing_else(void **state)
{
    struct fixture *f = *state;
    expect_hooks(
        f,
        "{ \"name\": \"h\", \"shell\": \"x\", \"on_dead\": \"t\" },"
        "{ \"name\": \"t\", \"command\": [\"true\", \"{dead_hook}{dead_job_id}{dead_reason}\"],"
        " \"takes\": \"dead\" }",
        NULL, NULL);
    assert_string_equal(f->config->hooks[0].on_dead, "t");
    assert_int_equal(f->config->hooks[0].takes, TAKES_RESULTS);
    assert_int_equal(f->config->hooks[1].takes, TAKES_DEAD);
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"on_dead\": \"t\" }", "hooks[0].on_dead",
        "there is no hook \"t\"");
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"on_dead\": \"h\" }", "hooks[0].on_dead",
        "takes results");
    static const char *const unfit[] = {"on_dead\": \"t", "endpoint\": \"results"};
    static const char *const keys[] = {"hooks[0].on_dead", "hooks[0].endpoint"};
    for (size_t i = 0; i < sizeof unfit / sizeof unfit[0]; i++) {
        char hooks[256];
        snprintf(
            hooks, sizeof hooks,
            "{ \"name\": \"t\", \"shell\": \"x\", \"takes\": \"dead\", \"%s\" }", unfit[i]);
        expect_hooks(f, hooks, keys[i], "does not fit a hook that takes \"dead\"");
    }
}

static void a_delay_that_no_job_would_outlive_is_a_mistake(void **state)
{
    struct fixture *f = *state;
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"delay\": \"2d\" }", "hooks[0].delay",
        "no shorter than give_up_after (1d)");
    expect_hooks(
        f,
        "{ \"name\": \"h\", \"shell\": \"x\", \"delay\": \"2d\", \"give_up_after\": \"3d\" },"
        "{ \"name\": \"i\", \"shell\": \"x\", \"delay\": \"2d\", \"give_up_after\": \"0s\" }",
        NULL, NULL);
}

static void what_stands_in_an_env_file_is_checked_and_not_shown(void **state)
{
    struct fixture *f = *state;
    static const char hook[] = "{ \"name\": \"h\", \"shell\": \"x\", \"env_file\": \"e\" }";
    static const struct {
        const char *text;
        const char *problem;
    } cases[] = {
        {"A=1\n# comment = x\n\nB=two words \"as they are\"\r\nC=\n", NULL},
        {"A=1\nsecret\n", "line 2 of it is no NAME=value"},
        {"A=1\n\n1A=x\n", "line 3 of it names what is not a variable's name"},
        {"CALLBACK_HOOK=x\n", "line 1 of it names what is one of ours"},
        {"export A=1\n", "line 1 of it names what is not a variable's name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_text(f, "e", cases[i].text, 0600);
        expect_hooks(f, hook, cases[i].problem ? "hooks[0].env_file" : NULL, cases[i].problem);
        if (cases[i].problem)
            assert_null(strstr(f->problems.items[0].text, "secret"));
    }
    fixture_text(f, "e", "A=1\n", 0644);
    expect_hooks(f, hook, "hooks[0].env_file", "");
}

static void users_and_groups_are_looked_up(void **state)
{
    struct fixture *f = *state;
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"user\": \"nobody-of-this-name\" }",
        "hooks[0].user", "there is no user \"nobody-of-this-name\"");
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"group\": \"no-such-group\" }", "hooks[0].group",
        "there is no group \"no-such-group\"");
    bool root = geteuid() == 0;
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"user\": \"nobody\" }",
        root ? NULL : "hooks[0].user", "start the daemon as root");
}

static void limits_stand_in_their_object(void **state)
{
    struct fixture *f = *state;
    expect_hooks(f, "{ \"name\": \"h\", \"shell\": \"x\" }", NULL, NULL);
    const struct config_hook *hook = &f->config->hooks[0];
    assert_int_equal(hook->mode_mask, 022);
    assert_int_equal(hook->nice, 0);
    assert_int_equal(hook->limits.cpu_ms, 0);
    assert_int_equal(hook->limits.core_bytes, 0);
    expect_hooks(
        f,
        "{ \"name\": \"h\", \"shell\": \"x\", \"umask\": \"077\", \"nice\": 19, \"limits\": {"
        " \"cpu\": \"10s\", \"memory\": \"64MiB\", \"file_size\": \"1MiB\", \"open_files\": 64,"
        " \"processes\": 10, \"core\": \"1GiB\" } }",
        NULL, NULL);
    hook = &f->config->hooks[0];
    assert_int_equal(hook->mode_mask, 077);
    assert_int_equal(hook->nice, 19);
    assert_int_equal(hook->limits.cpu_ms, 10000);
    assert_int_equal(hook->limits.memory_bytes, 64 << 20);
    assert_int_equal(hook->limits.file_bytes, 1 << 20);
    assert_int_equal(hook->limits.open_files, 64);
    assert_int_equal(hook->limits.processes, 10);
    assert_int_equal(hook->limits.core_bytes, 1 << 30);
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"limits\": { \"cpu\": \"366d\" } }",
        "hooks[0].limits.cpu", "out of bounds");
    expect_hooks(
        f, "{ \"name\": \"h\", \"shell\": \"x\", \"nice\": 20 }", "hooks[0].nice", "out of bounds");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(what_stands_in_an_env_file_is_checked_and_not_shown),
        WITH_FIXTURE(users_and_groups_are_looked_up),
        WITH_FIXTURE(limits_stand_in_their_object),
        WITH_FIXTURE(exit_codes_are_from_1_to_255_and_in_one_list),
        WITH_FIXTURE(who_is_told_of_dead_jobs_takes_them_and_nothing_else),
        WITH_FIXTURE(a_delay_that_no_job_would_outlive_is_a_mistake),
        WITH_FIXTURE(a_program_with_a_slash_is_relative_to_the_file),
        WITH_FIXTURE(a_program_without_a_slash_is_found_in_path),
        WITH_FIXTURE(an_unset_path_is_the_usual_one),
        WITH_FIXTURE(what_cannot_be_executed_is_refused),
        WITH_FIXTURE(the_sender_cannot_choose_the_program),
        WITH_FIXTURE(braces_of_the_folder_are_no_field),
        WITH_FIXTURE(every_argument_is_checked),
        WITH_FIXTURE(a_hook_has_either_a_command_or_a_shell),
        WITH_FIXTURE(variables_are_names_and_texts),
        WITH_FIXTURE(the_working_directory_must_be_there),
        WITH_FIXTURE(a_hook_names_an_endpoint_that_exists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
