/* SPDX-License-Identifier: MIT */
/* The queue's clock goes on within a boot, and across one by the wall clock, never back. */
#include "state_fixture.h"

#include <inttypes.h>
#include <sqlite3.h>

enum { DAY_MS = 24 * 3600 * 1000, NEAR_MS = 60000 };

static void reopen(struct fixture *fixture)
{
    fixture->state = state_open(fixture->directory, &fixture->error);
    fixture_succeeds(fixture->state == NULL ? -1 : 0, &fixture->error);
}

/* The store as an earlier start left it, but for this. */
static void reopen_with(struct fixture *fixture, const char *sql)
{
    sqlite3 *db;

    state_close(fixture->state);
    assert_int_equal(sqlite3_open(fixture_path(fixture, "state/state.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    reopen(fixture);
}

static bool near(int64_t a_ms, int64_t b_ms)
{
    return a_ms - b_ms < NEAR_MS && b_ms - a_ms < NEAR_MS;
}

static void it_begins_with_wall_time(void **state)
{
    const struct fixture *fixture = *state;

    assert_true(near(state_clock_ms(fixture->state), clock_wall_ms()));
    assert_int_equal(state_clock_to_wall_ms(fixture->state, 0), 0);
    assert_true(near(
        state_clock_to_wall_ms(fixture->state, state_clock_ms(fixture->state) + DAY_MS),
        clock_wall_ms() + DAY_MS));
}

static void within_a_boot_the_wall_clock_is_not_asked(void **state)
{
    struct fixture *fixture = *state;

    reopen_with(
        fixture, "UPDATE meta SET value = value + 86400000 WHERE name = 'clock_offset';"
                 "UPDATE meta SET value = 0 WHERE name IN ('clock_skew', 'clock_seen')");
    assert_true(near(state_clock_ms(fixture->state), clock_wall_ms() + DAY_MS));
    assert_true(near(
        state_clock_to_wall_ms(fixture->state, state_clock_ms(fixture->state)), clock_wall_ms()));
}

static void another_boot_goes_on_by_the_wall_clock(void **state)
{
    struct fixture *fixture = *state;

    reopen_with(
        fixture, "UPDATE meta SET value = 1 WHERE name = 'clock_boot';"
                 "UPDATE meta SET value = 86400000 WHERE name = 'clock_skew';"
                 "UPDATE meta SET value = 0 WHERE name = 'clock_seen'");
    assert_true(near(state_clock_ms(fixture->state), clock_wall_ms() - DAY_MS));
    int64_t before_ms = state_clock_ms(fixture->state);

    state_close(fixture->state);
    reopen(fixture);
    assert_true(state_clock_ms(fixture->state) >= before_ms);
}

static void a_wall_clock_that_lost_its_time_does_not_turn_it_back(void **state)
{
    struct fixture *fixture = *state;

    reopen_with(
        fixture, "UPDATE meta SET value = 1 WHERE name = 'clock_boot';"
                 "UPDATE meta SET value = value + 86400000 WHERE name = 'clock_seen'");
    assert_true(near(state_clock_ms(fixture->state), clock_wall_ms() + DAY_MS));
}

static int note(struct state_tx *tx, void *context, struct error *error)
{
    (void)context;
    return state_clock_note(tx, error);
}

static void noting_it_often_costs_nothing(void **state)
{
    writes(*state, note, NULL);
    writes(*state, note, NULL);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_state, teardown)
    const struct CMUnitTest tests[] = {
        CASE(it_begins_with_wall_time),
        CASE(within_a_boot_the_wall_clock_is_not_asked),
        CASE(another_boot_goes_on_by_the_wall_clock),
        CASE(a_wall_clock_that_lost_its_time_does_not_turn_it_back),
        CASE(noting_it_often_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
