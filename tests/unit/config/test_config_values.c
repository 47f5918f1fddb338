/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"
#include "config_private.h"

/* Loads with `"limits": { … }` of this text. */
static bool load_limits(struct fixture *f, const char *members)
{
    char extra[512];
    snprintf(extra, sizeof extra, ", \"limits\": { %s }", members);
    return fixture_load(f, (struct parts){.extra = extra});
}

static bool load_name(struct fixture *f, const char *name)
{
    char endpoints[512];
    snprintf(
        endpoints, sizeof endpoints,
        "\"endpoints\": [ { \"name\": \"%s\", \"path\": \"/a\", \"verify\": \"none\" } ]", name);
    return fixture_load(f, (struct parts){.endpoints = endpoints});
}

static void integers_are_whole_and_within_their_bounds(void **state)
{
    struct fixture *f = *state;
    assert_true(load_limits(f, "\"json_depth\": 1"));
    assert_true(load_limits(f, "\"json_depth\": 1024"));
    static const char *const bad[] = {"0", "1025", "-1", "99999999999999999999", "1.0", "1e2"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char member[64];
        snprintf(member, sizeof member, "\"json_depth\": %s", bad[i]);
        assert_false(load_limits(f, member));
        expect_only_problem(f, 7, "limits.json_depth", bad[i]);
    }
}

static void durations_are_within_their_bounds(void **state)
{
    struct fixture *f = *state;
    assert_true(load_limits(f, "\"stop_timeout\": \"0s\""));
    assert_true(load_limits(f, "\"stop_timeout\": \"60m\""));
    assert_false(load_limits(f, "\"stop_timeout\": \"61m\""));
    expect_only_problem(f, 7, "limits.stop_timeout", "it may be from 0s to 1h");
    assert_false(load_limits(f, "\"request_timeout\": \"9ms\""));
    expect_only_problem(f, 7, "limits.request_timeout", "it may be from 10ms to 1h");
    static const char *const bad[] = {"3", "0", "-1s", "1.5s", "1 s", "1sec", "99999999999999999d"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char member[64];
        snprintf(member, sizeof member, "\"stop_timeout\": \"%s\"", bad[i]);
        assert_false(load_limits(f, member));
        expect_only_problem(f, 7, "limits.stop_timeout", bad[i]);
    }
}

static void sizes_are_within_their_bounds(void **state)
{
    struct fixture *f = *state;
    assert_true(load_limits(f, "\"body\": \"1024\""));
    assert_int_equal(f->config->limits.body_bytes, 1024);
    assert_false(load_limits(f, "\"body\": \"1023B\""));
    expect_only_problem(f, 7, "limits.body", "it may be from 1KiB to 1GiB");
    assert_false(load_limits(f, "\"body\": \"1GB\""));
    expect_only_problem(f, 7, "limits.body", "is not a size");
}

static void a_size_is_shown_in_the_largest_unit_that_fits(void **state)
{
    (void)state;
    char text[32];
    config_format_size(0, text, sizeof text);
    assert_string_equal(text, "0B");
    config_format_size(1023, text, sizeof text);
    assert_string_equal(text, "1023B");
    config_format_size(1536, text, sizeof text);
    assert_string_equal(text, "1536B");
    config_format_size(16 << 20, text, sizeof text);
    assert_string_equal(text, "16MiB");
    config_format_size(INT64_C(1) << 40, text, sizeof text);
    assert_string_equal(text, "1024GiB");
}

static void names_fit_urls_metrics_and_files(void **state)
{
    struct fixture *f = *state;
    assert_true(load_name(f, "a"));
    assert_true(load_name(f, "0-A_b.c"));
    char longest[66];
    memset(longest, 'n', sizeof longest);
    longest[64] = '\0';
    assert_true(load_name(f, longest));
    longest[64] = 'n';
    longest[65] = '\0';
    assert_false(load_name(f, longest));
    expect_only_problem(f, 6, "endpoints[0].name", "longer than 64 bytes");
    static const char *const bad[] = {"a b", "-a", ".",        "..",    "_a",
                                      "a/b", "ä",  "a\\u0001", "a\\\"b"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(load_name(f, bad[i]));
        expect_only_problem(f, 6, "endpoints[0].name", "is not a name");
    }
}

static void paths_start_at_the_file(void **state)
{
    struct fixture *f = *state;
    char path[FIXTURE_PATH_MAX];
    expect_taken(f, (struct parts){.store = "\"store\": { \"directory\": \".\" },"});
    assert_string_equal(f->config->store.directory, f->directory);
    expect_taken(f, (struct parts){.store = "\"store\": { \"directory\": \"a/b\" },"});
    assert_string_equal(f->config->store.directory, fixture_file(f, "a/b", path));
    expect_taken(f, (struct parts){.store = "\"store\": { \"directory\": \"/a\" },"});
    assert_string_equal(f->config->store.directory, "/a");
}

static void permissions_are_octal(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        int mode;
    } cases[] = {{"0660", 0660}, {"600", 0600}, {"0777", 0777}, {"0000", 0},
                 {"1777", -1},   {"0880", -1},  {"rw-", -1},    {"66", -1},
                 {"00660", -1},  {"0x1f", -1},  {"-660", -1},   {" 660", -1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char listen[128];
        snprintf(
            listen, sizeof listen, "\"listen\": [ { \"unix\": \"s\", \"mode\": \"%s\" } ],",
            cases[i].text);
        assert_int_equal(fixture_load(f, (struct parts){.listen = listen}), cases[i].mode >= 0);
        if (cases[i].mode >= 0)
            assert_int_equal(f->config->listeners[0].mode, cases[i].mode);
        else
            expect_only_problem(f, 2, "listen[0].mode", "write it in octal");
    }
}

static void rates_are_a_number_for_a_time(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        int limit; /* 0: refused */
        int64_t period_ms;
        const char *problem;
    } cases[] = {
        {"10/s", 10, 1000, NULL},
        {"5/m", 5, 60000, NULL},
        {"1/h", 1, 3600000, NULL},
        {"1000000/d", 1000000, 86400000, NULL},
        {"0/s", 0, 0, "its number may be from 1 to 1000000"},
        {"1000001/s", 0, 0, "its number may be from 1 to 1000000"},
        {"10", 0, 0, "is not a rate"},
        {"10/", 0, 0, "is not a rate"},
        {"/s", 0, 0, "is not a rate"},
        {"1.5/s", 0, 0, "is not a rate"},
        {"10/sec", 0, 0, "is not a rate"},
        {"10 / s", 0, 0, "is not a rate"},
        {"99999999999999999999/s", 0, 0, "is not a rate"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char extra[256];
        snprintf(
            extra, sizeof extra,
            ", \"hooks\": [ { \"name\": \"h\", \"shell\": \"x\", \"rate\": \"%s\" } ]",
            cases[i].text);
        assert_int_equal(fixture_load(f, (struct parts){.extra = extra}), cases[i].limit != 0);
        if (cases[i].limit == 0) {
            expect_only_problem(f, 7, "hooks[0].rate", cases[i].problem);
            continue;
        }
        assert_int_equal(f->config->hooks[0].rate.limit, cases[i].limit);
        assert_int_equal(f->config->hooks[0].rate.period_ms, cases[i].period_ms);
    }
}

static void a_wrong_choice_is_told_all_choices(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(f, (struct parts){.extra = ", \"log\": { \"level\": \"INFO\" }"}));
    expect_only_problem(
        f, 7, "log.level", "choose one of \"debug\", \"info\", \"warning\", \"error\"");
}

static void booleans_are_not_texts(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){
               .admin = "\"admin\": { \"address\": \"127.0.0.1:0\", \"token_file\": "
                        "\"admin.token\", \"metrics_public\": \"false\" },"}));
    expect_only_problem(f, 3, "admin.metrics_public", "must be a true or false (such as true)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(integers_are_whole_and_within_their_bounds),
        WITH_FIXTURE(durations_are_within_their_bounds),
        WITH_FIXTURE(sizes_are_within_their_bounds),
        cmocka_unit_test(a_size_is_shown_in_the_largest_unit_that_fits),
        WITH_FIXTURE(names_fit_urls_metrics_and_files),
        WITH_FIXTURE(paths_start_at_the_file),
        WITH_FIXTURE(permissions_are_octal),
        WITH_FIXTURE(rates_are_a_number_for_a_time),
        WITH_FIXTURE(a_wrong_choice_is_told_all_choices),
        WITH_FIXTURE(booleans_are_not_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
