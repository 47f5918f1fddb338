/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading.h"

static struct body_summary assert_reads(const char *id, const char *status, const char *text)
{
    struct body_rules rules = {
        .kind = BODY_JSON, .depth_max = 128, .id_pointer = id, .status_pointer = status};
    struct reading reading = read_whole(&rules, bytes_of_text(text));
    if (reading.result != 0)
        fail_msg("%s: %s", text, reading.error.message);
    if (!reads_alike_in_pieces(&rules, bytes_of_text(text)))
        fail_msg("%s differs in pieces", text);
    assert_false(reading.summary.has_execution_id);
    assert_string_equal(reading.summary.event, "");
    return reading.summary;
}

static void without_pointers_any_json_is_received(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null", "1", "\"x\"", "[]", "{\"id\":1,\"status\":\"failed\"}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct body_summary summary = assert_reads(NULL, NULL, texts[i]);
        assert_int_equal(summary.status, STATUS_RECEIVED);
        assert_false(summary.has_id);
        assert_string_equal(summary.id, "");
    }
}

static void an_id_is_a_string_or_an_integer(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        const char *id; /* NULL: none */
    } rows[] = {
        {"\"evt_1\"", "evt_1"},
        {"\"\\u00e9\"", "\xC3\xA9"},
        {"7", "7"},
        {"-7", "-7"},
        {"123456789012345678901234567890", "123456789012345678901234567890"},
        {"1.5", NULL},
        {"1e3", NULL},
        {"\"\"", NULL},
        {"null", NULL},
        {"true", NULL},
        {"{\"a\":1}", NULL},
        {"[\"x\"]", NULL},
    };
    char text[128];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, "{\"data\":[{\"id\":%s}]}", rows[i].value);
        struct body_summary summary = assert_reads("/data/0/id", NULL, text);
        assert_int_equal(summary.has_id, rows[i].id != NULL);
        assert_string_equal(summary.id, rows[i].id ? rows[i].id : "");
    }
}

static void a_pointer_that_leads_nowhere_gives_nothing(void **state)
{
    (void)state;
    assert_false(assert_reads("/id", "/status", "[{\"id\":1}]").has_id);
    assert_false(assert_reads("/a/b", "/a/b", "{\"a\":1,\"b\":2}").has_id);
    assert_int_equal(assert_reads("/id", "/status", "{}").status, STATUS_RECEIVED);
}

static void the_whole_body_can_be_the_id(void **state)
{
    (void)state;
    assert_string_equal(assert_reads("", NULL, " \"x\" ").id, "x");
    assert_string_equal(assert_reads("", NULL, "42").id, "42");
}

static void id_and_status_may_be_the_same_value(void **state)
{
    (void)state;
    struct body_summary summary = assert_reads("/s", "/s", "{\"s\":\"failed\"}");
    assert_string_equal(summary.id, "failed");
    assert_int_equal(summary.status, STATUS_FAILED);
}

static void words_of_status_are_understood_in_any_case(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum result_status status;
    } rows[] = {
        {"\"success\"", STATUS_SUCCESS},
        {"\"succeeded\"", STATUS_SUCCESS},
        {"\"ok\"", STATUS_SUCCESS},
        {"\"completed\"", STATUS_SUCCESS},
        {"\"OK\"", STATUS_SUCCESS},
        {"\"Completed\"", STATUS_SUCCESS},
        {"\"failed\"", STATUS_FAILED},
        {"\"failure\"", STATUS_FAILED},
        {"\"error\"", STATUS_FAILED},
        {"\"FAILURE\"", STATUS_FAILED},
        {"\"running\"", STATUS_RUNNING},
        {"\"queued\"", STATUS_RUNNING},
        {"\"pending\"", STATUS_RUNNING},
        {"\"processing\"", STATUS_RUNNING},
        {"\"\\u0045RROR\"", STATUS_FAILED},
        {"\"done\"", STATUS_RECEIVED},
        {"\" ok\"", STATUS_RECEIVED},
        {"\"okay\"", STATUS_RECEIVED},
        {"\"\"", STATUS_RECEIVED},
        {"true", STATUS_RECEIVED},
        {"200", STATUS_RECEIVED},
        {"null", STATUS_RECEIVED},
        {"{\"s\":\"ok\"}", STATUS_RECEIVED},
        {"\"ok\\u0000\"", STATUS_RECEIVED},
        {"\"truncated\"", STATUS_RECEIVED},
        {"\"mismatch\"", STATUS_RECEIVED},
    };
    char text[128];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(text, sizeof text, "{\"s\":%s}", rows[i].value);
        struct body_summary summary = assert_reads(NULL, "/s", text);
        if (summary.status != rows[i].status)
            fail_msg("%s is %s", text, result_status_name(summary.status));
    }
}

static void an_id_that_cannot_be_one_is_refused(void **state)
{
    (void)state;
    struct body_rules rules = {.kind = BODY_JSON, .depth_max = 8, .id_pointer = "/id"};
    char text[512];
    char id[256 + 1];
    memset(id, '1', 256);
    id[256] = '\0';
    snprintf(text, sizeof text, "{\"id\":\"%s\"}", id);
    struct reading reading = read_whole(&rules, bytes_of_text(text));
    assert_int_equal(reading.result, -1);
    assert_int_equal(reading.error.code, ERROR_INVALID);
    assert_string_equal(reading.error.message, "the id is longer than 255 bytes");
    snprintf(text, sizeof text, "{\"id\":%s}", id);
    assert_int_equal(read_whole(&rules, bytes_of_text(text)).result, -1);
    reading = read_whole(&rules, bytes_of_text("{\"id\":\"a\\u0000\"}"));
    assert_int_equal(reading.result, -1);
    assert_string_equal(reading.error.message, "the id has a NUL in it");
    id[255] = '\0';
    snprintf(text, sizeof text, "{\"id\":\"%s\"}", id);
    assert_string_equal(assert_reads("/id", NULL, text).id, id);
    snprintf(text, sizeof text, "{\"id\":%s}", id);
    assert_string_equal(assert_reads("/id", NULL, text).id, id);
}

static void of_duplicate_keys_the_last_counts(void **state)
{
    (void)state;
    struct body_summary summary = assert_reads(
        "/a/id", "/s", "{\"a\":{\"id\":1},\"s\":\"ok\",\"a\":{\"id\":2},\"s\":\"error\"}");
    assert_string_equal(summary.id, "2");
    assert_int_equal(summary.status, STATUS_FAILED);
    assert_false(assert_reads("/a/id", NULL, "{\"a\":{\"id\":1},\"a\":{}}").has_id);
}

static void odd_documents_are_received(void **state)
{
    (void)state;
    /* The vectors for signatures are bodies too. */
    assert_reads(
        "/k", "/k",
        "{\"k\":\"\\u2028\\u2029\\u001F\\b\\f\\n\\r\\t\\/\\\\\\\"\\uD83D\\uDE00\\ud800"
        "\\u00E9a/b\",\"A\":1,\"a\":2,\"_\":3}");
    assert_reads(
        "/f/2", "/i/1",
        "{\"f\":[1.0,1e-7,1e22,1E16,0.00001,0.0001,-0.0,-0,1.10,2.5e0,1e21],"
        "\"i\":[9007199254740993,12345678901234567890,-1]}");
    assert_reads(
        "/\xEF\xBF\xAE", NULL,
        "{\"\\uffee\":1,\"\\ud83d\\ude00\":\"caf\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC\","
        "\"del\":\"\\u007f\"}");
    assert_reads("/", NULL, "{\"b\":{},\"a\":1,\"a\":[[],{},\"\"],\"\":\"\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_pointers_any_json_is_received),
        cmocka_unit_test(an_id_is_a_string_or_an_integer),
        cmocka_unit_test(a_pointer_that_leads_nowhere_gives_nothing),
        cmocka_unit_test(the_whole_body_can_be_the_id),
        cmocka_unit_test(id_and_status_may_be_the_same_value),
        cmocka_unit_test(words_of_status_are_understood_in_any_case),
        cmocka_unit_test(an_id_that_cannot_be_one_is_refused),
        cmocka_unit_test(of_duplicate_keys_the_last_counts),
        cmocka_unit_test(odd_documents_are_received),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
