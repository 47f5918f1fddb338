/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "callbackd/hooks.h"
#include "template.h"

enum { ARGUMENT_BYTES_MAX = 128 * 1024 };

static struct result_record make_result(void)
{
    struct result_record result = {
        .endpoint = "results",
        .kind = BODY_JSON,
        .has_execution_id = true,
        .execution_id = INT64_C(9007199254740993),
        .has_run = true,
        .workflow = "triage",
        .event = "agent_run_finished",
        .status = STATUS_SUCCESS,
        .received_at_ms = INT64_C(1795457045678),
    };
    memset(result.id.bytes, 0x11, ID_BYTES);
    memset(result.run.bytes, 0x22, ID_BYTES);
    return result;
}

static int expand_with(
    char *template, const struct result_record *result, struct bytes body, char ***arguments,
    struct error *error)
{
    char *command[] = {"/bin/prog", template, NULL};
    struct config_hook hook = {.name = "notify", .command = command};
    struct hook_values values = {
        .hook = &hook,
        .result = result,
        .job_id = "job-1",
        .body_file = "/run/x/job-1",
        .attempt = 3,
        .body = body,
    };
    return hook_arguments(&values, arguments, error);
}

static void assert_expands(char *template, const char *body, const char *expected)
{
    struct result_record result = make_result();
    struct error error;
    char **arguments = NULL;
    assert_int_equal(expand_with(template, &result, bytes_of_text(body), &arguments, &error), 0);
    assert_string_equal(arguments[0], "/bin/prog");
    assert_string_equal(arguments[1], expected);
    assert_null(arguments[2]);
    hook_strings_free(arguments);
}

static void assert_refused(char *template, struct bytes body, const char *why)
{
    struct result_record result = make_result();
    struct error error;
    char **arguments = NULL;
    assert_int_equal(expand_with(template, &result, body, &arguments, &error), -1);
    assert_int_equal(error.code, ERROR_INVALID);
    assert_non_null(strstr(error.message, why));
    assert_null(arguments);
}

static void every_documented_field(void **state)
{
    (void)state;
    assert_expands("{hook}", "{}", "notify");
    assert_expands("{endpoint}", "{}", "results");
    assert_expands("{result_id}", "{}", "11111111-1111-1111-1111-111111111111");
    assert_expands("{execution_id}", "{}", "9007199254740993");
    assert_expands("{run_id}", "{}", "22222222-2222-2222-2222-222222222222");
    assert_expands("{workflow}", "{}", "triage");
    assert_expands("{status}", "{}", "success");
    assert_expands("{received_at}", "{}", "2026-11-23T18:04:05.678Z");
    assert_expands("{attempt}", "{}", "3");
    assert_expands("{job_id}", "{}", "job-1");
    assert_expands("{event}", "{}", "agent_run_finished");
    assert_expands("<{status}-{attempt}>", "{}", "<success-3>");
}

static void what_the_result_has_not_is_empty(void **state)
{
    (void)state;
    struct result_record result = {.kind = BODY_JSON, .status = STATUS_RECEIVED};
    struct error error;
    char **arguments = NULL;
    char template[] = "{endpoint}{execution_id}{run_id}{workflow}{event}{/none}|";
    assert_int_equal(expand_with(template, &result, bytes_of_text("{}"), &arguments, &error), 0);
    assert_string_equal(arguments[1], "|");
    hook_strings_free(arguments);
}

static void pointers_give_strings_bare_and_the_rest_as_spelled(void **state)
{
    (void)state;
    const char *body =
        "{\"final_output\":{\"Node 2\":{\"value\":\"it's \\\"done\\\"\"}},\"n\": 1.0e2,"
        "\"o\":{ \"k\" : [ true ] },\"e\":\"\",\"a/b\":1,\"m~n\":2}";
    assert_expands("{/final_output/Node 2/value}", body, "it's \"done\"");
    assert_expands("{/n}", body, "1.0e2");
    assert_expands("{/o}", body, "{ \"k\" : [ true ] }");
    assert_expands("{/e}", body, "");
    assert_expands("{/a~1b}{/m~0n}", body, "12");
    assert_expands("[{/missing/value}]", body, "[]");
}

static void doubled_braces_are_braces(void **state)
{
    (void)state;
    assert_expands("{{}}", "{}", "{}");
    assert_expands("{{status}}", "{}", "{status}");
    assert_expands("{{\"s\":\"{status}\"}}", "{}", "{\"s\":\"success\"}");
    assert_expands("}", "{}", "}");
    assert_expands("", "{}", "");
}

static void a_value_is_never_read_as_a_template(void **state)
{
    (void)state;
    assert_expands(
        "{/v}", "{\"v\":\"{status} {/v} {{ $(id) `id`\"}", "{status} {/v} {{ $(id) `id`");
}

static void hostile_values_stay_one_argument(void **state)
{
    (void)state;
    assert_expands(
        "{/v}", "{\"v\":\"a b\\n'\\\";rm -rf $HOME\\t\xF0\x9F\x98\x80 --flag\"}",
        "a b\n'\";rm -rf $HOME\t\xF0\x9F\x98\x80 --flag");
}

static void wrong_templates_are_refused(void **state)
{
    (void)state;
    assert_refused("{nope}", bytes_of_text("{}"), "{nope}");
    assert_refused("{}", bytes_of_text("{}"), "{}");
    assert_refused("{status", bytes_of_text("{}"), "not closed");
    assert_refused("{/a~2}", bytes_of_text("{}"), "{/a~2}");
    struct error error;
    assert_int_equal(template_check("x{status}{/a}{{}}", &error), 0);
    assert_int_equal(template_check("{Status}", &error), -1);
}

static void a_nul_cannot_be_an_argument(void **state)
{
    (void)state;
    assert_refused("{/v}", bytes_of_text("{\"v\":\"a\\u0000b\"}"), "argument 1 contains a NUL");
}

/* {"v":"aaa…"} with `length` characters. */
static struct bytes long_body(size_t length, struct buffer *body)
{
    buffer_init(body, length + 16);
    buffer_append_text(body, "{\"v\":\"");
    for (size_t i = 0; i < length; i++)
        buffer_append_char(body, 'a');
    buffer_append_text(body, "\"}");
    assert_false(buffer_failed(body));
    return buffer_bytes(body);
}

static void an_argument_holds_128_kib_with_its_nul_and_no_more(void **state)
{
    (void)state;
    struct buffer body;
    char **arguments = NULL;
    struct error error;
    struct result_record result = make_result();
    struct bytes fits = long_body(ARGUMENT_BYTES_MAX - 1, &body);
    char template[] = "{/v}";
    assert_int_equal(expand_with(template, &result, fits, &arguments, &error), 0);
    assert_int_equal(strlen(arguments[1]), ARGUMENT_BYTES_MAX - 1);
    hook_strings_free(arguments);
    buffer_fini(&body);
    assert_refused("{/v}", long_body(ARGUMENT_BYTES_MAX, &body), "longer than 128 KiB");
    buffer_fini(&body);
    assert_refused("-{/v}", long_body(ARGUMENT_BYTES_MAX - 1, &body), "longer than 128 KiB");
    buffer_fini(&body);
}

static void shell_text_is_fixed(void **state)
{
    (void)state;
    struct result_record result = make_result();
    struct config_hook hook = {.name = "s", .shell = "echo {status} ${HOME} {{"};
    struct hook_values values = {.hook = &hook, .result = &result, .job_id = "j"};
    struct error error;
    char **arguments = NULL;
    assert_int_equal(hook_arguments(&values, &arguments, &error), 0);
    assert_string_equal(arguments[0], "/bin/sh");
    assert_string_equal(arguments[1], "-c");
    assert_string_equal(arguments[2], "echo {status} ${HOME} {{");
    assert_null(arguments[3]);
    hook_strings_free(arguments);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_documented_field),
        cmocka_unit_test(what_the_result_has_not_is_empty),
        cmocka_unit_test(pointers_give_strings_bare_and_the_rest_as_spelled),
        cmocka_unit_test(doubled_braces_are_braces),
        cmocka_unit_test(a_value_is_never_read_as_a_template),
        cmocka_unit_test(hostile_values_stay_one_argument),
        cmocka_unit_test(wrong_templates_are_refused),
        cmocka_unit_test(a_nul_cannot_be_an_argument),
        cmocka_unit_test(an_argument_holds_128_kib_with_its_nul_and_no_more),
        cmocka_unit_test(shell_text_is_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
