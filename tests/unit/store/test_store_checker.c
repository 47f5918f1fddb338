/* SPDX-License-Identifier: MIT */
#include "upkeep_fixture.h"

#include <sqlite3.h>
#include <unistd.h>

static struct store_checker *started(struct fixture *fixture, struct metrics *metrics)
{
    struct store_checker *checker = store_checker_new(fixture->directory, metrics, &fixture->error);

    fixture_succeeds(checker == NULL ? -1 : 0, &fixture->error);
    fixture_succeeds(store_checker_start(checker, &fixture->error), &fixture->error);
    return checker;
}

/* Until it has ended, however long that takes. */
static struct store_checker_status checked(struct fixture *fixture, struct metrics *metrics)
{
    struct store_checker *checker = started(fixture, metrics);
    struct store_checker_status status;

    do {
        usleep(1000);
        store_checker_look(checker, &status);
    } while (status.ended_at_ms == 0);
    assert_int_equal(store_checker_end(checker), status.state == STORE_CHECKER_SOUND);
    store_checker_free(checker);
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

static void it_may_be_ended_at_any_time(void **state)
{
    struct fixture *fixture = *state;

    for (int i = 0; i < 600; i++)
        both(fixture, "x");
    for (useconds_t us = 0; us < 20000; us += 1000) {
        struct store_checker *checker = started(fixture, NULL);
        struct store_checker_status status;
        bool sound;

        usleep(us);
        sound = store_checker_end(checker);
        store_checker_look(checker, &status);
        assert_int_equal(sound, status.state == STORE_CHECKER_SOUND);
        store_checker_free(checker);
    }
    store_checker_free(NULL);
}

static void what_was_not_started_is_not_needed(void **state)
{
    struct fixture *fixture = *state;
    struct store_checker *checker = store_checker_new(fixture->directory, NULL, NULL);
    struct store_checker_status status;

    assert_non_null(checker);
    store_checker_look(checker, &status);
    assert_string_equal(store_checker_state_name(status.state), "not_needed");
    assert_int_equal(status.started_at_ms, 0);
    assert_true(store_checker_end(checker));
    store_checker_free(checker);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_both, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_sound_store_is_said_to_be_sound),    CASE(damage_is_said_and_counted),
        CASE(a_check_that_cannot_be_done_says_why), CASE(it_may_be_ended_at_any_time),
        CASE(what_was_not_started_is_not_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
