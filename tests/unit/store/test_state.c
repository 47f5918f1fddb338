/* SPDX-License-Identifier: MIT */
#include "state_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

static int get_cursor(struct state_tx *tx, void *context, struct error *error)
{
    return state_cursor_get(tx, context, error);
}

static int set_cursor(struct state_tx *tx, void *context, struct error *error)
{
    return state_cursor_set(tx, *(int64_t *)context, error);
}

static int64_t cursor(struct fixture *fixture)
{
    int64_t seq = -1;

    reads(fixture, get_cursor, &seq);
    return seq;
}

static void the_cursor_starts_at_zero_and_is_kept(void **state)
{
    struct fixture *fixture = *state;
    int64_t seq = 77;

    assert_int_equal(cursor(fixture), 0);
    writes(fixture, set_cursor, &seq);
    assert_int_equal(cursor(fixture), 77);
    state_close(fixture->state);
    fixture->state = state_open(fixture->directory, &fixture->error);
    assert_int_equal(cursor(fixture), 77);
}

static int set_and_fail(struct state_tx *tx, void *context, struct error *error)
{
    if (set_cursor(tx, context, error) != 0)
        return -1;
    return error_set(error, ERROR_CONFLICT, "thought better of it");
}

static void a_work_that_fails_leaves_nothing_and_says_why(void **state)
{
    struct fixture *fixture = *state;
    int64_t seq = 5;

    assert_int_equal(state_write(fixture->state, set_and_fail, &seq, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_CONFLICT);
    assert_string_equal(fixture->error.message, "thought better of it");
    assert_int_equal(cursor(fixture), 0);
}

static int stop_with_three(struct state_tx *tx, void *context, struct error *error)
{
    (void)tx;
    (void)context;
    (void)error;
    return 3;
}

static void reading_gives_what_the_work_gives(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(state_read(fixture->state, stop_with_three, NULL, NULL), 3);
}

static void reading_cannot_write(void **state)
{
    struct fixture *fixture = *state;
    int64_t seq = 5;

    assert_int_equal(state_read(fixture->state, set_cursor, &seq, &fixture->error), -1);
    assert_int_equal(cursor(fixture), 0);
}

/* ---- many works in one transaction ---- */

enum { THREADS = 16, RUNS = 30 };

struct registrar {
    pthread_t thread;
    struct fixture *fixture;
    int number;
    int inserted;
    int refused;
};

struct registration {
    struct run_record run;
    bool fails;
};

static int insert_run(struct state_tx *tx, void *context, struct error *error)
{
    struct registration *registration = context;
    bool existing;

    if (state_run_insert(tx, &registration->run, &existing, error) != 0)
        return -1;
    return registration->fails ? error_set(error, ERROR_INVALID, "no") : 0;
}

static void *register_runs(void *argument)
{
    struct registrar *registrar = argument;

    for (int i = 0; i < RUNS; i++) {
        struct registration registration = {.run = a_run(), .fails = i % 3 == 0};

        if (state_write(registrar->fixture->state, insert_run, &registration, NULL) == 0)
            registrar->inserted++;
        else
            registrar->refused++;
    }
    return NULL;
}

static int count_run(void *context, const struct run_record *run)
{
    (void)run;
    (*(int *)context)++;
    return 0;
}

static int count_runs(struct state_tx *tx, void *context, struct error *error)
{
    const struct run_filter filter = {.state = -1, .limit = 100000};

    return state_run_list(tx, &filter, count_run, context, error);
}

static void a_failure_undoes_only_its_own_changes(void **state)
{
    struct registrar registrars[THREADS];
    int inserted = 0;
    int refused = 0;
    int there = 0;

    for (int i = 0; i < THREADS; i++) {
        registrars[i] = (struct registrar){.fixture = *state, .number = i};
        pthread_create(&registrars[i].thread, NULL, register_runs, &registrars[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(registrars[i].thread, NULL);
        inserted += registrars[i].inserted;
        refused += registrars[i].refused;
    }
    reads(*state, count_runs, &there);
    assert_int_equal(inserted, THREADS * RUNS * 2 / 3);
    assert_int_equal(refused, THREADS * RUNS / 3);
    assert_int_equal(there, inserted);
}

/* ---- one view ---- */

static int read_twice(struct state_tx *tx, void *context, struct error *error)
{
    struct fixture *fixture = context;
    int64_t first;
    int64_t second;
    int64_t seq = 9;

    if (state_cursor_get(tx, &first, error) != 0)
        return -1;
    /* As another thread would; from here it is only allowed because this is another connection. */
    if (state_write(fixture->state, set_cursor, &seq, error) != 0)
        return -1;
    if (state_cursor_get(tx, &second, error) != 0)
        return -1;
    assert_int_equal(first, second);
    return 0;
}

static void a_reading_sees_one_moment(void **state)
{
    struct fixture *fixture = *state;

    reads(fixture, read_twice, fixture);
    assert_int_equal(cursor(fixture), 9);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_state, teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_cursor_starts_at_zero_and_is_kept),
        CASE(a_work_that_fails_leaves_nothing_and_says_why),
        CASE(reading_gives_what_the_work_gives),
        CASE(reading_cannot_write),
        CASE(a_failure_undoes_only_its_own_changes),
        CASE(a_reading_sees_one_moment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
