/* SPDX-License-Identifier: MIT */
#include "ledger_fixture.h"

static void the_first_final_result_of_a_run_triggers(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    assert_true(post(f, &id, 10, STATUS_SUCCESS).triggers);
    assert_false(post(f, &id, 10, STATUS_SUCCESS).triggers);
    assert_false(post(f, &id, 10, STATUS_FAILED).triggers);
}

static void running_and_truncated_may_and_do_not_count(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    assert_true(post(f, &id, 10, STATUS_RUNNING).triggers);
    assert_true(post(f, &id, 10, STATUS_RUNNING).triggers);
    assert_true(post(f, &id, 10, STATUS_TRUNCATED).triggers);
    assert_true(post(f, &id, 10, STATUS_SUCCESS).triggers);
    assert_true(post(f, &id, 10, STATUS_RUNNING).triggers);
    assert_false(post(f, &id, 10, STATUS_FAILED).triggers);
}

static void a_mismatch_never_triggers_nor_counts(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    assert_false(post(f, &id, 11, STATUS_SUCCESS).triggers);
    assert_false(post(f, &id, 11, STATUS_RUNNING).triggers);
    assert_true(post(f, &id, 10, STATUS_SUCCESS).triggers);
}

static void an_endpoint_may_trigger_on_every_revision(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "again", 0);
    assert_int_equal(launched(f, &id, 10), ERROR_NONE);
    for (int revision = 1; revision <= 3; revision++) {
        struct result_entry entry = an_entry(f, &id, 10, STATUS_SUCCESS);
        entry.endpoint = "again";
        entry.revision = revision;
        assert_true(take(f, &entry, t0 + 200).triggers);
    }
    struct result_entry wrong = an_entry(f, &id, 11, STATUS_SUCCESS);
    wrong.endpoint = "again";
    assert_false(take(f, &wrong, t0 + 200).triggers);
}

static void an_endpoint_that_is_gone_triggers_once(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    f->config.endpoint_count = 0;
    assert_true(post(f, &id, 10, STATUS_SUCCESS).triggers);
    assert_false(post(f, &id, 10, STATUS_FAILED).triggers);
}

/* ---- without a run ---- */

static bool keyed(
    struct ledger_fixture *f, const char *endpoint, const char *key, int revision,
    enum result_status status)
{
    struct result_entry entry = an_entry(f, NULL, 0, status);
    entry.endpoint = endpoint;
    entry.kind = BODY_JSON;
    entry.key = key;
    entry.revision = revision;
    return take(f, &entry, t0 + 200).triggers;
}

static void the_first_final_revision_of_a_key_triggers(void **state)
{
    struct ledger_fixture *f = *state;
    assert_true(keyed(f, "github", "delivery:1", 1, STATUS_RECEIVED));
    assert_false(keyed(f, "github", "delivery:1", 2, STATUS_RECEIVED));
    assert_true(keyed(f, "github", "delivery:2", 1, STATUS_RECEIVED));
    assert_true(keyed(f, "other", "delivery:1", 1, STATUS_RECEIVED));
}

static void a_running_first_revision_leaves_the_turn_to_the_final_one(void **state)
{
    struct ledger_fixture *f = *state;
    assert_true(keyed(f, "github", "id:7", 1, STATUS_RUNNING));
    assert_true(keyed(f, "github", "id:7", 2, STATUS_SUCCESS));
    assert_false(keyed(f, "github", "id:7", 3, STATUS_FAILED));
}

static void what_has_no_key_always_triggers(void **state)
{
    struct ledger_fixture *f = *state;
    assert_true(keyed(f, "github", "", 1, STATUS_RECEIVED));
    assert_true(keyed(f, "github", "", 1, STATUS_RECEIVED));
}

static void events_go_by_their_key_and_not_by_their_run(void **state)
{
    struct ledger_fixture *f = *state;
    a_launched_run(f, 10);
    static const struct {
        const char *key;
        int revision;
        bool triggers;
    } rows[] = {
        {"event:started:10", 1, true},
        {"event:finished:10", 1, true},
        {"event:finished:10", 2, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct result_entry entry = an_entry(f, NULL, 10, STATUS_RECEIVED);
        entry.endpoint = "events";
        entry.kind = BODY_WORKSPACE_EVENT;
        entry.key = rows[i].key;
        entry.revision = rows[i].revision;
        struct taken taken = take(f, &entry, t0 + 200);
        assert_true(taken.has_run);
        assert_int_equal(taken.triggers, rows[i].triggers);
    }
}

static void a_polled_result_triggers_where_only_a_truncated_one_came(void **state)
{
    struct ledger_fixture *f = *state;
    struct result_entry truncated = an_entry(f, NULL, 10, STATUS_TRUNCATED);
    truncated.key = "execution:10";
    assert_true(take(f, &truncated, t0 + 200).triggers);
    struct result_entry polled = an_entry(f, NULL, 10, STATUS_SUCCESS);
    polled.key = "execution:10";
    polled.revision = 2;
    polled.source = "poll";
    assert_true(take(f, &polled, t0 + 200).triggers);
    struct result_entry late = an_entry(f, NULL, 10, STATUS_SUCCESS);
    late.key = "execution:10";
    late.revision = 3;
    assert_false(take(f, &late, t0 + 200).triggers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(the_first_final_result_of_a_run_triggers),
        LEDGER_TEST(running_and_truncated_may_and_do_not_count),
        LEDGER_TEST(a_mismatch_never_triggers_nor_counts),
        LEDGER_TEST(an_endpoint_may_trigger_on_every_revision),
        LEDGER_TEST(an_endpoint_that_is_gone_triggers_once),
        LEDGER_TEST(the_first_final_revision_of_a_key_triggers),
        LEDGER_TEST(a_running_first_revision_leaves_the_turn_to_the_final_one),
        LEDGER_TEST(what_has_no_key_always_triggers),
        LEDGER_TEST(events_go_by_their_key_and_not_by_their_run),
        LEDGER_TEST(a_polled_result_triggers_where_only_a_truncated_one_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
