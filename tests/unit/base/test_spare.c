/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/spare.h"

static int ended;

static void count_end(struct spare *spare)
{
    (void)spare;
    ended++;
}

static void the_last_given_is_taken_first(void **state)
{
    (void)state;
    struct spare a;
    struct spare b;
    struct spare_stack stack;
    spare_init(&stack, 2);
    assert_null(spare_take(&stack));
    assert_true(spare_give(&stack, &a));
    assert_true(spare_give(&stack, &b));
    assert_ptr_equal(spare_take(&stack), &b);
    assert_ptr_equal(spare_take(&stack), &a);
    assert_null(spare_take(&stack));
    spare_fini(&stack, count_end);
}

static void more_than_its_maximum_is_not_kept(void **state)
{
    (void)state;
    struct spare a;
    struct spare b;
    struct spare_stack stack;
    ended = 0;
    spare_init(&stack, 1);
    assert_true(spare_give(&stack, &a));
    assert_false(spare_give(&stack, &b));
    spare_fini(&stack, count_end);
    assert_int_equal(ended, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_given_is_taken_first),
        cmocka_unit_test(more_than_its_maximum_is_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
