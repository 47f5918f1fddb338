/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backoff.h"

static void what_is_not_known_is_due(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    struct id id = id_new();
    assert_true(backoff_is_due(&backoff, &id, 0));
    assert_int_equal(backoff_attempts(&backoff, &id), 0);
    backoff_prune(&backoff, 1000);
    backoff_fini(&backoff);
}

/* The delay after the n-th failure lies in this range, whatever the jitter. */
static void delays_double_up_to_a_limit(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    struct id id = id_new();
    int64_t longest_ms = 2000;
    for (int n = 1; n <= 40; n++) {
        assert_int_equal(backoff_failed(&backoff, &id, 5000, 0), n);
        assert_false(backoff_is_due(&backoff, &id, 5000 + longest_ms * 3 / 4 - 1));
        assert_true(backoff_is_due(&backoff, &id, 5000 + longest_ms));
        longest_ms = longest_ms * 2 < 300000 ? longest_ms * 2 : 300000;
    }
    assert_int_equal(backoff_attempts(&backoff, &id), 40);
    backoff_fini(&backoff);
}

static void a_wait_that_was_asked_for_is_kept(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    struct id id = id_new();
    backoff_failed(&backoff, &id, 0, 60000);
    assert_false(backoff_is_due(&backoff, &id, 59999));
    assert_true(backoff_is_due(&backoff, &id, 60000));
    backoff_wait(&backoff, &id, 60000, 500);
    assert_false(backoff_is_due(&backoff, &id, 60499));
    assert_int_equal(backoff_attempts(&backoff, &id), 1);
    backoff_fini(&backoff);
}

static void what_is_given_up_is_never_due(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    struct id id = id_new();
    backoff_give_up(&backoff, &id, 0);
    assert_false(backoff_is_due(&backoff, &id, INT64_MAX / 2));
    backoff_fini(&backoff);
}

static void many_are_kept_apart_and_dropped_when_old(void **state)
{
    (void)state;
    struct backoff backoff = {0};
    struct id ids[500];
    for (int i = 0; i < 500; i++)
        ids[i] = id_new();
    for (int i = 0; i < 500; i++) /* in an order that is not theirs */
        backoff_wait(&backoff, &ids[i * 7 % 500], 0, i * 7 % 500);
    assert_int_equal(backoff.count, 500);
    for (int i = 0; i < 500; i++) {
        assert_true(backoff_is_due(&backoff, &ids[i], i));
        assert_int_equal(backoff_is_due(&backoff, &ids[i], i - 1), 0);
    }
    backoff_prune(&backoff, 600000 + 249);
    assert_int_equal(backoff.count, 250);
    assert_true(backoff_is_due(&backoff, &ids[0], 0));
    assert_false(backoff_is_due(&backoff, &ids[300], 299));
    backoff_fini(&backoff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_known_is_due),
        cmocka_unit_test(delays_double_up_to_a_limit),
        cmocka_unit_test(a_wait_that_was_asked_for_is_kept),
        cmocka_unit_test(what_is_given_up_is_never_due),
        cmocka_unit_test(many_are_kept_apart_and_dropped_when_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
