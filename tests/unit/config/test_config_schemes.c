/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"
#include "config_private.h"

static void every_scheme_is_described(void **state)
{
    (void)state;
    size_t count = 0;
    for (; config_scheme_at(count); count++) {
        const struct config_scheme *scheme = config_scheme_at(count);
        assert_ptr_equal(config_scheme_find(scheme->name), scheme);
        assert_true(strlen(scheme->summary) > 20);
        assert_null(strchr(scheme->summary, '|'));
    }
    assert_true(count >= 1);
    assert_null(config_scheme_at(count));
    assert_null(config_scheme_find("none"));
    assert_null(config_scheme_find(""));
}

static void every_option_of_a_scheme_is_a_key(void **state)
{
    (void)state;
    const struct config_key *verify = config_key_find("endpoints[].verify");
    for (size_t i = 0; config_scheme_at(i); i++)
        for (const char *const *option = config_scheme_at(i)->options; *option; option++)
            assert_non_null(config_key_member(verify, *option));
}

static void a_scheme_takes_its_options_only(void **state)
{
    (void)state;
    static const struct config_scheme scheme = {
        .name = "example", .summary = "", .options = {"secret_file", "tolerance", NULL}};
    assert_true(config_scheme_takes(&scheme, "scheme"));
    assert_true(config_scheme_takes(&scheme, "secret_file"));
    assert_true(config_scheme_takes(&scheme, "tolerance"));
    assert_false(config_scheme_takes(&scheme, "networks"));
    assert_false(config_scheme_takes(config_scheme_find("run-token"), "secret_file"));
}

static void a_text_in_place_of_schemes_is_told_of_none(void **state)
{
    struct fixture *f = *state;
    assert_false(fixture_load(
        f, (struct parts){
               .endpoints = "\"endpoints\": [ { \"name\": \"a\", \"path\": \"/a\", "
                            "\"verify\": \"nobody\" } ]"}));
    expect_only_problem(
        f, 6, "endpoints[0].verify",
        "is \"nobody\", and must be an array (name a scheme, or write \"none\"");
}

static void an_unknown_scheme_names_the_nearest(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"runtoken", "none", "RUN-TOKEN", "github"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char endpoints[256];
        snprintf(
            endpoints, sizeof endpoints,
            "\"endpoints\": [ { \"name\": \"a\", \"path\": \"/a\", \"verify\": [ { \"scheme\": "
            "\"%s\" } ] } ]",
            bad[i]);
        assert_false(fixture_load(f, (struct parts){.endpoints = endpoints}));
        expect_only_problem(f, 6, "endpoints[0].verify[0].scheme", "did you mean \"run-token\"?");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scheme_is_described),
        cmocka_unit_test(every_option_of_a_scheme_is_a_key),
        cmocka_unit_test(a_scheme_takes_its_options_only),
        WITH_FIXTURE(a_text_in_place_of_schemes_is_told_of_none),
        WITH_FIXTURE(an_unknown_scheme_names_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
