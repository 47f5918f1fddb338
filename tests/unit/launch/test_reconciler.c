/* SPDX-License-Identifier: MIT */
/*
 * The reconciler against a real store and a server that answers as the test says.
 * A test waits for a request to arrive, then stops the reconciler, which finishes
 * what it does with the answer: nothing depends on time.
 */
#include <sched.h>

#include "callbackd/clock.h"
#include "callbackd/http_client.h"
#include "callbackd/log.h"
#include "callbackd/reconciler.h"
#include "ledger_fixture.h"
#include "loopback.h"

#define SUCCESS_NODES "{\"N\":{\"status\":\"SUCCESS\",\"value\":\"v\",\"is_output_node\":true}}"
#define RUNNING_NODES "{\"N\":{\"status\":\"RUNNING\",\"value\":null,\"is_output_node\":true}}"
#define ANSWER(status, body) "HTTP/1.1 " status " X\r\nConnection: close\r\n\r\n" body

static const struct loopback_reply success = {ANSWER("200", SUCCESS_NODES "\n"), LOOPBACK_CLOSE};
static const struct loopback_reply still_running = {ANSWER("202", RUNNING_NODES), LOOPBACK_CLOSE};

/* ---- arranging ---- */

static struct config_secret api_key = {(unsigned char *)"pl_test_key", 11};

static void use_server(struct ledger_fixture *f, struct loopback *server)
{
    f->config.promptlayer.base_url = server->url;
    f->config.promptlayer.api_key = (struct config_secrets){.items = &api_key, .count = 1};
}

/* A run whose deadline passed so long ago. Execution id 0: it never got one. */
static struct id an_overdue_run(struct ledger_fixture *f, int64_t execution_id, int64_t ago_ms)
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

static struct reconciler *start(struct ledger_fixture *f)
{
    struct error error = {0};
    struct reconciler *reconciler = reconciler_start(&f->config, f->state, f->log, NULL, &error);
    ledger_check(reconciler ? 0 : -1, &error);
    return reconciler;
}

/* Runs it until so many requests have come, and to the end of what follows from them. */
static void run_until(struct ledger_fixture *f, struct loopback *server, int requests)
{
    struct reconciler *reconciler = start(f);
    if (requests > 0)
        loopback_request(server, requests - 1);
    reconciler_stop(reconciler);
}

/* The same with one reply for everything. */
static void reconcile(struct ledger_fixture *f, const struct loopback_reply *reply, int requests)
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

static int look(void *context, const struct result_entry *entry)
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

static struct newest read_log(struct ledger_fixture *f)
{
    struct newest newest = {0};
    struct error error = {0};
    ledger_check(result_log_read(f->log, 0, 1000, look, &newest, &error), &error);
    return newest;
}

static void assert_body(struct ledger_fixture *f, int64_t seq, const char *expected)
{
    struct buffer body;
    buffer_init(&body, 65536);
    assert_int_equal(result_log_body(f->log, seq, &body, NULL), 0);
    assert_string_equal(buffer_text(&body), expected);
    buffer_fini(&body);
}

static int take_entry(void *context, const struct result_entry *entry)
{
    /* Not in the visit: the ledger's transaction waits for another thread. */
    *(struct result_entry *)context = *entry;
    return 0;
}

/* A post as the receiver stores it, taken in as the worker does it. */
static struct taken store_post(
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
static struct taken take_polled(struct ledger_fixture *f, int64_t seq)
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

/* ---- overdue runs ---- */

static void an_overdue_run_is_polled_and_completed(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = an_overdue_run(f, 9007199254740993, 1000);
    char text[ID_TEXT_BYTES];
    id_format(&id, text);
    struct loopback *server = loopback_one(&success);
    use_server(f, server);
    run_until(f, server, 1);
    assert_non_null(strstr(
        loopback_request(server, 0), "workflow_version_execution_id=9007199254740993"
                                     "&return_all_outputs=true HTTP/1.1\r\n"));
    assert_non_null(strstr(loopback_request(server, 0), "\r\nX-API-KEY: pl_test_key\r\n"));
    loopback_stop(server);

    struct newest polled = read_log(f);
    assert_int_equal(polled.count, 1);
    assert_string_equal(polled.key, text);
    assert_string_equal(polled.source, "poll");
    assert_string_equal(polled.verified_by, "poll");
    assert_int_equal(polled.status, STATUS_SUCCESS);
    assert_body(
        f, polled.seq,
        "{\"workflow_version_execution_id\":9007199254740993,\"final_output\":" SUCCESS_NODES "}");
    assert_true(take_polled(f, polled.seq).triggers);
    assert_run_state(f, &id, RUN_COMPLETED);
}

static void a_run_that_is_still_running_stays_overdue(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = an_overdue_run(f, 10, 1000);
    reconcile(f, &still_running, 1);
    assert_int_equal(read_log(f).count, 0);
    assert_run_state(f, &id, RUN_OVERDUE);
}

static void nodes_that_run_are_no_result(void **state)
{
    struct ledger_fixture *f = *state;
    const struct loopback_reply reply = {ANSWER("200", RUNNING_NODES), LOOPBACK_CLOSE};
    struct id id = an_overdue_run(f, 10, 1000);
    reconcile(f, &reply, 1);
    assert_int_equal(read_log(f).count, 0);
    assert_run_state(f, &id, RUN_OVERDUE);
}

static void a_run_that_ended_without_output_has_failed(void **state)
{
    struct ledger_fixture *f = *state;
    const struct loopback_reply reply = {
        ANSWER(
            "500", " {\"success\":false,\"message\":\"no output node succeeded\","
                   "\"output\":" SUCCESS_NODES "}\n"),
        LOOPBACK_CLOSE};
    struct id id = an_overdue_run(f, 10, 1000);
    reconcile(f, &reply, 1);
    struct newest polled = read_log(f);
    assert_int_equal(polled.status, STATUS_FAILED);
    assert_true(polled.execution_id == 10);
    assert_body(
        f, polled.seq,
        "{\"workflow_version_execution_id\":10,\"success\":false,\"message\":\"no output node "
        "succeeded\",\"output\":" SUCCESS_NODES "}");
    assert_int_equal(take_polled(f, polled.seq).status, STATUS_FAILED);
    assert_run_state(f, &id, RUN_COMPLETED);
}

static void assert_lost(struct ledger_fixture *f, const struct id *id, const char *reason)
{
    struct run_record run = run_now(f, id);
    assert_string_equal(run_state_name(run.state), "lost");
    if (!strstr(run.reason, reason))
        fail_msg("%s", run.reason);
    run_record_fini(&run);
    assert_int_equal(read_log(f).count, 0);
}

static void a_run_that_the_api_does_not_know_is_lost_at_once(void **state)
{
    struct ledger_fixture *f = *state;
    const struct loopback_reply reply = {ANSWER("404", "{}"), LOOPBACK_CLOSE};
    struct id id = an_overdue_run(f, 10, 1000);
    reconcile(f, &reply, 1);
    assert_lost(f, &id, "does not know execution 10");
}

static void a_day_after_its_deadline_a_run_is_lost(void **state)
{
    struct ledger_fixture *f = *state;
    const struct loopback_reply refused = {
        ANSWER("401", "{\"message\":\"bad key\"}"), LOOPBACK_CLOSE};
    struct id running = an_overdue_run(f, 10, day_ms + 1000);
    reconcile(f, &still_running, 1);
    assert_lost(f, &running, "within a day after its deadline: the workflow API says that it is");
    struct id locked_out = an_overdue_run(f, 11, day_ms + 1000);
    reconcile(f, &refused, 1);
    assert_lost(f, &locked_out, "bad key");
}

static void a_late_result_is_taken_even_after_the_day(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = an_overdue_run(f, 10, 3 * day_ms);
    reconcile(f, &success, 1);
    take_polled(f, read_log(f).seq);
    assert_run_state(f, &id, RUN_COMPLETED);
}

static void an_outage_that_has_just_begun_loses_nothing(void **state)
{
    struct ledger_fixture *f = *state;
    const struct loopback_reply broken = {"", LOOPBACK_CLOSE};
    const struct loopback_reply down = {ANSWER("503", "down"), LOOPBACK_CLOSE};
    struct id id = an_overdue_run(f, 10, 2 * day_ms);
    reconcile(f, &broken, 1);
    assert_run_state(f, &id, RUN_OVERDUE);
    reconcile(f, &down, 1);
    assert_run_state(f, &id, RUN_OVERDUE);
}

static void an_output_that_is_too_large_is_not_taken(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = an_overdue_run(f, 10, 1000);
    f->config.limits.body_bytes = 20;
    reconcile(f, &success, 1);
    assert_int_equal(read_log(f).count, 0);
    assert_run_state(f, &id, RUN_OVERDUE);
}

/* ---- how often ---- */

static void a_rate_limit_holds_for_all(void **state)
{
    struct ledger_fixture *f = *state;
    const struct loopback_reply limited = {
        "HTTP/1.1 429 X\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n", LOOPBACK_CLOSE};
    for (int i = 0; i < 5; i++)
        an_overdue_run(f, 10 + i, 1000);
    reconcile(f, &limited, 1);
}

static void an_outage_holds_for_all(void **state)
{
    struct ledger_fixture *f = *state;
    struct error error = {0};
    int fd = -1;
    struct metrics *metrics = metrics_create(&fd, &error);
    ledger_check(metrics ? 0 : -1, &error);
    for (int i = 0; i < 5; i++)
        an_overdue_run(f, 10 + i, 1000);
    f->config.promptlayer.base_url = (char *)"http://127.0.0.1:1";
    f->config.promptlayer.api_key = (struct config_secrets){.items = &api_key, .count = 1};
    struct reconciler *reconciler = reconciler_start(&f->config, f->state, f->log, metrics, &error);
    ledger_check(reconciler ? 0 : -1, &error);
    while (metrics_get(metrics, METRIC_POLLS) == 0)
        sched_yield();
    reconciler_stop(reconciler);
    assert_int_equal(metrics_get(metrics, METRIC_POLLS), 1);
    metrics_close(metrics);
    close(fd);
}

static void a_wake_brings_what_is_new_and_leaves_the_rest_its_time(void **state)
{
    struct ledger_fixture *f = *state;
    struct loopback *server = loopback_one(&still_running);
    use_server(f, server);
    an_overdue_run(f, 10, 1000);
    struct reconciler *reconciler = start(f);
    loopback_request(server, 0);
    an_overdue_run(f, 11, 1000);
    reconciler_wake(reconciler);
    assert_non_null(strstr(loopback_request(server, 1), "execution_id=11&"));
    reconciler_stop(reconciler);
    assert_int_equal(loopback_requests(server), 2);
    loopback_stop(server);
}

static void every_run_of_many_has_its_turn(void **state)
{
    struct ledger_fixture *f = *state;
    struct loopback *server = loopback_one(&success);
    use_server(f, server);
    for (int i = 0; i < 40; i++)
        an_overdue_run(f, 100 + i, 1000);
    struct reconciler *reconciler = start(f);
    for (int i = 0; i < 40; i++) {
        reconciler_wake(reconciler);
        loopback_request(server, i);
    }
    reconciler_stop(reconciler);
    assert_int_equal(loopback_requests(server), 40);
    assert_int_equal(read_log(f).count, 40);
    loopback_stop(server);
}

/* ---- truncated results ---- */

static void a_truncated_result_is_fetched_as_a_further_revision(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 10);
    char key[ID_TEXT_BYTES];
    id_format(&id, key);
    store_post(f, &id, key, 10, STATUS_TRUNCATED);
    reconcile(f, &success, 1);
    struct newest polled = read_log(f);
    assert_int_equal(polled.count, 2);
    assert_int_equal(polled.revision, 2);
    assert_string_equal(polled.key, key);
    assert_true(take_polled(f, polled.seq).triggers);
    assert_run_state(f, &id, RUN_COMPLETED);
    reconcile(f, &success, 0);
}

static void a_truncated_result_of_a_pending_or_mismatched_run_is_left(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_registration registration = a_registration();
    struct error error = {0};
    registration.now_ms = clock_wall_ms();
    struct ledger_step step = {.f = f, .registration = &registration, .work = do_register};
    ledger_check(ledger_write(&step, &error), &error);
    struct id launching = step.run.id;
    run_record_fini(&step.run);
    assert_true(store_post(f, &launching, "a", 10, STATUS_TRUNCATED).pending);
    struct id other = a_launched_run(f, 11);
    assert_int_equal(store_post(f, &other, "b", 12, STATUS_TRUNCATED).status, STATUS_MISMATCH);
    reconcile(f, &success, 0);
    assert_int_equal(read_log(f).count, 2);
}

static void without_a_run_its_own_execution_and_key_are_used(void **state)
{
    struct ledger_fixture *f = *state;
    store_post(f, NULL, "execution:10", 10, STATUS_TRUNCATED);
    reconcile(f, &success, 1);
    struct newest polled = read_log(f);
    assert_string_equal(polled.key, "execution:10");
    assert_int_equal(polled.revision, 2);
    assert_false(polled.has_run);
    assert_true(take_polled(f, polled.seq).triggers);
    reconcile(f, &success, 0);
}

static void without_a_key_it_is_still_fetched_only_once(void **state)
{
    struct ledger_fixture *f = *state;
    store_post(f, NULL, NULL, 10, STATUS_TRUNCATED);
    reconcile(f, &success, 1);
    /* The worker has not taken it in yet, and everything starts anew: the same key again. */
    reconcile(f, &success, 1);
    struct newest polled = read_log(f);
    assert_int_equal(strncmp(polled.key, "poll:", 5), 0);
    assert_int_equal(polled.count, 3);
    assert_int_equal(polled.revision, 1);
}

static void a_truncated_result_that_the_api_does_not_know_is_given_up(void **state)
{
    struct ledger_fixture *f = *state;
    const struct loopback_reply reply = {ANSWER("404", "{}"), LOOPBACK_CLOSE};
    struct id id = a_launched_run(f, 10);
    store_post(f, &id, "k", 10, STATUS_TRUNCATED);
    reconcile(f, &reply, 1);
    assert_run_state(f, &id, RUN_WAITING);
}

/* ---- what cannot be asked for ---- */

static void without_an_api_key_nothing_is_asked_and_time_decides(void **state)
{
    struct ledger_fixture *f = *state;
    struct id recent = an_overdue_run(f, 10, 1000);
    struct id old = an_overdue_run(f, 11, day_ms + 1000);
    struct loopback *server = loopback_one(&success);
    use_server(f, server);
    f->config.promptlayer.api_key.count = 0;
    run_until(f, server, 0);
    assert_int_equal(loopback_requests(server), 0);
    assert_run_state(f, &recent, RUN_OVERDUE);
    assert_lost(f, &old, "no API key to ask with");
    loopback_stop(server);
}

static void stopping_none_is_fine(void **state)
{
    (void)state;
    reconciler_wake(NULL);
    reconciler_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(an_overdue_run_is_polled_and_completed),
        LEDGER_TEST(a_run_that_is_still_running_stays_overdue),
        LEDGER_TEST(nodes_that_run_are_no_result),
        LEDGER_TEST(a_run_that_ended_without_output_has_failed),
        LEDGER_TEST(a_run_that_the_api_does_not_know_is_lost_at_once),
        LEDGER_TEST(a_day_after_its_deadline_a_run_is_lost),
        LEDGER_TEST(a_late_result_is_taken_even_after_the_day),
        LEDGER_TEST(an_outage_that_has_just_begun_loses_nothing),
        LEDGER_TEST(an_output_that_is_too_large_is_not_taken),
        LEDGER_TEST(a_rate_limit_holds_for_all),
        LEDGER_TEST(an_outage_holds_for_all),
        LEDGER_TEST(a_wake_brings_what_is_new_and_leaves_the_rest_its_time),
        LEDGER_TEST(every_run_of_many_has_its_turn),
        LEDGER_TEST(a_truncated_result_is_fetched_as_a_further_revision),
        LEDGER_TEST(a_truncated_result_of_a_pending_or_mismatched_run_is_left),
        LEDGER_TEST(without_a_run_its_own_execution_and_key_are_used),
        LEDGER_TEST(without_a_key_it_is_still_fetched_only_once),
        LEDGER_TEST(a_truncated_result_that_the_api_does_not_know_is_given_up),
        LEDGER_TEST(without_an_api_key_nothing_is_asked_and_time_decides),
        cmocka_unit_test(stopping_none_is_fine),
    };
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR, "test");
    if (http_client_init(NULL) != 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    http_client_cleanup();
    return failed;
}
