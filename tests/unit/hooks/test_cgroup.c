/* SPDX-License-Identifier: MIT */
/* Where our own control group is, from what /proc says on different machines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "callbackd/error.h"
#include "cgroup.h"

static const char unified[] =
    "24 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
    "31 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

static void expect(const char *membership, const char *mounts, const char *directory)
{
    struct error error = {0};
    char *found = cgroup_locate(membership, mounts, &error);
    if (directory) {
        assert_non_null(found);
        assert_string_equal(found, directory);
    } else {
        assert_null(found);
        assert_int_equal(error.code, ERROR_NOT_FOUND);
        assert_true(error.message[0] != '\0');
    }
    free(found);
}

static void a_service_is_found_below_the_mount(void **state)
{
    (void)state;
    expect(
        "0::/system.slice/callbackd.service\n", unified,
        "/sys/fs/cgroup/system.slice/callbackd.service");
    expect("0::/", unified, "/sys/fs/cgroup");
}

static void a_machine_with_both_versions_has_the_second_elsewhere(void **state)
{
    (void)state;
    expect(
        "9:name=systemd:/a\n4:memory:/b\n0::/c\n",
        "40 30 0:33 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "41 30 0:34 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
        "/sys/fs/cgroup/unified/c");
    expect("9:name=systemd:/a\n4:memory:/b\n", unified, NULL);
}

static void a_mount_of_a_part_shows_what_is_in_it(void **state)
{
    (void)state;
    static const char part[] = "31 23 0:27 /docker/ab /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    expect("0::/docker/ab", part, "/sys/fs/cgroup");
    expect("0::/docker/ab/c\n", part, "/sys/fs/cgroup/c");
    expect("0::/docker/abc\n", part, NULL);
    expect("0::/docker\n", part, NULL);
    expect(
        "0::/docker/abc\n",
        "31 23 0:27 /docker/ab /one rw - cgroup2 cgroup rw\n"
        "32 23 0:27 / /two rw - cgroup2 cgroup rw\n",
        "/two/docker/abc");
}

static void what_is_outside_of_the_namespace_is_not_found(void **state)
{
    (void)state;
    expect("0::/../other\n", unified, NULL);
    expect("0::/..\n", unified, NULL);
}

static void a_mount_point_may_hold_blanks(void **state)
{
    (void)state;
    expect(
        "0::/a\n", "31 23 0:27 / /my\\040groups\\134x rw - cgroup2 cgroup rw\n", "/my groups\\x/a");
    /* Cut off, it is not what the kernel writes; it is taken as it stands. */
    expect("0::/a\n", "31 23 0:27 / /x\\04 rw - cgroup2 cgroup rw\n", "/x\\04/a");
}

static void nonsense_is_no_group(void **state)
{
    (void)state;
    expect("", unified, NULL);
    expect("0::\n", unified, NULL);
    expect("0::relative\n", unified, NULL);
    expect("0::/a\n", "", NULL);
    expect("0::/a\n", " - cgroup2 ", NULL);
    expect("0::/a\n", "31 23\n - cgroup2 cgroup rw", NULL);
    expect("0::/a\n", "31 23 0:27 / /sys/fs/cgroup rw - cgroup cgroup rw\n", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_service_is_found_below_the_mount),
        cmocka_unit_test(a_machine_with_both_versions_has_the_second_elsewhere),
        cmocka_unit_test(a_mount_of_a_part_shows_what_is_in_it),
        cmocka_unit_test(what_is_outside_of_the_namespace_is_not_found),
        cmocka_unit_test(a_mount_point_may_hold_blanks),
        cmocka_unit_test(nonsense_is_no_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
