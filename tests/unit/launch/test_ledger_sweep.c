/* SPDX-License-Identifier: MIT */
#include "ledger_fixture.h"

static void a_run_past_its_deadline_is_overdue(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", t0 + 1000);
    assert_int_equal(launched(f, &id, 10), ERROR_NONE);
    assert_int_equal(sweep(f, t0 + 999, 10), 0);
    assert_run_state(f, &id, RUN_WAITING);
    assert_int_equal(sweep(f, t0 + 1000, 10), 1);
    assert_run_state(f, &id, RUN_OVERDUE);
    assert_int_equal(sweep(f, t0 + 2000, 10), 0);
}

static void a_run_without_deadline_waits_until_its_token_expires(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    int64_t expiry_ms = t0 + f->config.run_token.lifetime_ms;
    assert_int_equal(sweep(f, expiry_ms - 1, 10), 0);
    assert_run_state(f, &id, RUN_WAITING);
    assert_int_equal(sweep(f, expiry_ms, 10), 1);
    assert_run_state(f, &id, RUN_OVERDUE);
}

static void runs_that_have_ended_are_left_alone(void **state)
{
    struct ledger_fixture *f = *state;
    struct id completed = a_run(f, "results", t0 + 1000);
    struct id failed = a_run(f, "results", t0 + 1000);
    assert_int_equal(launched(f, &completed, 10), ERROR_NONE);
    post(f, &completed, 10, STATUS_SUCCESS);
    assert_int_equal(launch_failed(f, &failed, "no"), ERROR_NONE);
    assert_int_equal(sweep(f, t0 + 5 * day_ms, 10), 0);
    assert_run_state(f, &completed, RUN_COMPLETED);
    assert_run_state(f, &failed, RUN_LAUNCH_FAILED);
}

static void a_launch_that_nobody_reported_is_lost_after_a_day(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", t0 + 1000);
    assert_int_equal(sweep(f, t0 + day_ms - 1, 10), 0);
    assert_run_state(f, &id, RUN_LAUNCHING);
    assert_int_equal(sweep(f, t0 + day_ms, 10), 1);
    struct run_record run = run_now(f, &id);
    assert_int_equal(run.state, RUN_LOST);
    assert_string_equal(run.reason, "its launch was never reported");
    run_record_fini(&run);
    assert_int_equal(launched(f, &id, 10), ERROR_NONE);
    assert_run_state(f, &id, RUN_WAITING);
    assert_int_equal(sweep(f, t0 + day_ms, 10), 1);
    assert_run_state(f, &id, RUN_OVERDUE);
}

static void a_sweep_keeps_to_its_limit(void **state)
{
    struct ledger_fixture *f = *state;
    for (int i = 0; i < 5; i++) {
        struct id id = a_run(f, "results", t0 + 1000 + i);
        assert_int_equal(launched(f, &id, 10 + i), ERROR_NONE);
    }
    for (int i = 0; i < 3; i++)
        a_run(f, "results", 0);
    int64_t late = t0 + 2 * day_ms;
    assert_int_equal(sweep(f, late, 0), 0);
    assert_int_equal(sweep(f, late, 3), 3);
    assert_int_equal(sweep(f, late, 3), 3);
    assert_int_equal(sweep(f, late, 3), 2);
    assert_int_equal(sweep(f, late, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(a_run_past_its_deadline_is_overdue),
        LEDGER_TEST(a_run_without_deadline_waits_until_its_token_expires),
        LEDGER_TEST(runs_that_have_ended_are_left_alone),
        LEDGER_TEST(a_launch_that_nobody_reported_is_lost_after_a_day),
        LEDGER_TEST(a_sweep_keeps_to_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
