/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "faults.h"

static int read_into(struct sim_faults *faults, const char *text, struct error *error)
{
    struct json_document *document = json_parse(bytes_of_text(text), error);
    assert_non_null(document);
    int result = sim_faults_read(faults, document, json_root(document), error);
    json_document_free(document);
    return result;
}

static void assert_refused(const char *text, const char *hint)
{
    struct sim_faults faults = {0};
    struct error error = {0};
    assert_int_equal(read_into(&faults, text, &error), -1);
    assert_int_equal(error.code, ERROR_INVALID);
    if (!strstr(error.message, hint))
        fail_msg("%s: '%s'", text, error.message);
    sim_faults_fini(&faults);
}

static void every_key_sets_its_member(void **state)
{
    (void)state;
    struct sim_faults faults = {0};
    struct error error = {0};
    const char *text =
        "{\"delay_ms\":1,\"callback\":\"late\",\"late_ms\":2,\"order\":3,\"node\":\"failure\","
        "\"output\":\"none\",\"value\":{\"a\": [1.0]},\"size\":4,\"truncated\":true,\"drop\":true,"
        "\"slow_response_ms\":5,\"status\":503,\"revision\":true,\"revision_ms\":6,"
        "\"wrong_id\":true,\"retries\":7,\"retry_ms\":8,\"poll\":\"error\",\"poll_times\":9,"
        "\"warning\":\"w\"}";
    assert_int_equal(read_into(&faults, text, &error), 0);
    const int64_t numbers[] = {faults.delay_ms, faults.late_ms,          faults.order_ms,
                               faults.size,     faults.slow_response_ms, faults.revision_ms,
                               faults.retries,  faults.retry_ms,         faults.poll_times};
    for (int i = 0; i < 9; i++)
        assert_int_equal(numbers[i], i + 1);
    assert_int_equal(faults.callback, SIM_CALLBACK_LATE);
    assert_int_equal(faults.node, SIM_NODE_FAILURE);
    assert_int_equal(faults.output, SIM_OUTPUT_NONE);
    assert_int_equal(faults.poll, SIM_POLL_ERROR);
    assert_int_equal(faults.status, 503);
    assert_string_equal(faults.value, "{\"a\": [1.0]}");
    assert_string_equal(faults.warning, "w");
    assert_true(faults.truncated && faults.drop && faults.revision && faults.wrong_id);
    sim_faults_fini(&faults);
}

static void what_is_not_named_stays(void **state)
{
    (void)state;
    struct sim_faults faults = {.delay_ms = 200, .retries = 3};
    struct error error = {0};
    assert_int_equal(read_into(&faults, "{\"retries\":0}", &error), 0);
    assert_int_equal(faults.delay_ms, 200);
    assert_int_equal(faults.retries, 0);
    assert_int_equal(read_into(&faults, "{}", &error), 0);
    sim_faults_fini(&faults);
}

static void wrong_keys_and_values_are_refused_with_a_reason(void **state)
{
    (void)state;
    assert_refused("[]", "an object is needed");
    assert_refused("{\"delay\":1}", "'delay' is not a fault");
    assert_refused("{\"delay_ms\":-1}", "delay_ms is a whole number from 0");
    assert_refused("{\"delay_ms\":1.5}", "delay_ms is a whole number");
    assert_refused("{\"delay_ms\":\"1\"}", "delay_ms is a whole number");
    assert_refused("{\"delay_ms\":86400001}", "to 86400000");
    assert_refused("{\"drop\":1}", "drop is true or false");
    assert_refused("{\"callback\":\"thrice\"}", "callback is one of: normal, before_202, twice");
    assert_refused("{\"node\":null}", "node is one of: success, failed");
    assert_refused("{\"warning\":1}", "warning is a string");
    assert_refused("{\"status\":200}", "status is an error");
    assert_refused("{\"status\":600}", "status is a whole number from 0 to 599");
}

static void a_copy_has_texts_of_its_own(void **state)
{
    (void)state;
    struct sim_faults faults = {0};
    struct sim_faults copy;
    struct error error = {0};
    assert_int_equal(read_into(&faults, "{\"value\":\"v\",\"warning\":\"w\"}", &error), 0);
    assert_int_equal(sim_faults_copy(&faults, &copy), 0);
    sim_faults_fini(&faults);
    assert_string_equal(copy.value, "\"v\"");
    assert_string_equal(copy.warning, "w");
    sim_faults_fini(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_sets_its_member),
        cmocka_unit_test(what_is_not_named_stays),
        cmocka_unit_test(wrong_keys_and_values_are_refused_with_a_reason),
        cmocka_unit_test(a_copy_has_texts_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
