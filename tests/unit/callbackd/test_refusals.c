/* SPDX-License-Identifier: MIT */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "refusals.h"

enum { MORE_THAN_A_PAGE = 300 };

struct fixture {
    char directory[64];
    struct state *state;
    struct result_log *log;
    struct refusals refusals;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct error error = {0};
    assert_non_null(f);
    snprintf(f->directory, sizeof(f->directory), "/tmp/callbackd-refusals-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    assert_int_equal(store_prepare(f->directory, &error), 0);
    struct result_log_options log_options = {
        .directory = f->directory, .wake_fd = -1, .keep_rejected = 1000};
    f->log = result_log_open(&log_options, &error);
    f->state = state_open(f->directory, &error);
    assert_non_null(f->log);
    assert_non_null(f->state);
    f->refusals = (struct refusals){.state = f->state, .log = f->log};
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

/* `run` NULL: of nobody. */
static void refuse(struct fixture *f, const struct id *run)
{
    struct error error = {0};
    struct rejected_post post = {
        .received_at_ms = 1700000000000,
        .endpoint = "results",
        .remote_address = "192.0.2.1",
        .status = 413,
        .reason = "too large",
        .has_run = run != NULL,
        .headers_json = bytes_of_text("[]"),
        .size = -1,
    };
    if (run)
        post.run = *run;
    assert_int_equal(result_log_reject_and_wait(f->log, &post, &error), 0);
}

static int told(struct refusals *refusals)
{
    struct error error = {0};
    int count = -1;
    assert_int_equal(refusals_take(refusals, &count, &error), 0);
    return count;
}

struct look {
    struct id id;
    char reason[128];
};

static int read_reason(struct state_tx *tx, void *context, struct error *error)
{
    struct look *look = context;
    struct run_record run = {0};
    if (state_run_get(tx, &look->id, &run, error) != 0)
        return -1;
    assert_int_equal(run.state, RUN_OVERDUE);
    snprintf(look->reason, sizeof(look->reason), "%s", run.reason);
    run_record_fini(&run);
    return 0;
}

static void the_run_of_a_refused_post_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct look look = {.id = id_new()};
    refuse(f, NULL);
    assert_int_equal(told(&f->refusals), 0);
    refuse(f, &look.id);
    refuse(f, NULL);
    assert_int_equal(told(&f->refusals), 1);
    assert_int_equal(state_read(f->state, read_reason, &look, NULL), 0);
    assert_string_equal(look.reason, "a post for it was refused with 413: too large");
    assert_int_equal(told(&f->refusals), 0);
}

static void a_new_worker_goes_on_where_the_old_one_was(void **state)
{
    struct fixture *f = *state;
    struct id first = id_new();
    refuse(f, &first);
    assert_int_equal(told(&f->refusals), 1);
    struct id second = id_new();
    refuse(f, &second);
    struct refusals anew = {.state = f->state, .log = f->log};
    assert_int_equal(told(&anew), 1);
}

static void all_are_told_though_they_are_many(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < MORE_THAN_A_PAGE; i++) {
        struct id run = id_new();
        refuse(f, &run);
    }
    assert_int_equal(told(&f->refusals), MORE_THAN_A_PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_run_of_a_refused_post_is_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_new_worker_goes_on_where_the_old_one_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_are_told_though_they_are_many, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
