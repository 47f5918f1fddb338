/* SPDX-License-Identifier: MIT */
#include "upkeep_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

static int back_up(struct fixture *fixture, const char *target)
{
    const struct store_backup_options options = {.directory = fixture->directory, .target = target};
    struct store_backup_figures figures;

    return store_backup(&options, &figures, &fixture->error);
}

static struct fixture backed_up(struct fixture *fixture)
{
    struct fixture copy;

    fixture_make_directory(&copy);
    fixture_succeeds(back_up(fixture, copy.directory), &fixture->error);
    return copy;
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
        result = decided(load->fixture->log, receipt.seq);
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

static void a_copy_takes_what_was_there_when_it_began(void **state)
{
    struct fixture *fixture = *state;
    struct load load = {.fixture = fixture};
    pthread_t thread;
    void *failed = NULL;
    int before = 50;

    for (int i = 0; i < before; i++)
        both(fixture, "x");
    assert_int_equal(pthread_create(&thread, NULL, keep_posting, &load), 0);
    struct fixture copy = backed_up(fixture);
    atomic_store(&load.stop, true);
    pthread_join(thread, &failed);
    assert_null(failed);
    open_copy(&copy);
    assert_true(entries(&copy) >= before);
    fixture_close(&copy);
}

static mode_t mode_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 0777;
}

static void a_copy_is_private_and_has_nothing_beside_the_store(void **state)
{
    struct fixture *fixture = *state;
    struct fixture outer;
    struct fixture copy;

    fixture_make_directory(&outer);
    copy = outer;
    snprintf(copy.directory, sizeof copy.directory, "%.200s/new", outer.directory);
    both(fixture, "x");
    fixture_succeeds(back_up(fixture, copy.directory), &fixture->error);
    assert_int_equal(mode_of(copy.directory), 0700);
    assert_int_equal(mode_of(fixture_path(&copy, "log")), 0700);
    assert_int_equal(mode_of(fixture_path(&copy, "log/results.db")), 0600);
    assert_int_equal(mode_of(fixture_path(&copy, "state/state.db")), 0600);
    assert_int_equal(access(fixture_path(&copy, "incomplete"), F_OK), -1);
    assert_int_equal(access(fixture_path(&copy, "log/results.db-wal"), F_OK), -1);
    assert_int_equal(access(fixture_path(&copy, "state/state.db-wal"), F_OK), -1);
    fixture_remove_directory(&outer);
}

static void a_copy_that_failed_leaves_nothing_in_the_way(void **state)
{
    struct fixture *fixture = *state;
    struct fixture copy;
    char away[300];

    fixture_make_directory(&copy);
    both(fixture, "x");
    snprintf(away, sizeof away, "%s/away", fixture->directory);
    assert_int_equal(rename(fixture_path(fixture, "log"), away), 0);
    assert_int_equal(back_up(fixture, copy.directory), -1);
    assert_int_equal(rename(away, fixture_path(fixture, "log")), 0);
    assert_int_equal(access(fixture_path(&copy, "state"), F_OK), -1);
    fixture_succeeds(back_up(fixture, copy.directory), &fixture->error);
    assert_int_equal(findings(&copy), 0);
    fixture_remove_directory(&copy);
}

static void a_copy_that_was_broken_off_is_in_the_way(void **state)
{
    struct fixture *fixture = *state;
    struct fixture copy;

    fixture_make_directory(&copy);
    assert_int_equal(mkdir(fixture_path(&copy, "incomplete"), 0700), 0);
    assert_int_equal(back_up(fixture, copy.directory), -1);
    assert_int_equal(fixture->error.code, ERROR_CONFLICT);
    assert_non_null(strstr(fixture->error.message, "incomplete"));
    fixture_remove_directory(&copy);
}

static void a_copy_and_retention_exclude_each_other(void **state)
{
    struct fixture *fixture = *state;
    int hold = -1;
    int second = -1;

    fixture_succeeds(
        store_hold_removal(fixture->directory, 0, &hold, &fixture->error), &fixture->error);
    assert_int_equal(store_hold_removal(fixture->directory, 0, &second, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_BUSY);
    close(hold);
    fixture_succeeds(
        store_hold_removal(fixture->directory, 0, &second, &fixture->error), &fixture->error);
    close(second);
}

static int mark_open(struct state_tx *tx, void *context, struct error *error)
{
    return state_mark_open(tx, context, error);
}

static int mark_closed(struct state_tx *tx, void *context, struct error *error)
{
    (void)context;
    return state_mark_closed(tx, error);
}

static void a_copy_is_checked_when_it_is_first_used(void **state)
{
    struct fixture *fixture = *state;
    struct fixture copy;
    bool unclean = true;

    writes(fixture, mark_open, &unclean);
    assert_false(unclean);
    writes(fixture, mark_open, &unclean);
    assert_true(unclean);
    writes(fixture, mark_closed, NULL);
    copy = backed_up(fixture);
    writes(fixture, mark_open, &unclean);
    assert_false(unclean);
    open_copy(&copy);
    writes(&copy, mark_open, &unclean);
    assert_true(unclean);
    fixture_close(&copy);
}

static void a_directory_in_use_is_not_written_over(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(back_up(fixture, fixture->directory), -1);
    assert_int_equal(fixture->error.code, ERROR_CONFLICT);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_both, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_copy_is_a_store_with_the_same_content),
        CASE(the_numbering_goes_on_in_the_copy),
        CASE(many_rows_are_copied_in_slices),
        CASE(a_copy_under_load_fits_together),
        CASE(a_copy_takes_what_was_there_when_it_began),
        CASE(a_copy_is_private_and_has_nothing_beside_the_store),
        CASE(a_copy_that_failed_leaves_nothing_in_the_way),
        CASE(a_copy_that_was_broken_off_is_in_the_way),
        CASE(a_copy_and_retention_exclude_each_other),
        CASE(a_copy_is_checked_when_it_is_first_used),
        CASE(a_directory_in_use_is_not_written_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
