/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "feeding.h"

enum { DEPTH = 128 };

static bool accepted(const char *text)
{
    struct outcome outcome = scan_whole(bytes_of_text(text), DEPTH);
    struct outcome bytewise = scan_bytewise(bytes_of_text(text), DEPTH);
    assert_true(outcomes_equal(&outcome, &bytewise));
    return outcome.result == 0;
}

/* "<offset>: <reason>" of a text that is refused. */
static void assert_refused(const char *text, const char *message)
{
    struct outcome outcome = scan_whole(bytes_of_text(text), DEPTH);
    struct outcome bytewise = scan_bytewise(bytes_of_text(text), DEPTH);
    assert_int_equal(outcome.result, -1);
    assert_int_equal(outcome.error.code, ERROR_INVALID);
    assert_string_equal(outcome.error.message, message);
    assert_true(outcomes_equal(&outcome, &bytewise));
}

static void every_kind_of_value_is_accepted_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}", "[]", "\"\"", "0", "-0", "true", "false", "null", " \t\r\n1 \t\r\n", "[[],{},\"\"]",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_true(accepted(texts[i]));
}

static void structure_errors_say_what_was_expected_and_where(void **state)
{
    (void)state;
    assert_refused("", "byte 0: there is no value");
    assert_refused(" \n", "byte 2: there is no value");
    assert_refused("\xEF\xBB\xBF{}", "byte 0: expected a value");
    assert_refused("[1 2]", "byte 3: expected ',' or ']'");
    assert_refused("[1,]", "byte 3: expected a value");
    assert_refused("[,1]", "byte 1: expected a value or ']'");
    assert_refused("[1}", "byte 2: expected ',' or ']'");
    assert_refused("{\"a\":1]", "byte 6: expected ',' or '}'");
    assert_refused("{,}", "byte 1: expected a key in double quotes or '}'");
    assert_refused("{\"a\":1,}", "byte 7: expected a key in double quotes");
    assert_refused("{a:1}", "byte 1: expected a key in double quotes or '}'");
    assert_refused("{\"a\" 1}", "byte 5: expected ':' after the key");
    assert_refused("{\"a\":}", "byte 5: expected a value");
    assert_refused("{\"a\":]", "byte 5: expected a value");
    assert_refused("{\"a\"}", "byte 4: expected ':' after the key");
    assert_refused("{]", "byte 1: expected a key in double quotes or '}'");
    assert_refused("1 x", "byte 2: expected nothing after the value");
    assert_refused("{}{}", "byte 2: expected nothing after the value");
    assert_refused("]", "byte 0: expected a value");
    assert_refused("tru3", "byte 3: expected true, false or null");
    assert_refused("01", "byte 1: not a number as JSON has them");
    assert_refused("\"\\x\"", "byte 2: not an escape that JSON has");
    assert_refused("\"\t\"", "byte 1: a control character in a string");
    assert_refused("\"\xFF\"", "byte 1: not UTF-8");
    assert_refused("{\"\xC3\":1}", "byte 3: not UTF-8");
    assert_refused("\"\\u00g0\"", "byte 5: not an escape that JSON has");
}

static void a_text_that_is_cut_short_is_refused_at_every_length(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\\u00e9\":[1.5e+3,true,false,null,\"\xF0\x9F\x98\x80\\n\"],\"b\":{}}";
    for (size_t length = 0; length + 1 < sizeof text; length++) {
        struct outcome outcome = scan_whole(bytes_of(text, length), DEPTH);
        assert_int_equal(outcome.result, -1);
        assert_int_equal(outcome.error.code, ERROR_INVALID);
        assert_non_null(strstr(
            outcome.error.message, length ? "the text ends too early" : "there is no value"));
    }
    assert_true(accepted(text));
}

/* ---- depth ---- */

static struct outcome scan_nested(size_t levels, int depth_max)
{
    /* Objects and arrays mixed, so that each level must remember its own kind. */
    char *text = malloc(levels * 8 + 2);
    size_t length = 0;
    assert_non_null(text);
    for (size_t i = 0; i < levels; i++) {
        const char *begin = i * i % 3 == 1 ? "{\"k\":" : "[";
        memcpy(text + length, begin, strlen(begin));
        length += strlen(begin);
    }
    text[length++] = '1';
    for (size_t i = levels; i > 0; i--)
        text[length++] = (i - 1) * (i - 1) % 3 == 1 ? '}' : ']';
    struct outcome outcome = scan_whole(bytes_of(text, length), depth_max);
    free(text);
    return outcome;
}

static void nesting_is_allowed_to_the_limit_and_no_deeper(void **state)
{
    (void)state;
    static const int limits[] = {1, 2, 63, 64, 65, 128, 1000, JSON_DEPTH_MAX};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        assert_int_equal(scan_nested((size_t)limits[i], limits[i]).result, 0);
        struct outcome outcome = scan_nested((size_t)limits[i] + 1, limits[i]);
        assert_int_equal(outcome.result, -1);
        char text[64];
        snprintf(text, sizeof text, "nested deeper than %d levels", limits[i]);
        assert_non_null(strstr(outcome.error.message, text));
    }
}

static void a_limit_out_of_range_becomes_the_nearest(void **state)
{
    (void)state;
    assert_int_equal(scan_nested(1, 0).result, 0);
    assert_int_equal(scan_nested(2, -5).result, -1);
    assert_int_equal(scan_nested(JSON_DEPTH_MAX, 1 << 30).result, 0);
    assert_int_equal(scan_nested(JSON_DEPTH_MAX + 1, 1 << 30).result, -1);
}

static void a_wrong_closer_is_refused_at_every_depth(void **state)
{
    (void)state;
    for (size_t levels = 1; levels < 140; levels++) {
        char text[300] = "";
        for (size_t i = 0; i < levels; i++)
            text[i] = '[';
        text[levels] = '}';
        assert_int_equal(scan_whole(bytes_of(text, levels + 1), JSON_DEPTH_MAX).result, -1);
    }
}

/* ---- events ---- */

struct transcript {
    char text[1024];
    size_t length;
};

static int transcribe(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    static const char names[] = "{}[]kSNTFZ";
    struct transcript *transcript = context;
    (void)error;
    transcript->length += (size_t)snprintf(
        transcript->text + transcript->length, sizeof transcript->text - transcript->length,
        "%c%d:%zu-%zu ", names[event], depth, start, end);
    return 0;
}

static void events_give_kind_depth_and_place(void **state)
{
    (void)state;
    struct transcript transcript = {.length = 0};
    struct error error;
    assert_int_equal(
        json_scan_text(
            bytes_of_text(" {\"a\" : [1 , -2.5e3,\"x\\\"\"], \"b\":"
                          "{\"c\":true,\"d\":false},\"e\":null} "),
            DEPTH, transcribe, &transcript, &error),
        0);
    assert_string_equal(
        transcript.text, "{0:1-2 k1:2-5 [1:8-9 N2:9-10 N2:13-19 S2:20-25 ]1:25-26 k1:28-31 "
                         "{1:32-33 k2:33-36 T2:37-41 k2:42-45 F2:46-51 }1:51-52 k1:53-56 Z1:57-61 "
                         "}0:61-62 ");
}

static void a_number_at_the_top_ends_with_the_text(void **state)
{
    (void)state;
    struct transcript transcript = {.length = 0};
    struct json_scan scan;
    struct error error;
    json_scan_init(&scan, DEPTH, transcribe, &transcript);
    assert_int_equal(json_scan_feed(&scan, bytes_of_text("12"), &error), 0);
    assert_string_equal(transcript.text, "");
    assert_int_equal(json_scan_feed(&scan, bytes_of_text("123"), &error), 0);
    assert_int_equal(json_scan_finish(&scan, bytes_of_text("1234"), &error), 0);
    assert_string_equal(transcript.text, "N0:0-4 ");
    assert_int_equal(json_scan_finish(&scan, bytes_of_text("1234"), &error), 0);
    assert_string_equal(transcript.text, "N0:0-4 ");
}

static void a_scan_without_a_handler_only_judges(void **state)
{
    (void)state;
    struct error error;
    assert_int_equal(json_scan_text(bytes_of_text("[1,{\"a\":\"b\"}]"), 8, NULL, NULL, &error), 0);
    assert_int_equal(json_scan_text(bytes_of_text("[1,{\"a\":\"b\"]"), 8, NULL, NULL, NULL), -1);
}

struct stopper {
    int left;
    int calls;
};

static int stop_after(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct stopper *stopper = context;
    (void)event;
    (void)depth;
    (void)start;
    (void)end;
    stopper->calls++;
    return stopper->left-- > 0 ? 0 : error_set(error, ERROR_CONFLICT, "enough");
}

static void a_handler_stops_the_scan_at_any_event(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":[1,true,{}],\"b\":\"c\"} ";
    for (int events = 0; events < 10; events++) {
        struct stopper stopper = {.left = events};
        struct error error = {.code = ERROR_NONE};
        struct json_scan scan;
        json_scan_init(&scan, DEPTH, stop_after, &stopper);
        assert_int_equal(json_scan_finish(&scan, bytes_of_text(text), &error), -1);
        assert_int_equal(stopper.calls, events + 1);
        assert_int_equal(error.code, ERROR_CONFLICT);
        assert_int_equal(json_scan_feed(&scan, bytes_of_text(text), &error), -1);
        assert_int_equal(json_scan_finish(&scan, bytes_of_text(text), &error), -1);
        assert_int_equal(stopper.calls, events + 1);
    }
    struct stopper last = {.left = 0};
    struct error error = {.code = ERROR_NONE};
    assert_int_equal(json_scan_text(bytes_of_text("7"), DEPTH, stop_after, &last, &error), -1);
    assert_int_equal(error.code, ERROR_CONFLICT);
}

/* ---- feeding ---- */

static void a_failure_lasts(void **state)
{
    (void)state;
    struct json_scan scan;
    struct error error;
    json_scan_init(&scan, DEPTH, NULL, NULL);
    assert_int_equal(json_scan_feed(&scan, bytes_of_text("[1,,"), &error), -1);
    assert_int_equal(json_scan_feed(&scan, bytes_of_text("[1,,2]"), &error), -1);
    assert_string_equal(error.message, "byte 3: expected a value");
    assert_int_equal(json_scan_finish(&scan, bytes_of_text("[1,,2]"), &error), -1);
    assert_string_equal(error.message, "byte 3: expected a value");
    json_scan_init(&scan, DEPTH, NULL, NULL);
    assert_int_equal(json_scan_finish(&scan, bytes_of_text("[1"), &error), -1);
    assert_int_equal(json_scan_finish(&scan, bytes_of_text("[1]"), &error), -1);
    assert_string_equal(error.message, "byte 2: the text ends too early");
}

static void a_text_that_shrinks_is_a_bug_of_the_caller(void **state)
{
    (void)state;
    struct json_scan scan;
    struct error error;
    json_scan_init(&scan, DEPTH, NULL, NULL);
    assert_int_equal(json_scan_feed(&scan, bytes_of_text("[1,2"), &error), 0);
    assert_int_equal(json_scan_feed(&scan, bytes_of_text("[1"), &error), -1);
    assert_int_equal(error.code, ERROR_INTERNAL);
}

static void errors_need_no_place_to_go(void **state)
{
    (void)state;
    assert_int_equal(json_scan_text(bytes_of_text("[1,2"), 8, NULL, NULL, NULL), -1);
    assert_int_equal(json_scan_text(bytes_of(NULL, 0), 8, NULL, NULL, NULL), -1);
}

static void sixteen_mebibytes_scan_in_one_pass_and_in_chunks(void **state)
{
    (void)state;
    size_t length = (size_t)16 << 20;
    char *text = malloc(length);
    assert_non_null(text);
    for (size_t i = 0; i < length; i++)
        text[i] = i % 2 ? '1' : ',';
    text[0] = '[';
    text[length - 1] = ']';
    struct outcome whole = {.result = 0};
    struct outcome chunks = {.result = 0};
    text[length - 2] = ' ';
    text[length - 3] = '1';
    assert_int_equal(
        json_scan_text(bytes_of(text, length), DEPTH, note_event, &whole, &whole.error), 0);
    assert_int_equal(whole.events, length / 2 - 1 + 2);
    struct json_scan scan;
    json_scan_init(&scan, DEPTH, note_event, &chunks);
    for (size_t fed = 0; fed < length; fed += 16381)
        assert_int_equal(json_scan_feed(&scan, bytes_of(text, fed), &chunks.error), 0);
    assert_int_equal(json_scan_finish(&scan, bytes_of(text, length), &chunks.error), 0);
    assert_true(outcomes_equal(&whole, &chunks));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_accepted_alone),
        cmocka_unit_test(structure_errors_say_what_was_expected_and_where),
        cmocka_unit_test(a_text_that_is_cut_short_is_refused_at_every_length),
        cmocka_unit_test(nesting_is_allowed_to_the_limit_and_no_deeper),
        cmocka_unit_test(a_limit_out_of_range_becomes_the_nearest),
        cmocka_unit_test(a_wrong_closer_is_refused_at_every_depth),
        cmocka_unit_test(events_give_kind_depth_and_place),
        cmocka_unit_test(a_number_at_the_top_ends_with_the_text),
        cmocka_unit_test(a_scan_without_a_handler_only_judges),
        cmocka_unit_test(a_handler_stops_the_scan_at_any_event),
        cmocka_unit_test(a_failure_lasts),
        cmocka_unit_test(a_text_that_shrinks_is_a_bug_of_the_caller),
        cmocka_unit_test(errors_need_no_place_to_go),
        cmocka_unit_test(sixteen_mebibytes_scan_in_one_pass_and_in_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
