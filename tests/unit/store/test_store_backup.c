/* SPDX-License-Identifier: MIT */
#include "state_fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

static int insert_result(struct state_tx *tx, void *context, struct error *error)
{
    if (state_result_insert(tx, context, error) != 0)
        return -1;
    return state_cursor_set(tx, ((struct result_record *)context)->seq, error);
}

static int setup_both(void **state)
{
    struct fixture *fixture;

    setup_log(state);
    fixture = *state;
    fixture->state = state_open(fixture->directory, &fixture->error);
    fixture_succeeds(fixture->state == NULL ? -1 : 0, &fixture->error);
    return 0;
}

static void both(struct fixture *fixture, const char *body)
{
    struct result_record result = a_result(append_text(fixture, NULL, body).seq);

    writes(fixture, insert_result, &result);
}

static struct fixture backed_up(struct fixture *fixture)
{
    struct fixture copy;

    fixture_make_directory(&copy);
    fixture_succeeds(
        store_backup(fixture->directory, copy.directory, &fixture->error), &fixture->error);
    return copy;
}

static void print_finding(void *context, const char *finding)
{
    (void)context;
    print_message("%s\n", finding);
}

static int64_t findings(struct fixture *fixture)
{
    int64_t count = -1;

    fixture_succeeds(
        store_check(fixture->directory, print_finding, NULL, &count, &fixture->error),
        &fixture->error);
    return count;
}

static void open_copy(struct fixture *copy)
{
    fixture_open_log(copy);
    copy->state = state_open(copy->directory, &copy->error);
    fixture_succeeds(copy->state == NULL ? -1 : 0, &copy->error);
}

static int get_cursor(struct state_tx *tx, void *context, struct error *error)
{
    return state_cursor_get(tx, context, error);
}

static void a_copy_is_a_store_with_the_same_content(void **state)
{
    struct fixture *fixture = *state;
    struct fixture copy;
    struct buffer body;
    int64_t cursor = -1;

    for (int i = 0; i < 5; i++)
        both(fixture, "the body");
    copy = backed_up(fixture);
    assert_int_equal(findings(&copy), 0);
    open_copy(&copy);
    assert_int_equal(entries(&copy), 5);
    reads(&copy, get_cursor, &cursor);
    assert_int_equal(cursor, 5);
    buffer_init(&body, 100);
    assert_int_equal(result_log_body(copy.log, 3, &body, NULL), 0);
    assert_string_equal(buffer_text(&body), "the body");
    buffer_fini(&body);
    fixture_close(&copy);
}

static void the_numbering_goes_on_in_the_copy(void **state)
{
    struct fixture *fixture = *state;
    struct fixture copy;
    int removed = 0;

    for (int i = 0; i < 3; i++)
        both(fixture, "x");
    assert_int_equal(
        result_log_remove(fixture->log, INT64_MAX, 3, 10, NULL, NULL, &removed, NULL), 0);
    copy = backed_up(fixture);
    open_copy(&copy);
    assert_int_equal(append_text(&copy, NULL, "x").seq, 4);
    fixture_close(&copy);
}

static void many_rows_are_copied_in_slices(void **state)
{
    struct fixture *fixture = *state;
    struct fixture copy;
    char *body = calloc(1, 3 << 20);

    memset(body, 'x', (3 << 20) - 1);
    for (int i = 0; i < 25; i++)
        (void)append_text(fixture, NULL, body);
    copy = backed_up(fixture);
    open_copy(&copy);
    assert_int_equal(entries(&copy), 25);
    fixture_close(&copy);
    free(body);
}

struct load {
    struct fixture *fixture;
    _Atomic bool stop;
};

static void *keep_posting(void *argument)
{
    struct load *load = argument;

    while (!atomic_load(&load->stop)) {
        struct result_post post = a_post(NULL, "{}");
        struct result_receipt receipt;
        struct result_record result;

        if (result_log_append(load->fixture->log, &post, &receipt, NULL) != 0)
            return load;
        result = a_result(receipt.seq);
        if (state_write(load->fixture->state, insert_result, &result, NULL) != 0)
            return load;
    }
    return NULL;
}

static void a_copy_under_load_fits_together(void **state)
{
    struct fixture *fixture = *state;
    struct load load = {.fixture = fixture};
    pthread_t thread;
    void *failed = NULL;

    both(fixture, "x");
    assert_int_equal(pthread_create(&thread, NULL, keep_posting, &load), 0);
    for (int i = 0; i < 5; i++) {
        struct fixture copy = backed_up(fixture);

        assert_int_equal(findings(&copy), 0);
        fixture_remove_directory(&copy);
    }
    atomic_store(&load.stop, true);
    pthread_join(thread, &failed);
    assert_null(failed);
}

static void a_directory_in_use_is_not_written_over(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(store_backup(fixture->directory, fixture->directory, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_CONFLICT);
}

/* ---- checking ---- */

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_sound_store_has_no_findings(void **state)
{
    both(*state, "x");
    assert_int_equal(findings(*state), 0);
}

static void a_log_that_ends_before_the_cursor_is_found(void **state)
{
    struct fixture *fixture = *state;

    both(fixture, "x");
    run_sql(fixture_path(fixture, "state/state.db"), "UPDATE meta SET value = 99");
    assert_int_equal(findings(fixture), 1);
}

#define JOB                                                                                        \
    "INSERT INTO jobs (id, hook, result_seq, state, attempts_made, next_at, created_at, replay,"   \
    " cancel_requested, order_key, held) "

static void rows_that_lost_their_parent_are_found(void **state)
{
    struct fixture *fixture = *state;

    run_sql(
        fixture_path(fixture, "state/state.db"),
        JOB "VALUES ('x', 'notify', 77, 'waiting', 0, 0, 0, 0, 0, NULL, 0)");
    assert_int_equal(findings(fixture), 1);
}

static void a_line_that_nobody_leads_is_found(void **state)
{
    struct fixture *fixture = *state;
    const char *path = fixture_path(fixture, "state/state.db");

    both(fixture, "x");
    run_sql(
        path, JOB "SELECT 'x', 'notify', seq, 'waiting', 0, 0, 0, 0, 0, 'workflow:a', 0"
                  " FROM results LIMIT 1");
    run_sql(
        path, JOB "SELECT 'y', 'notify', seq, 'waiting', 0, 0, 0, 0, 0, 'workflow:a', 1"
                  " FROM results LIMIT 1");
    assert_int_equal(findings(fixture), 0);
    run_sql(path, "UPDATE jobs SET held = 1");
    assert_int_equal(findings(fixture), 2);
}

static void a_damaged_page_is_found(void **state)
{
    struct fixture *fixture = *state;
    FILE *file;

    for (int i = 0; i < 200; i++)
        (void)append_text(fixture, "same key for all", i % 2 ? "{\"a\":1}" : "{\"b\":1}");
    result_log_close(fixture->log);
    fixture->log = NULL;
    file = fopen(fixture_path(fixture, "log/results.db"), "r+");
    assert_non_null(file);
    fseek(file, -4096 + 8, SEEK_END);
    for (int i = 0; i < 256; i++)
        fputc(0xa5, file);
    fclose(file);
    assert_true(findings(fixture) > 0);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_both, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_copy_is_a_store_with_the_same_content),
        CASE(the_numbering_goes_on_in_the_copy),
        CASE(many_rows_are_copied_in_slices),
        CASE(a_copy_under_load_fits_together),
        CASE(a_directory_in_use_is_not_written_over),
        CASE(a_sound_store_has_no_findings),
        CASE(a_log_that_ends_before_the_cursor_is_found),
        CASE(rows_that_lost_their_parent_are_found),
        CASE(a_line_that_nobody_leads_is_found),
        CASE(a_damaged_page_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
