/* SPDX-License-Identifier: MIT */
#include "store_fixture.h"

#include <sqlite3.h>
#include <sys/stat.h>

#include "db.h"
#include "faulty_vfs.h"
#include "statement.h"

static const char *const steps[] = {"CREATE TABLE t (a, b)"};
static const struct schema schema = {
    .name = "test", .application_id = 77, .steps = steps, .step_count = 1, .page_bytes = 2048};

static struct db *open_as(
    struct fixture *fixture, const struct schema *as, enum db_use use, int64_t read_limit_ms)
{
    const struct db_options options = {
        .path = fixture_path(fixture, "some.db"),
        .schema = as,
        .use = use,
        .cache_kib = 100,
        .read_limit_ms = read_limit_ms,
    };
    struct db *db = db_open(&options, &fixture->error);

    fixture_succeeds(db == NULL ? -1 : 0, &fixture->error);
    return db;
}

static struct db *open_for(struct fixture *fixture, enum db_use use, int64_t read_limit_ms)
{
    return open_as(fixture, &schema, use, read_limit_ms);
}

static void settings_are_those_of_the_contract(void **state)
{
    static const struct {
        const char *sql;
        int64_t value;
    } settings[] = {
        {"PRAGMA synchronous", 2},     {"PRAGMA mmap_size", 0},      {"PRAGMA foreign_keys", 1},
        {"PRAGMA page_size", 2048},    {"PRAGMA cache_size", -100},  {"PRAGMA auto_vacuum", 2},
        {"PRAGMA cell_size_check", 1}, {"PRAGMA trusted_schema", 0},
    };
    struct db *db;

    db_close(open_for(*state, DB_CREATE, 0));
    db = open_for(*state, DB_WRITE, 0);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        int64_t value = -1;

        assert_int_equal(db_number(db, settings[i].sql, &value, NULL), 0);
        assert_int_equal(value, settings[i].value);
    }
    db_close(db);
}

static void a_question_that_takes_too_long_is_ended(void **state)
{
    struct fixture *fixture = *state;
    struct db *db;
    int64_t number;

    db_close(open_for(fixture, DB_CREATE, 0));
    db = open_for(fixture, DB_READ, 30);
    assert_int_equal(
        db_number(
            db,
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
            " SELECT count(*) FROM n",
            &number, &fixture->error),
        -1);
    assert_int_equal(fixture->error.code, ERROR_TIMEOUT);
    assert_int_equal(db_number(db, "SELECT 5", &number, NULL), 0);
    assert_int_equal(number, 5);
    db_close(db);
}

static void a_statement_is_kept_and_lent_once(void **state)
{
    static const char sql[] = "SELECT ?";
    struct db *db = open_for(*state, DB_CREATE, 0);
    struct sqlite3_stmt *kept;

    {
        STATEMENT first = {0};
        STATEMENT second = {0};

        assert_int_equal(statement_open(&first, db, sql, NULL), 0);
        assert_int_equal(statement_open(&second, db, sql, NULL), 0);
        assert_ptr_not_equal(first.handle, second.handle);
        kept = first.handle;
    }
    {
        STATEMENT again = {0};

        assert_int_equal(statement_open(&again, db, sql, NULL), 0);
        assert_ptr_equal(again.handle, kept);
        assert_int_equal(statement_step(&again, NULL), 1);
        assert_true(statement_is_null(&again, 0)); /* nothing of an earlier use is left */
    }
    db_close(db);
}

static void empty_bytes_are_not_null(void **state)
{
    struct db *db = open_for(*state, DB_CREATE, 0);

    {
        STATEMENT row = {0};

        assert_int_equal(
            statement_open(&row, db, "SELECT typeof(?), typeof(?), typeof(?)", NULL), 0);
        statement_bind_blob(&row, bytes_of(NULL, 0));
        statement_bind_text_bytes(&row, bytes_of(NULL, 0));
        statement_bind_text(&row, NULL);
        assert_int_equal(statement_step(&row, NULL), 1);
        assert_string_equal(statement_text(&row, 0), "blob");
        assert_string_equal(statement_text(&row, 1), "text");
        assert_string_equal(statement_text(&row, 2), "null");
    }
    db_close(db);
}

static void a_text_that_is_no_id_is_corruption(void **state)
{
    struct fixture *fixture = *state;
    struct db *db = open_for(fixture, DB_CREATE, 0);

    {
        STATEMENT row = {0};
        struct id id;

        assert_int_equal(statement_open(&row, db, "SELECT 'nonsense'", NULL), 0);
        assert_int_equal(statement_step(&row, NULL), 1);
        assert_int_equal(statement_id(&row, 0, &id, &fixture->error), -1);
        assert_int_equal(fixture->error.code, ERROR_CORRUPT);
    }
    db_close(db);
}

static void a_file_that_was_replaced_has_moved(void **state)
{
    struct fixture *fixture = *state;
    struct db *db = open_for(fixture, DB_CREATE, 0);
    char from[512];

    assert_false(db_moved(db));
    snprintf(from, sizeof from, "%s", fixture_path(fixture, "some.db"));
    assert_int_equal(rename(from, fixture_path(fixture, "other.db")), 0);
    assert_true(db_moved(db));
    fclose(fopen(from, "w"));
    assert_true(db_moved(db));
    db_close(db);
}

static void the_wal_can_be_emptied(void **state)
{
    struct db *db = open_for(*state, DB_CREATE, 0);
    bool busy = true;

    assert_int_equal(db_script(db, "INSERT INTO t VALUES (1, 2)", NULL), 0);
    assert_true(db_wal_bytes(db) > 0);
    assert_int_equal(db_checkpoint_truncate(db, &busy, NULL), 0);
    assert_false(busy);
    db_close(db);
}

static off_t wal_size(struct fixture *fixture)
{
    struct stat status;

    assert_int_equal(stat(fixture_path(fixture, "some.db-wal"), &status), 0);
    return status.st_size;
}

/* Of an earlier version's store. */
static void a_file_keeps_the_pages_that_it_has(void **state)
{
    struct schema of_today = schema;
    struct db *db = open_for(*state, DB_CREATE, 0);
    int64_t page_bytes = 0;

    db_close(db);
    of_today.page_bytes = 8192;
    db_close(open_as(*state, &of_today, DB_CREATE, 0));
    db = open_as(*state, &of_today, DB_WRITE, 0);
    assert_int_equal(db_number(db, "PRAGMA page_size", &page_bytes, NULL), 0);
    assert_int_equal(page_bytes, 2048);
    assert_int_equal(db_script(db, "INSERT INTO t VALUES (1, zeroblob(30000))", NULL), 0);
    assert_int_equal(db_wal_bytes(db), wal_size(*state));
    db_close(db);
}

static void insert_rows(struct db *db, int count)
{
    for (int i = 0; i < count; i++)
        assert_int_equal(db_script(db, "INSERT INTO t VALUES (1, zeroblob(3000))", NULL), 0);
}

/* A reader keeps the first checkpoint from the end, and so from its sync. What it has written the
 * system may have given up when the sync of the second one fails. */
static void after_a_sync_that_failed_all_is_copied_again(void **state)
{
    enum { EARLIER = 40, LATER = 10 };
    struct db *db;
    struct db *reader;
    int64_t number;

    faulty_install();
    db = open_for(*state, DB_CREATE, 0);
    reader = open_for(*state, DB_READ, 0);
    insert_rows(db, EARLIER);
    assert_int_equal(db_script(reader, "BEGIN", NULL), 0);
    assert_int_equal(db_number(reader, "SELECT count(*) FROM t", &number, NULL), 0);
    insert_rows(db, LATER);
    assert_int_equal(db_checkpoint(db, NULL), 0);
    assert_int_equal(db_script(reader, "COMMIT", NULL), 0);
    faulty_fail(FAULTY_SYNC, SQLITE_IOERR_FSYNC, 2, 2); /* of the database; the WAL's comes first */
    assert_int_equal(db_checkpoint(db, NULL), -1);
    assert_int_equal(atomic_load(&faulty_plan.failed), 1);
    faulty_fail(FAULTY_WRITE, SQLITE_IOERR_WRITE, 0, 0);
    assert_int_equal(db_checkpoint(db, NULL), 0);
    assert_true(atomic_load(&faulty_plan.seen[FAULTY_WRITE]) >= EARLIER + LATER);
    db_close(reader);
    db_close(db);
}

/* As one whom the receiver's process obeys could write into the log that the worker reads. */
static void nothing_that_is_not_of_our_schema_is_run(void **state)
{
    struct fixture *fixture = *state;
    sqlite3 *other = NULL;
    int64_t count = -1;
    struct db *db;

    db_close(open_for(fixture, DB_CREATE, 0));
    assert_int_equal(sqlite3_open(fixture_path(fixture, "some.db"), &other), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(
            other,
            "CREATE TRIGGER more AFTER INSERT ON t BEGIN INSERT INTO t VALUES (3, 4); END;"
            "CREATE VIEW v AS SELECT count(*) FROM t, t AS u;",
            NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    db = open_for(fixture, DB_WRITE, 0);
    assert_int_equal(db_script(db, "INSERT INTO t VALUES (1, 2)", NULL), 0);
    assert_int_equal(db_number(db, "SELECT count(*) FROM t", &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(db_number(db, "SELECT * FROM v", &count, NULL), -1);
    db_close(db);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_directory, teardown)
    const struct CMUnitTest tests[] = {
        CASE(settings_are_those_of_the_contract),
        CASE(a_question_that_takes_too_long_is_ended),
        CASE(a_statement_is_kept_and_lent_once),
        CASE(empty_bytes_are_not_null),
        CASE(a_text_that_is_no_id_is_corruption),
        CASE(a_file_that_was_replaced_has_moved),
        CASE(the_wal_can_be_emptied),
        CASE(a_file_keeps_the_pages_that_it_has),
        CASE(nothing_that_is_not_of_our_schema_is_run),
        CASE(after_a_sync_that_failed_all_is_copied_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
