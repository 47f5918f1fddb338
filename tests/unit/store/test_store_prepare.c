/* SPDX-License-Identifier: MIT */
#include "store_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static const char *path_of(const struct fixture *fixture, const char *name)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", fixture->directory, name);
    return path;
}

static void append_one(struct fixture *fixture)
{
    struct result_post post = a_post("1", "{}");
    struct result_receipt receipt;

    fixture_open_log(fixture);
    fixture_succeeds(
        result_log_append(fixture->log, &post, &receipt, &fixture->error), &fixture->error);
    result_log_close(fixture->log);
    fixture->log = NULL;
}

static void both_databases_are_made_and_private(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {".", "log", "state", "log/results.db", "state/state.db"};
    struct stat status;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(stat(path_of(fixture, names[i]), &status), 0);
        assert_int_equal(status.st_mode & 077, 0);
    }
}

/* https://sqlite.org/fileformat.html, "The Database Header" */
static int page_bytes(const char *path)
{
    unsigned char header[18];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_int_equal(fread(header, 1, sizeof header, file), sizeof header);
    fclose(file);
    return header[16] << 8 | header[17];
}

static void each_database_has_the_pages_that_suit_it(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(page_bytes(path_of(fixture, "log/results.db")), 8192);
    assert_int_equal(page_bytes(path_of(fixture, "state/state.db")), 4096);
}

static void a_prepared_store_is_left_as_it_is(void **state)
{
    struct fixture *fixture = *state;
    int64_t newest = 0;

    append_one(fixture);
    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    fixture_open_log(fixture);
    fixture_succeeds(result_log_last_seq(fixture->log, &newest, &fixture->error), &fixture->error);
    assert_int_equal(newest, 1);
}

/* Of an empty log too: nothing would be triggered again. */
static void a_state_that_is_missing_beside_an_empty_log_is_made(void **state)
{
    struct fixture *fixture = *state;

    assert_int_equal(unlink(path_of(fixture, "state/state.db")), 0);
    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    assert_int_equal(access(path_of(fixture, "state/state.db"), F_OK), 0);
}

static void a_state_that_is_missing_beside_results_is_refused(void **state)
{
    struct fixture *fixture = *state;

    append_one(fixture);
    assert_int_equal(unlink(path_of(fixture, "state/state.db")), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_prepare(fixture->directory, &fixture->error), -1);
        assert_int_equal(fixture->error.code, ERROR_CORRUPT);
        assert_non_null(strstr(fixture->error.message, "state/state.db is missing"));
        assert_int_equal(access(path_of(fixture, "state/state.db"), F_OK), -1);
    }
}

static void an_empty_file_says_that_a_new_state_is_meant(void **state)
{
    struct fixture *fixture = *state;
    int fd;

    append_one(fixture);
    assert_int_equal(unlink(path_of(fixture, "state/state.db")), 0);
    fd = open(path_of(fixture, "state/state.db"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    fixture->state = state_open(fixture->directory, &fixture->error);
    assert_non_null(fixture->state);
}

static int set_up(void **state)
{
    static struct fixture fixture;

    fixture_prepare(&fixture);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    fixture_close(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(both_databases_are_made_and_private),
        TEST(each_database_has_the_pages_that_suit_it),
        TEST(a_prepared_store_is_left_as_it_is),
        TEST(a_state_that_is_missing_beside_an_empty_log_is_made),
        TEST(a_state_that_is_missing_beside_results_is_refused),
        TEST(an_empty_file_says_that_a_new_state_is_meant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
