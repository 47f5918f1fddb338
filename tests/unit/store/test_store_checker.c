/* SPDX-License-Identifier: MIT */
#include "upkeep_fixture.h"

#include <sqlite3.h>
#include <unistd.h>

/* Until it has ended, however long that takes. */
static struct store_checker_status checked(struct fixture *fixture, struct metrics *metrics)
{
    struct store_checker *checker =
        store_checker_start(fixture->directory, metrics, &fixture->error);
    struct store_checker_status status;

    fixture_succeeds(checker == NULL ? -1 : 0, &fixture->error);
    do {
        usleep(1000);
        store_checker_look(checker, &status);
    } while (status.ended_at_ms == 0);
    store_checker_stop(checker);
    return status;
}

static void a_sound_store_is_said_to_be_sound(void **state)
{
    struct fixture *fixture = *state;
    struct store_checker_status status;
    struct metrics *metrics;
    int fd;

    metrics = metrics_create(&fd, &fixture->error);
    assert_non_null(metrics);
    both(fixture, "x");
    status = checked(fixture, metrics);
    assert_string_equal(store_checker_state_name(status.state), "sound");
    assert_int_equal(status.findings, 0);
    assert_true(status.ended_at_ms >= status.started_at_ms);
    assert_int_equal(metrics_get(metrics, METRIC_STORE_CHECK_RUNNING), 0);
    assert_int_equal(metrics_get(metrics, METRIC_STORE_CHECK_FINDINGS), 0);
    metrics_close(metrics);
    close(fd);
}

static void damage_is_said_and_counted(void **state)
{
    struct fixture *fixture = *state;
    struct store_checker_status status;
    struct metrics *metrics;
    sqlite3 *db;
    int fd;

    metrics = metrics_create(&fd, &fixture->error);
    assert_non_null(metrics);
    both(fixture, "one");
    both(fixture, "two");
    assert_int_equal(sqlite3_open(fixture_path(fixture, "log/results.db"), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "UPDATE received SET body = x'00'", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    status = checked(fixture, metrics);
    assert_string_equal(store_checker_state_name(status.state), "damaged");
    assert_int_equal(status.findings, 2);
    assert_non_null(strstr(status.message, "the body of entry 1"));
    assert_int_equal(metrics_get(metrics, METRIC_STORE_CHECK_FINDINGS), 2);
    metrics_close(metrics);
    close(fd);
}

static void a_check_that_cannot_be_done_says_why(void **state)
{
    struct fixture *fixture = *state;
    struct store_checker_status status;
    struct fixture empty;

    fixture_make_directory(&empty);
    status = checked(&empty, NULL);
    assert_string_equal(store_checker_state_name(status.state), "failed");
    assert_non_null(strstr(status.message, "state.db"));
    fixture_remove_directory(&empty);
    (void)fixture;
}

static void it_may_be_stopped_at_any_time(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 600; i++)
        both(fixture, "x");
    for (useconds_t us = 0; us < 20000; us += 1000) {
        struct store_checker *checker =
            store_checker_start(fixture->directory, NULL, &fixture->error);

        fixture_succeeds(checker == NULL ? -1 : 0, &fixture->error);
        usleep(us);
        store_checker_stop(checker);
    }
    store_checker_stop(NULL);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_both, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_sound_store_is_said_to_be_sound),
        CASE(damage_is_said_and_counted),
        CASE(a_check_that_cannot_be_done_says_why),
        CASE(it_may_be_stopped_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
