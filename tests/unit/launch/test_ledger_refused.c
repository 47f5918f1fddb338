/* SPDX-License-Identifier: MIT */
#include "ledger_fixture.h"

static int do_refused(struct ledger_step *s, struct state_tx *tx, struct error *error)
{
    const struct ledger_refusal refusal = {
        .run = *s->id, .endpoint = "results", .reason = s->reason, .received_at_ms = t0 + 50};
    return ledger_refused(tx, &refusal, &s->flag, error);
}

/* Was the run told? */
static bool refused(struct ledger_fixture *f, const struct id *run)
{
    struct error error = {0};
    struct ledger_step step = {.f = f, .id = run, .reason = "too large", .work = do_refused};
    ledger_check(ledger_write(&step, &error), &error);
    return step.flag;
}

static void assert_late(struct ledger_fixture *f, const struct id *id)
{
    struct run_record run = run_now(f, id);
    assert_string_equal(run_state_name(run.state), "overdue");
    assert_string_equal(run.reason, "too large");
    run_record_fini(&run);
}

static void a_waiting_run_is_overdue_with_the_reason(void **state)
{
    struct ledger_fixture *f = *state;
    struct id run = a_launched_run(f, 10);
    assert_true(refused(f, &run));
    assert_late(f, &run);
    assert_false(refused(f, &run));
}

static void a_launching_run_is_overdue_once_it_was_launched(void **state)
{
    struct ledger_fixture *f = *state;
    struct id run = a_run(f, NULL, 0);
    assert_true(refused(f, &run));
    assert_run_state(f, &run, RUN_LAUNCHING);
    assert_int_equal(launched(f, &run, 10), ERROR_NONE);
    assert_late(f, &run);
}

static void the_same_post_again_completes_it(void **state)
{
    struct ledger_fixture *f = *state;
    struct id run = a_launched_run(f, 10);
    assert_true(refused(f, &run));
    assert_true(post(f, &run, 10, STATUS_SUCCESS).triggers);
    assert_run_state(f, &run, RUN_COMPLETED);
}

static void what_has_ended_stays_as_it_is(void **state)
{
    struct ledger_fixture *f = *state;
    struct id run = a_launched_run(f, 10);
    struct id failed = a_run(f, NULL, 0);
    assert_true(post(f, &run, 10, STATUS_SUCCESS).triggers);
    assert_int_equal(launch_failed(f, &failed, "no"), ERROR_NONE);
    assert_false(refused(f, &run));
    assert_false(refused(f, &failed));
    assert_run_state(f, &run, RUN_COMPLETED);
    assert_run_state(f, &failed, RUN_LAUNCH_FAILED);
}

static void a_run_that_was_minted_offline_appears(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = id_new();
    assert_true(refused(f, &id));
    assert_late(f, &id);
    struct run_record run = run_now(f, &id);
    assert_string_equal(run.endpoint, "results");
    assert_true(run.registered_at_ms == t0 + 50);
    run_record_fini(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(a_waiting_run_is_overdue_with_the_reason),
        LEDGER_TEST(a_launching_run_is_overdue_once_it_was_launched),
        LEDGER_TEST(the_same_post_again_completes_it),
        LEDGER_TEST(what_has_ended_stays_as_it_is),
        LEDGER_TEST(a_run_that_was_minted_offline_appears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
