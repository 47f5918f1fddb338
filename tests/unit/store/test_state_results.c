/* SPDX-License-Identifier: MIT */
#include "state_fixture.h"

struct result_asked {
    struct result_record result;
    struct id id;
    int64_t seq;
    const char *key;
    bool answer;
};

static int insert(struct state_tx *tx, void *context, struct error *error)
{
    return state_result_insert(tx, context, error);
}

static int update(struct state_tx *tx, void *context, struct error *error)
{
    return state_result_update(tx, context, error);
}

static int get(struct state_tx *tx, void *context, struct error *error)
{
    struct result_asked *asked = context;

    return state_result_get(tx, &asked->id, &asked->result, error);
}

static int get_by_seq(struct state_tx *tx, void *context, struct error *error)
{
    struct result_asked *asked = context;

    return state_result_by_seq(tx, asked->seq, &asked->result, error);
}

static int count_duplicate(struct state_tx *tx, void *context, struct error *error)
{
    return state_result_count_duplicate(tx, ((struct result_asked *)context)->seq, error);
}

static int ask_exists(struct state_tx *tx, void *context, struct error *error)
{
    struct result_asked *asked = context;

    return state_result_exists(tx, asked->seq, &asked->answer, error);
}

static int ask_run_triggered(struct state_tx *tx, void *context, struct error *error)
{
    struct result_asked *asked = context;

    return state_run_has_triggered(tx, &asked->id, &asked->answer, error);
}

static int ask_key_triggered(struct state_tx *tx, void *context, struct error *error)
{
    struct result_asked *asked = context;

    return state_key_has_triggered(tx, "results", asked->key, &asked->answer, error);
}

static void a_result_comes_back_as_it_was_decided(void **state)
{
    struct result_record result = a_result(7);
    struct result_asked asked = {.id = result.id, .seq = 7};

    result.has_execution_id = true;
    result.execution_id = 9007199254740993;
    result.has_run = true;
    result.run = id_new();
    result.pending = true;
    result.revision = 3;
    result.key = "k";
    writes(*state, insert, &result);
    reads(*state, get, &asked);
    assert_int_equal(asked.result.seq, 7);
    assert_string_equal(asked.result.endpoint, "results");
    assert_string_equal(asked.result.key, "k");
    assert_int_equal(asked.result.kind, BODY_WORKFLOW_RESULT);
    assert_true(asked.result.has_execution_id);
    assert_true(asked.result.execution_id == 9007199254740993);
    assert_true(asked.result.has_run);
    assert_true(id_equal(&asked.result.run, &result.run));
    assert_string_equal(asked.result.workflow, "triage");
    assert_int_equal(asked.result.status, STATUS_SUCCESS);
    assert_true(asked.result.pending);
    assert_true(asked.result.triggered);
    assert_string_equal(asked.result.source, "callback");
    assert_int_equal(asked.result.revision, 3);
    assert_int_equal(asked.result.duplicates, 0);
    assert_int_equal(asked.result.received_at_ms, 1007);
    assert_string_equal(asked.result.remote_address, "192.0.2.7");
    assert_string_equal(asked.result.verified_by, "run-token");
    assert_string_equal(asked.result.content_type, "application/json");
    assert_int_equal(asked.result.size, 2);
    assert_memory_equal(asked.result.sha256, result.sha256, sizeof result.sha256);
    result_record_fini(&asked.result);
    reads(*state, get_by_seq, &asked);
    assert_true(id_equal(&asked.result.id, &result.id));
    result_record_fini(&asked.result);
}

static void an_update_writes_what_is_decided_later(void **state)
{
    struct result_record result = a_result(7);
    struct result_asked asked = {.seq = 7};

    result.pending = true;
    result.triggered = false;
    writes(*state, insert, &result);
    result.has_run = true;
    result.run = id_new();
    result.workflow = "found";
    result.status = STATUS_MISMATCH;
    result.pending = false;
    result.triggered = true;
    writes(*state, update, &result);
    reads(*state, get_by_seq, &asked);
    assert_true(id_equal(&asked.result.run, &result.run));
    assert_string_equal(asked.result.workflow, "found");
    assert_int_equal(asked.result.status, STATUS_MISMATCH);
    assert_false(asked.result.pending);
    assert_true(asked.result.triggered);
    result_record_fini(&asked.result);
}

static void duplicates_are_counted(void **state)
{
    struct result_record result = a_result(7);
    struct result_asked asked = {.seq = 7};

    writes(*state, insert, &result);
    writes(*state, count_duplicate, &asked);
    writes(*state, count_duplicate, &asked);
    reads(*state, get_by_seq, &asked);
    assert_int_equal(asked.result.duplicates, 2);
    result_record_fini(&asked.result);
    asked.seq = 99; /* removed meanwhile, say */
    writes(*state, count_duplicate, &asked);
}

static void a_result_that_is_not_there_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct result_asked asked = {.id = id_new(), .seq = 1};

    assert_int_equal(state_read(fixture->state, get, &asked, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    assert_int_equal(state_read(fixture->state, get_by_seq, &asked, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    reads(fixture, ask_exists, &asked);
    assert_false(asked.answer);
}

static bool run_triggered(struct fixture *fixture, const struct id *run)
{
    struct result_asked asked = {.id = *run};

    reads(fixture, ask_run_triggered, &asked);
    return asked.answer;
}

static bool key_triggered(struct fixture *fixture, const char *key)
{
    struct result_asked asked = {.key = key};

    reads(fixture, ask_key_triggered, &asked);
    return asked.answer;
}

static void a_run_has_triggered_with_a_final_result_that_did(void **state)
{
    struct result_record result = a_result(1);

    result.has_run = true;
    result.run = id_new();
    result.status = STATUS_RUNNING;
    writes(*state, insert, &result);
    assert_false(run_triggered(*state, &result.run));
    result.seq = 2;
    result.id = id_new();
    result.status = STATUS_FAILED;
    result.triggered = false;
    writes(*state, insert, &result);
    assert_false(run_triggered(*state, &result.run));
    result.triggered = true;
    writes(*state, update, &result);
    assert_true(run_triggered(*state, &result.run));
}

static void a_key_has_triggered_with_a_final_result_that_did(void **state)
{
    struct result_record result = a_result(1);

    result.kind = BODY_JSON;
    result.key = "k";
    result.status = STATUS_RUNNING;
    writes(*state, insert, &result);
    assert_false(key_triggered(*state, "k"));
    result.seq = 2;
    result.id = id_new();
    result.status = STATUS_RECEIVED;
    writes(*state, insert, &result);
    assert_true(key_triggered(*state, "k"));
    assert_false(key_triggered(*state, "other"));
}

/* ---- lists ---- */

struct listing {
    struct result_filter filter;
    int64_t seqs[64];
    struct id ids[64];
    int count;
};

static int note(void *context, const struct result_record *result)
{
    struct listing *listing = context;

    listing->seqs[listing->count] = result->seq;
    listing->ids[listing->count++] = result->id;
    return 0;
}

static int list(struct state_tx *tx, void *context, struct error *error)
{
    struct listing *listing = context;

    listing->count = 0;
    return state_result_list(tx, &listing->filter, note, listing, error);
}

static const struct result_filter any = {.status = -1, .pending = -1, .limit = 50};

/* Ten results; every filter has something to leave out. */
static struct id fill(struct fixture *fixture)
{
    struct id run = id_new();

    for (int64_t seq = 1; seq <= 10; seq++) {
        struct result_record result = a_result(seq);

        result.status = seq % 2 ? STATUS_SUCCESS : STATUS_FAILED;
        result.endpoint = seq <= 5 ? "results" : "events";
        result.workflow = seq % 3 ? "triage" : "other";
        result.has_execution_id = seq == 4 || seq == 8;
        result.execution_id = 42;
        result.has_run = seq == 2 || seq == 6;
        result.run = run;
        result.pending = seq == 9;
        writes(fixture, insert, &result);
    }
    return run;
}

static void expect_list(
    struct fixture *fixture, const struct result_filter *filter, const char *expected)
{
    struct listing listing = {.filter = *filter};
    char text[256] = "";
    size_t length = 0;

    reads(fixture, list, &listing);
    for (int i = 0; i < listing.count; i++)
        length += (size_t)snprintf(
            text + length, sizeof text - length, i ? " %lld" : "%lld", (long long)listing.seqs[i]);
    assert_string_equal(text, expected);
}

static void lists_are_filtered_by_everything_the_door_names(void **state)
{
    struct id run = fill(*state);
    struct result_filter filter = any;

    expect_list(*state, &filter, "10 9 8 7 6 5 4 3 2 1");
    filter.limit = 2;
    expect_list(*state, &filter, "10 9");
    filter = any;
    filter.status = STATUS_FAILED;
    expect_list(*state, &filter, "10 8 6 4 2");
    filter.endpoint = "events";
    expect_list(*state, &filter, "10 8 6");
    filter.workflow = "other";
    expect_list(*state, &filter, "6");
    filter = any;
    filter.status = STATUS_SUCCESS;
    filter.workflow = "other";
    expect_list(*state, &filter, "9 3");
    filter = any;
    filter.has_execution_id = true;
    filter.execution_id = 42;
    expect_list(*state, &filter, "8 4");
    filter = any;
    filter.run = &run;
    expect_list(*state, &filter, "6 2");
    filter = any;
    filter.pending = 1;
    expect_list(*state, &filter, "9");
    filter.pending = 0;
    filter.endpoint = "events";
    expect_list(*state, &filter, "10 8 7 6");
}

static void since_is_inclusive_and_until_is_not(void **state)
{
    struct result_filter filter = any;

    (void)fill(*state); /* received at 1001 to 1010 */
    filter.since_ms = 1004;
    filter.until_ms = 1007;
    expect_list(*state, &filter, "6 5 4");
    filter.status = STATUS_FAILED;
    expect_list(*state, &filter, "6 4");
}

static void lists_go_the_other_way_around_too(void **state)
{
    struct result_filter filter = any;
    struct listing listing = {.filter = any};
    struct id after;
    int expected = 1;

    (void)fill(*state);
    filter.oldest_first = true;
    expect_list(*state, &filter, "1 2 3 4 5 6 7 8 9 10");
    filter.since_ms = 1004;
    filter.until_ms = 1007;
    expect_list(*state, &filter, "4 5 6");
    filter.status = STATUS_FAILED;
    expect_list(*state, &filter, "4 6");
    listing.filter.oldest_first = true;
    listing.filter.limit = 3;
    do {
        reads(*state, list, &listing);
        for (int i = 0; i < listing.count; i++)
            assert_int_equal(listing.seqs[i], expected++);
        if (listing.count > 0)
            after = listing.ids[listing.count - 1];
        listing.filter.before = &after;
    } while (listing.count > 0);
    assert_int_equal(expected, 11);
}

static void lists_are_paged_without_gap_or_repeat(void **state)
{
    struct listing listing = {.filter = any};
    struct id before;
    int64_t expected = 10;

    (void)fill(*state);
    listing.filter.limit = 3;
    do {
        reads(*state, list, &listing);
        for (int i = 0; i < listing.count; i++)
            assert_int_equal(listing.seqs[i], expected--);
        if (listing.count > 0)
            before = listing.ids[listing.count - 1];
        listing.filter.before = &before;
    } while (listing.count > 0);
    assert_int_equal(expected, 0);
}

static void pages_are_right_where_times_are_equal_or_went_back(void **state)
{
    static const int64_t times[] = {500, 900, 900, 900, 100, 900};
    struct listing listing = {.filter = any};
    struct id before;
    char order[32] = "";

    for (int64_t seq = 1; seq <= 6; seq++) {
        struct result_record result = a_result(seq);

        result.received_at_ms = times[seq - 1];
        writes(*state, insert, &result);
    }
    listing.filter.limit = 1;
    for (int i = 0; i < 6; i++) {
        reads(*state, list, &listing);
        assert_int_equal(listing.count, 1);
        snprintf(order + i, sizeof order - (size_t)i, "%lld", (long long)listing.seqs[0]);
        before = listing.ids[0];
        listing.filter.before = &before;
    }
    assert_string_equal(order, "643215");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_state, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_result_comes_back_as_it_was_decided),
        CASE(an_update_writes_what_is_decided_later),
        CASE(duplicates_are_counted),
        CASE(a_result_that_is_not_there_is_not_found),
        CASE(a_run_has_triggered_with_a_final_result_that_did),
        CASE(a_key_has_triggered_with_a_final_result_that_did),
        CASE(lists_are_filtered_by_everything_the_door_names),
        CASE(since_is_inclusive_and_until_is_not),
        CASE(lists_go_the_other_way_around_too),
        CASE(lists_are_paged_without_gap_or_repeat),
        CASE(pages_are_right_where_times_are_equal_or_went_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
