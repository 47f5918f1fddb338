/* SPDX-License-Identifier: MIT */
#include "state_fixture.h"

struct job_asked {
    struct job_record job;
    struct id id;
    const char *hook;
    int64_t next_at_ms;
    struct hook_counts counts;
};

static int insert_result(struct state_tx *tx, void *context, struct error *error)
{
    return state_result_insert(tx, context, error);
}

static int insert(struct state_tx *tx, void *context, struct error *error)
{
    return state_job_insert(tx, context, error);
}

static int update(struct state_tx *tx, void *context, struct error *error)
{
    return state_job_update(tx, context, error);
}

static int get(struct state_tx *tx, void *context, struct error *error)
{
    struct job_asked *asked = context;

    return state_job_get(tx, &asked->id, &asked->job, error);
}

static int ask_next_at(struct state_tx *tx, void *context, struct error *error)
{
    struct job_asked *asked = context;

    return state_job_next_at(tx, asked->hook, &asked->next_at_ms, error);
}

static int ask_counts(struct state_tx *tx, void *context, struct error *error)
{
    struct job_asked *asked = context;

    return state_hook_counts(tx, asked->hook, &asked->counts, error);
}

static struct result_record inserted_result(struct fixture *fixture, int64_t seq)
{
    struct result_record result = a_result(seq);

    writes(fixture, insert_result, &result);
    return result;
}

static struct job_record inserted_job(
    struct fixture *fixture, const struct result_record *result, const char *hook,
    int64_t next_at_ms)
{
    struct job_record job = a_job(result, hook);

    job.next_at_ms = next_at_ms;
    job.created_at_ms = next_at_ms;
    writes(fixture, insert, &job);
    return job;
}

static void move(struct fixture *fixture, struct job_record *job, enum job_state state)
{
    job->state = state;
    job->ended_at_ms = state >= JOB_SUCCEEDED ? 7000 : 0;
    writes(fixture, update, job);
}

static void a_job_comes_back_as_it_was_queued(void **state)
{
    struct result_record result = inserted_result(*state, 1);
    struct job_record job = a_job(&result, "notify");
    struct job_asked asked = {.id = job.id};

    job.replay = true;
    writes(*state, insert, &job);
    reads(*state, get, &asked);
    assert_true(id_equal(&asked.job.id, &job.id));
    assert_string_equal(asked.job.hook, "notify");
    assert_int_equal(asked.job.result_seq, 1);
    assert_true(id_equal(&asked.job.result, &result.id));
    assert_int_equal(asked.job.state, JOB_WAITING);
    assert_int_equal(asked.job.attempts_made, 0);
    assert_int_equal(asked.job.next_at_ms, 5000);
    assert_int_equal(asked.job.created_at_ms, 5000);
    assert_int_equal(asked.job.ended_at_ms, 0);
    assert_true(asked.job.replay);
    assert_false(asked.job.cancel_requested);
    assert_null(asked.job.reason);
    job_record_fini(&asked.job);
}

static void an_update_writes_what_changes(void **state)
{
    struct result_record result = inserted_result(*state, 1);
    struct job_record job = inserted_job(*state, &result, "notify", 5000);
    struct job_asked asked = {.id = job.id};

    assert_null(asked.job.order_key);
    job.state = JOB_DEAD;
    job.attempts_made = 3;
    job.next_at_ms = 0;
    job.ended_at_ms = 8000;
    job.cancel_requested = true;
    job.reason = "too large";
    writes(*state, update, &job);
    reads(*state, get, &asked);
    assert_int_equal(asked.job.state, JOB_DEAD);
    assert_int_equal(asked.job.attempts_made, 3);
    assert_int_equal(asked.job.next_at_ms, 0);
    assert_int_equal(asked.job.ended_at_ms, 8000);
    assert_true(asked.job.cancel_requested);
    assert_string_equal(asked.job.reason, "too large");
    job_record_fini(&asked.job);
}

struct by_row {
    struct job_record job;
    struct job_progress progress;
    struct id seen[4];
    int count;
};

static int note_row(void *context, const struct job_record *job)
{
    struct by_row *by_row = context;

    by_row->job.seq = job->seq;
    return 0;
}

static int find_row(struct state_tx *tx, void *context, struct error *error)
{
    const struct job_filter filter = {.state = -1, .limit = 1};

    return state_job_list(tx, &filter, note_row, context, error);
}

static int ask_progress(struct state_tx *tx, void *context, struct error *error)
{
    struct by_row *by_row = context;

    return state_job_progress(tx, by_row->job.seq, &by_row->job.id, &by_row->progress, error);
}

static int note_cancel(void *context, const struct id *id)
{
    struct by_row *by_row = context;

    by_row->seen[by_row->count++] = *id;
    return 0;
}

static int ask_cancels(struct state_tx *tx, void *context, struct error *error)
{
    return state_job_cancels(tx, note_cancel, context, error);
}

static int update_elsewhere(struct state_tx *tx, void *context, struct error *error)
{
    const struct by_row *by_row = context;
    struct job_record other = by_row->job;

    other.id = id_new();
    assert_int_equal(state_job_update(tx, &other, error), -1);
    assert_int_equal(error->code, ERROR_NOT_FOUND);
    return 0;
}

static void a_job_is_found_by_its_row_if_it_is_that_job(void **state)
{
    struct result_record result = inserted_result(*state, 1);
    struct by_row by_row = {.job = inserted_job(*state, &result, "notify", 5000)};

    reads(*state, find_row, &by_row);
    assert_true(by_row.job.seq > 0);
    by_row.job.attempts_made = 2;
    move(*state, &by_row.job, JOB_RUNNING);
    reads(*state, ask_cancels, &by_row);
    assert_int_equal(by_row.count, 0);
    by_row.job.cancel_requested = true;
    writes(*state, update, &by_row.job);
    reads(*state, ask_progress, &by_row);
    assert_int_equal(by_row.progress.attempts_made, 2);
    assert_int_equal(by_row.progress.queued_at_ms, 5000);
    assert_true(by_row.progress.cancel_requested);
    reads(*state, ask_cancels, &by_row);
    assert_int_equal(by_row.count, 1);
    assert_true(id_equal(&by_row.seen[0], &by_row.job.id));
    writes(*state, update_elsewhere, &by_row);
}

static void one_that_waits_again_was_queued_anew(void **state)
{
    struct result_record result = inserted_result(*state, 1);
    struct job_record job = a_job(&result, "notify");
    struct job_asked asked = {.id = job.id};

    job.queued_at_ms = 4000;
    job.order_key = "workflow:a";
    writes(*state, insert, &job);
    move(*state, &job, JOB_RETRYING);
    reads(*state, get, &asked);
    assert_int_equal(asked.job.queued_at_ms, 4000);
    assert_string_equal(asked.job.order_key, "workflow:a");
    job_record_fini(&asked.job);
    job.next_at_ms = 6000;
    move(*state, &job, JOB_WAITING);
    reads(*state, get, &asked);
    assert_int_equal(asked.job.queued_at_ms, 6000);
    job_record_fini(&asked.job);
}

static void a_job_that_is_not_there_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct result_record result = inserted_result(fixture, 1);
    struct job_asked asked = {.id = id_new(), .job = a_job(&result, "notify")};

    assert_int_equal(state_read(fixture->state, get, &asked, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    assert_int_equal(state_write(fixture->state, update, &asked.job, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
}

static void a_job_belongs_to_a_result(void **state)
{
    struct fixture *fixture = *state;
    struct result_record result = a_result(1);
    struct job_record job = a_job(&result, "notify");

    assert_int_equal(state_write(fixture->state, insert, &job, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_CONFLICT);
}

/* ---- lists and the queue ---- */

struct listing {
    struct job_filter filter;
    const char *hook;
    int64_t now_ms;
    struct id ids[32];
    int count;
};

static int note(void *context, const struct job_record *job)
{
    struct listing *listing = context;

    listing->ids[listing->count++] = job->id;
    return 0;
}

static int list(struct state_tx *tx, void *context, struct error *error)
{
    struct listing *listing = context;

    listing->count = 0;
    return state_job_list(tx, &listing->filter, note, listing, error);
}

static int list_due(struct state_tx *tx, void *context, struct error *error)
{
    struct listing *listing = context;

    listing->count = 0;
    return state_job_due(
        tx, listing->hook, listing->now_ms, listing->filter.limit, note, listing, error);
}

static void lists_are_filtered_and_newest_first(void **state)
{
    struct result_record one = inserted_result(*state, 1);
    struct result_record two = inserted_result(*state, 2);
    struct job_record jobs[4] = {
        inserted_job(*state, &one, "notify", 1),
        inserted_job(*state, &one, "archive", 2),
        inserted_job(*state, &two, "notify", 3),
        inserted_job(*state, &two, "archive", 4),
    };
    const struct {
        struct job_filter filter;
        int count;
        int newest;
    } cases[] = {
        {{.state = -1}, 4, 3},
        {{.state = -1, .hook = "notify"}, 2, 2},
        {{.state = JOB_DEAD}, 1, 1},
        {{.state = JOB_WAITING, .hook = "archive"}, 1, 3},
        {{.state = -1, .result = &one.id}, 2, 1},
        {{.state = JOB_DEAD, .hook = "archive", .result = &one.id}, 1, 1},
        {{.state = -1, .before = &jobs[2].id}, 2, 1},
        {{.state = -1, .result = &jobs[0].id}, 0, 0},
    };

    move(*state, &jobs[1], JOB_DEAD);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct listing listing = {.filter = cases[i].filter};

        listing.filter.limit = 10;
        reads(*state, list, &listing);
        assert_int_equal(listing.count, cases[i].count);
        if (listing.count > 0)
            assert_true(id_equal(&listing.ids[0], &jobs[cases[i].newest].id));
    }
}

static void due_jobs_come_earliest_first(void **state)
{
    struct listing listing = {.hook = "notify", .now_ms = 300, .filter.limit = 10};
    struct result_record result = inserted_result(*state, 1);
    struct job_record late = inserted_job(*state, &result, "notify", 300);
    struct job_record early = inserted_job(*state, &result, "notify", 100);
    struct job_record future = inserted_job(*state, &result, "notify", 301);
    struct job_record other = inserted_job(*state, &result, "archive", 100);
    struct job_record ended = inserted_job(*state, &result, "notify", 100);
    struct job_record running = inserted_job(*state, &result, "notify", 100);

    (void)future;
    (void)other;
    move(*state, &ended, JOB_SUCCEEDED);
    move(*state, &running, JOB_RUNNING);
    move(*state, &late, JOB_RETRYING);
    reads(*state, list_due, &listing);
    assert_int_equal(listing.count, 2);
    assert_true(id_equal(&listing.ids[0], &early.id));
    assert_true(id_equal(&listing.ids[1], &late.id));
}

static int64_t next_at(struct fixture *fixture, const char *hook)
{
    struct job_asked asked = {.hook = hook};

    reads(fixture, ask_next_at, &asked);
    return asked.next_at_ms;
}

static void the_next_time_is_that_of_the_earliest_waiting(void **state)
{
    struct result_record result = inserted_result(*state, 1);
    struct job_record first = inserted_job(*state, &result, "notify", 100);

    (void)inserted_job(*state, &result, "notify", 200);
    assert_int_equal(next_at(*state, "notify"), 100);
    assert_int_equal(next_at(*state, "archive"), 0);
    move(*state, &first, JOB_RUNNING);
    assert_int_equal(next_at(*state, "notify"), 200);
}

/* ---- lines ---- */

static struct job_record lined_up(
    struct fixture *fixture, const struct result_record *result, const char *key)
{
    struct job_record job = a_job(result, "notify");

    job.order_key = (char *)key;
    writes(fixture, insert, &job);
    return job;
}

/* Exactly these are due, in this order; NULL ends. */
static void expect_due(struct fixture *fixture, const struct job_record *const *jobs)
{
    struct listing listing = {.hook = "notify", .now_ms = 9000, .filter.limit = 10};
    int count = 0;

    reads(fixture, list_due, &listing);
    for (; jobs[count] != NULL; count++) {
        assert_true(count < listing.count);
        assert_true(id_equal(&listing.ids[count], &jobs[count]->id));
    }
    assert_int_equal(listing.count, count);
}

#define EXPECT_DUE(...) expect_due(*state, (const struct job_record *const[]){__VA_ARGS__, NULL})
#define EXPECT_NONE_DUE() expect_due(*state, (const struct job_record *const[]){NULL})

static void only_the_first_of_a_line_is_due(void **state)
{
    struct result_record result = inserted_result(*state, 1);
    struct job_record a1 = lined_up(*state, &result, "a");
    struct job_record a2 = lined_up(*state, &result, "a");
    struct job_record b1 = lined_up(*state, &result, "b");
    struct job_record free1 = lined_up(*state, &result, NULL);
    struct job_record free2 = lined_up(*state, &result, NULL);

    EXPECT_DUE(&a1, &b1, &free1, &free2);
    move(*state, &a1, JOB_RUNNING);
    EXPECT_DUE(&b1, &free1, &free2);
    move(*state, &a1, JOB_RETRYING);
    EXPECT_DUE(&a1, &b1, &free1, &free2);
    move(*state, &a1, JOB_DEAD);
    EXPECT_DUE(&a2, &b1, &free1, &free2);
    move(*state, &a2, JOB_CANCELLED);
    EXPECT_DUE(&b1, &free1, &free2);
}

static void who_left_the_middle_of_a_line_is_not_waited_for(void **state)
{
    struct result_record result = inserted_result(*state, 1);
    struct job_record first = lined_up(*state, &result, "a");
    struct job_record middle = lined_up(*state, &result, "a");
    struct job_record last = lined_up(*state, &result, "a");

    move(*state, &middle, JOB_CANCELLED);
    EXPECT_DUE(&first);
    move(*state, &first, JOB_SUCCEEDED);
    EXPECT_DUE(&last);
}

static void who_is_put_back_gets_its_old_place_but_not_beside_one_that_runs(void **state)
{
    struct result_record result = inserted_result(*state, 1);
    struct job_record first = lined_up(*state, &result, "a");
    struct job_record second = lined_up(*state, &result, "a");
    struct job_record third = lined_up(*state, &result, "a");

    move(*state, &first, JOB_DEAD);
    move(*state, &second, JOB_RUNNING);
    move(*state, &first, JOB_WAITING);
    EXPECT_NONE_DUE();
    move(*state, &second, JOB_SUCCEEDED);
    EXPECT_DUE(&first);
    move(*state, &first, JOB_DEAD);
    EXPECT_DUE(&third);
    move(*state, &first, JOB_WAITING);
    EXPECT_DUE(&first);
}

static void a_line_is_of_one_hook(void **state)
{
    struct result_record result = inserted_result(*state, 1);
    struct job_record other = a_job(&result, "archive");

    other.order_key = "a";
    writes(*state, insert, &other);
    struct job_record job = lined_up(*state, &result, "a");
    EXPECT_DUE(&job);
}

/* ---- hooks ---- */

static void counts_follow_the_jobs(void **state)
{
    struct job_asked asked = {.hook = "notify"};
    struct result_record result = inserted_result(*state, 1);
    struct job_record jobs[5];

    for (int i = 0; i < 5; i++)
        jobs[i] = inserted_job(*state, &result, "notify", 100 + i);
    (void)inserted_job(*state, &result, "archive", 1);
    move(*state, &jobs[0], JOB_SUCCEEDED);
    move(*state, &jobs[1], JOB_DEAD);
    move(*state, &jobs[2], JOB_RUNNING);
    move(*state, &jobs[3], JOB_RETRYING);
    reads(*state, ask_counts, &asked);
    assert_int_equal(asked.counts.waiting, 2);
    assert_int_equal(asked.counts.running, 1);
    assert_int_equal(asked.counts.succeeded, 1);
    assert_int_equal(asked.counts.dead, 1);
    assert_int_equal(asked.counts.oldest_waiting_ms, 103);
    asked.hook = "unknown";
    reads(*state, ask_counts, &asked);
    assert_int_equal(asked.counts.waiting, 0);
    assert_int_equal(asked.counts.oldest_waiting_ms, 0);
}

struct pausing {
    const char *hook;
    bool paused;
};

static int set_paused(struct state_tx *tx, void *context, struct error *error)
{
    struct pausing *pausing = context;

    return state_hook_set_paused(tx, pausing->hook, pausing->paused, error);
}

static int get_paused(struct state_tx *tx, void *context, struct error *error)
{
    struct pausing *pausing = context;

    return state_hook_paused(tx, pausing->hook, &pausing->paused, error);
}

static bool paused(struct fixture *fixture, const char *hook)
{
    struct pausing pausing = {.hook = hook, .paused = true};

    reads(fixture, get_paused, &pausing);
    return pausing.paused;
}

static void a_hook_is_paused_until_it_is_resumed(void **state)
{
    struct pausing pausing = {.hook = "notify", .paused = true};

    assert_false(paused(*state, "notify"));
    writes(*state, set_paused, &pausing);
    assert_true(paused(*state, "notify"));
    assert_false(paused(*state, "archive"));
    pausing.paused = false;
    writes(*state, set_paused, &pausing);
    assert_false(paused(*state, "notify"));
}

static void states_have_the_names_of_the_contract(void **state)
{
    static const char *const names[] = {"waiting",   "running", "retrying",
                                        "succeeded", "dead",    "cancelled"};
    enum job_state parsed;

    (void)state;
    for (int i = 0; i < JOB_STATES; i++) {
        assert_string_equal(job_state_name((enum job_state)i), names[i]);
        assert_true(job_state_parse(names[i], &parsed));
        assert_int_equal(parsed, i);
    }
    assert_false(job_state_parse("", &parsed));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_state, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_job_comes_back_as_it_was_queued),
        CASE(an_update_writes_what_changes),
        CASE(a_job_is_found_by_its_row_if_it_is_that_job),
        CASE(one_that_waits_again_was_queued_anew),
        CASE(a_job_that_is_not_there_is_not_found),
        CASE(a_job_belongs_to_a_result),
        CASE(lists_are_filtered_and_newest_first),
        CASE(due_jobs_come_earliest_first),
        CASE(the_next_time_is_that_of_the_earliest_waiting),
        CASE(only_the_first_of_a_line_is_due),
        CASE(who_left_the_middle_of_a_line_is_not_waited_for),
        CASE(who_is_put_back_gets_its_old_place_but_not_beside_one_that_runs),
        CASE(a_line_is_of_one_hook),
        CASE(counts_follow_the_jobs),
        CASE(a_hook_is_paused_until_it_is_resumed),
        cmocka_unit_test(states_have_the_names_of_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
