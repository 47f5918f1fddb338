/* SPDX-License-Identifier: MIT */
/* The wall clock is moved here by moving the queue's the other way: see test_state_clock.c. */
#include "state_fixture.h"

#include <sqlite3.h>

enum { DAY_MS = 24 * 3600 * 1000, HOUR_MS = 3600 * 1000, NEAR_MS = 60000 };

static void reopen_with(struct fixture *fixture, const char *sql)
{
    sqlite3 *db;

    state_close(fixture->state);
    assert_int_equal(sqlite3_open(fixture_path(fixture, "state/state.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    fixture->state = state_open(fixture->directory, &fixture->error);
    fixture_succeeds(fixture->state == NULL ? -1 : 0, &fixture->error);
}

static void set_wall_clock_forward(struct fixture *fixture)
{
    reopen_with(
        fixture, "UPDATE meta SET value = value - 86400000 WHERE name = 'clock_offset';"
                 /* The period began as long before as it did. */
                 "UPDATE meta SET value = value - 86400000 WHERE name = 'age_since'");
}

static void set_wall_clock_back(struct fixture *fixture)
{
    reopen_with(
        fixture, "UPDATE meta SET value = value + 86400000 WHERE name = 'clock_offset';"
                 "UPDATE meta SET value = value + 86400000 WHERE name = 'age_since'");
}

/* How far it is behind the wall clock. */
static int64_t behind_ms(struct fixture *fixture, int64_t hold_ms)
{
    int64_t now_ms = 0;

    fixture_succeeds(
        state_age_clock_ms(fixture->state, hold_ms, &now_ms, &fixture->error), &fixture->error);
    return clock_wall_ms() - now_ms;
}

static bool near(int64_t a_ms, int64_t b_ms)
{
    return a_ms - b_ms < NEAR_MS && b_ms - a_ms < NEAR_MS;
}

static void it_is_the_wall_clock_while_nobody_sets_that(void **state)
{
    assert_true(near(behind_ms(*state, HOUR_MS), 0));
    assert_true(near(behind_ms(*state, 0), 0));
    assert_true(near(behind_ms(*state, HOUR_MS), 0));
}

static void a_clock_set_forward_is_not_followed(void **state)
{
    struct fixture *fixture = *state;

    (void)behind_ms(fixture, HOUR_MS);
    set_wall_clock_forward(fixture);
    assert_true(near(behind_ms(fixture, HOUR_MS), DAY_MS));
    assert_true(near(behind_ms(fixture, HOUR_MS), DAY_MS));
}

/* A period of no length is over each time. */
static void it_is_followed_when_it_has_stood_for_a_whole_period(void **state)
{
    struct fixture *fixture = *state;

    (void)behind_ms(fixture, HOUR_MS);
    set_wall_clock_forward(fixture);
    assert_true(near(behind_ms(fixture, 0), DAY_MS));
    assert_true(near(behind_ms(fixture, HOUR_MS), DAY_MS));
    assert_true(near(behind_ms(fixture, 0), 0));
}

static void a_restart_does_not_begin_the_period_anew(void **state)
{
    struct fixture *fixture = *state;

    (void)behind_ms(fixture, HOUR_MS);
    set_wall_clock_forward(fixture);
    (void)behind_ms(fixture, 0);
    reopen_with(fixture, "UPDATE meta SET value = value - 3600000 WHERE name = 'age_since'");
    assert_true(near(behind_ms(fixture, HOUR_MS), 0));
}

static void a_clock_set_back_is_followed_at_once(void **state)
{
    struct fixture *fixture = *state;

    (void)behind_ms(fixture, HOUR_MS);
    set_wall_clock_back(fixture);
    assert_true(near(behind_ms(fixture, HOUR_MS), 0));
}

/* What came while it was wrong, on a machine that loses its time, is not old when it is right. */
static void a_clock_that_is_put_right_is_set_forward(void **state)
{
    struct fixture *fixture = *state;

    (void)behind_ms(fixture, HOUR_MS);
    set_wall_clock_back(fixture);
    (void)behind_ms(fixture, HOUR_MS);
    set_wall_clock_forward(fixture);
    assert_true(near(behind_ms(fixture, HOUR_MS), DAY_MS));
}

/* It was wrong for a moment, which nobody but a post saw. */
static void what_was_noted_as_new_does_not_become_old_at_once(void **state)
{
    struct fixture *fixture = *state;

    fixture_succeeds(
        state_age_note(fixture->state, clock_wall_ms() - DAY_MS, &fixture->error), &fixture->error);
    assert_true(near(behind_ms(fixture, HOUR_MS), DAY_MS));
    reopen_with(fixture, "");
    assert_true(near(behind_ms(fixture, HOUR_MS), DAY_MS));
    assert_true(near(behind_ms(fixture, 0), DAY_MS));
    assert_true(near(behind_ms(fixture, 0), 0));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_state, teardown)
    const struct CMUnitTest tests[] = {
        CASE(it_is_the_wall_clock_while_nobody_sets_that),
        CASE(a_clock_set_forward_is_not_followed),
        CASE(it_is_followed_when_it_has_stood_for_a_whole_period),
        CASE(a_restart_does_not_begin_the_period_anew),
        CASE(a_clock_set_back_is_followed_at_once),
        CASE(a_clock_that_is_put_right_is_set_forward),
        CASE(what_was_noted_as_new_does_not_become_old_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
