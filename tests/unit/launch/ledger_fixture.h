/* SPDX-License-Identifier: MIT */
/*
 * A real store in a temporary directory, a configuration made by hand, and one
 * call for each step of the ledger, each in a transaction of its own. Time is
 * what the test says it is.
 */
#ifndef CALLBACKD_TESTS_LEDGER_FIXTURE_H
#define CALLBACKD_TESTS_LEDGER_FIXTURE_H

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

#include "callbackd/ledger.h"

enum { GRACE_MS = 30000, NOW_MS = 1700000000 };

static const int64_t t0 = NOW_MS * (int64_t)1000;
static const int64_t day_ms = (int64_t)24 * 3600 * 1000;

struct ledger_fixture {
    char directory[256];
    struct state *state;
    struct result_log *log;
    struct config config;
    struct config_endpoint endpoints[5];
    struct config_verify run_token;
    struct config_verify github;
    struct config_secret key;
    int64_t seq;
};

/* ---- setting up ---- */

static inline int ledger_remove_entry(
    const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void ledger_configure(struct ledger_fixture *f)
{
    static unsigned char key[] = "0123456789abcdef0123456789abcdef";
    f->run_token.scheme = (char *)"run-token";
    f->github.scheme = (char *)"github";
    f->key = (struct config_secret){.data = key, .length = sizeof key - 1};
    f->endpoints[0] = (struct config_endpoint){
        .name = (char *)"github",
        .path = (char *)"/in/github",
        .kind = BODY_JSON,
        .verify = &f->github,
        .verify_count = 1};
    f->endpoints[1] = (struct config_endpoint){
        .name = (char *)"results",
        .path = (char *)"/callback",
        .kind = BODY_WORKFLOW_RESULT,
        .verify = &f->run_token,
        .verify_count = 1};
    f->endpoints[2] = (struct config_endpoint){
        .name = (char *)"again",
        .path = (char *)"/again",
        .kind = BODY_WORKFLOW_RESULT,
        .verify = &f->run_token,
        .verify_count = 1,
        .on_revision = ON_REVISION_TRIGGER};
    f->endpoints[3] = (struct config_endpoint){
        .name = (char *)"open", .path = (char *)"/open", .kind = BODY_WORKFLOW_RESULT};
    f->endpoints[4] = (struct config_endpoint){
        .name = (char *)"events", .path = (char *)"/events", .kind = BODY_WORKSPACE_EVENT};
    f->config = (struct config){
        .run_token = {.key = {.items = &f->key, .count = 1}, .lifetime_ms = 7 * day_ms},
        .promptlayer = {.launch_grace_ms = GRACE_MS},
        .limits = {.body_bytes = 1 << 20, .json_depth = 128},
        .endpoints = f->endpoints,
        .endpoint_count = 5,
    };
}

static inline void ledger_check(int result, const struct error *error)
{
    if (result != 0)
        fail_msg("%s: %s", error_info(error->code)->name, error->message);
}

static inline int ledger_setup(void **state)
{
    struct ledger_fixture *f = calloc(1, sizeof *f);
    struct error error = {0};
    const char *parent = getenv("TMPDIR");
    snprintf(
        f->directory, sizeof f->directory, "%s/callbackd-ledger-XXXXXX",
        parent && parent[0] ? parent : "/tmp");
    assert_non_null(mkdtemp(f->directory));
    ledger_check(store_prepare(f->directory, &error), &error);
    const struct result_log_options options = {.directory = f->directory, .wake_fd = -1};
    f->log = result_log_open(&options, &error);
    ledger_check(f->log ? 0 : -1, &error);
    f->state = state_open(f->directory, &error);
    ledger_check(f->state ? 0 : -1, &error);
    ledger_configure(f);
    *state = f;
    return 0;
}

static inline int ledger_teardown(void **state)
{
    struct ledger_fixture *f = *state;
    state_close(f->state);
    result_log_close(f->log);
    nftw(f->directory, ledger_remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* ---- one step in one transaction ---- */

struct ledger_step {
    struct ledger_fixture *f;
    const struct ledger_registration *registration;
    const struct result_entry *entry;
    const struct id *id;
    int64_t execution_id;
    const char *reason;
    int64_t now_ms;
    int limit;
    struct run_record run;
    struct result_record *result;
    bool flag;
    int count;
    int (*work)(struct ledger_step *step, struct state_tx *tx, struct error *error);
};

static inline int ledger_run_step(struct state_tx *tx, void *context, struct error *error)
{
    struct ledger_step *step = context;
    return step->work(step, tx, error);
}

static inline int ledger_write(struct ledger_step *step, struct error *error)
{
    return state_write(step->f->state, ledger_run_step, step, error);
}

static inline int do_register(struct ledger_step *s, struct state_tx *tx, struct error *error)
{
    return ledger_register(tx, &s->f->config, s->registration, &s->run, &s->flag, error);
}

static inline int do_launched(struct ledger_step *s, struct state_tx *tx, struct error *error)
{
    return ledger_launched(tx, s->id, s->execution_id, s->now_ms, &s->run, error);
}

static inline int do_launch_failed(struct ledger_step *s, struct state_tx *tx, struct error *error)
{
    return ledger_launch_failed(tx, s->id, s->reason, s->now_ms, &s->run, error);
}

static inline int do_get_run(struct ledger_step *s, struct state_tx *tx, struct error *error)
{
    return state_run_get(tx, s->id, &s->run, error);
}

static inline int do_sweep(struct ledger_step *s, struct state_tx *tx, struct error *error)
{
    return ledger_sweep(tx, s->now_ms, s->limit, &s->count, error);
}

/* As the worker does it: what may trigger is marked. */
static inline int do_trigger(struct ledger_step *s, struct state_tx *tx, struct error *error)
{
    s->flag = false;
    if (s->result->pending)
        return 0;
    if (ledger_may_trigger(tx, &s->f->config, s->result, &s->flag, error) != 0)
        return -1;
    s->result->triggered = s->flag;
    return state_result_update(tx, s->result, error);
}

static inline int do_take(struct ledger_step *s, struct state_tx *tx, struct error *error)
{
    if (ledger_take(tx, &s->f->config, s->entry, s->now_ms, s->result, error) != 0)
        return -1;
    s->flag = s->result->triggered;
    return 0;
}

static inline int do_settle(struct ledger_step *s, struct state_tx *tx, struct error *error)
{
    if (state_result_by_seq(tx, s->execution_id, s->result, error) != 0)
        return -1;
    if (ledger_settle(tx, &s->f->config, s->result, s->now_ms, error) != 0)
        return -1;
    return do_trigger(s, tx, error);
}

/* ---- what tests say ---- */

static inline struct ledger_registration a_registration(void)
{
    return (struct ledger_registration){
        .workflow = "triage", .public_url = "https://hooks.example.com", .now_ms = t0};
}

/* A run that is launching. */
static inline struct id a_run(struct ledger_fixture *f, const char *endpoint, int64_t deadline_ms)
{
    struct ledger_registration registration = a_registration();
    struct error error = {0};
    registration.endpoint = endpoint;
    registration.deadline_at_ms = deadline_ms;
    struct ledger_step step = {.f = f, .registration = &registration, .work = do_register};
    ledger_check(ledger_write(&step, &error), &error);
    struct id id = step.run.id;
    run_record_fini(&step.run);
    return id;
}

/* 0, or the code of the error. */
static inline enum error_code launched(
    struct ledger_fixture *f, const struct id *run, int64_t execution_id)
{
    struct error error = {0};
    struct ledger_step step = {
        .f = f, .id = run, .execution_id = execution_id, .now_ms = t0 + 5, .work = do_launched};
    ledger_write(&step, &error);
    run_record_fini(&step.run);
    return error.code;
}

static inline enum error_code launch_failed(
    struct ledger_fixture *f, const struct id *run, const char *reason)
{
    struct error error = {0};
    struct ledger_step step = {
        .f = f, .id = run, .reason = reason, .now_ms = t0 + 5, .work = do_launch_failed};
    ledger_write(&step, &error);
    run_record_fini(&step.run);
    return error.code;
}

static inline struct id a_launched_run(struct ledger_fixture *f, int64_t execution_id)
{
    struct id run = a_run(f, "results", 0);
    assert_int_equal(launched(f, &run, execution_id), ERROR_NONE);
    return run;
}

/* The caller gives it back with run_record_fini. */
static inline struct run_record run_now(struct ledger_fixture *f, const struct id *run)
{
    struct error error = {0};
    struct ledger_step step = {.f = f, .id = run, .work = do_get_run};
    ledger_check(ledger_write(&step, &error), &error);
    return step.run;
}

static inline void assert_run_state(
    struct ledger_fixture *f, const struct id *run, enum run_state state)
{
    struct run_record record = run_now(f, run);
    assert_string_equal(run_state_name(record.state), run_state_name(state));
    run_record_fini(&record);
}

/* A post by run token (`run` not NULL) or without; execution id 0: the body has none. */
static inline struct result_entry an_entry(
    struct ledger_fixture *f, const struct id *run, int64_t execution_id, enum result_status status)
{
    struct result_entry entry = {
        .seq = ++f->seq,
        .id = id_new(),
        .endpoint = run ? "results" : "open",
        .kind = BODY_WORKFLOW_RESULT,
        .key = "",
        .has_run = run != NULL,
        .has_execution_id = execution_id != 0,
        .execution_id = execution_id,
        .delivery_id = "",
        .status = status,
        .event = "",
        .name = "",
        .source = "callback",
        .revision = 1,
        .received_at_ms = t0 + 100 + f->seq,
        .remote_address = "192.0.2.7",
        .verified_by = "run-token",
        .content_type = "application/json",
        .size = 2,
    };
    if (run)
        entry.run = *run;
    return entry;
}

struct taken {
    int64_t seq;
    struct id id;
    enum result_status status;
    bool pending;
    bool triggers;
    bool has_run;
    struct id run;
    char workflow[64];
};

static inline struct taken taken_of(struct ledger_step *step)
{
    struct taken taken = {
        .seq = step->result->seq,
        .id = step->result->id,
        .status = step->result->status,
        .pending = step->result->pending,
        .triggers = step->flag,
        .has_run = step->result->has_run,
        .run = step->result->run,
    };
    snprintf(taken.workflow, sizeof taken.workflow, "%s", step->result->workflow);
    result_record_fini(step->result);
    return taken;
}

static inline struct taken take(
    struct ledger_fixture *f, const struct result_entry *entry, int64_t now_ms)
{
    struct error error = {0};
    struct result_record result = {0};
    struct ledger_step step = {
        .f = f, .entry = entry, .now_ms = now_ms, .result = &result, .work = do_take};
    ledger_check(ledger_write(&step, &error), &error);
    return taken_of(&step);
}

/* A post of a run with this execution id and status, taken at once. */
static inline struct taken post(
    struct ledger_fixture *f, const struct id *run, int64_t execution_id, enum result_status status)
{
    struct result_entry entry = an_entry(f, run, execution_id, status);
    return take(f, &entry, t0 + 200);
}

static inline struct taken settle(struct ledger_fixture *f, int64_t seq, int64_t now_ms)
{
    struct error error = {0};
    struct result_record result = {0};
    struct ledger_step step = {
        .f = f, .execution_id = seq, .now_ms = now_ms, .result = &result, .work = do_settle};
    ledger_check(ledger_write(&step, &error), &error);
    return taken_of(&step);
}

static inline int sweep(struct ledger_fixture *f, int64_t now_ms, int limit)
{
    struct error error = {0};
    struct ledger_step step = {
        .f = f, .now_ms = now_ms, .limit = limit, .count = -1, .work = do_sweep};
    ledger_check(ledger_write(&step, &error), &error);
    return step.count;
}

#define LEDGER_TEST(name) cmocka_unit_test_setup_teardown(name, ledger_setup, ledger_teardown)

#endif
