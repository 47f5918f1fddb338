/* SPDX-License-Identifier: MIT */
#include "store_fixture.h"

static int check_whole_entry(void *context, const struct result_entry *entry)
{
    const struct result_receipt *receipt = context;

    assert_int_equal(entry->seq, receipt->seq);
    assert_true(id_equal(&entry->id, &receipt->id));
    assert_int_equal(entry->duplicate_of, 0);
    assert_string_equal(entry->endpoint, "results");
    assert_int_equal(entry->kind, BODY_WORKFLOW_RESULT);
    assert_string_equal(entry->key, "k");
    assert_false(entry->has_run);
    assert_true(entry->has_execution_id);
    assert_true(entry->execution_id == 9007199254740993);
    assert_string_equal(entry->delivery_id, "");
    assert_int_equal(entry->status, STATUS_SUCCESS);
    assert_string_equal(entry->event, "");
    assert_string_equal(entry->name, "triage");
    assert_string_equal(entry->source, "callback");
    assert_int_equal(entry->revision, 1);
    assert_true(entry->received_at_ms == 1700000000123);
    assert_string_equal(entry->remote_address, "192.0.2.7");
    assert_string_equal(entry->verified_by, "run-token");
    assert_string_equal(entry->content_type, "application/json");
    assert_true(bytes_equal_text(entry->headers_json, "[[\"host\",\"example.com\"]]"));
    assert_int_equal(entry->size, 3);
    /* sha256 of "abc" (FIPS 180-4) */
    assert_memory_equal(entry->sha256, "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde", 12);
    return 0;
}

static void an_entry_comes_back_as_it_was_posted(void **state)
{
    struct fixture *fixture = *state;
    struct result_receipt receipt = append_text(fixture, "k", "abc");

    fixture_succeeds(
        result_log_get(fixture->log, 1, check_whole_entry, &receipt, &fixture->error),
        &fixture->error);
    fixture_succeeds(
        result_log_read(fixture->log, 0, 10, check_whole_entry, &receipt, &fixture->error),
        &fixture->error);
}

static int check_run(void *context, const struct result_entry *entry)
{
    assert_true(entry->has_run);
    assert_true(id_equal(&entry->run, context));
    return 0;
}

static void the_run_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct result_post post = a_post("k", "1");

    post.has_run = true;
    post.run = id_new();
    (void)appended(fixture, &post);
    assert_int_equal(result_log_get(fixture->log, 1, check_run, &post.run, NULL), 0);
}

struct seen {
    int64_t seqs[16];
    int count;
    int stop_at;
};

static int note_seq(void *context, const struct result_entry *entry)
{
    struct seen *seen = context;

    seen->seqs[seen->count++] = entry->seq;
    return seen->count == seen->stop_at ? 7 : 0;
}

static void reading_goes_on_after_a_seq_up_to_a_limit(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};

    for (int i = 0; i < 6; i++)
        (void)append_text(fixture, NULL, "x");
    assert_int_equal(result_log_read(fixture->log, 2, 3, note_seq, &seen, NULL), 0);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.seqs[0], 3);
    assert_int_equal(seen.seqs[2], 5);
}

static void a_visitor_can_stop(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {.stop_at = 2};

    for (int i = 0; i < 6; i++)
        (void)append_text(fixture, NULL, "x");
    assert_int_equal(result_log_read(fixture->log, 0, 6, note_seq, &seen, NULL), 7);
    assert_int_equal(seen.count, 2);
}

static int check_duplicate(void *context, const struct result_entry *entry)
{
    (void)context;
    assert_int_equal(entry->duplicate_of, 1);
    assert_int_equal(entry->size, 3);
    assert_true(bytes_equal_text(entry->headers_json, "[]"));
    return 0;
}

static void a_duplicate_is_a_row_that_names_the_stored_one(void **state)
{
    struct fixture *fixture = *state;

    (void)append_text(fixture, "k", "abc");
    (void)append_text(fixture, "k", "abc");
    assert_int_equal(result_log_get(fixture->log, 2, check_duplicate, NULL, NULL), 0);
}

static void an_entry_that_is_not_there_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};

    assert_int_equal(result_log_get(fixture->log, 9, note_seq, &seen, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    assert_int_equal(seen.count, 0);
}

/* ---- bodies ---- */

static void check_body(struct fixture *fixture, int64_t seq, struct bytes expected)
{
    struct buffer body;

    buffer_init(&body, 32 * 1024 * 1024);
    buffer_append_text(&body, "before:");
    fixture_succeeds(result_log_body(fixture->log, seq, &body, &fixture->error), &fixture->error);
    assert_int_equal(body.length, 7 + expected.length);
    if (expected.length > 0)
        assert_memory_equal(body.data + 7, expected.data, expected.length);
    buffer_fini(&body);
}

static void bodies_of_all_sizes_come_back_byte_for_byte(void **state)
{
    static const size_t sizes[] = {0, 1, 500, 4096, 65536, 65537, 1 << 20, 16 << 20};
    unsigned char *data = malloc(16 << 20);

    assert_non_null(data);
    for (size_t i = 0; i < 16 << 20; i++)
        data[i] = (unsigned char)(i * 31 + (i >> 12));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct result_post post = a_post(NULL, "");

        post.body = bytes_of(data, sizes[i]);
        check_body(*state, appended(*state, &post).seq, post.body);
    }
    free(data);
}

static void the_body_of_a_duplicate_is_that_of_the_stored_one(void **state)
{
    (void)append_text(*state, "k", "abc");
    (void)append_text(*state, "k", "abc");
    check_body(*state, 2, bytes_of_text("abc"));
}

static void several_bodies_are_read_in_one_view(void **state)
{
    struct fixture *fixture = *state;
    struct result_reading reading;
    struct buffer body;

    (void)append_text(fixture, "a", "one");
    (void)append_text(fixture, "a", "one");
    (void)append_text(fixture, "b", "three");
    buffer_init(&body, 100);
    assert_int_equal(result_reading_begin(&reading, fixture->log, NULL), 0);
    for (int64_t seq = 1; seq <= 3; seq++)
        assert_int_equal(result_reading_body(&reading, seq, &body, NULL), 0);
    assert_string_equal(buffer_text(&body), "oneonethree");
    /* What is appended later is not in it. */
    (void)append_text(fixture, "c", "four");
    assert_int_equal(result_reading_body(&reading, 4, &body, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    result_reading_end(&reading);
    result_reading_end(&reading);
    check_body(fixture, 4, bytes_of_text("four"));
    buffer_fini(&body);
}

static void a_body_that_does_not_fit_is_too_large(void **state)
{
    struct fixture *fixture = *state;
    struct buffer body;

    (void)append_text(fixture, "k", "abcdef");
    buffer_init(&body, 5);
    assert_int_equal(result_log_body(fixture->log, 1, &body, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_TOO_LARGE);
    assert_int_equal(result_log_body(fixture->log, 2, &body, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    assert_int_equal(body.length, 0);
    buffer_fini(&body);
}

/* ---- seqs ---- */

static void the_last_seq_is_zero_before_the_first_append(void **state)
{
    struct fixture *fixture = *state;
    int64_t seq = -1;

    assert_int_equal(result_log_last_seq(fixture->log, &seq, NULL), 0);
    assert_int_equal(seq, 0);
    (void)append_text(fixture, "k", "abc");
    assert_int_equal(result_log_last_seq(fixture->log, &seq, NULL), 0);
    assert_int_equal(seq, 1);
}

static void a_seq_is_not_used_again_after_the_log_was_emptied(void **state)
{
    struct fixture *fixture = *state;
    int removed = 0;

    for (int i = 0; i < 3; i++)
        (void)append_text(fixture, NULL, "x");
    assert_int_equal(
        result_log_remove(fixture->log, INT64_MAX, 3, 10, NULL, NULL, &removed, NULL), 0);
    assert_int_equal(removed, 3);
    assert_int_equal(append_text(fixture, NULL, "x").seq, 4);
}

static void a_cursor_beyond_the_end_is_refused(void **state)
{
    struct fixture *fixture = *state;
    int count = 0;

    (void)append_text(fixture, NULL, "x");
    assert_int_equal(result_log_read(fixture->log, 1, 5, count_entry, &count, NULL), 0);
    assert_int_equal(result_log_read(fixture->log, 2, 5, count_entry, &count, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_CORRUPT);
    assert_non_null(strstr(fixture->error.message, "results.db"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_log, teardown)
    const struct CMUnitTest tests[] = {
        CASE(an_entry_comes_back_as_it_was_posted),
        CASE(the_run_comes_back),
        CASE(reading_goes_on_after_a_seq_up_to_a_limit),
        CASE(a_visitor_can_stop),
        CASE(a_duplicate_is_a_row_that_names_the_stored_one),
        CASE(an_entry_that_is_not_there_is_not_found),
        CASE(bodies_of_all_sizes_come_back_byte_for_byte),
        CASE(the_body_of_a_duplicate_is_that_of_the_stored_one),
        CASE(several_bodies_are_read_in_one_view),
        CASE(a_body_that_does_not_fit_is_too_large),
        CASE(the_last_seq_is_zero_before_the_first_append),
        CASE(a_seq_is_not_used_again_after_the_log_was_emptied),
        CASE(a_cursor_beyond_the_end_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
