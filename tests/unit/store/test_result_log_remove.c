/* SPDX-License-Identifier: MIT */
#include "store_fixture.h"

#include <sqlite3.h>

static void append_at(struct fixture *fixture, int64_t received_at_ms)
{
    struct result_post post = a_post(NULL, "{}");

    post.received_at_ms = received_at_ms;
    (void)appended(fixture, &post);
}

static int removed_before(
    struct fixture *fixture, int64_t before_ms, int64_t up_to_seq, int limit,
    bool (*keep)(void *context, int64_t seq))
{
    int removed = -1;

    fixture_succeeds(
        result_log_remove(
            fixture->log, before_ms, up_to_seq, limit, keep, fixture, &removed, &fixture->error),
        &fixture->error);
    return removed;
}

static void old_entries_go_and_young_ones_stay(void **state)
{
    for (int i = 1; i <= 10; i++)
        append_at(*state, i * 100);
    assert_int_equal(removed_before(*state, 600, 10, 100, NULL), 5);
    assert_int_equal(entries(*state), 5);
    assert_int_equal(removed_before(*state, 600, 10, 100, NULL), 0);
}

static void what_the_worker_has_not_read_stays(void **state)
{
    for (int i = 1; i <= 10; i++)
        append_at(*state, 100);
    assert_int_equal(removed_before(*state, 600, 4, 100, NULL), 4);
    assert_int_equal(entries(*state), 6);
}

static void a_slice_has_a_limit(void **state)
{
    for (int i = 1; i <= 10; i++)
        append_at(*state, 100);
    assert_int_equal(removed_before(*state, 600, 10, 3, NULL), 3);
    assert_int_equal(removed_before(*state, 600, 10, 3, NULL), 3);
    assert_int_equal(entries(*state), 4);
}

static bool keep_odd(void *context, int64_t seq)
{
    (void)context;
    return seq % 2 == 1;
}

static void what_is_wanted_stays_and_does_not_stop_the_rest(void **state)
{
    int removed = 0;

    for (int i = 1; i <= 600; i++)
        append_at(*state, 100);
    for (int slice = 0; slice < 1000 && removed < 300; slice++)
        removed += removed_before(*state, 600, 600, 10, keep_odd);
    assert_int_equal(removed, 300);
    assert_int_equal(removed_before(*state, 600, 600, 10, keep_odd), 0);
    assert_int_equal(entries(*state), 300);
}

static void an_entry_from_a_wrong_clock_does_not_block_those_behind(void **state)
{
    append_at(*state, 99999);
    for (int i = 1; i <= 5; i++)
        append_at(*state, 100);
    assert_int_equal(removed_before(*state, 600, 6, 100, NULL), 5);
    assert_int_equal(entries(*state), 1);
}

static void after_the_first_was_removed_the_same_post_is_new(void **state)
{
    (void)append_text(*state, "k", "1");
    assert_int_equal(removed_before(*state, INT64_MAX, 1, 10, NULL), 1);
    assert_false(append_text(*state, "k", "1").duplicate);
}

static void a_slice_of_large_bodies_has_few_rows(void **state)
{
    enum { BODY = 3 * 1024 * 1024 };
    char *body = calloc(1, BODY);
    struct result_post post = a_post(NULL, "");

    post.body = bytes_of(body, BODY);
    for (int i = 0; i < 5; i++)
        (void)appended(*state, &post);
    assert_int_equal(removed_before(*state, INT64_MAX, 5, 100, NULL), 2);
    assert_int_equal(removed_before(*state, INT64_MAX, 5, 100, NULL), 2);
    assert_int_equal(removed_before(*state, INT64_MAX, 5, 100, NULL), 1);
    free(body);
}

static int64_t page_count(const struct fixture *fixture)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    int64_t pages;

    assert_int_equal(sqlite3_open(fixture_path(fixture, "log/results.db"), &db), SQLITE_OK);
    sqlite3_prepare_v2(db, "PRAGMA page_count", -1, &statement, NULL);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    pages = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return pages;
}

static void space_is_given_back(void **state)
{
    struct fixture *fixture = *state;
    enum { POSTS = 64, BODY = 512 * 1024 };
    char *body = calloc(1, BODY);
    struct result_post post = a_post(NULL, "");
    int64_t before;

    post.body = bytes_of(body, BODY);
    for (int i = 0; i < POSTS; i++)
        (void)appended(fixture, &post);
    before = page_count(fixture);
    for (int i = 0; i < POSTS - 1; i++)
        (void)removed_before(fixture, INT64_MAX, POSTS - 1, 1, NULL);
    assert_true(page_count(fixture) < before / 2);
    assert_int_equal(entries(fixture), 1);
    free(body);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_log, teardown)
    const struct CMUnitTest tests[] = {
        CASE(old_entries_go_and_young_ones_stay),
        CASE(what_the_worker_has_not_read_stays),
        CASE(a_slice_has_a_limit),
        CASE(what_is_wanted_stays_and_does_not_stop_the_rest),
        CASE(an_entry_from_a_wrong_clock_does_not_block_those_behind),
        CASE(after_the_first_was_removed_the_same_post_is_new),
        CASE(a_slice_of_large_bodies_has_few_rows),
        CASE(space_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
