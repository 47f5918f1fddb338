/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schemes.h"

static void the_configuration_knows_the_same_schemes(void **state)
{
    (void)state;
    size_t here = 0;
    size_t there = 0;
    const char *summary = NULL;
    for (const char *name; (name = verify_scheme_name(here, &summary)); here++) {
        const struct config_scheme *described = config_scheme_find(name);
        if (!described)
            fail_msg("the configuration does not know the scheme %s", name);
        assert_string_equal(summary, described->summary);
    }
    for (; config_scheme_at(there); there++)
        if (!verify_scheme_exists(config_scheme_at(there)->name))
            fail_msg("nothing does what %s says", config_scheme_at(there)->name);
    assert_int_equal(here, there);
    assert_null(verify_scheme_name(here, NULL));
}

static void every_scheme_checks_something(void **state)
{
    (void)state;
    const char *name;
    for (size_t i = 0; (name = verify_scheme_name(i, NULL)); i++) {
        const struct scheme *scheme = scheme_find(name);
        assert_non_null(scheme);
        assert_true(scheme->check_head || scheme->check_body);
        assert_int_equal(scheme->open != NULL, scheme->close != NULL);
        for (const char *c = name; *c; c++)
            assert_true(*c != '+' && *c != ','); /* they part names in verified_by */
    }
}

static void what_is_no_scheme_is_not_found(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "none", "run-tokens", "RUN-TOKEN"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(verify_scheme_exists(bad[i]));
        assert_null(scheme_find(bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_configuration_knows_the_same_schemes),
        cmocka_unit_test(every_scheme_checks_something),
        cmocka_unit_test(what_is_no_scheme_is_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
