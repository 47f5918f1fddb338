/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "callbackd/json.h"

static struct json_document *parse(const char *text)
{
    struct error error = {.code = ERROR_NONE};
    struct json_document *document = json_parse(bytes_of_text(text), &error);
    if (!document)
        fail_msg("%s", error.message);
    return document;
}

static void assert_refused_bytes(struct bytes text, const char *message)
{
    struct error error = {.code = ERROR_NONE};
    assert_null(json_parse(text, &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.message, message);
}

static void assert_refused(const char *text, const char *message)
{
    assert_refused_bytes(bytes_of_text(text), message);
}

static void assert_source(
    const struct json_document *document, const struct json *value, const char *expected)
{
    assert_true(bytes_equal_text(json_source(document, value), expected));
}

/* ---- reading ---- */

static void each_type_is_known_by_type_and_name(void **state)
{
    (void)state;
    struct json_document *document = parse("[null,true,false,1,\"s\",[],{}]");
    static const enum json_type types[] = {JSON_TYPE_NULL,   JSON_TYPE_BOOL,   JSON_TYPE_BOOL,
                                           JSON_TYPE_NUMBER, JSON_TYPE_STRING, JSON_TYPE_ARRAY,
                                           JSON_TYPE_OBJECT};
    const struct json *element = json_first(json_root(document));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++, element = json_next(element))
        assert_int_equal(json_type_of(element), types[i]);
    assert_null(element);
    assert_string_equal(json_type_name(JSON_TYPE_NULL), "null");
    assert_string_equal(json_type_name(JSON_TYPE_BOOL), "true or false");
    assert_string_equal(json_type_name(JSON_TYPE_NUMBER), "a number");
    assert_string_equal(json_type_name(JSON_TYPE_STRING), "a string");
    assert_string_equal(json_type_name(JSON_TYPE_ARRAY), "an array");
    assert_string_equal(json_type_name(JSON_TYPE_OBJECT), "an object");
    json_document_free(document);
}

static void a_missing_value_reads_as_nothing(void **state)
{
    (void)state;
    struct json_document *document = parse("{}");
    int64_t integer = 1;
    double number = 2;
    bool truth = true;
    assert_int_equal(json_type_of(NULL), JSON_TYPE_NULL);
    assert_null(json_get(NULL, "a"));
    assert_null(json_get_text(NULL));
    assert_false(json_get_int64(document, NULL, &integer));
    assert_false(json_get_double(NULL, &number));
    assert_false(json_get_bool(NULL, &truth));
    assert_int_equal(json_count(NULL), 0);
    assert_null(json_first(NULL));
    assert_null(json_next(NULL));
    assert_null(json_key_of(NULL));
    assert_int_equal(json_source(document, NULL).length, 0);
    assert_int_equal(json_line(document, NULL), 0);
    assert_null(json_root(NULL));
    json_document_free(NULL);
    assert_int_equal(integer, 1);
    assert_true(number == 2 && truth);
    json_document_free(document);
}

static void values_of_another_type_are_not_given(void **state)
{
    (void)state;
    struct json_document *document = parse("{\"s\":\"1\",\"n\":1,\"b\":true,\"a\":[1],\"z\":null}");
    const struct json *root = json_root(document);
    int64_t integer;
    double number;
    bool truth;
    assert_null(json_get_text(json_get(root, "n")));
    assert_null(json_get_text(json_get(root, "z")));
    assert_false(json_get_int64(document, json_get(root, "s"), &integer));
    assert_false(json_get_double(json_get(root, "s"), &number));
    assert_false(json_get_double(json_get(root, "b"), &number));
    assert_false(json_get_bool(json_get(root, "n"), &truth));
    assert_false(json_get_bool(json_get(root, "z"), &truth));
    assert_null(json_get(json_get(root, "a"), "0"));
    assert_int_equal(json_count(json_get(root, "s")), 0);
    json_document_free(document);
}

static void keys_match_in_exact_case_and_decoded(void **state)
{
    (void)state;
    struct json_document *document = parse(
        "{\"Key\":1,\"key\":2,\"\":3,\"\\u006bEY\":4,\"caf\xC3\xA9\":5,\"\\ud83d\\ude00\":6}");
    const struct json *root = json_root(document);
    assert_source(document, json_get(root, "Key"), "1");
    assert_source(document, json_get(root, "key"), "2");
    assert_source(document, json_get(root, ""), "3");
    assert_source(document, json_get(root, "kEY"), "4");
    assert_source(document, json_get(root, "caf\xC3\xA9"), "5");
    assert_source(document, json_get(root, "\xF0\x9F\x98\x80"), "6");
    assert_null(json_get(root, "KEY"));
    json_document_free(document);
}

static void integers_come_from_the_text(void **state)
{
    (void)state;
    struct json_document *document =
        parse("[9223372036854775807,-9223372036854775808,9007199254740993,-0,"
              "9223372036854775808,1.0,1e2,12345678901234567890]");
    static const int64_t expected[] = {INT64_MAX, INT64_MIN, 9007199254740993, 0};
    const struct json *element = json_first(json_root(document));
    int64_t value = 0;
    for (size_t i = 0; i < 4; i++, element = json_next(element)) {
        assert_true(json_get_int64(document, element, &value));
        assert_true(value == expected[i]);
    }
    for (; element; element = json_next(element))
        assert_false(json_get_int64(document, element, &value));
    assert_int_equal(value, 0);
    json_document_free(document);
}

static void doubles_are_finite(void **state)
{
    (void)state;
    struct json_document *document = parse("[1.5,-2e3,0.1,1e400,-1e400,1e-400]");
    const struct json *element = json_first(json_root(document));
    double value = 0;
    assert_true(json_get_double(element, &value) && value == 1.5);
    element = json_next(element);
    assert_true(json_get_double(element, &value) && value == -2000);
    element = json_next(element);
    assert_true(json_get_double(element, &value) && value == 0.1);
    element = json_next(element);
    assert_false(json_get_double(element, &value));
    element = json_next(element);
    assert_false(json_get_double(element, &value));
    element = json_next(element);
    assert_true(json_get_double(element, &value) && fabs(value) < 1e-300);
    json_document_free(document);
}

static void strings_are_decoded(void **state)
{
    (void)state;
    struct json_document *document = parse("[\"a\\n\\\"\\u00e9\\ud83d\\ude00\\/\",\"\"]");
    const struct json *first = json_first(json_root(document));
    assert_string_equal(json_get_text(first), "a\n\"\xC3\xA9\xF0\x9F\x98\x80/");
    assert_string_equal(json_get_text(json_next(first)), "");
    json_document_free(document);
}

static void booleans_are_read(void **state)
{
    (void)state;
    struct json_document *document = parse("[true,false]");
    const struct json *first = json_first(json_root(document));
    bool value = false;
    assert_true(json_get_bool(first, &value) && value);
    assert_true(json_get_bool(json_next(first), &value) && !value);
    json_document_free(document);
}

static void elements_and_members_come_in_order(void **state)
{
    (void)state;
    struct json_document *document =
        parse("{\"b\":[1,[2,{\"x\":3}],4],\"a\":{\"c\":{},\"d\":[]},\"z\":5}");
    const struct json *root = json_root(document);
    const struct json *b = json_first(root);
    const struct json *a = json_next(b);
    const struct json *z = json_next(a);
    assert_string_equal(json_key_of(b), "b");
    assert_string_equal(json_key_of(a), "a");
    assert_string_equal(json_key_of(z), "z");
    assert_null(json_next(z));
    assert_null(json_next(root));
    assert_int_equal(json_count(root), 3);
    assert_int_equal(json_count(b), 3);
    assert_int_equal(json_count(a), 2);
    assert_int_equal(json_count(json_get(a, "c")), 0);
    assert_null(json_first(json_get(a, "d")));
    const struct json *last = json_next(json_next(json_first(b)));
    assert_source(document, last, "4");
    assert_null(json_key_of(last));
    assert_null(json_next(last));
    assert_null(json_key_of(root));
    json_document_free(document);
}

static void sources_are_the_exact_text(void **state)
{
    (void)state;
    struct json_document *document =
        parse(" { \"a\" : [ 1.50 , \"\\u0041\" ] , \"b\":{ \"c\" : null } }\n");
    const struct json *root = json_root(document);
    assert_source(document, root, "{ \"a\" : [ 1.50 , \"\\u0041\" ] , \"b\":{ \"c\" : null } }");
    const struct json *a = json_get(root, "a");
    assert_source(document, a, "[ 1.50 , \"\\u0041\" ]");
    assert_source(document, json_first(a), "1.50");
    assert_source(document, json_next(json_first(a)), "\"\\u0041\"");
    assert_source(document, json_get(json_get(root, "b"), "c"), "null");
    json_document_free(document);
}

static void lines_are_those_of_the_key_or_the_value(void **state)
{
    (void)state;
    struct json_document *document = parse("\n{\n \"a\":\n  1,\n \"b\": [\n  2,\n\n  3 ] }");
    const struct json *root = json_root(document);
    const struct json *b = json_get(root, "b");
    assert_int_equal(json_line(document, root), 2);
    assert_int_equal(json_line(document, json_get(root, "a")), 3);
    assert_int_equal(json_line(document, b), 5);
    assert_int_equal(json_line(document, json_first(b)), 6);
    assert_int_equal(json_line(document, json_next(json_first(b))), 8);
    json_document_free(document);
}

static void a_bare_value_is_a_document(void **state)
{
    (void)state;
    struct json_document *document = parse(" 12 ");
    int64_t value;
    assert_true(json_get_int64(document, json_root(document), &value) && value == 12);
    assert_source(document, json_root(document), "12");
    assert_null(json_first(json_root(document)));
    json_document_free(document);
}

static void the_text_may_go_away_after_parsing(void **state)
{
    (void)state;
    char *text = strdup("{\"key\":\"value\"}");
    assert_non_null(text);
    struct json_document *document = parse(text);
    memset(text, '#', strlen(text));
    free(text);
    assert_string_equal(json_get_text(json_get(json_root(document), "key")), "value");
    assert_source(document, json_get(json_root(document), "key"), "\"value\"");
    json_document_free(document);
}

static void many_members_are_no_burden(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, 4 << 20);
    buffer_append_char(&text, '{');
    for (int i = 0; i < 100000; i++)
        buffer_appendf(&text, "%s\"k%d\":%d", i ? "," : "", i, i);
    buffer_append_char(&text, '}');
    struct error error;
    struct json_document *document = json_parse(buffer_bytes(&text), &error);
    assert_non_null(document);
    assert_int_equal(json_count(json_root(document)), 100000);
    assert_source(document, json_get(json_root(document), "k99999"), "99999");
    json_document_free(document);
    text.length--;
    buffer_append_text(&text, ",\"k77\":0}");
    assert_null(json_parse(buffer_bytes(&text), &error));
    assert_non_null(strstr(error.message, "the key \"k77\" is there twice"));
    buffer_fini(&text);
}

/* ---- refusing ---- */

static void messages_give_line_and_column(void **state)
{
    (void)state;
    assert_refused("", "line 1, column 1: there is no value");
    assert_refused("{\"a\":1,}", "line 1, column 8: expected a key in double quotes");
    assert_refused("{\n  \"a\": 1\n  \"b\": 2\n}", "line 3, column 3: expected ',' or '}'");
    assert_refused("{\r\n\"\xC3\xA9\xE2\x82\xAC\":x}", "line 2, column 6: expected a value");
    assert_refused("[1,\n2", "line 2, column 2: the text ends too early");
    assert_refused("// no\n1", "line 1, column 1: expected a value");
    assert_refused_bytes(bytes_of("1\0", 2), "line 1, column 2: expected nothing after the value");
}

static void a_key_may_be_there_once(void **state)
{
    (void)state;
    assert_refused("{\"a\":1,\n\"a\":1}", "line 2, column 1: the key \"a\" is there twice");
    assert_refused("{\"a\":1,\"\\u0061\":1}", "line 1, column 8: the key \"a\" is there twice");
    assert_refused(
        "{\"a\":1,\"b\":2,\"b\":3,\"a\":4}", "line 1, column 14: the key \"b\" is there twice");
    assert_refused(
        "[{},{\"x\":[{\"\":1,\"\":2}]}]", "line 1, column 17: the key \"\" is there twice");
    assert_refused(
        "{\"a\\n\":1,\"a\\n\":2}", "line 1, column 10: the key \"a\\x0a\" is there twice");
    json_document_free(parse("{\"a\":{\"a\":1},\"b\":{\"a\":1},\"A\":0}"));
}

static void a_duplicate_key_of_any_length_makes_a_message(void **state)
{
    (void)state;
    char key[2001];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    struct buffer text;
    buffer_init(&text, 8192);
    buffer_appendf(&text, "{\"%s\":1,\"%s\":2}", key, key);
    struct error error;
    assert_null(json_parse(buffer_bytes(&text), &error));
    assert_string_equal(error.message, "line 1, column 2007: a key is there twice");
    buffer_fini(&text);
}

static void what_a_tree_cannot_hold_is_refused(void **state)
{
    (void)state;
    assert_refused("[1,\"a\\u0000b\"]", "line 1, column 4: a string with a NUL in it");
    assert_refused("{\"\\u0000\":1}", "line 1, column 2: a string with a NUL in it");
    assert_refused("\"\\ud800\"", "line 1, column 1: a string with half a surrogate pair");
    assert_refused("{\"\\udfff\":1}", "line 1, column 2: a string with half a surrogate pair");
    assert_refused(
        "[1234567890123456789012345678901234567890123456789012345678901234]",
        "line 1, column 2: a number of more than 63 characters");
    json_document_free(parse("[123456789012345678901234567890123456789012345678901234567890123]"));
    json_document_free(parse("\"\\\\u0000 \\\\ud800\""));
}

static void nesting_goes_to_sixty_four(void **state)
{
    (void)state;
    char text[65 * 2 + 1];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    text[128] = '\0';
    struct json_document *document = parse(text);
    const struct json *value = json_root(document);
    for (int depth = 1; depth < 64; depth++)
        value = json_first(value);
    assert_source(document, value, "[]");
    json_document_free(document);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    text[130] = '\0';
    assert_refused(text, "line 1, column 65: nested deeper than 64 levels");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_is_known_by_type_and_name),
        cmocka_unit_test(a_missing_value_reads_as_nothing),
        cmocka_unit_test(values_of_another_type_are_not_given),
        cmocka_unit_test(keys_match_in_exact_case_and_decoded),
        cmocka_unit_test(integers_come_from_the_text),
        cmocka_unit_test(doubles_are_finite),
        cmocka_unit_test(strings_are_decoded),
        cmocka_unit_test(booleans_are_read),
        cmocka_unit_test(elements_and_members_come_in_order),
        cmocka_unit_test(sources_are_the_exact_text),
        cmocka_unit_test(lines_are_those_of_the_key_or_the_value),
        cmocka_unit_test(a_bare_value_is_a_document),
        cmocka_unit_test(the_text_may_go_away_after_parsing),
        cmocka_unit_test(many_members_are_no_burden),
        cmocka_unit_test(messages_give_line_and_column),
        cmocka_unit_test(a_key_may_be_there_once),
        cmocka_unit_test(a_duplicate_key_of_any_length_makes_a_message),
        cmocka_unit_test(what_a_tree_cannot_hold_is_refused),
        cmocka_unit_test(nesting_goes_to_sixty_four),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
