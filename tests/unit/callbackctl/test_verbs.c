/* SPDX-License-Identifier: MIT */
/* The table of verbs, and all that is made from it. */
#include "support.h"

#include <ctype.h>

#include "help.h"
#include "verbs.h"

static void assert_summary(const char *where, const char *summary)
{
    if (!summary || summary[0] == '\0')
        fail_msg("%s has no summary", where);
    if (isupper((unsigned char)summary[0]) || summary[strlen(summary) - 1] == '.')
        fail_msg("%s: a summary starts small and has no full stop: %s", where, summary);
}

static void test_every_row_is_documented(void **state)
{
    (void)state;
    const struct verb *verb;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
        assert_summary(verb->name, verb->summary);
        assert_non_null(verb->description);
        assert_non_null(verb->operands);
        assert_non_null(verb->run);
        assert_true(verb->operands_min <= verb->operands_max);
        assert_int_equal(verb->operands_max == 0, verb->operands[0] == '\0');
        for (const struct option_row *row = verb->options; row && row->id != OPTION_END; row++)
            assert_summary(row->name, row->summary);
    }
    for (const struct option_row *row = options_of_all; row->id != OPTION_END; row++)
        assert_summary(row->name, row->summary);
}

static void test_names_are_there_once(void **state)
{
    (void)state;
    const struct verb *verb;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++)
        assert_ptr_equal(verb_find(verb->name), verb);
    assert_null(verb_find("nothing"));
}

/* One id, one name, in whatever verb: arguments are looked up by id alone. */
static void test_an_option_means_the_same_name_everywhere(void **state)
{
    (void)state;
    const char *names[256] = {0};
    const struct verb *verb;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
        for (const struct option_row *row = verb->options; row && row->id != OPTION_END; row++) {
            size_t slot = (size_t)row->id - OPTION_CONFIG;
            assert_true(slot < 256);
            if (names[slot])
                assert_string_equal(names[slot], row->name);
            names[slot] = row->name;
        }
    }
}

static void test_near_names_are_found(void **state)
{
    (void)state;
    assert_string_equal(verb_nearest("resluts")->name, "results");
    assert_string_equal(verb_nearest("statu")->name, "status");
    assert_null(verb_nearest("foo"));
}

static void assert_mentions_all(const struct buffer *text)
{
    const struct verb *verb;
    assert_false(buffer_failed(text));
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++)
        assert_holds(buffer_text(text), verb->name);
}

static void test_help_names_every_verb(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, 1 << 20);
    help_append_all(&text);
    assert_mentions_all(&text);
    assert_holds(buffer_text(&text), "--config FILE");
    assert_holds(buffer_text(&text), "5  timed out while waiting");
}

static void test_help_of_a_verb_names_its_options(void **state)
{
    (void)state;
    const struct verb *verb;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
        CLEANUP_BUFFER struct buffer text;
        buffer_init(&text, 1 << 20);
        help_append_verb(verb, &text);
        for (const struct option_row *row = verb->options; row && row->id != OPTION_END; row++)
            assert_holds(buffer_text(&text), row->name);
    }
}

static void test_lines_of_help_fit_a_terminal(void **state)
{
    (void)state;
    const struct verb *verb;
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, 1 << 20);
    help_append_all(&text);
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++)
        help_append_verb(verb, &text);
    for (const char *line = buffer_text(&text); *line != '\0';) {
        size_t length = strcspn(line, "\n");
        if (length > 100)
            fail_msg("%.*s", (int)length, line);
        line += length + 1;
    }
}

static void test_man_page_has_every_verb_and_quotes_dashes(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, 1 << 20);
    help_append_man(&text);
    assert_mentions_all(&text);
    assert_holds(buffer_text(&text), ".TH CALLBACKCTL 1");
    assert_holds(buffer_text(&text), ".B \\-\\-input\\fR \\fIK=V\n");
    assert_holds(buffer_text(&text), ".B \\-\\-wait\\fR[=\\fIDURATION]\n");
    assert_holds(buffer_text(&text), "CALLBACKD_TOKEN");
}

static void test_completion_has_every_verb(void **state)
{
    (void)state;
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, 1 << 20);
    help_append_completion(&text);
    assert_mentions_all(&text);
    assert_holds(buffer_text(&text), "--all-outputs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_documented),
        cmocka_unit_test(test_names_are_there_once),
        cmocka_unit_test(test_an_option_means_the_same_name_everywhere),
        cmocka_unit_test(test_near_names_are_found),
        cmocka_unit_test(test_help_names_every_verb),
        cmocka_unit_test(test_help_of_a_verb_names_its_options),
        cmocka_unit_test(test_lines_of_help_fit_a_terminal),
        cmocka_unit_test(test_man_page_has_every_verb_and_quotes_dashes),
        cmocka_unit_test(test_completion_has_every_verb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
