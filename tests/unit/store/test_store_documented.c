/* SPDX-License-Identifier: MIT */
/* docs/STORE.md speaks of every table and of each of its columns, under the table's heading. */
#include "store_fixture.h"

#include <sqlite3.h>

#include "callbackd/os.h"

/* The document, beside this file in the source tree. */
static void read_document(struct buffer *document)
{
    CLEANUP_FREE char *path = strdup(__FILE__);
    CLEANUP_FREE char *full = NULL;
    struct error error = {0};

    assert_non_null(strrchr(path, '/'));
    *strrchr(path, '/') = '\0';
    full = os_path_join(path, "../../../docs/STORE.md");
    fixture_succeeds(os_read_file(full, document, &error), &error);
}

/* The section of a table, as a text of its own. */
static char *section(const char *document, const char *table)
{
    char heading[64];
    const char *begin;
    const char *end;

    snprintf(heading, sizeof heading, "\n### `%s`\n", table);
    begin = strstr(document, heading);
    if (begin == NULL) {
        fail_msg("docs/STORE.md has no heading for %s", table);
        return NULL; /* not reached, which the compiler is not told */
    }
    end = strstr(begin + 1, "\n##");
    return end != NULL ? strndup(begin, (size_t)(end - begin)) : strdup(begin);
}

static void check_columns(sqlite3 *db, const char *document, const char *table)
{
    CLEANUP_FREE char *text = section(document, table);
    sqlite3_stmt *columns;
    char row[96];

    /* xinfo: generated columns too */
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT name FROM pragma_table_xinfo(?)", -1, &columns, NULL),
        SQLITE_OK);
    sqlite3_bind_text(columns, 1, table, -1, SQLITE_STATIC);
    while (sqlite3_step(columns) == SQLITE_ROW) {
        snprintf(row, sizeof row, "\n| `%s` |", (const char *)sqlite3_column_text(columns, 0));
        if (strstr(text, row) == NULL)
            fail_msg("docs/STORE.md: %s has no row \"%s\"", table, row + 1);
    }
    sqlite3_finalize(columns);
}

static void check_database(struct fixture *fixture, const char *file, int tables_expected)
{
    struct buffer document;
    sqlite3 *db;
    sqlite3_stmt *tables;
    int count = 0;

    buffer_init(&document, 1 << 20);
    read_document(&document);
    assert_int_equal(sqlite3_open(fixture_path(fixture, file), &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(
            db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
            -1, &tables, NULL),
        SQLITE_OK);
    for (; sqlite3_step(tables) == SQLITE_ROW; count++)
        check_columns(db, buffer_text(&document), (const char *)sqlite3_column_text(tables, 0));
    assert_int_equal(count, tables_expected);
    sqlite3_finalize(tables);
    sqlite3_close(db);
    buffer_fini(&document);
}

static void every_column_of_the_log_is_documented(void **state)
{
    check_database(*state, "log/results.db", 3);
}

static void every_column_of_the_state_is_documented(void **state)
{
    check_database(*state, "state/state.db", 8);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_prepared, teardown)
    const struct CMUnitTest tests[] = {
        CASE(every_column_of_the_log_is_documented),
        CASE(every_column_of_the_state_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
