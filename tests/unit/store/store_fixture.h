/* SPDX-License-Identifier: MIT */
/* What the tests of the store share: a store in a temporary directory, and posts for it. */
#ifndef CALLBACKD_TESTS_STORE_FIXTURE_H
#define CALLBACKD_TESTS_STORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "callbackd/clock.h"
#include "callbackd/state.h"
#include "callbackd/store.h"

struct fixture {
    char directory[256];
    struct result_log *log;
    struct state *state;
    struct error error;
};

static inline int fixture_remove_entry(
    const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void fixture_make_directory(struct fixture *fixture)
{
    const char *parent = getenv("TMPDIR");

    memset(fixture, 0, sizeof *fixture);
    snprintf(
        fixture->directory, sizeof fixture->directory, "%s/callbackd-store-XXXXXX",
        parent != NULL && parent[0] != '\0' ? parent : "/tmp");
    assert_non_null(mkdtemp(fixture->directory));
}

static inline void fixture_remove_directory(const struct fixture *fixture)
{
    (void)nftw(fixture->directory, fixture_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* Fails the test with the error's own words. */
static inline void fixture_succeeds(int result, const struct error *error)
{
    if (result != 0)
        fail_msg("result %d, %s: %s", result, error_info(error->code)->name, error->message);
}

static inline void fixture_prepare(struct fixture *fixture)
{
    fixture_make_directory(fixture);
    fixture_succeeds(store_prepare(fixture->directory, &fixture->error), &fixture->error);
}

static inline struct result_log_options fixture_log_options(const struct fixture *fixture)
{
    return (struct result_log_options){
        .directory = fixture->directory,
        .wake_fd = -1,
        .keep_rejected = 10,
        .checkpoint_at_start = true,
    };
}

static inline void fixture_open_log(struct fixture *fixture)
{
    struct result_log_options options = fixture_log_options(fixture);

    fixture->log = result_log_open(&options, &fixture->error);
    fixture_succeeds(fixture->log == NULL ? -1 : 0, &fixture->error);
}

static inline void fixture_close(struct fixture *fixture)
{
    state_close(fixture->state);
    result_log_close(fixture->log);
    fixture->state = NULL;
    fixture->log = NULL;
    fixture_remove_directory(fixture);
}

static inline int setup_prepared(void **state)
{
    static struct fixture fixture;

    fixture_prepare(&fixture);
    *state = &fixture;
    return 0;
}

static inline int setup_log(void **state)
{
    static struct fixture fixture;

    fixture_prepare(&fixture);
    fixture_open_log(&fixture);
    *state = &fixture;
    return 0;
}

static inline int setup_state(void **state)
{
    static struct fixture fixture;

    fixture_prepare(&fixture);
    fixture.state = state_open(fixture.directory, &fixture.error);
    fixture_succeeds(fixture.state == NULL ? -1 : 0, &fixture.error);
    *state = &fixture;
    return 0;
}

static inline int setup_directory(void **state)
{
    static struct fixture fixture;

    fixture_make_directory(&fixture);
    *state = &fixture;
    return 0;
}

static inline int teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

static inline char *fixture_path(const struct fixture *fixture, const char *file)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/%s", fixture->directory, file);
    return path;
}

/* ---- posts ---- */

static inline struct result_post a_post(const char *key, const char *body)
{
    static const struct body_summary summary = {
        .status = STATUS_SUCCESS,
        .has_execution_id = true,
        .execution_id = 9007199254740993,
        .event = "",
        .name = "triage",
    };

    return (struct result_post){
        .endpoint = "results",
        .kind = BODY_WORKFLOW_RESULT,
        .key = key,
        .summary = &summary,
        .delivery_id = "",
        .source = "callback",
        .received_at_ms = 1700000000123,
        .remote_address = "192.0.2.7",
        .verified_by = "run-token",
        .content_type = "application/json",
        .headers_json = bytes_of_text("[[\"host\",\"example.com\"]]"),
        .body = bytes_of_text(body),
    };
}

static inline struct result_receipt appended(
    struct fixture *fixture, const struct result_post *post)
{
    struct result_receipt receipt = {0};

    fixture_succeeds(
        result_log_append(fixture->log, post, &receipt, &fixture->error), &fixture->error);
    return receipt;
}

static inline struct result_receipt append_text(
    struct fixture *fixture, const char *key, const char *body)
{
    struct result_post post = a_post(key, body);

    return appended(fixture, &post);
}

static inline int count_entry(void *context, const struct result_entry *entry)
{
    (void)entry;
    (*(int *)context)++;
    return 0;
}

static inline int entries(struct fixture *fixture)
{
    int count = 0;

    fixture_succeeds(
        result_log_read(fixture->log, 0, 1000000, count_entry, &count, &fixture->error),
        &fixture->error);
    return count;
}

#endif
