/* SPDX-License-Identifier: MIT */
#include "state_fixture.h"

struct run_asked {
    struct run_record run;
    struct id id;
    int64_t execution_id;
    bool existing;
};

static int insert(struct state_tx *tx, void *context, struct error *error)
{
    struct run_asked *asked = context;

    return state_run_insert(tx, &asked->run, &asked->existing, error);
}

static int get(struct state_tx *tx, void *context, struct error *error)
{
    struct run_asked *asked = context;

    return state_run_get(tx, &asked->id, &asked->run, error);
}

static int by_execution(struct state_tx *tx, void *context, struct error *error)
{
    struct run_asked *asked = context;

    return state_run_by_execution(tx, asked->execution_id, &asked->run, error);
}

static int update(struct state_tx *tx, void *context, struct error *error)
{
    struct run_asked *asked = context;

    return state_run_update(tx, &asked->run, error);
}

static struct id inserted(struct fixture *fixture, const struct run_record *run)
{
    struct run_asked asked = {.run = *run};

    writes(fixture, insert, &asked);
    assert_false(asked.existing);
    return run->id;
}

static void a_run_comes_back_as_it_was_registered(void **state)
{
    struct run_record run = a_run();
    struct run_asked asked = {.id = run.id};

    run.deadline_at_ms = 9000;
    run.tags_json = "{\"a\":1}";
    run.idempotency_key = "once";
    run.callback_url = "https://example.com/callback/token";
    (void)inserted(*state, &run);
    reads(*state, get, &asked);
    assert_true(id_equal(&asked.run.id, &run.id));
    assert_int_equal(asked.run.state, RUN_LAUNCHING);
    assert_string_equal(asked.run.workflow, "triage");
    assert_string_equal(asked.run.endpoint, "results");
    assert_false(asked.run.has_execution_id);
    assert_int_equal(asked.run.registered_at_ms, 1000);
    assert_int_equal(asked.run.launched_at_ms, 0);
    assert_int_equal(asked.run.deadline_at_ms, 9000);
    assert_int_equal(asked.run.completed_at_ms, 0);
    assert_null(asked.run.reason);
    assert_string_equal(asked.run.tags_json, "{\"a\":1}");
    assert_string_equal(asked.run.idempotency_key, "once");
    assert_string_equal(asked.run.callback_url, "https://example.com/callback/token");
    assert_false(asked.run.has_result);
    run_record_fini(&asked.run);
}

static void an_update_writes_every_column(void **state)
{
    struct run_asked asked = {.run = a_run()};
    struct id result = id_new();

    asked.id = inserted(*state, &asked.run);
    asked.run.state = RUN_COMPLETED;
    asked.run.workflow = "other";
    asked.run.has_execution_id = true;
    asked.run.execution_id = INT64_MAX;
    asked.run.launched_at_ms = 2000;
    asked.run.deadline_at_ms = 3000;
    asked.run.completed_at_ms = 4000;
    asked.run.reason = "because";
    asked.run.has_result = true;
    asked.run.result = result;
    writes(*state, update, &asked);
    reads(*state, get, &asked);
    assert_int_equal(asked.run.state, RUN_COMPLETED);
    assert_string_equal(asked.run.workflow, "other");
    assert_true(asked.run.execution_id == INT64_MAX);
    assert_int_equal(asked.run.launched_at_ms, 2000);
    assert_int_equal(asked.run.deadline_at_ms, 3000);
    assert_int_equal(asked.run.completed_at_ms, 4000);
    assert_string_equal(asked.run.reason, "because");
    assert_true(asked.run.has_result);
    assert_true(id_equal(&asked.run.result, &result));
    run_record_fini(&asked.run);
}

static void a_run_that_is_not_there_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct run_asked asked = {.run = a_run(), .id = id_new(), .execution_id = 5};

    assert_int_equal(state_write(fixture->state, update, &asked, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    assert_int_equal(state_read(fixture->state, get, &asked, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    assert_int_equal(state_read(fixture->state, by_execution, &asked, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
}

static struct run_record a_run_of_heap(const char *key)
{
    struct run_record run = a_run();

    run.workflow = strdup("triage");
    run.endpoint = strdup("results");
    run.idempotency_key = strdup(key);
    return run;
}

static void the_same_idempotency_key_gives_the_same_run(void **state)
{
    struct run_asked first = {.run = a_run_of_heap("once")};
    struct run_asked again = {.run = a_run_of_heap("once")};
    struct run_asked other = {.run = a_run_of_heap("twice")};

    writes(*state, insert, &first);
    writes(*state, insert, &again);
    writes(*state, insert, &other);
    assert_false(first.existing);
    assert_true(again.existing);
    assert_false(other.existing);
    assert_true(id_equal(&first.run.id, &again.run.id));
    run_record_fini(&first.run);
    run_record_fini(&again.run);
    run_record_fini(&other.run);
}

static void the_newest_run_of_an_execution_is_found(void **state)
{
    struct run_record run = a_run();
    struct run_asked asked = {.execution_id = 42};
    struct id newest;

    run.has_execution_id = true;
    run.execution_id = 42;
    (void)inserted(*state, &run);
    run.id = id_new();
    newest = inserted(*state, &run);
    reads(*state, by_execution, &asked);
    assert_true(id_equal(&asked.run.id, &newest));
    run_record_fini(&asked.run);
}

/* ---- lists ---- */

struct listing {
    struct run_filter filter;
    enum run_state due_state;
    int64_t due_at_ms;
    struct id ids[32];
    int count;
};

static int note(void *context, const struct run_record *run)
{
    struct listing *listing = context;

    listing->ids[listing->count++] = run->id;
    return 0;
}

static int list(struct state_tx *tx, void *context, struct error *error)
{
    struct listing *listing = context;

    listing->count = 0;
    return state_run_list(tx, &listing->filter, note, listing, error);
}

static int list_due(struct state_tx *tx, void *context, struct error *error)
{
    struct listing *listing = context;

    listing->count = 0;
    return state_run_due(
        tx, listing->due_state, listing->due_at_ms, listing->filter.limit, note, listing, error);
}

static void lists_are_newest_first_and_paged(void **state)
{
    struct id ids[7];
    struct listing listing = {.filter = {.state = -1, .limit = 3}};

    for (int i = 0; i < 7; i++) {
        struct run_record run = a_run();

        ids[i] = inserted(*state, &run);
    }
    for (int page = 0; page < 3; page++) {
        int expected = page < 2 ? 3 : 1;

        reads(*state, list, &listing);
        assert_int_equal(listing.count, expected);
        for (int i = 0; i < expected; i++)
            assert_true(id_equal(&listing.ids[i], &ids[6 - page * 3 - i]));
        listing.filter.before = &ids[6 - page * 3 - (expected - 1)];
    }
    reads(*state, list, &listing);
    assert_int_equal(listing.count, 0);
}

static void lists_are_filtered_by_state_and_workflow(void **state)
{
    static const struct {
        int state;
        const char *workflow;
        int count;
    } cases[] = {
        {-1, NULL, 4},
        {RUN_COMPLETED, NULL, 2},
        {RUN_LAUNCHING, NULL, 2},
        {-1, "triage", 3},
        {RUN_COMPLETED, "other", 1},
        {RUN_LAUNCHING, "other", 0},
        {RUN_LOST, "triage", 0},
        {-1, "none", 0},
    };
    static const struct {
        enum run_state state;
        char *workflow;
    } rows[] = {
        {RUN_LAUNCHING, "triage"},
        {RUN_LAUNCHING, "triage"},
        {RUN_COMPLETED, "triage"},
        {RUN_COMPLETED, "other"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run_record run = a_run();

        run.state = rows[i].state;
        run.workflow = rows[i].workflow;
        (void)inserted(*state, &run);
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct listing listing = {
            .filter = {.state = cases[i].state, .workflow = cases[i].workflow, .limit = 10}};

        reads(*state, list, &listing);
        assert_int_equal(listing.count, cases[i].count);
    }
}

static void runs_are_due_by_their_deadline_or_registration(void **state)
{
    struct listing listing = {.filter.limit = 10, .due_state = RUN_WAITING, .due_at_ms = 500};
    struct run_record run = a_run();
    struct id late;
    struct id later;

    (void)inserted(*state, &run); /* launching, registered at 1000 */
    run.state = RUN_WAITING;
    run.id = id_new();
    run.deadline_at_ms = 600;
    later = inserted(*state, &run);
    run.id = id_new();
    run.deadline_at_ms = 500;
    late = inserted(*state, &run);
    run.id = id_new();
    run.deadline_at_ms = 0;
    (void)inserted(*state, &run); /* never */
    reads(*state, list_due, &listing);
    assert_int_equal(listing.count, 1);
    assert_true(id_equal(&listing.ids[0], &late));
    listing.due_at_ms = 10000;
    reads(*state, list_due, &listing);
    assert_int_equal(listing.count, 2);
    assert_true(id_equal(&listing.ids[1], &later));
    listing.due_state = RUN_LAUNCHING;
    listing.due_at_ms = 999;
    reads(*state, list_due, &listing);
    assert_int_equal(listing.count, 0);
    listing.due_at_ms = 1000;
    reads(*state, list_due, &listing);
    assert_int_equal(listing.count, 1);
}

static void states_have_the_names_of_the_contract(void **state)
{
    static const char *const names[] = {"launching", "waiting", "completed",
                                        "overdue",   "lost",    "launch_failed"};
    enum run_state parsed;

    (void)state;
    for (int i = 0; i < RUN_STATES; i++) {
        assert_string_equal(run_state_name((enum run_state)i), names[i]);
        assert_true(run_state_parse(names[i], &parsed));
        assert_int_equal(parsed, i);
    }
    assert_false(run_state_parse("Waiting", &parsed));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_state, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_run_comes_back_as_it_was_registered),
        CASE(an_update_writes_every_column),
        CASE(a_run_that_is_not_there_is_not_found),
        CASE(the_same_idempotency_key_gives_the_same_run),
        CASE(the_newest_run_of_an_execution_is_found),
        CASE(lists_are_newest_first_and_paged),
        CASE(lists_are_filtered_by_state_and_workflow),
        CASE(runs_are_due_by_their_deadline_or_registration),
        cmocka_unit_test(states_have_the_names_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
