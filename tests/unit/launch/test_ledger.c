/* SPDX-License-Identifier: MIT */
#include "ledger_fixture.h"

static void a_final_result_completes_its_run(void **state)
{
    struct ledger_fixture *f = *state;
    static const enum result_status statuses[] = {STATUS_SUCCESS, STATUS_FAILED};
    for (int i = 0; i < 2; i++) {
        struct id id = a_launched_run(f, 10 + i);
        struct taken taken = post(f, &id, 10 + i, statuses[i]);
        assert_int_equal(taken.status, statuses[i]);
        assert_false(taken.pending);
        assert_string_equal(taken.workflow, "triage");
        struct run_record run = run_now(f, &id);
        assert_int_equal(run.state, RUN_COMPLETED);
        assert_true(run.has_result && id_equal(&run.result, &taken.id));
        assert_true(run.completed_at_ms == t0 + 100 + taken.seq);
        run_record_fini(&run);
    }
}

static void the_first_final_result_stays_the_runs_result(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    struct taken first = post(f, &id, 10, STATUS_SUCCESS);
    struct taken second = post(f, &id, 10, STATUS_FAILED);
    assert_int_equal(second.status, STATUS_FAILED);
    struct run_record run = run_now(f, &id);
    assert_true(id_equal(&run.result, &first.id));
    run_record_fini(&run);
}

static void running_and_truncated_results_do_not_complete(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    assert_int_equal(post(f, &id, 10, STATUS_RUNNING).status, STATUS_RUNNING);
    assert_int_equal(post(f, &id, 10, STATUS_TRUNCATED).status, STATUS_TRUNCATED);
    struct run_record run = run_now(f, &id);
    assert_int_equal(run.state, RUN_WAITING);
    assert_false(run.has_result);
    run_record_fini(&run);
    struct taken final = post(f, &id, 10, STATUS_SUCCESS);
    run = run_now(f, &id);
    assert_int_equal(run.state, RUN_COMPLETED);
    assert_true(id_equal(&run.result, &final.id));
    run_record_fini(&run);
}

static void another_execution_is_a_mismatch_that_completes_nothing(void **state)
{
    struct ledger_fixture *f = *state;
    static const enum result_status statuses[] = {
        STATUS_SUCCESS, STATUS_FAILED, STATUS_RUNNING, STATUS_TRUNCATED};
    struct id id = a_launched_run(f, 9007199254740993);
    for (int i = 0; i < 4; i++) {
        struct taken taken = post(f, &id, 9007199254740992, statuses[i]);
        assert_int_equal(taken.status, STATUS_MISMATCH);
        assert_true(taken.has_run && id_equal(&taken.run, &id));
    }
    assert_run_state(f, &id, RUN_WAITING);
    post(f, &id, 9007199254740993, STATUS_SUCCESS);
    assert_run_state(f, &id, RUN_COMPLETED);
}

static void whoever_waits_for_a_run_hears_of_a_mismatch_until_the_right_result(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    struct taken wrong = post(f, &id, 11, STATUS_SUCCESS);
    struct run_record run = run_now(f, &id);
    assert_true(run.has_result && id_equal(&run.result, &wrong.id));
    run_record_fini(&run);
    struct taken right = post(f, &id, 10, STATUS_SUCCESS);
    post(f, &id, 11, STATUS_FAILED);
    run = run_now(f, &id);
    assert_true(id_equal(&run.result, &right.id));
    run_record_fini(&run);
}

static void a_post_without_execution_belongs_by_its_token(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    assert_int_equal(post(f, &id, 0, STATUS_SUCCESS).status, STATUS_SUCCESS);
    assert_run_state(f, &id, RUN_COMPLETED);
}

/* ---- while the run is launching ---- */

static void a_result_before_the_launch_is_known_waits(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", 0);
    struct taken taken = post(f, &id, 10, STATUS_SUCCESS);
    assert_true(taken.pending);
    assert_false(taken.triggers);
    assert_run_state(f, &id, RUN_LAUNCHING);
    assert_true(settle(f, taken.seq, t0 + GRACE_MS - 1).pending);
    assert_run_state(f, &id, RUN_LAUNCHING);
}

static void once_launched_it_is_decided(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", 0);
    struct taken wrong = post(f, &id, 99, STATUS_SUCCESS);
    struct taken right = post(f, &id, 10, STATUS_FAILED);
    assert_int_equal(launched(f, &id, 10), ERROR_NONE);
    wrong = settle(f, wrong.seq, t0 + 300);
    assert_int_equal(wrong.status, STATUS_MISMATCH);
    assert_false(wrong.pending || wrong.triggers);
    assert_run_state(f, &id, RUN_WAITING);
    right = settle(f, right.seq, t0 + 300);
    assert_int_equal(right.status, STATUS_FAILED);
    assert_true(!right.pending && right.triggers);
    struct run_record run = run_now(f, &id);
    assert_int_equal(run.state, RUN_COMPLETED);
    assert_true(id_equal(&run.result, &right.id));
    run_record_fini(&run);
}

static void a_result_of_a_failed_launch_counts_as_posted(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", 0);
    struct taken early = post(f, &id, 10, STATUS_SUCCESS);
    assert_int_equal(launch_failed(f, &id, "timed out"), ERROR_NONE);
    early = settle(f, early.seq, t0 + 300);
    assert_int_equal(early.status, STATUS_SUCCESS);
    assert_true(early.triggers);
    assert_run_state(f, &id, RUN_COMPLETED);

    id = a_run(f, "results", 0);
    assert_int_equal(launch_failed(f, &id, "timed out"), ERROR_NONE);
    assert_false(post(f, &id, 11, STATUS_RUNNING).pending);
    assert_run_state(f, &id, RUN_LAUNCH_FAILED);
    assert_true(post(f, &id, 11, STATUS_FAILED).triggers);
    assert_run_state(f, &id, RUN_COMPLETED);
}

static void after_the_grace_it_counts_as_posted(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", 0);
    struct taken early = post(f, &id, 10, STATUS_SUCCESS);
    early = settle(f, early.seq, t0 + GRACE_MS);
    assert_int_equal(early.status, STATUS_SUCCESS);
    assert_true(!early.pending && early.triggers);
    assert_run_state(f, &id, RUN_COMPLETED);
}

static void the_grace_counts_from_the_registration(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", 0);
    struct result_entry entry = an_entry(f, &id, 10, STATUS_RUNNING);
    struct taken taken = take(f, &entry, t0 + GRACE_MS);
    assert_false(taken.pending);
    assert_run_state(f, &id, RUN_LAUNCHING);
}

static void settling_what_is_settled_changes_nothing(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    struct taken taken = post(f, &id, 10, STATUS_SUCCESS);
    assert_true(taken.triggers);
    taken = settle(f, taken.seq, t0 + 300);
    assert_int_equal(taken.status, STATUS_SUCCESS);
    assert_false(taken.triggers);
}

/* ---- late ---- */

static void a_late_result_completes_an_overdue_and_even_a_lost_run(void **state)
{
    struct ledger_fixture *f = *state;
    struct id overdue = a_run(f, "results", t0 + 1000);
    assert_int_equal(launched(f, &overdue, 10), ERROR_NONE);
    struct id unreported = a_run(f, "results", 0);
    assert_int_equal(sweep(f, t0 + 2 * day_ms, 10), 2);
    assert_run_state(f, &overdue, RUN_OVERDUE);
    assert_run_state(f, &unreported, RUN_LOST);
    assert_true(post(f, &overdue, 10, STATUS_SUCCESS).triggers);
    assert_true(post(f, &unreported, 11, STATUS_FAILED).triggers);
    assert_run_state(f, &overdue, RUN_COMPLETED);
    assert_run_state(f, &unreported, RUN_COMPLETED);
}

/* ---- runs that were never registered ---- */

static void a_token_of_an_unknown_run_makes_one(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = id_new();
    struct result_entry entry = an_entry(f, &id, 10, STATUS_SUCCESS);
    entry.name = "offline flow";
    struct taken taken = take(f, &entry, t0 + 200);
    assert_true(!taken.pending && taken.triggers);
    assert_string_equal(taken.workflow, "offline flow");
    struct run_record run = run_now(f, &id);
    assert_int_equal(run.state, RUN_COMPLETED);
    assert_string_equal(run.workflow, "offline flow");
    assert_string_equal(run.endpoint, "results");
    assert_null(run.callback_url);
    assert_true(run.has_execution_id && run.execution_id == 10);
    assert_true(run.registered_at_ms == entry.received_at_ms);
    run_record_fini(&run);
    assert_int_equal(post(f, &id, 11, STATUS_SUCCESS).status, STATUS_MISMATCH);
}

static void an_unknown_run_without_final_result_waits(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = id_new();
    assert_int_equal(post(f, &id, 0, STATUS_RUNNING).status, STATUS_RUNNING);
    struct run_record run = run_now(f, &id);
    assert_int_equal(run.state, RUN_WAITING);
    assert_false(run.has_execution_id);
    run_record_fini(&run);
}

/* ---- runs that something else launches ---- */

static struct id an_external_run(struct ledger_fixture *f)
{
    struct ledger_registration registration = a_registration();
    struct error error = {0};
    registration.external = true;
    struct ledger_step step = {.f = f, .registration = &registration, .work = do_register};
    ledger_check(ledger_write(&step, &error), &error);
    struct id id = step.run.id;
    run_record_fini(&step.run);
    return id;
}

static void a_result_of_an_external_run_triggers_at_once(void **state)
{
    struct ledger_fixture *f = *state;
    struct id run = an_external_run(f);
    assert_run_state(f, &run, RUN_WAITING);
    struct taken taken = post(f, &run, 10, STATUS_SUCCESS);
    assert_true(!taken.pending && taken.triggers);
    assert_run_state(f, &run, RUN_COMPLETED);
}

static void the_first_execution_named_is_the_external_runs(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = an_external_run(f);
    post(f, &id, 0, STATUS_RUNNING);
    post(f, &id, 10, STATUS_RUNNING);
    struct run_record run = run_now(f, &id);
    assert_true(run.state == RUN_WAITING && run.has_execution_id && run.execution_id == 10);
    run_record_fini(&run);
    assert_int_equal(post(f, &id, 11, STATUS_SUCCESS).status, STATUS_MISMATCH);
    assert_true(post(f, &id, 10, STATUS_SUCCESS).triggers);
}

static void a_lost_launch_takes_no_execution_from_a_post(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, NULL, 0);
    assert_int_equal(sweep(f, t0 + day_ms + 1000, 10), 1);
    post(f, &id, 10, STATUS_RUNNING);
    struct run_record run = run_now(f, &id);
    assert_true(run.state == RUN_LOST && !run.has_execution_id);
    run_record_fini(&run);
}

/* ---- posts without token ---- */

static void an_execution_of_a_known_run_links_and_completes(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    struct taken taken = post(f, NULL, 10, STATUS_SUCCESS);
    assert_true(taken.has_run && id_equal(&taken.run, &id));
    assert_string_equal(taken.workflow, "triage");
    assert_run_state(f, &id, RUN_COMPLETED);
}

static void an_unknown_execution_has_no_run(void **state)
{
    struct ledger_fixture *f = *state;
    struct result_entry entry = an_entry(f, NULL, 10, STATUS_FAILED);
    entry.name = "named";
    struct taken taken = take(f, &entry, t0 + 200);
    assert_false(taken.has_run || taken.pending);
    assert_int_equal(taken.status, STATUS_FAILED);
    assert_string_equal(taken.workflow, "named");
    assert_true(taken.triggers);
}

/* ---- other kinds ---- */

static void an_event_is_linked_and_completes_nothing(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    struct result_entry entry = an_entry(f, NULL, 10, STATUS_RECEIVED);
    entry.endpoint = "events";
    entry.kind = BODY_WORKSPACE_EVENT;
    entry.event = "agent_run_finished";
    entry.key = "event:agent_run_finished:10";
    entry.name = "Customer Support Agent";
    struct taken taken = take(f, &entry, t0 + 200);
    assert_true(taken.has_run && id_equal(&taken.run, &id));
    assert_string_equal(taken.workflow, "triage");
    assert_int_equal(taken.status, STATUS_RECEIVED);
    assert_true(taken.triggers);
    assert_run_state(f, &id, RUN_WAITING);

    /* Nor does it stand in the way of the result. */
    assert_true(post(f, &id, 10, STATUS_SUCCESS).triggers);
}

static void an_event_does_not_wait_for_a_launch(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", 0);
    struct result_entry entry = an_entry(f, NULL, 10, STATUS_RECEIVED);
    entry.kind = BODY_WORKSPACE_EVENT;
    struct taken taken = take(f, &entry, t0 + 200);
    assert_false(taken.has_run || taken.pending);
    assert_run_state(f, &id, RUN_LAUNCHING);
}

static void json_and_forms_have_no_run(void **state)
{
    struct ledger_fixture *f = *state;
    static const enum body_kind kinds[] = {BODY_JSON, BODY_FORM};
    struct id id = a_launched_run(f, 10);
    for (int i = 0; i < 2; i++) {
        struct result_entry entry = an_entry(f, NULL, 10, STATUS_FAILED);
        entry.kind = kinds[i];
        struct taken taken = take(f, &entry, t0 + 200);
        assert_false(taken.has_run);
        assert_int_equal(taken.status, STATUS_FAILED);
    }
    assert_run_state(f, &id, RUN_WAITING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(a_final_result_completes_its_run),
        LEDGER_TEST(the_first_final_result_stays_the_runs_result),
        LEDGER_TEST(running_and_truncated_results_do_not_complete),
        LEDGER_TEST(another_execution_is_a_mismatch_that_completes_nothing),
        LEDGER_TEST(whoever_waits_for_a_run_hears_of_a_mismatch_until_the_right_result),
        LEDGER_TEST(a_post_without_execution_belongs_by_its_token),
        LEDGER_TEST(a_result_before_the_launch_is_known_waits),
        LEDGER_TEST(once_launched_it_is_decided),
        LEDGER_TEST(a_result_of_a_failed_launch_counts_as_posted),
        LEDGER_TEST(after_the_grace_it_counts_as_posted),
        LEDGER_TEST(the_grace_counts_from_the_registration),
        LEDGER_TEST(settling_what_is_settled_changes_nothing),
        LEDGER_TEST(a_late_result_completes_an_overdue_and_even_a_lost_run),
        LEDGER_TEST(a_token_of_an_unknown_run_makes_one),
        LEDGER_TEST(an_unknown_run_without_final_result_waits),
        LEDGER_TEST(a_result_of_an_external_run_triggers_at_once),
        LEDGER_TEST(the_first_execution_named_is_the_external_runs),
        LEDGER_TEST(a_lost_launch_takes_no_execution_from_a_post),
        LEDGER_TEST(an_execution_of_a_known_run_links_and_completes),
        LEDGER_TEST(an_unknown_execution_has_no_run),
        LEDGER_TEST(an_event_is_linked_and_completes_nothing),
        LEDGER_TEST(an_event_does_not_wait_for_a_launch),
        LEDGER_TEST(json_and_forms_have_no_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
