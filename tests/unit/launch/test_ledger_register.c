/* SPDX-License-Identifier: MIT */
#include "callbackd/verify.h"
#include "ledger_fixture.h"

static enum error_code registering(
    struct ledger_fixture *f, const struct ledger_registration *registration,
    struct run_record *run_out, bool *existing_out)
{
    struct error error = {0};
    struct ledger_step step = {.f = f, .registration = registration, .work = do_register};
    if (ledger_write(&step, &error) == 0 && run_out) {
        *run_out = step.run;
        *existing_out = step.flag;
    } else {
        run_record_fini(&step.run);
    }
    return error.code;
}

static int count_run(void *context, const struct run_record *run)
{
    (void)run;
    ++*(int *)context;
    return 0;
}

static int do_count(struct ledger_step *s, struct state_tx *tx, struct error *error)
{
    const struct run_filter filter = {.state = -1, .limit = 100};
    return state_run_list(tx, &filter, count_run, &s->count, error);
}

static int runs(struct ledger_fixture *f)
{
    struct error error = {0};
    struct ledger_step step = {.f = f, .work = do_count};
    ledger_check(ledger_write(&step, &error), &error);
    return step.count;
}

/* ---- registering ---- */

static void a_run_is_launching_and_has_a_url_that_verifies(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_registration registration = a_registration();
    struct run_record run = {0};
    bool existing = true;
    registration.deadline_at_ms = t0 + 60000;
    registration.tags_json = "{\"team\":\"a\"}";
    assert_int_equal(registering(f, &registration, &run, &existing), ERROR_NONE);
    assert_false(existing);
    assert_int_equal(run.state, RUN_LAUNCHING);
    assert_string_equal(run.workflow, "triage");
    assert_string_equal(run.endpoint, "results");
    assert_string_equal(run.tags_json, "{\"team\":\"a\"}");
    assert_true(run.registered_at_ms == t0 && run.deadline_at_ms == t0 + 60000);
    assert_false(run.has_execution_id || run.has_result);

    const char *base = "https://hooks.example.com/callback/";
    assert_int_equal(strncmp(run.callback_url, base, strlen(base)), 0);
    struct id verified;
    struct bytes token = bytes_of_text(run.callback_url + strlen(base));
    assert_int_equal(
        run_token_verify(&f->config.run_token.key, "results", token, t0 / 1000, &verified, NULL),
        0);
    assert_true(id_equal(&verified, &run.id));
    run_record_fini(&run);
}

static void without_a_deadline_a_run_is_waited_for_until_its_token_expires(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, NULL, 0);
    struct run_record run = run_now(f, &id);
    assert_true(run.deadline_at_ms == t0 + f->config.run_token.lifetime_ms);
    run_record_fini(&run);
}

static void a_token_outlives_a_late_deadline_by_a_day(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_registration registration = a_registration();
    struct run_record run = {0};
    bool existing;
    registration.deadline_at_ms = t0 + 30 * day_ms;
    assert_int_equal(registering(f, &registration, &run, &existing), ERROR_NONE);
    struct bytes token = bytes_of_text(strrchr(run.callback_url, '/') + 1);
    struct id verified;
    int64_t last_s = (t0 + 31 * day_ms) / 1000 - 1;
    const struct config_secrets *keys = &f->config.run_token.key;
    assert_int_equal(run_token_verify(keys, "results", token, last_s, &verified, NULL), 0);
    assert_int_equal(run_token_verify(keys, "results", token, last_s + 2, &verified, NULL), -1);
    run_record_fini(&run);
}

static void the_first_endpoint_that_takes_runs_is_the_default(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_registration registration = a_registration();
    struct run_record run = {0};
    bool existing;
    registration.endpoint = "again";
    assert_int_equal(registering(f, &registration, &run, &existing), ERROR_NONE);
    assert_string_equal(run.endpoint, "again");
    assert_non_null(strstr(run.callback_url, "/again/"));
    run_record_fini(&run);
    f->config.endpoint_count = 1;
    registration.endpoint = NULL;
    assert_int_equal(registering(f, &registration, NULL, NULL), ERROR_INVALID);
}

static void an_endpoint_that_takes_no_runs_is_invalid(void **state)
{
    struct ledger_fixture *f = *state;
    static const char *const names[] = {"github", "open", "events", "nowhere", ""};
    struct ledger_registration registration = a_registration();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        registration.endpoint = names[i];
        assert_int_equal(registering(f, &registration, NULL, NULL), ERROR_INVALID);
    }
    assert_int_equal(runs(f), 0);
}

static void a_bad_deadline_or_bad_tags_register_nothing(void **state)
{
    struct ledger_fixture *f = *state;
    static const int64_t deadlines[] = {-1, 1, NOW_MS * (int64_t)1000, INT64_MAX};
    static const char *const tags[] = {"[]", "1", "{", "", "{} {}"};
    struct ledger_registration registration = a_registration();
    for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++) {
        registration.deadline_at_ms = deadlines[i];
        assert_int_equal(registering(f, &registration, NULL, NULL), ERROR_INVALID);
    }
    registration.deadline_at_ms = 0;
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        registration.tags_json = tags[i];
        assert_int_equal(registering(f, &registration, NULL, NULL), ERROR_INVALID);
    }
    assert_int_equal(runs(f), 0);
}

static void without_a_key_there_is_no_run(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_registration registration = a_registration();
    f->config.run_token.key.count = 0;
    assert_int_equal(registering(f, &registration, NULL, NULL), ERROR_CONFIG);
    assert_int_equal(runs(f), 0);
}

static void an_idempotency_key_gives_the_same_run_again(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_registration registration = a_registration();
    struct run_record first = {0};
    struct run_record second = {0};
    bool existing;
    registration.idempotency_key = "k-1";
    registration.deadline_at_ms = t0 + 1000;
    assert_int_equal(registering(f, &registration, &first, &existing), ERROR_NONE);
    assert_int_equal(launched(f, &first.id, 42), ERROR_NONE);
    registration.now_ms = t0 + 5000; /* its deadline has passed meanwhile */
    assert_int_equal(registering(f, &registration, &second, &existing), ERROR_NONE);
    assert_true(existing);
    assert_true(id_equal(&first.id, &second.id));
    assert_string_equal(first.callback_url, second.callback_url);
    assert_int_equal(second.state, RUN_WAITING);
    assert_int_equal(runs(f), 1);
    run_record_fini(&first);
    run_record_fini(&second);
}

static void an_idempotency_key_for_something_else_is_a_conflict(void **state)
{
    struct ledger_fixture *f = *state;
    struct ledger_registration registration = a_registration();
    registration.idempotency_key = "k-1";
    assert_int_equal(registering(f, &registration, NULL, NULL), ERROR_NONE);
    registration.workflow = "other";
    assert_int_equal(registering(f, &registration, NULL, NULL), ERROR_CONFLICT);
    registration = a_registration();
    registration.idempotency_key = "k-1";
    registration.endpoint = "again";
    assert_int_equal(registering(f, &registration, NULL, NULL), ERROR_CONFLICT);
    assert_int_equal(runs(f), 1);
}

/* ---- how the launch went ---- */

static void a_launched_run_waits(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", 0);
    assert_int_equal(launched(f, &id, INT64_MAX), ERROR_NONE);
    struct run_record run = run_now(f, &id);
    assert_int_equal(run.state, RUN_WAITING);
    assert_true(run.has_execution_id && run.execution_id == INT64_MAX);
    assert_true(run.launched_at_ms == t0 + 5);
    run_record_fini(&run);
}

static void the_same_execution_again_is_fine_and_another_a_conflict(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 7);
    assert_int_equal(launched(f, &id, 7), ERROR_NONE);
    assert_int_equal(launched(f, &id, 8), ERROR_CONFLICT);
    struct run_record run = run_now(f, &id);
    assert_true(run.execution_id == 7);
    run_record_fini(&run);
}

static void a_failed_launch_has_its_reason(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", 0);
    assert_int_equal(launch_failed(f, &id, "HTTP 404"), ERROR_NONE);
    assert_int_equal(launch_failed(f, &id, "again"), ERROR_NONE);
    struct run_record run = run_now(f, &id);
    assert_int_equal(run.state, RUN_LAUNCH_FAILED);
    assert_string_equal(run.reason, "HTTP 404");
    run_record_fini(&run);
}

static void a_failed_launch_may_be_tried_again(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", 0);
    assert_int_equal(launch_failed(f, &id, "HTTP 503"), ERROR_NONE);
    assert_int_equal(launched(f, &id, 7), ERROR_NONE);
    struct run_record run = run_now(f, &id);
    assert_int_equal(run.state, RUN_WAITING);
    assert_null(run.reason);
    assert_true(run.execution_id == 7);
    run_record_fini(&run);
}

static void what_was_launched_cannot_have_failed(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_launched_run(f, 7);
    assert_int_equal(launch_failed(f, &id, "no"), ERROR_CONFLICT);
    post(f, &id, 7, STATUS_SUCCESS);
    assert_int_equal(launch_failed(f, &id, "no"), ERROR_CONFLICT);
    assert_run_state(f, &id, RUN_COMPLETED);
}

static void a_completed_run_may_still_learn_its_execution(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = a_run(f, "results", 0);
    struct result_entry entry = an_entry(f, &id, 7, STATUS_SUCCESS);
    take(f, &entry, t0 + GRACE_MS);
    assert_run_state(f, &id, RUN_COMPLETED);
    assert_int_equal(launched(f, &id, 7), ERROR_NONE);
    struct run_record run = run_now(f, &id);
    assert_int_equal(run.state, RUN_COMPLETED);
    assert_true(run.has_execution_id && run.execution_id == 7);
    run_record_fini(&run);
}

static void nobody_knows_a_run_that_is_not_there(void **state)
{
    struct ledger_fixture *f = *state;
    struct id id = id_new();
    assert_int_equal(launched(f, &id, 7), ERROR_NOT_FOUND);
    assert_int_equal(launch_failed(f, &id, "x"), ERROR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(a_run_is_launching_and_has_a_url_that_verifies),
        LEDGER_TEST(without_a_deadline_a_run_is_waited_for_until_its_token_expires),
        LEDGER_TEST(a_token_outlives_a_late_deadline_by_a_day),
        LEDGER_TEST(the_first_endpoint_that_takes_runs_is_the_default),
        LEDGER_TEST(an_endpoint_that_takes_no_runs_is_invalid),
        LEDGER_TEST(a_bad_deadline_or_bad_tags_register_nothing),
        LEDGER_TEST(without_a_key_there_is_no_run),
        LEDGER_TEST(an_idempotency_key_gives_the_same_run_again),
        LEDGER_TEST(an_idempotency_key_for_something_else_is_a_conflict),
        LEDGER_TEST(a_launched_run_waits),
        LEDGER_TEST(the_same_execution_again_is_fine_and_another_a_conflict),
        LEDGER_TEST(a_failed_launch_has_its_reason),
        LEDGER_TEST(a_failed_launch_may_be_tried_again),
        LEDGER_TEST(what_was_launched_cannot_have_failed),
        LEDGER_TEST(a_completed_run_may_still_learn_its_execution),
        LEDGER_TEST(nobody_knows_a_run_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
