/* SPDX-License-Identifier: MIT */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "callbackd/clock.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "callbackd/upkeep.h"
#include "retention.h"

enum { HOUR_MS = 3600 * 1000 };

struct fixture {
    char directory[64];
    struct config config;
    struct state *state;
    struct result_log *log;
    struct retention retention;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error error = {0};
    assert_non_null(f);
    snprintf(f->directory, sizeof(f->directory), "/tmp/callbackd-retention-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    assert_int_equal(store_prepare(f->directory, &error), 0);
    struct result_log_options log_options = {.directory = f->directory, .wake_fd = -1};
    f->log = result_log_open(&log_options, &error);
    f->state = state_open(f->directory, &error);
    assert_non_null(f->log);
    assert_non_null(f->state);
    f->config = (struct config){.store = {.directory = f->directory, .retention_ms = HOUR_MS}};
    f->retention = (struct retention){.config = &f->config, .state = f->state, .log = f->log};
    *state = f;
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    state_close(f->state);
    result_log_close(f->log);
    nftw(f->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* ---- steps ---- */

static int64_t old_ms(void)
{
    return clock_wall_ms() - 2 * HOUR_MS;
}

static struct result_receipt receive(struct fixture *f, struct bytes body, int64_t at_ms)
{
    struct error error = {0};
    struct body_summary summary = {.status = STATUS_SUCCESS, .event = "", .name = ""};
    struct result_receipt receipt = {0};
    struct result_post post = {
        .endpoint = "in",
        .kind = BODY_JSON,
        .summary = &summary,
        .delivery_id = "",
        .source = "callback",
        .received_at_ms = at_ms,
        .remote_address = "unix",
        .verified_by = "none",
        .content_type = "",
        .headers_json = bytes_of_text("[]"),
        .body = body};
    assert_int_equal(result_log_append(f->log, &post, &receipt, &error), 0);
    return receipt;
}

struct deciding {
    struct result_receipt receipt;
    int64_t at_ms;
};

static int insert_decided(struct state_tx *tx, void *context, struct error *error)
{
    const struct deciding *deciding = context;
    struct result_record result = {
        .seq = deciding->receipt.seq,
        .id = deciding->receipt.id,
        .kind = BODY_JSON,
        .status = STATUS_RECEIVED,
        .received_at_ms = deciding->at_ms};
    if (state_result_insert(tx, &result, error) != 0)
        return -1;
    return state_cursor_set(tx, result.seq, error);
}

/* A result that came then and was taken in. */
static void take_in(struct fixture *f, struct bytes body, int64_t at_ms)
{
    struct error error = {0};
    struct deciding deciding = {.receipt = receive(f, body, at_ms), .at_ms = at_ms};
    assert_int_equal(state_write(f->state, insert_decided, &deciding, &error), 0);
}

static bool slice(struct fixture *f)
{
    struct error error = {0};
    bool more = false;
    if (retention_slice(&f->retention, &more, &error) != 0)
        fail_msg("%s", error.message);
    return more;
}

static int count_entry(void *context, const struct result_entry *entry)
{
    (void)entry;
    (*(int *)context)++;
    return 0;
}

static int in_log(struct fixture *f)
{
    int count = 0;
    assert_int_equal(result_log_read(f->log, 0, 10000, count_entry, &count, NULL), 0);
    return count;
}

static int count_result(void *context, const struct result_record *result)
{
    (void)result;
    (*(int *)context)++;
    return 0;
}

static int list_results(struct state_tx *tx, void *context, struct error *error)
{
    const struct result_filter filter = {.status = -1, .pending = -1, .limit = 10000};
    return state_result_list(tx, &filter, count_result, context, error);
}

static int in_state(struct fixture *f)
{
    int count = 0;
    assert_int_equal(state_read(f->state, list_results, &count, NULL), 0);
    return count;
}

/* ---- cases ---- */

static void what_is_old_goes_from_both(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 250; i++)
        take_in(f, bytes_of_text("{}"), old_ms());
    take_in(f, bytes_of_text("{}"), clock_wall_ms());
    assert_true(slice(f));
    assert_int_equal(in_state(f), 151);
    assert_int_equal(in_log(f), 151);
    while (slice(f))
        ;
    assert_int_equal(in_state(f), 1);
    assert_int_equal(in_log(f), 1);
    assert_false(slice(f));
}

static void what_the_worker_has_not_read_stays(void **state)
{
    struct fixture *f = *state;
    take_in(f, bytes_of_text("{}"), old_ms());
    for (int i = 0; i < 3; i++)
        (void)receive(f, bytes_of_text("{}"), old_ms());
    while (slice(f))
        ;
    assert_int_equal(in_state(f), 0);
    assert_int_equal(in_log(f), 3);
}

/* As if we had died between the two databases; so are duplicates, which only the log has. */
static void what_only_the_log_still_has_goes_too(void **state)
{
    struct fixture *f = *state;
    (void)receive(f, bytes_of_text("{}"), old_ms());
    take_in(f, bytes_of_text("{}"), clock_wall_ms());
    assert_true(slice(f));
    assert_int_equal(in_log(f), 1);
    assert_int_equal(in_state(f), 1);
}

static int insert_failed_run(struct state_tx *tx, void *context, struct error *error)
{
    bool existing = false;
    struct run_record run = {
        .id = *(const struct id *)context,
        .state = RUN_LAUNCH_FAILED,
        .workflow = "w",
        .endpoint = "in",
        .registered_at_ms = old_ms(),
        .completed_at_ms = old_ms()};
    return state_run_insert(tx, &run, &existing, error);
}

static int look_for_run(struct state_tx *tx, void *context, struct error *error)
{
    struct run_record run = {0};
    int found = state_run_get(tx, context, &run, error);
    run_record_fini(&run);
    return found;
}

static void a_run_that_never_had_a_result_goes_too(void **state)
{
    struct fixture *f = *state;
    struct error error = {0};
    struct id run = id_new();
    assert_int_equal(state_write(f->state, insert_failed_run, &run, &error), 0);
    assert_true(slice(f));
    assert_int_equal(state_read(f->state, look_for_run, &run, &error), -1);
    assert_int_equal(error.code, ERROR_NOT_FOUND);
}

static void while_a_copy_is_made_nothing_goes(void **state)
{
    struct fixture *f = *state;
    int held = -1;
    take_in(f, bytes_of_text("{}"), old_ms());
    assert_int_equal(store_hold_removal(f->directory, 0, &held, NULL), 0);
    assert_false(slice(f));
    assert_int_equal(in_log(f), 1);
    close(held);
    assert_true(slice(f));
    assert_int_equal(in_log(f), 0);
}

static int64_t size_of(const struct fixture *f, const char *file)
{
    CLEANUP_FREE char *path = text_format("%s/%s", f->directory, file);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

/* 8 MiB are kept for what comes next. */
static void space_is_given_back_also_after_the_last_was_removed(void **state)
{
    enum { BODY_BYTES = 512 * 1024, POSTS = 80, KEPT_BYTES = 10 * 1024 * 1024 };
    struct fixture *f = *state;
    char *body = calloc(1, BODY_BYTES);
    int slices = 0;
    for (int i = 0; i < POSTS; i++)
        take_in(f, bytes_of(body, BODY_BYTES), old_ms());
    take_in(f, bytes_of_text("{}"), clock_wall_ms());
    while (slice(f))
        slices++;
    assert_int_equal(in_log(f), 1);
    /* No slice did much at once. */
    assert_true(slices > POSTS * BODY_BYTES / (4 * 1024 * 1024));
    /* Everything is in the file once the write-ahead file is copied there. */
    result_log_close(f->log);
    f->log = NULL;
    assert_true(size_of(f, "log/results.db") < KEPT_BYTES);
    free(body);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(what_is_old_goes_from_both),
        CASE(what_the_worker_has_not_read_stays),
        CASE(what_only_the_log_still_has_goes_too),
        CASE(a_run_that_never_had_a_result_goes_too),
        CASE(while_a_copy_is_made_nothing_goes),
        CASE(space_is_given_back_also_after_the_last_was_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
