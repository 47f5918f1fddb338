/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/json.h"

static struct json_document *parse_commented(const char *text)
{
    struct error error = {.code = ERROR_NONE};
    struct json_document *document = json_parse_commented(bytes_of_text(text), &error);
    if (!document)
        fail_msg("%s", error.message);
    return document;
}

static void assert_refused(const char *text, const char *message)
{
    struct error error = {.code = ERROR_NONE};
    assert_null(json_parse_commented(bytes_of_text(text), &error));
    assert_int_equal(error.code, ERROR_INVALID);
    assert_string_equal(error.message, message);
}

static void assert_source(
    const struct json_document *document, const struct json *value, const char *expected)
{
    assert_true(bytes_equal_text(json_source(document, value), expected));
}

static void comments_stand_wherever_blanks_may(void **state)
{
    (void)state;
    struct json_document *document =
        parse_commented("// first\n"
                        "{ /* a */ \"a\" /*b*/ : /**/ 1, // \"x\": 2,\n"
                        "  /* two\n lines // */ \"b\":[/*]*/2]//end\n"
                        "}\n/***/ // last");
    const struct json *root = json_root(document);
    assert_int_equal(json_count(root), 2);
    assert_source(document, json_get(root, "a"), "1");
    assert_source(document, json_get(root, "b"), "[     2]");
    assert_int_equal(json_line(document, root), 2);
    assert_int_equal(json_line(document, json_get(root, "b")), 4);
    json_document_free(document);
}

static void strings_with_slashes_are_not_comments(void **state)
{
    (void)state;
    struct json_document *document =
        parse_commented("{\"url\":\"https://x/*y*/\",\"q\":\"\\\"//\\\\\"/*c*/}");
    const struct json *root = json_root(document);
    assert_string_equal(json_get_text(json_get(root, "url")), "https://x/*y*/");
    assert_string_equal(json_get_text(json_get(root, "q")), "\"//\\");
    json_document_free(document);
}

static void a_comment_separates_tokens(void **state)
{
    (void)state;
    assert_refused("[1/**/2]", "line 1, column 7: expected ',' or ']'");
    assert_refused("[tr/**/ue]", "line 1, column 4: expected true, false or null");
    assert_refused("[1//\n2]", "line 2, column 1: expected ',' or ']'");
}

static void a_comment_must_end(void **state)
{
    (void)state;
    assert_refused("{}\n  /* open", "line 2, column 3: a comment that does not end");
    assert_refused("{} /*/", "line 1, column 4: a comment that does not end");
    assert_refused("1 /*", "line 1, column 3: a comment that does not end");
    json_document_free(parse_commented("1 /**/"));
    json_document_free(parse_commented("1 //"));
}

static void lone_slashes_and_open_strings_stay_errors(void **state)
{
    (void)state;
    assert_refused("1 /", "line 1, column 3: expected nothing after the value");
    assert_refused("/ / 1", "line 1, column 1: expected a value");
    assert_refused("[1,]", "line 1, column 4: expected a value");
    assert_refused("\"abc // x", "line 1, column 10: the text ends too early");
    assert_refused("\"abc\\", "line 1, column 6: the text ends too early");
    assert_refused("// only this", "line 1, column 13: there is no value");
}

static void columns_count_the_characters_of_a_comment(void **state)
{
    (void)state;
    assert_refused("/* \xC3\xA9\xC3\xA9 */ x", "line 1, column 10: expected a value");
    assert_refused("/* \xC3\xA9\n\xC3\xA9 */ x", "line 2, column 6: expected a value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comments_stand_wherever_blanks_may),
        cmocka_unit_test(strings_with_slashes_are_not_comments),
        cmocka_unit_test(a_comment_separates_tokens),
        cmocka_unit_test(a_comment_must_end),
        cmocka_unit_test(lone_slashes_and_open_strings_stay_errors),
        cmocka_unit_test(columns_count_the_characters_of_a_comment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
