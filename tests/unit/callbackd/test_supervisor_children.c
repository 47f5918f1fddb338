/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "supervisor_private.h"

/* Slots are reused, so a younger child may stand before an older one. */
static struct supervisor three_receivers(void)
{
    struct supervisor supervisor = {0};
    for (int i = 0; i < 3; i++)
        supervisor.children[i] = (struct child){.role = CHILD_RECEIVER, .pid = 100 + i};
    supervisor.children[0].generation = 3;
    supervisor.children[1].generation = 1;
    supervisor.children[2].generation = 2;
    supervisor.children[3] = (struct child){.role = CHILD_WORKER, .pid = 103, .generation = 0};
    return supervisor;
}

static void a_ready_receiver_replaces_only_those_before_it(void **state)
{
    (void)state;
    struct supervisor supervisor = three_receivers();
    assert_true(supervisor_is_replaced(&supervisor, 1, 2));
    assert_false(supervisor_is_replaced(&supervisor, 2, 2));
    assert_false(supervisor_is_replaced(&supervisor, 0, 2));
    assert_false(supervisor_is_replaced(&supervisor, 3, 2));
}

static void the_newest_replaces_one_that_is_not_ready_yet(void **state)
{
    (void)state;
    struct supervisor supervisor = three_receivers();
    assert_true(supervisor_is_replaced(&supervisor, 1, 0));
    assert_true(supervisor_is_replaced(&supervisor, 2, 0));
}

static void one_that_is_leaving_replaces_nobody(void **state)
{
    (void)state;
    struct supervisor supervisor = three_receivers();
    supervisor.children[2].leaving = true;
    for (int i = 0; i < CHILDREN_MAX; i++)
        assert_false(supervisor_is_replaced(&supervisor, i, 2));
}

static void a_worker_replaces_nobody(void **state)
{
    (void)state;
    struct supervisor supervisor = three_receivers();
    supervisor.children[3].generation = 4;
    for (int i = 0; i < CHILDREN_MAX; i++)
        assert_false(supervisor_is_replaced(&supervisor, i, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ready_receiver_replaces_only_those_before_it),
        cmocka_unit_test(the_newest_replaces_one_that_is_not_ready_yet),
        cmocka_unit_test(one_that_is_leaving_replaces_nobody),
        cmocka_unit_test(a_worker_replaces_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
