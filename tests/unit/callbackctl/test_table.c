/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <locale.h>

#include "table.h"

static const struct table_column columns[] = {
    {"NAME", false, false}, {"SIZE", true, false}, {"STATE", false, true}};

static void render(struct table *table, bool colour, struct buffer *out)
{
    buffer_init(out, 1 << 20);
    assert_int_equal(table_render(table, colour, out), 0);
    table_fini(table);
}

static void test_columns_are_aligned(void **state)
{
    (void)state;
    struct table table;
    CLEANUP_BUFFER struct buffer out;
    table_init(&table, columns, 3);
    table_add_text(&table, "long name");
    table_addf(&table, "%d", 7);
    table_add_text(&table, "dead");
    table_add_text(&table, "x");
    table_add_text(&table, "12345");
    table_add_text(&table, NULL);
    render(&table, false, &out);
    assert_string_equal(
        buffer_text(&out), "NAME        SIZE  STATE\n"
                           "long name      7  dead\n"
                           "x          12345  -\n");
}

static void test_control_bytes_do_not_reach_the_terminal(void **state)
{
    (void)state;
    struct table table;
    CLEANUP_BUFFER struct buffer out;
    table_init(&table, columns, 3);
    table_add_text(&table, "\033[31mred\r\n");
    table_add_text(&table, "1");
    table_add_text(&table, "\033[2J");
    render(&table, false, &out);
    assert_null(strchr(buffer_text(&out), '\033'));
    assert_holds(buffer_text(&out), "\\x1b[31mred\\x0d\\x0a  ");
}

static void test_status_is_coloured_and_nothing_else(void **state)
{
    (void)state;
    struct table table;
    CLEANUP_BUFFER struct buffer out;
    table_init(&table, columns, 3);
    table_add_text(&table, "dead");
    table_add_text(&table, "1");
    table_add_text(&table, "dead");
    render(&table, true, &out);
    assert_holds(buffer_text(&out), "dead     1  \033[31mdead\033[0m\n");
}

static void test_width_counts_columns_of_the_terminal(void **state)
{
    (void)state;
    setlocale(LC_CTYPE, "C.UTF-8");
    assert_int_equal(table_text_width("abc"), 3);
    assert_int_equal(table_text_width("h\xc3\xa9llo"), 5);
    assert_int_equal(table_text_width("\xe6\x97\xa5\xe6\x9c\xac"), 4);
}

static void test_without_headings_there_is_no_line_of_them(void **state)
{
    (void)state;
    static const struct table_column bare[] = {{"", false, false}, {"", false, false}};
    struct table table;
    CLEANUP_BUFFER struct buffer out;
    table_init(&table, bare, 2);
    table_add_text(&table, "a");
    table_add_text(&table, "b");
    render(&table, true, &out);
    assert_string_equal(buffer_text(&out), "a  b\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_aligned),
        cmocka_unit_test(test_control_bytes_do_not_reach_the_terminal),
        cmocka_unit_test(test_status_is_coloured_and_nothing_else),
        cmocka_unit_test(test_width_counts_columns_of_the_terminal),
        cmocka_unit_test(test_without_headings_there_is_no_line_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
