/* SPDX-License-Identifier: MIT */
#include "upkeep_fixture.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "schema.h"

static void run_sql(struct fixture *fixture, const char *file, const char *sql)
{
    char *message = NULL;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(fixture_path(fixture, file), &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
}

/* The findings, one a line. */
struct heard {
    int64_t count;
    char text[4096];
};

static void hear(void *context, const char *finding)
{
    struct heard *heard = context;
    size_t length = strlen(heard->text);

    heard->count++;
    snprintf(heard->text + length, sizeof heard->text - length, "%s\n", finding);
}

/* Exactly one thing is wrong, and the words say what. */
static void finds(struct fixture *fixture, const char *words)
{
    struct heard heard = {0};
    const struct store_check_options options = {
        .directory = fixture->directory,
        .parts = STORE_CHECK_ROWS | STORE_CHECK_STRUCTURE,
        .found = hear,
        .context = &heard,
    };
    struct store_check_figures figures;

    fixture_succeeds(store_check(&options, &figures, &fixture->error), &fixture->error);
    if (figures.findings != 1 || strstr(heard.text, words) == NULL)
        fail_msg("\"%s\" expected, %lld found: %s", words, (long long)figures.findings, heard.text);
}

static void close_log(struct fixture *fixture)
{
    result_log_close(fixture->log);
    fixture->log = NULL;
}

/* ---- cases ---- */

static void a_sound_store_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    struct rejected_post rejected = {
        .endpoint = "", .remote_address = "", .reason = "", .body = bytes_of_text("no")};

    for (int i = 0; i < 1200; i++) /* several slices */
        both(fixture, "x");
    (void)append_text(fixture, "k", "1");
    (void)append_text(fixture, "k", "1"); /* a duplicate */
    (void)append_text(fixture, "k", "2");
    result_log_reject(fixture->log, &rejected);
    (void)append_text(fixture, NULL, ""); /* after it, so that it is stored */
    assert_int_equal(findings(fixture), 0);
}

static void an_empty_store_has_no_findings(void **state)
{
    assert_int_equal(findings(*state), 0);
}

static void a_log_that_ends_before_the_cursor_is_found(void **state)
{
    both(*state, "x");
    run_sql(*state, "state/state.db", "UPDATE meta SET value = 99 WHERE name = 'cursor'");
    finds(*state, "it is not the log of this state");
}

static void a_body_that_changed_is_found(void **state)
{
    both(*state, "one");
    both(*state, "two");
    run_sql(
        *state, "log/results.db", "UPDATE received SET body = CAST('twi' AS BLOB) WHERE seq = 2");
    finds(*state, "the body of entry 2 is not the one that was hashed");
    run_sql(
        *state, "log/results.db", "UPDATE received SET body = CAST('tw' AS BLOB) WHERE seq = 2");
    finds(*state, "the body of entry 2 has 2 bytes instead of 3");
}

static void an_entry_that_is_missing_is_found(void **state)
{
    for (int i = 0; i < 3; i++)
        both(*state, "x");
    run_sql(*state, "log/results.db", "DELETE FROM received WHERE seq = 2");
    finds(*state, "the entry of result 2 is missing");
}

static void an_entry_that_was_replaced_is_found(void **state)
{
    both(*state, "x");
    run_sql(
        *state, "state/state.db",
        "UPDATE results SET id = '01900000-0000-7000-8000-000000000000' WHERE seq = 1");
    finds(*state, "result 1 is not the one that the log has there");
}

#define JOB                                                                                        \
    "INSERT INTO jobs (id, hook, result_seq, state, attempts_made, next_at, created_at, replay,"   \
    " cancel_requested, order_key, held) "

static void a_job_without_its_result_is_found(void **state)
{
    run_sql(
        *state, "state/state.db",
        "INSERT INTO job_counts VALUES ('notify', 'waiting', 1);" JOB
        "VALUES ('x', 'notify', 77, 'waiting', 0, 0, 0, 0, 0, NULL, 0)");
    finds(*state, "job 1 has lost its result");
}

static void an_attempt_without_its_job_is_found(void **state)
{
    run_sql(
        *state, "state/state.db",
        "INSERT INTO attempts VALUES (9, 1, 0, 0, 'exit', 0, NULL, NULL, 0, NULL, NULL)");
    finds(*state, "attempt 1 has lost its job");
}

static void a_line_that_nobody_leads_is_found(void **state)
{
    both(*state, "x");
    run_sql(
        *state, "state/state.db",
        "INSERT INTO job_counts VALUES ('notify', 'waiting', 2);" JOB
        "SELECT 'x', 'notify', seq, 'waiting', 0, 0, 0, 0, 0, 'workflow:a', 0 FROM results;" JOB
        "SELECT 'y', 'notify', seq, 'waiting', 0, 0, 0, 0, 0, 'workflow:a', 1 FROM results;");
    assert_int_equal(findings(*state), 0);
    run_sql(*state, "state/state.db", "UPDATE jobs SET held = 1");
    assert_int_equal(findings(*state), 2);
}

static void a_wrong_count_of_jobs_is_found(void **state)
{
    run_sql(*state, "state/state.db", "INSERT INTO job_counts VALUES ('notify', 'dead', 3)");
    finds(*state, "job_counts says 3 jobs of notify are dead, there are 0");
}

/* The index leaves a row out, as after a lost write. */
static void an_entry_that_its_index_lost_is_found(void **state)
{
    struct fixture *fixture = *state;

    (void)append_text(fixture, "k", "1");
    close_log(fixture);
    run_sql(
        fixture, "log/results.db",
        "PRAGMA writable_schema = ON;"
        "CREATE TABLE kept AS SELECT sql FROM sqlite_schema WHERE name = 'received_key';"
        "UPDATE sqlite_schema SET sql = sql || ' AND seq < 2' WHERE name = 'received_key'");
    run_sql(
        fixture, "log/results.db",
        "INSERT INTO received SELECT 2, id, duplicate_of, endpoint, kind, 'other', run_id,"
        " execution_id, delivery_id, status, event, name, source, revision, received_at,"
        " remote_address, verified_by, content_type, size, sha256, headers, body FROM received;"
        "PRAGMA writable_schema = ON;"
        "UPDATE sqlite_schema SET sql = (SELECT sql FROM kept) WHERE name = 'received_key';"
        "DROP TABLE kept");
    finds(fixture, "entry 2 is not found by its key");
}

static void a_damaged_page_is_found(void **state)
{
    struct fixture *fixture = *state;
    FILE *file;

    for (int i = 0; i < 200; i++)
        (void)append_text(fixture, "same key for all", i % 2 ? "{\"a\":1}" : "{\"b\":1}");
    close_log(fixture);
    file = fopen(fixture_path(fixture, "log/results.db"), "r+");
    assert_non_null(file);
    fseek(file, -schema_results.page_bytes + 8, SEEK_END);
    for (int i = 0; i < 256; i++)
        fputc(0xa5, file);
    fclose(file);
    assert_true(findings(fixture) > 0);
}

static void a_file_that_is_none_of_ours_is_found(void **state)
{
    struct fixture *fixture = *state;

    close_log(fixture);
    run_sql(fixture, "log/results.db", "PRAGMA application_id = 7");
    finds(fixture, "is not a log of callbackd");
}

static void a_store_that_is_not_there_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    struct heard heard = {0};
    const struct store_check_options options = {
        .directory = "/nonexistent", .parts = STORE_CHECK_ROWS, .found = hear, .context = &heard};
    struct store_check_figures figures;

    assert_int_equal(store_check(&options, &figures, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_NOT_FOUND);
    assert_int_equal(heard.count, 0);
}

static void a_check_ends_when_it_is_told_to(void **state)
{
    struct fixture *fixture = *state;
    static _Atomic bool stop = true;
    struct heard heard = {0};
    struct store_check_options options = {
        .directory = fixture->directory, .found = hear, .context = &heard, .stop = &stop};
    struct store_check_figures figures;

    both(fixture, "x");
    options.parts = STORE_CHECK_ROWS;
    assert_int_equal(store_check(&options, &figures, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_BUSY);
    options.parts = STORE_CHECK_STRUCTURE;
    assert_int_equal(store_check(&options, &figures, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_BUSY);
}

/* ---- beside a busy writer ---- */

struct load {
    struct fixture *fixture;
    struct result_post post;
    _Atomic bool stop;
};

static void *keep_posting(void *argument)
{
    struct load *load = argument;
    struct result_receipt receipt;

    while (!atomic_load(&load->stop)) {
        if (result_log_append(load->fixture->log, &load->post, &receipt, NULL) != 0)
            return load;
    }
    return NULL;
}

/* A reading is kept open beside, so that the write-ahead file grows with each post and what the
 * check may take is exceeded while it reads; how often it must try for that is the machine's. */
static void a_reading_is_broken_off_when_too_much_is_written(void **state)
{
    enum { POSTS = 100, BODY = 256 * 1024 };
    struct fixture *fixture = *state;
    struct load load = {.fixture = fixture, .post = a_post(NULL, "")};
    struct heard heard = {0};
    const struct store_check_options options = {
        .directory = fixture->directory,
        .parts = STORE_CHECK_STRUCTURE,
        .found = hear,
        .context = &heard,
        .wal_growth_max = 1,
    };
    struct store_check_figures figures = {.structure_checked = true};
    char *body = calloc(1, BODY);
    sqlite3 *reader;
    pthread_t thread;
    void *failed = NULL;

    load.post.body = bytes_of(body, BODY);
    for (int i = 0; i < POSTS; i++)
        (void)appended(fixture, &load.post);
    assert_int_equal(sqlite3_open(fixture_path(fixture, "log/results.db"), &reader), SQLITE_OK);
    sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM trial", NULL, NULL, NULL);
    load.post.body = bytes_of(body, 1000);
    assert_int_equal(pthread_create(&thread, NULL, keep_posting, &load), 0);
    while (figures.structure_checked)
        fixture_succeeds(store_check(&options, &figures, &fixture->error), &fixture->error);
    atomic_store(&load.stop, true);
    pthread_join(thread, &failed);
    sqlite3_close(reader);
    assert_null(failed);
    assert_int_equal(heard.count, 0);
    free(body);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_both, teardown)
    const struct CMUnitTest tests[] = {
        CASE(a_sound_store_has_no_findings),
        CASE(an_empty_store_has_no_findings),
        CASE(a_log_that_ends_before_the_cursor_is_found),
        CASE(a_body_that_changed_is_found),
        CASE(an_entry_that_is_missing_is_found),
        CASE(an_entry_that_was_replaced_is_found),
        CASE(a_job_without_its_result_is_found),
        CASE(an_attempt_without_its_job_is_found),
        CASE(a_line_that_nobody_leads_is_found),
        CASE(a_wrong_count_of_jobs_is_found),
        CASE(an_entry_that_its_index_lost_is_found),
        CASE(a_damaged_page_is_found),
        CASE(a_file_that_is_none_of_ours_is_found),
        CASE(a_store_that_is_not_there_is_an_error),
        CASE(a_check_ends_when_it_is_told_to),
        CASE(a_reading_is_broken_off_when_too_much_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
