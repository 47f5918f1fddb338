/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "options.h"

enum { ARGUMENTS_MAX = 32 };

/* `line` is split at blanks. */
static int parse(const char *line, struct sim_options *options, struct error *error)
{
    static char text[1024];
    char *arguments[ARGUMENTS_MAX] = {(char *)"promptlayer-sim"};
    char *rest = text;
    int count = 1;
    (void)snprintf(text, sizeof text, "%s", line);
    for (char *word; (word = strsep(&rest, " ")) != NULL;)
        if (word[0] != '\0')
            arguments[count++] = word;
    return sim_options_parse(count, arguments, options, error);
}

static void assert_usage(const char *line, const char *hint)
{
    struct sim_options options;
    struct error error = {0};
    assert_int_equal(parse(line, &options, &error), -1);
    assert_int_equal(error.code, ERROR_USAGE);
    if (!strstr(error.message, hint))
        fail_msg("%s: '%s'", line, error.message);
}

static void without_arguments_there_are_defaults(void **state)
{
    (void)state;
    struct sim_options options;
    assert_int_equal(parse("", &options, NULL), 0);
    assert_string_equal(options.listen, "127.0.0.1:0");
    assert_int_equal(options.delay_ms, 200);
    assert_int_equal(options.retries, 0);
    assert_null(options.api_key);
}

static void values_follow_a_blank_or_an_equals_sign(void **state)
{
    (void)state;
    struct sim_options options;
    assert_int_equal(
        parse(
            "--listen [::1]:80 --api-key=a=b --delay 2s --seed -5 --first-id=9223372036854775807 "
            "--retries 3 --retry-delay 1m --record d --port-file p --ca-file c --senders 2",
            &options, NULL),
        0);
    assert_string_equal(options.listen, "[::1]:80");
    assert_string_equal(options.api_key, "a=b");
    assert_int_equal(options.delay_ms, 2000);
    assert_true(options.seed == -5 && options.first_id == INT64_MAX);
    assert_true(options.retries == 3 && options.retry_ms == 60000 && options.senders == 2);
    assert_string_equal(options.record, "d");
    assert_string_equal(options.port_file, "p");
    assert_string_equal(options.ca_file, "c");
    assert_int_equal(parse("--help", &options, NULL), 0);
    assert_true(options.help);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    assert_usage("--bogus", "unknown option '--bogus'");
    assert_usage("stray", "unknown option 'stray'");
    assert_usage("--help=1", "unknown option '--help=1'");
    assert_usage("--seed", "--seed needs N");
    assert_usage("--delay 5", "--delay: '5' is not a duration");
    assert_usage("--senders 0", "--senders: '0' is not a number in range");
    assert_usage("--senders=x", "--senders: 'x' is not a number");
    assert_usage("--first-id -1", "--first-id: '-1'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_arguments_there_are_defaults),
        cmocka_unit_test(values_follow_a_blank_or_an_equals_sign),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
