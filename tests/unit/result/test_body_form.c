/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "reading.h"

static const struct body_rules rules = {
    .kind = BODY_FORM, .depth_max = 1, .id_pointer = "id", .status_pointer = "the status"};

static struct body_summary assert_reads(const char *text)
{
    struct reading reading = read_whole(&rules, bytes_of_text(text));
    if (reading.result != 0)
        fail_msg("%s: %s", text, reading.error.message);
    if (!reads_alike_in_pieces(&rules, bytes_of_text(text)))
        fail_msg("%s differs in pieces", text);
    assert_false(reading.summary.has_execution_id);
    return reading.summary;
}

static void assert_id(const char *text, const char *id)
{
    struct body_summary summary = assert_reads(text);
    assert_int_equal(summary.has_id, id != NULL);
    assert_string_equal(summary.id, id ? id : "");
}

static void assert_refused_bytes(struct bytes body, const char *message)
{
    struct reading reading = read_whole(&rules, body);
    assert_int_equal(reading.result, -1);
    assert_int_equal(reading.error.code, ERROR_INVALID);
    assert_string_equal(reading.error.message, message);
    assert_true(reads_alike_in_pieces(&rules, body));
}

static void assert_refused(const char *text, const char *message)
{
    assert_refused_bytes(bytes_of_text(text), message);
}

static void fields_are_found_by_their_decoded_names(void **state)
{
    (void)state;
    assert_id("id=7", "7");
    assert_id("a=1&id=7&b=2", "7");
    assert_id("%69%64=7", "7");
    assert_id("%69d=a+b%20c%2Bd", "a b c+d");
    assert_id("id=caf%C3%A9&x", "caf\xC3\xA9");
    assert_id("id=a=b==", "a=b==");
    assert_id("id=%c3%a9%F0%9F%98%80", "\xC3\xA9\xF0\x9F\x98\x80");
    assert_id("xid=7", NULL);
    assert_id("idx=7", NULL);
    assert_id("ID=7", NULL);
    assert_id("i=7", NULL);
    assert_id("i%64%64=7", NULL);
}

static void an_empty_value_is_no_id(void **state)
{
    (void)state;
    assert_id("", NULL);
    assert_id("id", NULL);
    assert_id("id=", NULL);
    assert_id("=7", NULL);
    assert_id("&&=&", NULL);
    assert_id("id&id=", NULL);
}

static void of_fields_with_the_same_name_the_last_counts(void **state)
{
    (void)state;
    assert_id("id=1&id=2", "2");
    assert_id("id=1&%69d=3&x=4", "3");
    assert_id("id=1&id", NULL);
}

static void words_of_status_are_understood(void **state)
{
    (void)state;
    assert_int_equal(assert_reads("the+status=Failed").status, STATUS_FAILED);
    assert_int_equal(assert_reads("the%20status=%6Fk&id=1").status, STATUS_SUCCESS);
    assert_int_equal(assert_reads("the+status=pending").status, STATUS_RUNNING);
    assert_int_equal(assert_reads("the+status=other").status, STATUS_RECEIVED);
    assert_int_equal(assert_reads("the+status=").status, STATUS_RECEIVED);
    assert_int_equal(assert_reads("status=failed").status, STATUS_RECEIVED);
    assert_int_equal(assert_reads("x=1").status, STATUS_RECEIVED);
}

static void without_names_nothing_is_looked_for(void **state)
{
    (void)state;
    struct body_rules none = {.kind = BODY_FORM, .depth_max = 1};
    struct reading reading = read_whole(&none, bytes_of_text("id=1&=2&the+status=ok"));
    assert_int_equal(reading.result, 0);
    assert_false(reading.summary.has_id);
    assert_int_equal(reading.summary.status, STATUS_RECEIVED);
}

static void escapes_must_be_whole(void **state)
{
    (void)state;
    static const char what[] = "'%' without two hex digits";
    static const struct {
        const char *text;
        size_t at;
    } rows[] = {
        {"%", 1},      {"a=%", 3}, {"a=%4", 4},   {"a=%4g", 4},    {"a=%g4", 3}, {"a=%&b", 3},
        {"a=%4&b", 4}, {"%=1", 1}, {"a=%%41", 3}, {"a=%u0041", 3}, {"a%4=1", 3}, {"a=%+1", 3},
    };
    char message[64];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(message, sizeof message, "byte %zu: %s", rows[i].at, what);
        assert_refused(rows[i].text, message);
    }
}

static void names_and_values_are_utf8_each_by_itself(void **state)
{
    (void)state;
    assert_id("id=\xC3\xA9", "\xC3\xA9");
    assert_id("id=%C3\xA9", "\xC3\xA9");
    assert_refused("a=%ff", "byte 4: not UTF-8");
    assert_refused("a=%C3", "byte 5: not UTF-8");
    assert_refused("a=%C3&b=%A9", "byte 5: not UTF-8");
    assert_refused("%C3=%A9", "byte 3: not UTF-8");
    assert_refused("a=%C3x", "byte 5: not UTF-8");
    assert_refused("a=%C3+", "byte 5: not UTF-8");
    assert_refused("a=%C3%00", "byte 7: not UTF-8");
    assert_refused("a=%ED%A0%80", "byte 7: not UTF-8");
    assert_refused("a=%C0%80", "byte 4: not UTF-8");
    assert_refused("a=%F4%90%80%80", "byte 7: not UTF-8");
    assert_refused("a=\xA9", "byte 2: not UTF-8");
}

static void nul_and_raw_control_bytes_are_refused(void **state)
{
    (void)state;
    assert_refused("a=%00", "byte 4: a NUL");
    assert_refused("%00", "byte 2: a NUL");
    assert_refused_bytes(bytes_of("a=\0", 3), "byte 2: a control character");
    assert_refused("a=1\n", "byte 3: a control character");
    assert_refused("a=\x7F", "byte 2: a control character");
    assert_id("id=%0A%7F%01", "\n\x7F\x01");
}

static void an_id_may_be_255_bytes_long(void **state)
{
    (void)state;
    char text[3 * 256 + 8];
    char id[256];
    size_t length = (size_t)snprintf(text, sizeof text, "id=");
    for (size_t i = 0; i < 255; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%%61");
    memset(id, 'a', 255);
    id[255] = '\0';
    assert_id(text, id);
    snprintf(text + length, sizeof text - length, "b");
    assert_refused(text, "the id is longer than 255 bytes");
    memcpy(text, "ix", 2);
    assert_id(text, NULL);
}

static void a_long_status_is_an_unknown_status(void **state)
{
    (void)state;
    char text[600] = "the+status=";
    memset(text + strlen(text), 'x', 500);
    assert_int_equal(assert_reads(text).status, STATUS_RECEIVED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_by_their_decoded_names),
        cmocka_unit_test(an_empty_value_is_no_id),
        cmocka_unit_test(of_fields_with_the_same_name_the_last_counts),
        cmocka_unit_test(words_of_status_are_understood),
        cmocka_unit_test(without_names_nothing_is_looked_for),
        cmocka_unit_test(escapes_must_be_whole),
        cmocka_unit_test(names_and_values_are_utf8_each_by_itself),
        cmocka_unit_test(nul_and_raw_control_bytes_are_refused),
        cmocka_unit_test(an_id_may_be_255_bytes_long),
        cmocka_unit_test(a_long_status_is_an_unknown_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
