/* SPDX-License-Identifier: MIT */
#include "config_fixture.h"
#include "config_private.h"

static void document(struct buffer *out)
{
    buffer_init(out, 1 << 20);
    assert_int_equal(config_document(out), 0);
}

static void expect_keys(const struct config_key *parent, const char *text)
{
    for (const struct config_key *key = config_key_next(parent, NULL); key;
         key = config_key_next(parent, key)) {
        char row[128];
        snprintf(row, sizeof row, "| `%s` | ", config_key_name(key));
        assert_non_null(strstr(text, row));
        assert_true(config_key_next(key, NULL) || strstr(text, key->meaning));
        expect_keys(key, text);
    }
}

static void every_key_and_scheme_stands_in_it(void **state)
{
    (void)state;
    struct buffer out;
    document(&out);
    expect_keys(NULL, buffer_text(&out));
    for (size_t i = 0; config_scheme_at(i); i++)
        assert_non_null(strstr(buffer_text(&out), config_scheme_at(i)->summary));
    buffer_fini(&out);
}

static void rows_say_type_default_and_bounds(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "| `attempts` | whole number | `5` | All of them, the first too. From 1 to 1000. |\n",
        "| `kind` | `\"workflow-result\"` `\"workspace-event\"` `\"json\"` `\"form\"` | "
        "`\"workflow-result\"` |",
        "| `token_file` | secret or a list of them | required |",
        "Handed to the worker. |\n",
        "| `verify` | list of objects or `\"none\"` | required | See "
        "[`endpoints[].verify[]`](#endpointsverify). |\n",
        "| `store` | object | required |",
        "| `limits` | object | – |",
        "\n## `hooks[].when.match[]`\n",
        "From 1KiB to 1GiB. |\n",
    };
    struct buffer out;
    document(&out);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!strstr(buffer_text(&out), rows[i]))
            fail_msg("not in the document: %s", rows[i]);
    buffer_fini(&out);
}

static void rows_have_four_cells(void **state)
{
    (void)state;
    struct buffer out;
    document(&out);
    char *rest = buffer_take(&out);
    char *text = rest;
    int schemes = 0;
    for (char *line; (line = strsep(&rest, "\n"));) {
        int bars = 0;
        for (const char *c = line; *c; c++)
            bars += *c == '|';
        if (strncmp(line, "| scheme |", 10) == 0)
            schemes = 1;
        else if (*line == '\0')
            schemes = 0;
        assert_true(*line != '|' || bars == (schemes ? 4 : 5));
    }
    free(text);
}

static void the_example_works(void **state)
{
    struct fixture *f = *state;
    struct buffer out;
    char path[FIXTURE_PATH_MAX];
    document(&out);
    const char *start = strstr(buffer_text(&out), "```jsonc\n");
    assert_non_null(start);
    start += strlen("```jsonc\n");
    const char *end = strstr(start, "```");
    assert_non_null(end);
    fixture_tls(f);
    fixture_text(f, "run-token.key", FIXTURE_RUN_KEY, 0600);
    assert_int_equal(mkdir(fixture_file(f, "hooks", path), 0755), 0);
    fixture_text(f, "hooks/notify.sh", "#!/bin/sh\n", 0755);
    char *text = strndup(start, (size_t)(end - start));
    assert_non_null(text);
    bool taken = fixture_load_text(f, text);
    fixture_print_problems(f);
    assert_true(taken);
    free(text);
    buffer_fini(&out);
}

static void a_buffer_that_is_too_small_is_said(void **state)
{
    (void)state;
    struct buffer out;
    buffer_init(&out, 100);
    assert_int_equal(config_document(&out), -1);
    buffer_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_and_scheme_stands_in_it),
        cmocka_unit_test(rows_say_type_default_and_bounds),
        cmocka_unit_test(rows_have_four_cells),
        WITH_FIXTURE(the_example_works),
        cmocka_unit_test(a_buffer_that_is_too_small_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
