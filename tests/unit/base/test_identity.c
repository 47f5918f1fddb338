/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "callbackd/os.h"

static void expect(const char *user, const char *group, enum error_code code)
{
    struct os_identity identity = {.uid = 1};
    struct error error = {0};
    int found = os_identity_find(user, group, &identity, &error);
    assert_int_equal(found, code == ERROR_NONE ? 0 : -1);
    if (found == 0)
        os_identity_fini(&identity);
    else
        assert_int_equal(error.code, code);
}

static void users_are_found_by_name_and_number(void **state)
{
    (void)state;
    struct os_identity by_name;
    struct os_identity by_number;
    struct error error;
    assert_int_equal(os_identity_find("root", NULL, &by_name, &error), 0);
    assert_int_equal(os_identity_find("0", NULL, &by_number, &error), 0);
    assert_int_equal(by_name.uid, 0);
    assert_int_equal(by_name.gid, 0);
    assert_int_equal(by_number.uid, 0);
    assert_string_equal(by_number.name, "root");
    assert_string_equal(by_number.home, by_name.home);
    assert_true(by_name.group_count >= 1);
    os_identity_fini(&by_name);
    os_identity_fini(&by_number);
}

static void a_group_may_be_another(void **state)
{
    (void)state;
    struct os_identity identity;
    struct error error;
    assert_int_equal(os_identity_find("root", "nogroup", &identity, &error), 0);
    assert_int_equal(identity.gid, 65534);
    bool among = false;
    for (size_t i = 0; i < identity.group_count; i++)
        among = among || identity.groups[i] == 65534;
    assert_true(among);
    os_identity_fini(&identity);
    assert_int_equal(os_identity_find(NULL, "nogroup", &identity, &error), 0);
    assert_int_equal(identity.uid, geteuid());
    os_identity_fini(&identity);
}

static void a_number_that_nobody_has_needs_a_group(void **state)
{
    (void)state;
    struct os_identity identity;
    struct error error;
    expect("4000000", NULL, ERROR_INVALID);
    assert_int_equal(os_identity_find("4000000", "4000001", &identity, &error), 0);
    assert_int_equal(identity.uid, 4000000);
    assert_int_equal(identity.gid, 4000001);
    assert_int_equal(identity.group_count, 1);
    assert_string_equal(identity.home, "/");
    os_identity_fini(&identity);
}

static void nobody_of_that_name_is_not_found(void **state)
{
    (void)state;
    expect("nobody-of-this-name", NULL, ERROR_NOT_FOUND);
    expect("root", "no-group-of-this-name", ERROR_NOT_FOUND);
    expect("-1", NULL, ERROR_NOT_FOUND);
    expect("4294967295", "0", ERROR_NOT_FOUND);
}

static void we_may_be_ourselves(void **state)
{
    (void)state;
    struct os_identity identity = {.uid = geteuid(), .gid = getegid()};
    assert_true(os_identity_may_be_taken(&identity));
    identity.uid++;
    assert_int_equal(os_identity_may_be_taken(&identity), geteuid() == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_found_by_name_and_number),
        cmocka_unit_test(a_group_may_be_another),
        cmocka_unit_test(a_number_that_nobody_has_needs_a_group),
        cmocka_unit_test(nobody_of_that_name_is_not_found),
        cmocka_unit_test(we_may_be_ourselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
