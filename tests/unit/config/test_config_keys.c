/* SPDX-License-Identifier: MIT */
#include "config_keys.h"

#include <ctype.h>

#include "config_fixture.h"
#include "config_private.h"

/* Calls `look` for every row, reached from the file downwards. */
static size_t each_key(const struct config_key *parent, void (*look)(const struct config_key *))
{
    size_t count = 0;
    for (const struct config_key *key = config_key_next(parent, NULL); key;
         key = config_key_next(parent, key)) {
        look(key);
        count += 1 + each_key(key, look);
    }
    return count;
}

static void is_documented(const struct config_key *key)
{
    size_t length = strlen(key->meaning);
    assert_true(length > 10);
    assert_int_equal(key->meaning[length - 1], '.');
    assert_true(isupper((unsigned char)key->meaning[0]) || key->meaning[0] == '`');
    assert_null(strchr(key->meaning, '|')); /* it would end the cell of a Markdown table */
}

static void every_key_is_documented_in_sentences(void **state)
{
    (void)state;
    assert_true(each_key(NULL, is_documented) > 70);
}

static void is_found_by_its_pattern(const struct config_key *key)
{
    assert_ptr_equal(config_key_find(key->pattern), key);
}

static void every_pattern_stands_once(void **state)
{
    (void)state;
    each_key(NULL, is_found_by_its_pattern);
    assert_null(config_key_find("limits.bodies"));
    assert_null(config_key_find(""));
}

static void has_what_its_type_needs(const struct config_key *key)
{
    const struct config_type *type = config_type(key->type);
    bool container = key->type == KEY_OBJECT || key->type == KEY_LIST;
    assert_non_null(type->shape);
    if (key->type == KEY_CONDITION)
        assert_non_null(key->shape);
    else
        assert_true(container || type->read_text || type->read_value);
    assert_int_equal(key->type == KEY_CHOICE, key->choices != NULL);
    assert_int_equal(key->type == KEY_SECRET, key->role != 0);
    if (key->type == KEY_LIST)
        assert_true(key->element_size > 0);
    if (key->type == KEY_INTEGER || key->type == KEY_DURATION || key->type == KEY_SIZE) {
        assert_true(key->minimum < key->maximum);
        assert_non_null(key->fallback);
    }
    if (type->read_text)
        assert_non_null(type->example);
    assert_false(key->fallback && (key->flags & KEY_REQUIRED));
}

static void every_row_has_what_its_type_needs(void **state)
{
    (void)state;
    each_key(NULL, has_what_its_type_needs);
}

static void choices_are_in_the_order_of_their_enums(void **state)
{
    (void)state;
    const char *const *kinds = config_key_find("endpoints[].kind")->choices;
    for (int i = 0; i < BODY_KINDS; i++)
        assert_string_equal(kinds[i], body_kind_name((enum body_kind)i));
    assert_null(kinds[BODY_KINDS]);
    const char *const *levels = config_key_find("log.level")->choices;
    for (int i = 0; levels[i]; i++) {
        enum log_level level;
        assert_true(log_parse_level(levels[i], &level));
        assert_int_equal(level, i);
    }
    const char *const *formats = config_key_find("log.format")->choices;
    for (int i = 0; formats[i]; i++) {
        enum log_format format;
        assert_true(log_parse_format(formats[i], &format));
        assert_int_equal(format, i);
    }
}

static void members_are_those_directly_below(void **state)
{
    (void)state;
    const struct config_key *hooks = config_key_find("hooks");
    assert_ptr_equal(config_key_member(hooks, "retry"), config_key_find("hooks[].retry"));
    assert_null(config_key_member(hooks, "attempts"));
    assert_null(config_key_member(hooks, "retry.attempts"));
    assert_null(config_key_member(hooks, ""));
    assert_null(config_key_member(NULL, "hooks[]"));
    assert_ptr_equal(config_key_member(NULL, "hooks"), hooks);
    assert_string_equal(config_key_name(config_key_find("hooks[].retry.attempts")), "attempts");
    assert_string_equal(config_key_name(hooks), "hooks");
    assert_null(config_key_next(config_key_find("limits.body"), NULL));
}

static void the_nearest_key_is_the_one_that_was_meant(void **state)
{
    (void)state;
    const struct config_key *limits = config_key_find("limits");
    assert_string_equal(config_key_nearest(limits, "bodys"), "body");
    assert_string_equal(config_key_nearest(limits, "request_time_out"), "request_timeout");
    assert_string_equal(config_key_nearest(NULL, "endpoint"), "endpoints");
    /* A key in the wrong place is told its own. */
    assert_string_equal(config_key_nearest(NULL, "retention"), "store.retention");
    assert_string_equal(config_key_nearest(limits, "attempts"), "hooks[].retry.attempts");
    /* Something is always named, for names of any length too. */
    char monster[300];
    memset(monster, 'x', sizeof monster - 1);
    monster[sizeof monster - 1] = '\0';
    assert_non_null(config_key_nearest(limits, monster));
    assert_non_null(config_key_nearest(NULL, ""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_documented_in_sentences),
        cmocka_unit_test(every_pattern_stands_once),
        cmocka_unit_test(every_row_has_what_its_type_needs),
        cmocka_unit_test(choices_are_in_the_order_of_their_enums),
        cmocka_unit_test(members_are_those_directly_below),
        cmocka_unit_test(the_nearest_key_is_the_one_that_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
