/* SPDX-License-Identifier: MIT */
#include "store_fixture.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "db.h"
#include "schema.h"

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    char *message = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

static int64_t ask(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    int64_t answer;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    answer = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return answer;
}

static mode_t mode_of(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 0777;
}

static void preparing_makes_a_private_store(void **state)
{
    struct fixture *fixture = *state;

    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    assert_int_equal(mode_of(fixture_path(fixture, "log")), 0700);
    assert_int_equal(mode_of(fixture_path(fixture, "state")), 0700);
    assert_int_equal(mode_of(fixture_path(fixture, "log/results.db")), 0600);
    assert_int_equal(mode_of(fixture_path(fixture, "state/state.db")), 0600);
}

static void the_files_are_marked_as_ours(void **state)
{
    struct fixture *fixture = *state;
    const char *path;

    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    path = fixture_path(fixture, "log/results.db");
    assert_int_equal(ask(path, "PRAGMA application_id"), schema_results.application_id);
    assert_int_equal(ask(path, "PRAGMA user_version"), schema_results.step_count);
    assert_int_equal(ask(path, "PRAGMA auto_vacuum"), 2);
    assert_int_equal(ask(path, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    path = fixture_path(fixture, "state/state.db");
    assert_int_equal(ask(path, "PRAGMA application_id"), schema_state.application_id);
    assert_int_equal(ask(path, "PRAGMA user_version"), schema_state.step_count);
}

static void preparing_again_changes_nothing(void **state)
{
    struct fixture *fixture = *state;

    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    fixture_open_log(fixture);
    (void)append_text(fixture, "k", "1");
    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    (void)append_text(fixture, "k", "2");
    assert_int_equal(entries(fixture), 2);
}

static void a_directory_is_made_with_those_above_it(void **state)
{
    struct fixture *fixture = *state;
    char deep[512];

    snprintf(deep, sizeof deep, "%s/a/b", fixture->directory);
    fixture_succeeds(store_prepare(deep, &fixture->error), &fixture->error);
    assert_int_equal(mode_of(deep), 0700);
}

/* ---- files that are not ours ---- */

static void expect_refused(struct fixture *fixture, const char *words)
{
    struct result_log_options options = fixture_log_options(fixture);

    assert_int_equal(store_prepare(fixture->directory, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_CORRUPT);
    if (strstr(fixture->error.message, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fixture->error.message, words);
    assert_null(result_log_open(&options, &fixture->error));
    assert_int_equal(fixture->error.code, ERROR_CORRUPT);
}

static char *log_file_in_place(const struct fixture *fixture)
{
    assert_int_equal(mkdir(fixture_path(fixture, "log"), 0700), 0);
    return fixture_path(fixture, "log/results.db");
}

static void another_programs_database_is_refused_and_left_alone(void **state)
{
    const char *path = log_file_in_place(*state);

    run_sql(path, "CREATE TABLE precious (a); INSERT INTO precious VALUES (1);");
    expect_refused(*state, "is not a log of callbackd");
    path = fixture_path(*state, "log/results.db");
    assert_int_equal(ask(path, "SELECT count(*) FROM precious"), 1);
    assert_int_equal(ask(path, "SELECT journal_mode = 'delete' FROM pragma_journal_mode"), 1);
}

static void the_state_in_the_place_of_the_log_is_refused(void **state)
{
    struct fixture *fixture = *state;
    char from[512];

    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    snprintf(from, sizeof from, "%s", fixture_path(fixture, "state/state.db"));
    assert_int_equal(rename(from, fixture_path(fixture, "log/results.db")), 0);
    expect_refused(fixture, "is not a log of callbackd");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    FILE *file = fopen(log_file_in_place(*state), "w");

    assert_non_null(file);
    for (int i = 0; i < 100; i++)
        fputs("this is a text and no database at all, whatever its name may say\n", file);
    fclose(file);
    expect_refused(*state, "not a database");
}

static void a_newer_version_is_refused(void **state)
{
    struct fixture *fixture = *state;

    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    run_sql(fixture_path(fixture, "log/results.db"), "PRAGMA user_version = 1000");
    expect_refused(fixture, "newer callbackd");
}

static void a_store_that_is_not_there_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct result_log_options options = fixture_log_options(fixture);

    assert_null(result_log_open(&options, &fixture->error));
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    assert_null(state_open(fixture->directory, &fixture->error));
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
}

/* ---- migration ---- */

static void a_file_of_version_zero_is_brought_forward(void **state)
{
    struct fixture *fixture = *state;
    struct result_log_options options = fixture_log_options(fixture);
    char sql[64];

    snprintf(
        sql, sizeof sql, "PRAGMA application_id = %ld; PRAGMA journal_mode = WAL",
        (long)schema_results.application_id);
    run_sql(log_file_in_place(fixture), sql);
    assert_null(result_log_open(&options, &fixture->error));
    assert_int_equal(fixture->error.code, ERROR_CONFLICT);
    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
    fixture_open_log(fixture);
    (void)append_text(fixture, "k", "1");
}

static struct db *open_with(
    const struct fixture *fixture, const struct schema *schema, enum db_use use,
    struct error *error)
{
    const struct db_options options = {
        .path = fixture_path(fixture, "some.db"), .schema = schema, .use = use, .cache_kib = 100};

    return db_open(&options, error);
}

static const char *const steps[] = {
    "CREATE TABLE t (a); INSERT INTO t VALUES (42);",
    "ALTER TABLE t ADD COLUMN b; UPDATE t SET b = a + 1;",
    "this is no SQL",
};

static struct schema schema_of(int step_count)
{
    return (struct schema){
        .name = "test", .application_id = 77, .steps = steps, .step_count = step_count};
}

static void a_step_finds_what_the_one_before_left(void **state)
{
    struct fixture *fixture = *state;
    const struct schema first = schema_of(1);
    const struct schema second = schema_of(2);
    struct db *db = open_with(fixture, &first, DB_CREATE, &fixture->error);
    int64_t number = 0;

    assert_non_null(db);
    db_close(db);
    assert_null(open_with(fixture, &second, DB_WRITE, &fixture->error));
    assert_int_equal(fixture->error.code, ERROR_CONFLICT);
    db = open_with(fixture, &second, DB_CREATE, &fixture->error);
    assert_non_null(db);
    assert_int_equal(db_number(db, "SELECT b FROM t", &number, NULL), 0);
    assert_int_equal(number, 43);
    db_close(db);
}

static void a_step_that_fails_leaves_the_file_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    const struct schema first = schema_of(1);
    const struct schema broken = schema_of(3);
    struct db *db = open_with(fixture, &first, DB_CREATE, &fixture->error);

    assert_non_null(db);
    db_close(db);
    assert_null(open_with(fixture, &broken, DB_CREATE, &fixture->error));
    assert_non_null(strstr(fixture->error.message, "schema step 3"));
    assert_int_equal(ask(fixture_path(fixture, "some.db"), "PRAGMA user_version"), 1);
    db = open_with(fixture, &first, DB_WRITE, &fixture->error);
    assert_non_null(db);
    db_close(db);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_directory, teardown)
    const struct CMUnitTest tests[] = {
        CASE(preparing_makes_a_private_store),
        CASE(the_files_are_marked_as_ours),
        CASE(preparing_again_changes_nothing),
        CASE(a_directory_is_made_with_those_above_it),
        CASE(another_programs_database_is_refused_and_left_alone),
        CASE(the_state_in_the_place_of_the_log_is_refused),
        CASE(a_file_that_is_no_database_is_refused),
        CASE(a_newer_version_is_refused),
        CASE(a_store_that_is_not_there_is_not_found),
        CASE(a_file_of_version_zero_is_brought_forward),
        CASE(a_step_finds_what_the_one_before_left),
        CASE(a_step_that_fails_leaves_the_file_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
