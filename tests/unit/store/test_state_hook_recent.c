/* SPDX-License-Identifier: MIT */
#include "state_fixture.h"

/* One job and its only attempt. */
struct ran {
    int64_t seq; /* of its result, too */
    enum job_state state;
    enum attempt_outcome outcome;
    int exit_code;
    int64_t started_at_ms;
    int64_t duration_ms;
};

static int insert(struct state_tx *tx, void *context, struct error *error)
{
    const struct ran *ran = context;
    struct result_record result = a_result(ran->seq);
    struct job_record job = a_job(&result, "notify");
    const struct attempt_record attempt = {
        .number = 1,
        .started_at_ms = ran->started_at_ms,
        .ended_at_ms = ran->outcome == ATTEMPT_RUNNING ? 0 : ran->started_at_ms + ran->duration_ms,
        .outcome = ran->outcome,
        .exit_code = ran->exit_code,
    };

    if (state_result_insert(tx, &result, error) != 0 || state_job_insert(tx, &job, error) != 0)
        return -1;
    job.state = ran->state;
    if (state_job_update(tx, &job, error) != 0)
        return -1;
    return ran->outcome == ATTEMPT_OUTCOMES ? 0
                                            : state_attempt_insert(tx, &job.id, &attempt, error);
}

static int look(struct state_tx *tx, void *context, struct error *error)
{
    return state_hook_recent(tx, "notify", context, error);
}

static struct hook_recent recent_of(struct fixture *fixture)
{
    struct hook_recent recent;

    reads(fixture, look, &recent);
    return recent;
}

static void a_hook_that_never_ran_has_no_durations(void **state)
{
    struct ran waits = {.seq = 1, .state = JOB_WAITING, .outcome = ATTEMPT_OUTCOMES};
    struct hook_recent recent;

    writes(*state, insert, &waits);
    recent = recent_of(*state);
    assert_int_equal(recent.attempts, 0);
    assert_int_equal(recent.p50_ms, -1);
    assert_int_equal(recent.p99_ms, -1);
}

static void attempts_of_every_state_count_but_not_those_that_were_interrupted(void **state)
{
    struct ran all[] = {
        {1, JOB_SUCCEEDED, ATTEMPT_EXIT, 0, 1000, 10},
        {2, JOB_DEAD, ATTEMPT_EXIT, 3, 1000, 20},
        {3, JOB_RETRYING, ATTEMPT_TIMEOUT, -1, 1000, 40},
        {4, JOB_CANCELLED, ATTEMPT_SIGNAL, -1, 1000, 30},
        {5, JOB_DEAD, ATTEMPT_SPAWN_ERROR, -1, 1000, 0},
        {6, JOB_WAITING, ATTEMPT_INTERRUPTED, -1, 1000, 9999},
        {7, JOB_DEAD, ATTEMPT_INTERRUPTED, -1, 1000, 9999},
        {8, JOB_RUNNING, ATTEMPT_RUNNING, -1, 1000, 0},
    };
    struct hook_recent recent;

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        writes(*state, insert, &all[i]);
    recent = recent_of(*state);
    assert_int_equal(recent.attempts, 5);
    assert_int_equal(recent.succeeded, 1);
    assert_int_equal(
        recent.p50_ms, 20); /* of 10 20 30 40: what could not be started took nothing */
    assert_int_equal(recent.p99_ms, 40);
}

static int insert_many(struct state_tx *tx, void *context, struct error *error)
{
    (void)context;
    /* Long ago all failed; of late all work. Dead ones stay, so they are the latest of their state.
     */
    for (int64_t seq = 1; seq <= 900; seq++) {
        struct ran ran = {.seq = seq, .state = JOB_SUCCEEDED, .outcome = ATTEMPT_EXIT};

        ran.started_at_ms = seq * 1000;
        ran.duration_ms = seq % 100 + 1;
        if (seq <= 300) {
            ran.state = JOB_DEAD;
            ran.exit_code = 1;
        }
        if (insert(tx, &ran, error) != 0)
            return -1;
    }
    return 0;
}

static void only_the_latest_count(void **state)
{
    struct hook_recent recent;

    writes(*state, insert_many, NULL);
    recent = recent_of(*state);
    /* The last 200 that succeeded; what failed before those says nothing beside them. */
    assert_int_equal(recent.attempts, 200);
    assert_int_equal(recent.succeeded, 200);
    assert_int_equal(recent.p50_ms, 50);
    assert_int_equal(recent.p99_ms, 99);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup_state, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_hook_that_never_ran_has_no_durations),
        CASE(attempts_of_every_state_count_but_not_those_that_were_interrupted),
        CASE(only_the_latest_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
