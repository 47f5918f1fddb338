/* SPDX-License-Identifier: MIT */
/*
 * The reconciler against a real store and a server that answers as the test says.
 * A test waits for a request to arrive, then stops the reconciler, which finishes
 * what it does with the answer: nothing depends on time.
 */
#ifndef CALLBACKD_TESTS_RECONCILER_FIXTURE_H
#define CALLBACKD_TESTS_RECONCILER_FIXTURE_H

#include "../outgoing/loopback.h"
#include "callbackd/clock.h"
#include "callbackd/http_client.h"
#include "callbackd/log.h"
#include "callbackd/reconciler.h"
#include "ledger_fixture.h"
#include "reconciler_private.h"

#define SUCCESS_NODES "{\"N\":{\"status\":\"SUCCESS\",\"value\":\"v\",\"is_output_node\":true}}"
#define RUNNING_NODES "{\"N\":{\"status\":\"RUNNING\",\"value\":null,\"is_output_node\":true}}"
#define ANSWER(status, body) "HTTP/1.1 " status " X\r\nConnection: close\r\n\r\n" body

static const struct loopback_reply success = {ANSWER("200", SUCCESS_NODES "\n"), LOOPBACK_CLOSE};
static const struct loopback_reply still_running = {ANSWER("202", RUNNING_NODES), LOOPBACK_CLOSE};

/* ---- arranging ---- */

static struct config_secret api_key = {(unsigned char *)"pl_test_key", 11};

static inline void use_server(struct ledger_fixture *f, struct loopback *server)
{
    f->config.promptlayer.base_url = server->url;
    f->config.promptlayer.api_key = (struct config_secrets){.items = &api_key, .count = 1};
}

/* A run whose deadline passed so long ago. Execution id 0: it never got one. */
static inline struct id an_overdue_run(
    struct ledger_fixture *f, int64_t execution_id, int64_t ago_ms)
{
    struct ledger_registration registration = a_registration();
    struct error error = {0};
    registration.deadline_at_ms = clock_wall_ms() - ago_ms;
    registration.now_ms = registration.deadline_at_ms - 1000;
    struct ledger_step step = {.f = f, .registration = &registration, .work = do_register};
    ledger_check(ledger_write(&step, &error), &error);
    struct id id = step.run.id;
    run_record_fini(&step.run);
    assert_int_equal(launched(f, &id, execution_id), ERROR_NONE);
    assert_int_equal(sweep(f, clock_wall_ms(), 100), 1);
    return id;
}

static inline struct reconciler *start(struct ledger_fixture *f)
{
    struct error error = {0};
    struct reconciler *reconciler = reconciler_start(&f->config, f->state, f->log, NULL, &error);
    ledger_check(reconciler ? 0 : -1, &error);
    reconciler->stop_patience_s = 60;
    return reconciler;
}

/* Runs it until so many requests have come, and to the end of what follows from them. */
static inline void run_until(struct ledger_fixture *f, struct loopback *server, int requests)
{
    struct reconciler *reconciler = start(f);
    if (requests > 0)
        loopback_request(server, requests - 1);
    reconciler_stop(reconciler);
}

/* The same with one reply for everything. */
static inline void reconcile(
    struct ledger_fixture *f, const struct loopback_reply *reply, int requests)
{
    struct loopback *server = loopback_one(reply);
    use_server(f, server);
    run_until(f, server, requests);
    assert_int_equal(loopback_requests(server), requests);
    loopback_stop(server);
}

/* ---- what the log has ---- */

struct newest {
    int count;
    int64_t seq;
    char key[128];
    char source[16];
    char verified_by[16];
    enum result_status status;
    int revision;
    bool has_run;
    int64_t execution_id;
};

static inline int look(void *context, const struct result_entry *entry)
{
    struct newest *newest = context;
    newest->count++;
    newest->seq = entry->seq;
    snprintf(newest->key, sizeof newest->key, "%s", entry->key);
    snprintf(newest->source, sizeof newest->source, "%s", entry->source);
    snprintf(newest->verified_by, sizeof newest->verified_by, "%s", entry->verified_by);
    newest->status = entry->status;
    newest->revision = entry->revision;
    newest->has_run = entry->has_run;
    newest->execution_id = entry->execution_id;
    return 0;
}

static inline struct newest read_log(struct ledger_fixture *f)
{
    struct newest newest = {0};
    struct error error = {0};
    ledger_check(result_log_read(f->log, 0, 1000, look, &newest, &error), &error);
    return newest;
}

static inline void assert_body(struct ledger_fixture *f, int64_t seq, const char *expected)
{
    struct buffer body;
    buffer_init(&body, 65536);
    assert_int_equal(result_log_body(f->log, seq, &body, NULL), 0);
    assert_string_equal(buffer_text(&body), expected);
    buffer_fini(&body);
}

static inline int take_entry(void *context, const struct result_entry *entry)
{
    /* Not in the visit: the ledger's transaction waits for another thread. */
    *(struct result_entry *)context = *entry;
    return 0;
}

/* A post as the receiver stores it, taken in as the worker does it. */
static inline struct taken store_post(
    struct ledger_fixture *f, const struct id *run, const char *key, int64_t execution_id,
    enum result_status status)
{
    struct result_entry entry = an_entry(f, run, execution_id, status);
    struct error error = {0};
    struct result_receipt receipt;
    const struct body_summary summary = {
        .status = status, .has_execution_id = true, .execution_id = execution_id};
    const struct result_post stored = {
        .endpoint = entry.endpoint,
        .kind = entry.kind,
        .key = key,
        .has_run = run != NULL,
        .run = entry.run,
        .summary = &summary,
        .delivery_id = "",
        .source = "callback",
        .received_at_ms = clock_wall_ms(),
        .remote_address = "192.0.2.7",
        .verified_by = "run-token",
        .content_type = "",
        .headers_json = bytes_of_text("[]"),
        .body = bytes_of_text("{\"result_code\":\"EXCEEDS_SIZE_LIMIT\"}")};
    ledger_check(result_log_append(f->log, &stored, &receipt, &error), &error);
    f->seq = entry.seq = receipt.seq;
    entry.id = receipt.id;
    entry.key = key ? key : "";
    entry.received_at_ms = stored.received_at_ms;
    return take(f, &entry, clock_wall_ms());
}

/* What the reconciler appended, taken in as the worker does it. */
static inline struct taken take_polled(struct ledger_fixture *f, int64_t seq)
{
    struct result_entry entry = {0};
    struct error error = {0};
    ledger_check(result_log_get(f->log, seq, take_entry, &entry, &error), &error);
    char *key = NULL;
    struct newest newest = read_log(f);
    assert_true(newest.seq == seq);
    key = newest.key;
    entry.endpoint = newest.has_run ? "results" : "open";
    entry.key = key;
    entry.delivery_id = entry.event = entry.name = entry.remote_address = "";
    entry.source = "poll";
    entry.verified_by = "poll";
    entry.content_type = "application/json";
    return take(f, &entry, clock_wall_ms());
}

/* main() of a test program. */
#define RECONCILER_TESTS(...)                                                                      \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR, "test");                                      \
        if (http_client_init(NULL) != 0)                                                           \
            return 1;                                                                              \
        int failed = cmocka_run_group_tests(tests, NULL, NULL);                                    \
        http_client_cleanup();                                                                     \
        return failed;                                                                             \
    }

#endif
