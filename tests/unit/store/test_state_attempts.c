/* SPDX-License-Identifier: MIT */
#include "state_fixture.h"

struct change {
    struct id job;
    struct attempt_record attempt;
};

static int insert_result_and_job(struct state_tx *tx, void *context, struct error *error)
{
    struct result_record result = a_result(1);
    struct job_record job = a_job(&result, "notify");

    *(struct id *)context = job.id;
    if (state_result_insert(tx, &result, error) != 0)
        return -1;
    return state_job_insert(tx, &job, error);
}

static int insert(struct state_tx *tx, void *context, struct error *error)
{
    struct change *change = context;

    return state_attempt_insert(tx, &change->job, &change->attempt, error);
}

static int update(struct state_tx *tx, void *context, struct error *error)
{
    struct change *change = context;

    return state_attempt_update(tx, &change->job, &change->attempt, error);
}

static struct change a_started_attempt(const struct id *job, int number)
{
    return (struct change){
        .job = *job,
        .attempt = {
            .number = number,
            .started_at_ms = 100 * number,
            .outcome = ATTEMPT_RUNNING,
            .exit_code = -1,
        }};
}

typedef void check(const struct attempt_record *attempt);

struct listing {
    struct id job;
    check *checks[4];
    int count;
};

static int look(void *context, const struct attempt_record *attempt)
{
    struct listing *listing = context;

    listing->checks[listing->count++](attempt);
    return 0;
}

static int list(struct state_tx *tx, void *context, struct error *error)
{
    struct listing *listing = context;

    return state_attempt_list(tx, &listing->job, look, listing, error);
}

static void check_started(const struct attempt_record *attempt)
{
    assert_int_equal(attempt->number, 1);
    assert_int_equal(attempt->started_at_ms, 100);
    assert_int_equal(attempt->ended_at_ms, 0);
    assert_int_equal(attempt->outcome, ATTEMPT_RUNNING);
    assert_int_equal(attempt->exit_code, -1);
    assert_int_equal(attempt->signal, 0);
    assert_int_equal(attempt->standard_output.length, 0);
    assert_null(attempt->message);
}

static void an_attempt_that_started_is_running(void **state)
{
    struct listing listing = {.checks = {check_started}};
    struct change change;

    writes(*state, insert_result_and_job, &listing.job);
    change = a_started_attempt(&listing.job, 1);
    writes(*state, insert, &change);
    reads(*state, list, &listing);
    assert_int_equal(listing.count, 1);
}

static void check_exit(const struct attempt_record *attempt)
{
    assert_int_equal(attempt->number, 1);
    assert_int_equal(attempt->ended_at_ms, 150);
    assert_int_equal(attempt->outcome, ATTEMPT_EXIT);
    assert_int_equal(attempt->exit_code, 0);
    assert_true(bytes_equal(attempt->standard_output, bytes_of("a\0b", 3)));
    assert_true(bytes_equal_text(attempt->standard_error, "oh"));
    assert_true(attempt->output_truncated);
}

static void check_timeout(const struct attempt_record *attempt)
{
    assert_int_equal(attempt->number, 2);
    assert_int_equal(attempt->outcome, ATTEMPT_TIMEOUT);
    assert_int_equal(attempt->exit_code, -1);
    assert_int_equal(attempt->signal, 9);
}

static void check_spawn_error(const struct attempt_record *attempt)
{
    assert_int_equal(attempt->number, 3);
    assert_int_equal(attempt->outcome, ATTEMPT_SPAWN_ERROR);
    assert_string_equal(attempt->message, "no such program");
}

static void how_attempts_ended_comes_back_in_order(void **state)
{
    struct listing listing = {.checks = {check_exit, check_timeout, check_spawn_error}};
    struct change changes[3];

    writes(*state, insert_result_and_job, &listing.job);
    for (int i = 2; i >= 0; i--) {
        changes[i] = a_started_attempt(&listing.job, i + 1);
        writes(*state, insert, &changes[i]);
        changes[i].attempt.ended_at_ms = changes[i].attempt.started_at_ms + 50;
    }
    changes[0].attempt.outcome = ATTEMPT_EXIT;
    changes[0].attempt.exit_code = 0;
    changes[0].attempt.standard_output = bytes_of("a\0b", 3);
    changes[0].attempt.standard_error = bytes_of_text("oh");
    changes[0].attempt.output_truncated = true;
    changes[1].attempt.outcome = ATTEMPT_TIMEOUT;
    changes[1].attempt.signal = 9;
    changes[2].attempt.outcome = ATTEMPT_SPAWN_ERROR;
    changes[2].attempt.message = "no such program";
    for (int i = 0; i < 3; i++)
        writes(*state, update, &changes[i]);
    reads(*state, list, &listing);
    assert_int_equal(listing.count, 3);
}

static void an_attempt_needs_its_job(void **state)
{
    struct fixture *fixture = *state;
    struct id unknown = id_new();
    struct change change = a_started_attempt(&unknown, 1);

    assert_int_equal(state_write(fixture->state, insert, &change, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    assert_int_equal(state_write(fixture->state, update, &change, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
}

static void a_number_is_used_once(void **state)
{
    struct fixture *fixture = *state;
    struct id job;
    struct change change;

    writes(fixture, insert_result_and_job, &job);
    change = a_started_attempt(&job, 1);
    writes(fixture, insert, &change);
    assert_int_equal(state_write(fixture->state, insert, &change, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_CONFLICT);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_state, teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_attempt_that_started_is_running),
        CASE(how_attempts_ended_comes_back_in_order),
        CASE(an_attempt_needs_its_job),
        CASE(a_number_is_used_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
