/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "precedence.h"

enum { START_MS = 1000000, FAST = 20000, SLOW = 1000 };

/* The worker's batches at a time when so many posts a second come. */
struct worker {
    struct precedence precedence;
    struct precedence_view view;
};

static struct worker begin(void)
{
    struct worker worker = {.view = {.now_ms = START_MS}};
    (void)precedence_wait_ms(&worker.precedence, &worker.view);
    return worker;
}

static int64_t batch_after(struct worker *worker, int64_t ms, int64_t per_second, bool is_behind)
{
    worker->view.now_ms += ms;
    worker->view.accepted += ms * per_second / 1000;
    worker->view.is_behind = is_behind;
    return precedence_wait_ms(&worker->precedence, &worker->view);
}

static void holds_back_while_posts_come_faster_than_it_decides(void **state)
{
    (void)state;
    struct worker worker = begin();
    assert_int_equal(batch_after(&worker, 100, FAST, true), PRECEDENCE_HOLD_MS);
    assert_int_equal(batch_after(&worker, 100, FAST, true), PRECEDENCE_HOLD_MS);
}

static void never_waits_while_it_keeps_up(void **state)
{
    (void)state;
    struct worker worker = begin();
    for (int i = 0; i < 100; i++)
        assert_int_equal(batch_after(&worker, 100, FAST, false), 0);
}

static void decides_what_has_come_once_few_come(void **state)
{
    (void)state;
    struct worker worker = begin();
    assert_int_equal(batch_after(&worker, 100, FAST, true), PRECEDENCE_HOLD_MS);
    assert_int_equal(batch_after(&worker, 100, SLOW, true), 0);
    assert_int_equal(batch_after(&worker, 1, FAST, true), 0);
}

/* Held back for as long as it may be. */
static struct worker become_late(void)
{
    struct worker worker = begin();
    for (int64_t ms = 0; ms < PRECEDENCE_LAG_MAX_MS; ms += 100)
        assert_int_equal(batch_after(&worker, 100, FAST, true), PRECEDENCE_HOLD_MS);
    assert_false(precedence_has_much(&worker.precedence));
    assert_int_equal(batch_after(&worker, 100, FAST, true), 0);
    assert_true(precedence_has_much(&worker.precedence));
    return worker;
}

static void takes_its_share_once_it_is_late(void **state)
{
    (void)state;
    struct worker worker = become_late();
    for (int i = 0; i < 100; i++)
        assert_int_equal(batch_after(&worker, 100, FAST, true), 0);
    assert_true(precedence_has_much(&worker.precedence));
}

static void keeps_up_with_a_load_that_lasts(void **state)
{
    (void)state;
    struct worker worker = become_late();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(batch_after(&worker, 100, FAST, false), PRECEDENCE_GATHER_MS);
        assert_int_equal(batch_after(&worker, 100, FAST, true), 0);
        assert_true(precedence_has_much(&worker.precedence));
        /* A pause of the senders is not its end. */
        assert_int_equal(batch_after(&worker, PRECEDENCE_LASTS_MS / 4, 0, true), 0);
    }
}

static void lets_the_next_burst_through_once_the_load_is_over(void **state)
{
    (void)state;
    struct worker worker = become_late();
    assert_int_equal(batch_after(&worker, 100, FAST, false), PRECEDENCE_GATHER_MS);
    assert_int_equal(
        batch_after(&worker, PRECEDENCE_LASTS_MS - 200, SLOW, false), PRECEDENCE_GATHER_MS);
    assert_int_equal(batch_after(&worker, PRECEDENCE_LASTS_MS, SLOW, false), 0);
    assert_false(precedence_has_much(&worker.precedence));
    assert_int_equal(batch_after(&worker, 100, FAST, true), PRECEDENCE_HOLD_MS);
}

/* Some posts at once, each second, are few. */
static void a_fast_moment_does_not_make_a_load_last(void **state)
{
    (void)state;
    struct worker worker = become_late();
    int64_t wait_ms = batch_after(&worker, 100, FAST, false);
    for (int i = 0; i < 3; i++) {
        (void)batch_after(&worker, PRECEDENCE_LASTS_MS - PRECEDENCE_LOOK_MS, 0, false);
        wait_ms = batch_after(&worker, PRECEDENCE_LOOK_MS, FAST, false);
    }
    assert_int_equal(wait_ms, 0);
    assert_false(precedence_has_much(&worker.precedence));
}

static void is_late_until_it_has_caught_up_though_the_load_is_over(void **state)
{
    (void)state;
    struct worker worker = become_late();
    for (int i = 0; i < 20; i++)
        assert_int_equal(batch_after(&worker, PRECEDENCE_LASTS_MS, SLOW, true), 0);
    assert_true(precedence_has_much(&worker.precedence));
    assert_int_equal(batch_after(&worker, 100, SLOW, false), 0);
    assert_false(precedence_has_much(&worker.precedence));
}

static void takes_no_moment_for_a_rate(void **state)
{
    (void)state;
    struct worker worker = begin();
    assert_int_equal(batch_after(&worker, 100, SLOW, true), 0);
    worker.view.accepted += 256;
    assert_int_equal(batch_after(&worker, 1, 0, true), 0);
}

static void an_old_total_is_no_rate(void **state)
{
    (void)state;
    struct worker worker = begin();
    worker.view.accepted = 1000000;
    assert_int_equal(batch_after(&worker, 3600000, 0, true), 0);
}

static void hooks_rest_as_long_as_they_took_while_posts_come_fast(void **state)
{
    (void)state;
    struct worker worker = begin();
    assert_int_equal(precedence_rest_ms(&worker.precedence, 7), 0);
    (void)batch_after(&worker, 100, FAST, false);
    assert_int_equal(precedence_rest_ms(&worker.precedence, 0), 0);
    assert_int_equal(precedence_rest_ms(&worker.precedence, 7), 7);
    assert_int_equal(precedence_rest_ms(&worker.precedence, 60000), PRECEDENCE_REST_MAX_MS);
    (void)batch_after(&worker, 100, SLOW, true);
    assert_int_equal(precedence_rest_ms(&worker.precedence, 7), 0);
}

static void gives_way_often_but_not_where_that_lasts(void **state)
{
    (void)state;
    const int64_t began_ns = INT64_C(1000000000);
    const int64_t shortly_ns = began_ns + 1000;
    const int64_t much_ns = began_ns + PRECEDENCE_GAVE_MUCH_NS;
    assert_int_equal(
        precedence_give_way_at_ns(began_ns, shortly_ns), shortly_ns + PRECEDENCE_GIVE_WAY_EACH_NS);
    assert_int_equal(
        precedence_give_way_at_ns(began_ns, much_ns - 1),
        much_ns - 1 + PRECEDENCE_GIVE_WAY_EACH_NS);
    /* A tenth of its time at most is others', however much they want. */
    for (int64_t waited_ns = PRECEDENCE_GAVE_MUCH_NS; waited_ns < began_ns; waited_ns *= 2) {
        int64_t ended_ns = began_ns + waited_ns;
        int64_t kept_ns = precedence_give_way_at_ns(began_ns, ended_ns) - ended_ns;
        assert_true(kept_ns >= 9 * waited_ns);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_back_while_posts_come_faster_than_it_decides),
        cmocka_unit_test(never_waits_while_it_keeps_up),
        cmocka_unit_test(decides_what_has_come_once_few_come),
        cmocka_unit_test(takes_its_share_once_it_is_late),
        cmocka_unit_test(keeps_up_with_a_load_that_lasts),
        cmocka_unit_test(lets_the_next_burst_through_once_the_load_is_over),
        cmocka_unit_test(a_fast_moment_does_not_make_a_load_last),
        cmocka_unit_test(is_late_until_it_has_caught_up_though_the_load_is_over),
        cmocka_unit_test(takes_no_moment_for_a_rate),
        cmocka_unit_test(an_old_total_is_no_rate),
        cmocka_unit_test(hooks_rest_as_long_as_they_took_while_posts_come_fast),
        cmocka_unit_test(gives_way_often_but_not_where_that_lasts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
