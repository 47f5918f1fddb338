/* SPDX-License-Identifier: MIT */
#include <poll.h>

#include "reconciler_fixture.h"

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
        (void)poll(NULL, 0, 1);
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

/* ---- a store that fails ---- */

static void wait_for_ticks(struct reconciler *reconciler, int count)
{
    for (int i = 0; i <= count; i++) {
        bool taken = false;
        reconciler_wake(reconciler);
        while (!taken) {
            pthread_mutex_lock(&reconciler->lock);
            taken = !reconciler->woken;
            pthread_mutex_unlock(&reconciler->lock);
            (void)poll(NULL, 0, 1);
        }
    }
}

static int times(const char *text, const char *words)
{
    int count = 0;
    for (; (text = strstr(text, words)) != NULL; text += strlen(words))
        count++;
    return count;
}

static void a_store_that_fails_is_logged_once_and_once_when_it_works(void **state)
{
    struct ledger_fixture *f = *state;
    char log[65536] = "";
    char directory[300];
    char away[300];
    FILE *captured = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_non_null(captured);
    snprintf(directory, sizeof directory, "%s/state", f->directory);
    snprintf(away, sizeof away, "%s/away", f->directory);
    dup2(fileno(captured), STDERR_FILENO);
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO, "test");
    assert_int_equal(rename(directory, away), 0);
    struct reconciler *reconciler = start(f);
    wait_for_ticks(reconciler, 4);
    assert_int_equal(rename(away, directory), 0);
    wait_for_ticks(reconciler, 4);
    reconciler_stop(reconciler);
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_ERROR, "test");
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(captured);
    (void)!fread(log, 1, sizeof log - 1, captured);
    fclose(captured);
    assert_int_equal(times(log, "cannot look for missing results"), 1);
    assert_int_equal(times(log, "looks for missing results again"), 1);
}

RECONCILER_TESTS(
    LEDGER_TEST(an_overdue_run_is_polled_and_completed),
    LEDGER_TEST(a_run_that_is_still_running_stays_overdue),
    LEDGER_TEST(nodes_that_run_are_no_result),
    LEDGER_TEST(a_run_that_ended_without_output_has_failed),
    LEDGER_TEST(a_run_that_the_api_does_not_know_is_lost_at_once),
    LEDGER_TEST(a_day_after_its_deadline_a_run_is_lost),
    LEDGER_TEST(a_late_result_is_taken_even_after_the_day),
    LEDGER_TEST(an_outage_that_has_just_begun_loses_nothing),
    LEDGER_TEST(an_output_that_is_too_large_is_not_taken), LEDGER_TEST(a_rate_limit_holds_for_all),
    LEDGER_TEST(an_outage_holds_for_all),
    LEDGER_TEST(a_wake_brings_what_is_new_and_leaves_the_rest_its_time),
    LEDGER_TEST(every_run_of_many_has_its_turn),
    LEDGER_TEST(without_an_api_key_nothing_is_asked_and_time_decides),
    LEDGER_TEST(a_store_that_fails_is_logged_once_and_once_when_it_works),
    cmocka_unit_test(stopping_none_is_fine))
