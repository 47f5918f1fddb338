/* SPDX-License-Identifier: MIT */
/* Truncated results; overdue runs are in test_reconciler.c. */
#include "reconciler_fixture.h"

static void a_truncated_result_is_fetched_as_a_further_revision(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    char key[ID_TEXT_BYTES];
    id_format(&id, key);
    store_post(f, &id, key, 10, STATUS_TRUNCATED);
    reconcile(f, &success, 1);
    struct newest polled = read_log(f);
    assert_int_equal(polled.count, 2);
    assert_int_equal(polled.revision, 2);
    assert_string_equal(polled.key, key);
    assert_true(take_polled(f, polled.seq).triggers);
    assert_run_state(f, &id, RUN_COMPLETED);
    reconcile(f, &success, 0);
}

static void a_truncated_result_of_a_pending_or_mismatched_run_is_left(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_registration registration = a_registration();
    struct error error = {0};
    registration.now_ms = clock_wall_ms();
    struct ledger_step step = {.f = f, .registration = &registration, .work = do_register};
    ledger_check(ledger_write(&step, &error), &error);
    struct id launching = step.run.id;
    run_record_fini(&step.run);
    assert_true(store_post(f, &launching, "a", 10, STATUS_TRUNCATED).pending);
    struct id other = a_launched_run(f, 11);
    assert_int_equal(store_post(f, &other, "b", 12, STATUS_TRUNCATED).status, STATUS_MISMATCH);
    reconcile(f, &success, 0);
    assert_int_equal(read_log(f).count, 2);
}

static void without_a_run_its_own_execution_and_key_are_used(void **state)
{
    struct ledger_fixture *f = *state;
    store_post(f, NULL, "execution:10", 10, STATUS_TRUNCATED);
    reconcile(f, &success, 1);
    struct newest polled = read_log(f);
    assert_string_equal(polled.key, "execution:10");
    assert_int_equal(polled.revision, 2);
    assert_false(polled.has_run);
    assert_true(take_polled(f, polled.seq).triggers);
    reconcile(f, &success, 0);
}

static void without_a_key_it_is_still_fetched_only_once(void **state)
{
    struct ledger_fixture *f = *state;
    store_post(f, NULL, NULL, 10, STATUS_TRUNCATED);
    reconcile(f, &success, 1);
    /* The worker has not taken it in yet, and everything starts anew: the same key again. */
    reconcile(f, &success, 1);
    struct newest polled = read_log(f);
    assert_int_equal(strncmp(polled.key, "poll:", 5), 0);
    assert_int_equal(polled.count, 3);
    assert_int_equal(polled.revision, 1);
}

static void a_truncated_result_that_the_api_does_not_know_is_given_up(void **state)
{
    struct ledger_fixture *f = *state;
    const struct loopback_reply reply = {ANSWER("404", "{}"), LOOPBACK_CLOSE};
    struct id id = a_launched_run(f, 10);
    store_post(f, &id, "k", 10, STATUS_TRUNCATED);
    reconcile(f, &reply, 1);
    assert_run_state(f, &id, RUN_WAITING);
}

RECONCILER_TESTS(
    LEDGER_TEST(a_truncated_result_is_fetched_as_a_further_revision),
    LEDGER_TEST(a_truncated_result_of_a_pending_or_mismatched_run_is_left),
    LEDGER_TEST(without_a_run_its_own_execution_and_key_are_used),
    LEDGER_TEST(without_a_key_it_is_still_fetched_only_once),
    LEDGER_TEST(a_truncated_result_that_the_api_does_not_know_is_given_up))
