/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "callbackd/fibers.h"
#include "group_commit.h"

/* A store that only counts. It can be held at begin(), so that a batch gathers behind. */
struct fake {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool held;
    int arrived;
    int commits;
    int committed_works;
    int works_in_transaction;
    int abandoned;
    int lost;
    int settled;
    bool fail_begin;
    bool fail_commit;
};

struct fake_work {
    struct group_work group;
    enum group_outcome outcome;
    bool was_alone;
};

static int fake_begin(void *store, struct error *error)
{
    struct fake *fake = store;
    bool failing;

    pthread_mutex_lock(&fake->mutex);
    fake->arrived++;
    pthread_cond_broadcast(&fake->changed);
    while (fake->held)
        pthread_cond_wait(&fake->changed, &fake->mutex);
    fake->works_in_transaction = 0;
    failing = fake->fail_begin;
    pthread_mutex_unlock(&fake->mutex);
    return failing ? error_set(error, ERROR_BUSY, "no begin") : 0;
}

static enum group_outcome fake_run(
    void *store, struct group_work *group, bool alone, struct error *error)
{
    struct fake *fake = store;
    struct fake_work *work = (struct fake_work *)group;

    work->was_alone = alone;
    if (work->outcome == GROUP_DONE)
        fake->works_in_transaction++;
    else
        error_set(error, ERROR_NOT_FOUND, "this one fails");
    return work->outcome;
}

static int fake_commit(void *store, struct error *error)
{
    struct fake *fake = store;

    if (fake->fail_commit)
        return error_set(error, ERROR_IO, "no sync");
    fake->commits++;
    fake->committed_works += fake->works_in_transaction;
    return 0;
}

static void fake_abandon(void *store, const struct error *lost)
{
    struct fake *fake = store;

    fake->abandoned++;
    fake->lost += lost != NULL;
}

static void fake_settle(void *store, bool committed)
{
    struct fake *fake = store;

    (void)committed;
    pthread_mutex_lock(&fake->mutex);
    fake->settled++;
    pthread_cond_broadcast(&fake->changed);
    pthread_mutex_unlock(&fake->mutex);
}

static const struct group_operations operations = {
    .begin = fake_begin,
    .run = fake_run,
    .commit = fake_commit,
    .abandon = fake_abandon,
    .settle = fake_settle,
};

static struct group_commit *open_group(struct fake *fake, size_t queue_max)
{
    struct group_options options = {
        .operations = &operations,
        .store = fake,
        .committer_name = "test",
        .teller_name = "test-teller",
        .queue_max = queue_max,
        .post_bytes_max = 100,
    };
    struct group_commit *group;

    *fake = (struct fake){0};
    pthread_mutex_init(&fake->mutex, NULL);
    pthread_cond_init(&fake->changed, NULL);
    group = group_commit_open(&options, NULL);
    assert_non_null(group);
    return group;
}

static void close_group(struct group_commit *group, struct fake *fake)
{
    group_commit_close(group);
    pthread_cond_destroy(&fake->changed);
    pthread_mutex_destroy(&fake->mutex);
}

static void hold(struct fake *fake, bool held)
{
    pthread_mutex_lock(&fake->mutex);
    fake->held = held;
    pthread_cond_broadcast(&fake->changed);
    pthread_mutex_unlock(&fake->mutex);
}

static void wait_for_arrival(struct fake *fake)
{
    pthread_mutex_lock(&fake->mutex);
    while (fake->arrived == 0)
        pthread_cond_wait(&fake->changed, &fake->mutex);
    pthread_mutex_unlock(&fake->mutex);
}

/* ---- submitters ---- */

struct submitter {
    pthread_t thread;
    struct group_commit *group;
    struct fake_work work;
    struct error error;
    int result;
};

static void *submit(void *argument)
{
    struct submitter *submitter = argument;

    submitter->result =
        group_commit_submit(submitter->group, &submitter->work.group, &submitter->error);
    return NULL;
}

static void start(
    struct submitter *submitter, struct group_commit *group, enum group_outcome outcome)
{
    *submitter = (struct submitter){.group = group, .work.outcome = outcome};
    assert_int_equal(pthread_create(&submitter->thread, NULL, submit, submitter), 0);
}

static struct submitter submit_one(struct group_commit *group, enum group_outcome outcome)
{
    struct submitter submitter = {.group = group, .work.outcome = outcome};

    (void)submit(&submitter);
    return submitter;
}

/* Holds the committer at the begin of a batch of this one. */
static void hold_first(struct group_commit *group, struct fake *fake, struct submitter *first)
{
    hold(fake, true);
    start(first, group, GROUP_DONE);
    wait_for_arrival(fake);
}

/* Holds the committer at the begin of a first batch until `count` works wait behind it. */
static void gather(
    struct group_commit *group, struct fake *fake, struct submitter *submitters,
    const enum group_outcome *outcomes, int count)
{
    struct submitter first;

    hold_first(group, fake, &first);
    for (int i = 0; i < count; i++) {
        start(&submitters[i], group, outcomes[i]);
        while (group_commit_waiting(group) < (size_t)i + 2)
            (void)poll(NULL, 0, 1);
    }
    hold(fake, false);
    pthread_join(first.thread, NULL);
    for (int i = 0; i < count; i++)
        pthread_join(submitters[i].thread, NULL);
}

/* ---- the tests ---- */

static void a_work_that_is_alone_is_committed_alone(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    struct submitter one = submit_one(group, GROUP_DONE);

    (void)state;
    assert_int_equal(one.result, 0);
    assert_true(one.work.was_alone);
    close_group(group, &fake);
    assert_int_equal(fake.commits, 1);
    assert_int_equal(fake.settled, 1);
}

static void a_work_that_fails_alone_is_abandoned_with_its_own_error(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    struct submitter one = submit_one(group, GROUP_FAILED);

    (void)state;
    assert_int_equal(one.result, -1);
    assert_int_equal(one.error.code, ERROR_NOT_FOUND);
    close_group(group, &fake);
    assert_int_equal(fake.commits, 0);
    assert_int_equal(fake.abandoned, 1);
    assert_int_equal(fake.lost, 0);
}

static void a_begin_that_fails_is_a_failure_of_the_store(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    struct submitter one;

    (void)state;
    fake.fail_begin = true;
    one = submit_one(group, GROUP_DONE);
    assert_int_equal(one.result, -1);
    assert_int_equal(one.error.code, ERROR_STORE);
    close_group(group, &fake);
    assert_int_equal(fake.commits, 0);
}

static void a_commit_that_fails_is_a_failure_of_the_store(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    struct submitter one;

    (void)state;
    fake.fail_commit = true;
    one = submit_one(group, GROUP_DONE);
    assert_int_equal(one.result, -1);
    assert_int_equal(one.error.code, ERROR_STORE);
    fake.fail_commit = false;
    assert_int_equal(submit_one(group, GROUP_DONE).result, 0);
    close_group(group, &fake);
    assert_int_equal(fake.lost, 1);
}

static void what_waits_meanwhile_is_one_batch(void **state)
{
    enum { COUNT = 20 };
    static const enum group_outcome outcomes[COUNT] = {GROUP_DONE};
    struct fake fake;
    struct group_commit *group = open_group(&fake, 100);
    struct submitter submitters[COUNT];

    (void)state;
    gather(group, &fake, submitters, outcomes, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(submitters[i].result, 0);
        assert_false(submitters[i].work.was_alone);
    }
    close_group(group, &fake);
    assert_int_equal(fake.commits, 2);
    assert_int_equal(fake.committed_works, COUNT + 1);
}

static void a_work_that_fails_does_not_touch_the_others(void **state)
{
    static const enum group_outcome outcomes[] = {GROUP_DONE, GROUP_FAILED, GROUP_DONE};
    struct fake fake;
    struct group_commit *group = open_group(&fake, 100);
    struct submitter submitters[3];

    (void)state;
    gather(group, &fake, submitters, outcomes, 3);
    assert_int_equal(submitters[0].result, 0);
    assert_int_equal(submitters[1].result, -1);
    assert_int_equal(submitters[1].error.code, ERROR_NOT_FOUND);
    assert_int_equal(submitters[2].result, 0);
    close_group(group, &fake);
    assert_int_equal(fake.committed_works, 3);
}

static void a_lost_transaction_fails_all_of_its_batch_and_no_other(void **state)
{
    static const enum group_outcome outcomes[] = {GROUP_DONE, GROUP_LOST, GROUP_DONE};
    struct fake fake;
    struct group_commit *group = open_group(&fake, 100);
    struct submitter submitters[3];

    (void)state;
    gather(group, &fake, submitters, outcomes, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(submitters[i].result, -1);
        assert_int_equal(submitters[i].error.code, ERROR_STORE);
    }
    assert_int_equal(submit_one(group, GROUP_DONE).result, 0);
    close_group(group, &fake);
    assert_int_equal(fake.commits, 2);
    assert_int_equal(fake.lost, 1);
}

static void a_full_queue_refuses_at_once(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 1);
    struct submitter first;
    struct submitter refused;

    (void)state;
    hold_first(group, &fake, &first);
    refused = submit_one(group, GROUP_DONE);
    hold(&fake, false);
    pthread_join(first.thread, NULL);
    assert_int_equal(first.result, 0);
    assert_int_equal(refused.result, -1);
    assert_int_equal(refused.error.code, ERROR_BUSY);
    assert_int_equal(submit_one(group, GROUP_DONE).result, 0);
    close_group(group, &fake);
}

static void a_batch_is_bounded_in_bytes(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 100);
    struct submitter submitters[3];

    (void)state;
    hold(&fake, true);
    for (int i = 0; i < 3; i++) {
        submitters[i] = (struct submitter){.group = group, .work.group.bytes = 6 << 20};
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit, &submitters[i]), 0);
    }
    while (group_commit_waiting(group) < 3)
        (void)poll(NULL, 0, 1);
    hold(&fake, false);
    for (int i = 0; i < 3; i++)
        pthread_join(submitters[i].thread, NULL);
    close_group(group, &fake);
    assert_int_equal(fake.commits, 3);
}

/* ---- posting ---- */

struct posted {
    struct fake_work work;
    int over;
    bool stored;
};

static void note_over(struct group_work *work, bool stored)
{
    struct posted *posted = (struct posted *)work;

    posted->over++;
    posted->stored = stored;
}

static struct posted a_posted(size_t bytes, enum group_outcome outcome)
{
    return (struct posted){
        .work = {.group = {.bytes = bytes, .over = note_over}, .outcome = outcome}};
}

static void a_posted_work_is_given_back_once(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    struct posted good = a_posted(10, GROUP_DONE);
    struct posted bad = a_posted(10, GROUP_FAILED);

    (void)state;
    assert_true(group_commit_post(group, &good.work.group));
    assert_true(group_commit_post(group, &bad.work.group));
    close_group(group, &fake); /* does what waits first */
    assert_int_equal(good.over, 1);
    assert_true(good.stored);
    assert_int_equal(bad.over, 1);
    assert_false(bad.stored);
}

static void posted_works_are_bounded_in_bytes(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    struct posted first = a_posted(60, GROUP_DONE);
    struct posted second = a_posted(60, GROUP_DONE);

    (void)state;
    hold(&fake, true);
    assert_true(group_commit_post(group, &first.work.group));
    assert_false(group_commit_post(group, &second.work.group));
    hold(&fake, false);
    while (!group_commit_post(group, &second.work.group)) /* until the first is over */
        (void)poll(NULL, 0, 1);
    close_group(group, &fake);
    assert_int_equal(second.over, 1);
}

/* What a work has written when it began stays counted until it is told, not only committed. */
static void posted_bytes_count_until_they_are_told(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    struct posted first = a_posted(100, GROUP_DONE);
    struct posted second = a_posted(100, GROUP_FAILED);
    struct posted third = a_posted(100, GROUP_DONE);

    (void)state;
    assert_true(group_commit_post(group, &first.work.group));
    while (!group_commit_post(group, &second.work.group))
        (void)poll(NULL, 0, 1);
    assert_int_equal(first.over, 1); /* its room is free only after it was told */
    while (!group_commit_post(group, &third.work.group))
        (void)poll(NULL, 0, 1);
    assert_int_equal(second.over, 1);
    close_group(group, &fake);
    assert_int_equal(third.over, 1);
}

/* ---- starting: told later, with an error ---- */

struct started {
    struct fake_work work;
    struct error error;
    atomic_int *order; /* how many were told before */
    int told_as;       /* 1: first */
    int over;
    bool stored;
};

static void note_started(struct group_work *work, bool stored)
{
    struct started *started = (struct started *)work;

    started->told_as = atomic_fetch_add(started->order, 1) + 1;
    started->over++;
    started->stored = stored;
}

static struct started a_started(atomic_int *order, enum group_outcome outcome)
{
    return (struct started){
        .work = {.group = {.bytes = 10, .over = note_started}, .outcome = outcome},
        .order = order,
    };
}

static int start_work(struct group_commit *group, struct started *started)
{
    return group_commit_start(group, &started->work.group, &started->error);
}

static void started_works_are_told_once_and_in_order(void **state)
{
    enum { COUNT = 3000 }; /* more than a batch takes */
    static struct started works[COUNT];
    struct fake fake;
    struct group_commit *group = open_group(&fake, COUNT);
    atomic_int order = 0;

    (void)state;
    for (int i = 0; i < COUNT; i++) {
        works[i] = a_started(&order, GROUP_DONE);
        assert_int_equal(start_work(group, &works[i]), 0);
    }
    close_group(group, &fake); /* tells what waits first */
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(works[i].over, 1);
        assert_int_equal(works[i].told_as, i + 1);
        assert_true(works[i].stored);
    }
    assert_int_equal(fake.committed_works, COUNT);
}

static void a_started_work_that_fails_is_told_its_own_error(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    atomic_int order = 0;
    struct started works[] = {
        a_started(&order, GROUP_DONE), a_started(&order, GROUP_FAILED),
        a_started(&order, GROUP_DONE)};

    (void)state;
    hold(&fake, true);
    for (int i = 0; i < 3; i++)
        assert_int_equal(start_work(group, &works[i]), 0);
    hold(&fake, false);
    close_group(group, &fake);
    assert_true(works[0].stored);
    assert_false(works[1].stored);
    assert_int_equal(works[1].error.code, ERROR_NOT_FOUND);
    assert_true(works[2].stored);
    assert_int_equal(order, 3);
}

static void started_works_of_a_lost_batch_are_told_that_the_store_failed(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    atomic_int order = 0;
    struct started works[] = {a_started(&order, GROUP_DONE), a_started(&order, GROUP_DONE)};
    struct started bad = a_started(&order, GROUP_LOST);
    struct started first = a_started(&order, GROUP_DONE);

    (void)state;
    hold(&fake, true);
    assert_int_equal(start_work(group, &first), 0);
    wait_for_arrival(&fake); /* it is a batch of its own */
    assert_int_equal(start_work(group, &works[0]), 0);
    assert_int_equal(start_work(group, &bad), 0);
    assert_int_equal(start_work(group, &works[1]), 0);
    hold(&fake, false);
    close_group(group, &fake);
    assert_true(first.stored);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(works[i].over, 1);
        assert_false(works[i].stored);
        assert_int_equal(works[i].error.code, ERROR_STORE);
    }
    assert_false(bad.stored);
    assert_int_equal(bad.error.code, ERROR_STORE);
}

static void a_commit_that_fails_is_told_to_started_works(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    atomic_int order = 0;
    struct started work = a_started(&order, GROUP_DONE);

    (void)state;
    fake.fail_commit = true;
    assert_int_equal(start_work(group, &work), 0);
    close_group(group, &fake);
    assert_int_equal(work.over, 1);
    assert_false(work.stored);
    assert_int_equal(work.error.code, ERROR_STORE);
}

static void a_full_queue_takes_no_started_work(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 1);
    atomic_int order = 0;
    struct started taken = a_started(&order, GROUP_DONE);
    struct started refused = a_started(&order, GROUP_DONE);

    (void)state;
    hold(&fake, true);
    assert_int_equal(start_work(group, &taken), 0);
    assert_int_equal(start_work(group, &refused), -1);
    assert_int_equal(refused.error.code, ERROR_BUSY);
    hold(&fake, false);
    close_group(group, &fake);
    assert_int_equal(taken.over, 1);
    assert_int_equal(refused.over, 0);
}

/* Those that sleep and those that are told share batches. */
static void submitted_and_started_works_share_a_batch(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 10);
    atomic_int order = 0;
    struct started first = a_started(&order, GROUP_DONE);
    struct started second = a_started(&order, GROUP_DONE);
    struct submitter sleeper;

    (void)state;
    hold(&fake, true);
    assert_int_equal(start_work(group, &first), 0);
    wait_for_arrival(&fake);
    start(&sleeper, group, GROUP_DONE);
    while (group_commit_waiting(group) < 2)
        (void)poll(NULL, 0, 1);
    assert_int_equal(start_work(group, &second), 0);
    hold(&fake, false);
    pthread_join(sleeper.thread, NULL);
    close_group(group, &fake);
    assert_int_equal(sleeper.result, 0);
    assert_true(second.stored);
    assert_int_equal(fake.commits, 2);
    assert_int_equal(fake.committed_works, 3);
}

/* They wait, and the others of their loop go on. */
static void fibers_of_a_loop_share_a_batch(void **state)
{
    enum { COUNT = 3 * FIBER_LOOPS_MAX };
    struct fake fake;
    struct group_commit *group = open_group(&fake, COUNT + 1);
    struct fibers *fibers = fibers_start("test", COUNT, NULL);
    struct submitter submitters[COUNT];
    struct submitter first;

    (void)state;
    assert_non_null(fibers);
    hold_first(group, &fake, &first);
    for (int i = 0; i < COUNT; i++) {
        submitters[i] =
            (struct submitter){.group = group, .work.outcome = i == 0 ? GROUP_FAILED : GROUP_DONE};
        assert_int_equal(fibers_add(fibers, submit, &submitters[i], 65536), 0);
    }
    while (group_commit_waiting(group) < COUNT + 1)
        (void)poll(NULL, 0, 1);
    hold(&fake, false);
    pthread_join(first.thread, NULL);
    fibers_join(fibers);
    fibers_stop(fibers);
    close_group(group, &fake);
    assert_int_equal(fake.commits, 2);
    assert_int_equal(fake.committed_works, COUNT);
    assert_int_equal(submitters[0].result, -1);
    assert_int_equal(submitters[0].error.code, ERROR_NOT_FOUND);
    for (int i = 1; i < COUNT; i++)
        assert_int_equal(submitters[i].result, 0);
}

static void a_fiber_is_told_that_the_queue_is_full(void **state)
{
    struct fake fake;
    struct group_commit *group = open_group(&fake, 1);
    struct fibers *fibers = fibers_start("test", 1, NULL);
    struct submitter late = {.group = group, .work.outcome = GROUP_DONE};
    struct submitter first;

    (void)state;
    assert_non_null(fibers);
    hold_first(group, &fake, &first);
    assert_int_equal(fibers_add(fibers, submit, &late, 65536), 0);
    fibers_join(fibers);
    assert_int_equal(late.result, -1);
    assert_int_equal(late.error.code, ERROR_BUSY);
    hold(&fake, false);
    pthread_join(first.thread, NULL);
    fibers_stop(fibers);
    close_group(group, &fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_work_that_is_alone_is_committed_alone),
        cmocka_unit_test(a_work_that_fails_alone_is_abandoned_with_its_own_error),
        cmocka_unit_test(a_begin_that_fails_is_a_failure_of_the_store),
        cmocka_unit_test(a_commit_that_fails_is_a_failure_of_the_store),
        cmocka_unit_test(what_waits_meanwhile_is_one_batch),
        cmocka_unit_test(a_work_that_fails_does_not_touch_the_others),
        cmocka_unit_test(a_lost_transaction_fails_all_of_its_batch_and_no_other),
        cmocka_unit_test(a_full_queue_refuses_at_once),
        cmocka_unit_test(a_batch_is_bounded_in_bytes),
        cmocka_unit_test(a_posted_work_is_given_back_once),
        cmocka_unit_test(posted_works_are_bounded_in_bytes),
        cmocka_unit_test(posted_bytes_count_until_they_are_told),
        cmocka_unit_test(started_works_are_told_once_and_in_order),
        cmocka_unit_test(a_started_work_that_fails_is_told_its_own_error),
        cmocka_unit_test(started_works_of_a_lost_batch_are_told_that_the_store_failed),
        cmocka_unit_test(a_commit_that_fails_is_told_to_started_works),
        cmocka_unit_test(a_full_queue_takes_no_started_work),
        cmocka_unit_test(submitted_and_started_works_share_a_batch),
        cmocka_unit_test(fibers_of_a_loop_share_a_batch),
        cmocka_unit_test(a_fiber_is_told_that_the_queue_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
