/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <math.h>

#include "callbackd/json_writer.h"

struct writing {
    struct buffer out;
    struct json_writer writer;
};

static int begin(void **state)
{
    static struct writing writing;
    buffer_init(&writing.out, 1000);
    json_writer_init(&writing.writer, &writing.out);
    *state = &writing;
    return 0;
}

static int end(void **state)
{
    struct writing *writing = *state;
    buffer_fini(&writing->out);
    return 0;
}

static void assert_written(struct writing *writing, const char *expected)
{
    assert_false(buffer_failed(&writing->out));
    assert_string_equal(buffer_text(&writing->out), expected);
    buffer_clear(&writing->out);
    json_writer_init(&writing->writer, &writing->out);
}

static void empty_containers_have_no_commas(void **state)
{
    struct writing *w = *state;
    json_array_begin(&w->writer);
    json_object_begin(&w->writer);
    json_object_end(&w->writer);
    json_array_begin(&w->writer);
    json_array_end(&w->writer);
    json_array_end(&w->writer);
    assert_written(w, "[{},[]]");
}

static void commas_stand_between_values_at_every_depth(void **state)
{
    struct writing *w = *state;
    json_object_begin(&w->writer);
    json_key(&w->writer, "a");
    json_array_begin(&w->writer);
    json_int(&w->writer, 1);
    json_object_begin(&w->writer);
    json_member_bool(&w->writer, "b", true);
    json_member_bool(&w->writer, "c", false);
    json_object_end(&w->writer);
    json_null(&w->writer);
    json_array_end(&w->writer);
    json_member_int(&w->writer, "d", 2);
    json_object_end(&w->writer);
    assert_written(w, "{\"a\":[1,{\"b\":true,\"c\":false},null],\"d\":2}");
}

static void every_member_writes_its_key_and_value(void **state)
{
    struct writing *w = *state;
    json_object_begin(&w->writer);
    json_member_bytes(&w->writer, "bytes", bytes_of("x\0y", 3));
    json_member_text(&w->writer, "text", "t");
    json_member_text(&w->writer, "none", NULL);
    json_member_int(&w->writer, "int", -5);
    json_member_double(&w->writer, "double", 1.5);
    json_member_null(&w->writer, "null");
    json_member_raw(&w->writer, "raw", bytes_of_text("[1,2]"));
    json_object_end(&w->writer);
    assert_written(
        w, "{\"bytes\":\"x\\u0000y\",\"text\":\"t\",\"none\":null,\"int\":-5,"
           "\"double\":1.5,\"null\":null,\"raw\":[1,2]}");
}

static void keys_are_escaped_too(void **state)
{
    struct writing *w = *state;
    json_object_begin(&w->writer);
    json_member_int(&w->writer, "a\"b\n", 1);
    json_object_end(&w->writer);
    assert_written(w, "{\"a\\\"b\\n\":1}");
}

static void strings_escape_what_json_must_escape(void **state)
{
    struct writing *w = *state;
    json_text(&w->writer, "\" \\ / \b\f\n\r\t \x01\x1f");
    assert_written(w, "\"\\\" \\\\ / \\b\\f\\n\\r\\t \\u0001\\u001f\"");
}

static void strings_escape_what_a_terminal_obeys(void **state)
{
    struct writing *w = *state;
    json_text(&w->writer, "\x7f\xc2\x9b\xc2\xa0");
    assert_written(w, "\"\\u007f\\u009b\xc2\xa0\"");
}

static void strings_escape_what_turns_or_ends_a_line(void **state)
{
    struct writing *w = *state;
    json_text(&w->writer, "\xd8\x9c\xe2\x80\xae\xe2\x81\xa9\xe2\x80\xa8\xe2\x80\x8d");
    assert_written(w, "\"\\u061c\\u202e\\u2069\\u2028\xe2\x80\x8d\"");
}

static void utf8_goes_in_as_it_is(void **state)
{
    struct writing *w = *state;
    json_text(&w->writer, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
    assert_written(w, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void each_bad_byte_becomes_a_replacement_character(void **state)
{
    struct writing *w = *state;
    json_text(&w->writer, "a\xff\xc0\x80z\xe2\x82");
    assert_written(w, "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void an_empty_view_is_an_empty_string(void **state)
{
    struct writing *w = *state;
    json_bytes(&w->writer, bytes_of(NULL, 0));
    assert_written(w, "\"\"");
}

static void integers_reach_both_ends_of_the_range(void **state)
{
    struct writing *w = *state;
    json_array_begin(&w->writer);
    json_int(&w->writer, INT64_MAX);
    json_int(&w->writer, INT64_MIN);
    json_array_end(&w->writer);
    assert_written(w, "[9223372036854775807,-9223372036854775808]");
}

static void doubles_read_back_and_stay_short(void **state)
{
    struct writing *w = *state;
    json_array_begin(&w->writer);
    json_double(&w->writer, 0.1);
    json_double(&w->writer, 0.1 + 0.2);
    json_double(&w->writer, 3);
    json_double(&w->writer, -0.0);
    json_double(&w->writer, 1e300);
    json_double(&w->writer, 5e-324);
    json_array_end(&w->writer);
    assert_written(w, "[0.1,0.30000000000000004,3,-0,1e+300,4.94065645841247e-324]");
}

static void doubles_that_json_cannot_say_are_null(void **state)
{
    struct writing *w = *state;
    json_array_begin(&w->writer);
    json_double(&w->writer, (double)NAN);
    json_double(&w->writer, (double)INFINITY);
    json_double(&w->writer, -(double)INFINITY);
    json_array_end(&w->writer);
    assert_written(w, "[null,null,null]");
}

static void doubles_have_a_dot_in_every_locale(void **state)
{
    struct writing *w = *state;
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8"};
    int tried = 0;
    for (size_t i = 0; i < sizeof(locales) / sizeof(locales[0]); i++) {
        if (!setlocale(LC_ALL, locales[i]))
            continue;
        tried++;
        json_double(&w->writer, -1234.5);
        setlocale(LC_ALL, "C");
        assert_written(w, "-1234.5");
    }
    if (tried == 0)
        skip(); /* no such locale is installed */
}

static void times_are_rfc_3339_and_zero_is_null(void **state)
{
    struct writing *w = *state;
    json_object_begin(&w->writer);
    json_member_time(&w->writer, "a", INT64_C(1795457045678));
    json_member_time(&w->writer, "b", 0);
    json_object_end(&w->writer);
    assert_written(w, "{\"a\":\"2026-11-23T18:04:05.678Z\",\"b\":null}");
}

static void a_full_buffer_is_seen_at_the_end(void **state)
{
    (void)state;
    struct buffer out;
    struct json_writer writer;
    buffer_init(&out, 12);
    json_writer_init(&writer, &out);
    json_array_begin(&writer);
    json_text(&writer, "far too long for it");
    json_int(&writer, 1);
    json_array_end(&writer);
    assert_true(buffer_failed(&out));
    assert_true(out.length <= 12);
    buffer_fini(&out);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        CASE(empty_containers_have_no_commas),
        CASE(commas_stand_between_values_at_every_depth),
        CASE(every_member_writes_its_key_and_value),
        CASE(keys_are_escaped_too),
        CASE(strings_escape_what_json_must_escape),
        CASE(strings_escape_what_a_terminal_obeys),
        CASE(strings_escape_what_turns_or_ends_a_line),
        CASE(utf8_goes_in_as_it_is),
        CASE(each_bad_byte_becomes_a_replacement_character),
        CASE(an_empty_view_is_an_empty_string),
        CASE(integers_reach_both_ends_of_the_range),
        CASE(doubles_read_back_and_stay_short),
        CASE(doubles_that_json_cannot_say_are_null),
        CASE(doubles_have_a_dot_in_every_locale),
        CASE(times_are_rfc_3339_and_zero_is_null),
        CASE(a_full_buffer_is_seen_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
