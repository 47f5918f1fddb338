/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "callbackd/body.h"

static bool is_nodes(const char *text)
{
    return body_output_is_nodes(bytes_of_text(text));
}

static void a_known_status_and_a_value_make_a_node(void **state)
{
    (void)state;
    static const char *const words[] = {"SUCCESS", "FAILED", "FAILURE",
                                        "SKIPPED", "QUEUED", "RUNNING"};
    char text[128];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        snprintf(text, sizeof text, "{\"A\":{\"status\":\"%s\",\"value\":null}}", words[i]);
        assert_true(is_nodes(text));
        snprintf(
            text, sizeof text, "{\"A\":{\"extra\":{},\"value\":[{}],\"status\":\"%s\"}}", words[i]);
        assert_true(is_nodes(text));
        snprintf(text, sizeof text, "{\"A\":{\"status\":\"%s\"}}", words[i]);
        assert_false(is_nodes(text));
    }
    assert_false(is_nodes("{\"A\":{\"status\":\"success\",\"value\":1}}"));
    assert_false(is_nodes("{\"A\":{\"status\":\"DONE\",\"value\":1}}"));
    assert_false(is_nodes("{\"A\":{\"status\":200,\"value\":1}}"));
    assert_false(is_nodes("{\"A\":{\"status\":null,\"value\":1}}"));
    assert_false(is_nodes("{\"A\":{\"status\":{\"status\":\"SUCCESS\"},\"value\":1}}"));
    assert_false(is_nodes("{\"A\":{\"status\":[\"SUCCESS\"],\"value\":1}}"));
    assert_false(is_nodes("{\"A\":{\"value\":1}}"));
}

static void all_five_keys_make_a_node_of_any_status_text(void **state)
{
    (void)state;
    assert_true(is_nodes("{\"A\":{\"status\":\"MELTED\",\"value\":1,\"error_message\":null,"
                         "\"raw_error_message\":{\"raw\":\"Code execution failed\"},"
                         "\"is_output_node\":null}}"));
    assert_false(is_nodes("{\"A\":{\"status\":7,\"value\":1,\"error_message\":null,"
                          "\"raw_error_message\":null,\"is_output_node\":null}}"));
    assert_false(is_nodes("{\"A\":{\"status\":\"MELTED\",\"value\":1,\"error_message\":null,"
                          "\"raw_error_message\":null}}"));
}

static void every_member_must_be_a_node(void **state)
{
    (void)state;
#define GOOD "{\"status\":\"SUCCESS\",\"value\":1}"
    assert_true(is_nodes("{\"A\":" GOOD ",\"B\":" GOOD "}"));
    assert_false(is_nodes("{\"A\":" GOOD ",\"B\":1}"));
    assert_false(is_nodes("{\"A\":1,\"B\":" GOOD "}"));
    assert_false(is_nodes("{\"A\":" GOOD ",\"B\":{}}"));
    assert_false(is_nodes("{\"A\":{},\"B\":" GOOD "}"));
    assert_false(is_nodes("{\"A\":" GOOD ",\"B\":[" GOOD "]}"));
    assert_false(is_nodes("{\"A\":[" GOOD "]}"));
    assert_false(is_nodes("{\"A\":[\"status\",\"SUCCESS\",\"value\"]}"));
    assert_false(is_nodes("{}"));
    assert_false(is_nodes("[]"));
    assert_false(is_nodes("[" GOOD "]"));
    assert_false(is_nodes(GOOD));
    assert_false(is_nodes("\"SUCCESS\""));
    assert_false(is_nodes("null"));
    assert_false(is_nodes(""));
    assert_false(is_nodes("{\"A\":" GOOD));
    assert_false(is_nodes("{\"A\":{\"A\":" GOOD "}}"));
}

static void the_keys_of_one_node_do_not_serve_the_next(void **state)
{
    (void)state;
    assert_false(is_nodes("{\"A\":" GOOD ",\"B\":{\"status\":\"SUCCESS\"}}"));
    assert_false(is_nodes("{\"A\":" GOOD ",\"B\":{\"value\":1}}"));
    assert_false(is_nodes("{\"A\":{\"x\":" GOOD "}}"));
}

static void of_duplicate_keys_in_a_node_the_last_counts(void **state)
{
    (void)state;
    assert_true(is_nodes("{\"A\":{\"status\":1,\"status\":\"FAILED\",\"value\":1}}"));
    assert_false(is_nodes("{\"A\":{\"status\":\"FAILED\",\"status\":1,\"value\":1}}"));
    assert_true(is_nodes("{\"A\":" GOOD ",\"A\":" GOOD "}"));
}

/* ---- visiting ---- */

struct visited {
    char text[1024];
    size_t length;
    int stop_after;
};

static int visit(void *context, const struct body_node *node)
{
    struct visited *visited = context;
    visited->length += (size_t)snprintf(
        visited->text + visited->length, sizeof visited->text - visited->length,
        "<%.*s|%.*s|%.*s|%.*s|%d>", (int)node->name.length, (const char *)node->name.data,
        (int)node->status.length, (const char *)node->status.data, (int)node->value.length,
        (const char *)node->value.data, (int)node->error_message.length,
        (const char *)node->error_message.data, node->is_output_node);
    return --visited->stop_after == 0 ? 42 : 0;
}

static void nodes_are_visited_in_order_with_their_parts(void **state)
{
    (void)state;
    struct visited visited = {.stop_after = 0};
    static const char text[] =
        " { \"B \\u00e9\": {\"status\":\"SUCCESS\", \"value\": {\"value\":[1,{\"status\":2}]} ,"
        "\"error_message\":null,\"raw_error_message\":null,\"is_output_node\":true},"
        "\"A\":{\"is_output_node\":false,\"value\":\"\",\"status\":\"FAILED\","
        "\"error_message\":[\"x\", 2]},\"C\":{\"status\":\"SKIPPED\",\"value\":0}} ";
    assert_int_equal(body_visit_nodes(bytes_of_text(text), visit, &visited), 0);
    assert_string_equal(
        visited.text, "<\"B \\u00e9\"|\"SUCCESS\"|{\"value\":[1,{\"status\":2}]}|null|1>"
                      "<\"A\"|\"FAILED\"|\"\"|[\"x\", 2]|0><\"C\"|\"SKIPPED\"|0||0>");
}

static void a_visit_can_stop_the_others(void **state)
{
    (void)state;
    struct visited visited = {.stop_after = 2};
    assert_int_equal(
        body_visit_nodes(
            bytes_of_text("{\"A\":" GOOD ",\"B\":" GOOD ",\"C\":" GOOD "}"), visit, &visited),
        42);
    assert_string_equal(visited.text, "<\"A\"|\"SUCCESS\"|1||0><\"B\"|\"SUCCESS\"|1||0>");
}

static void duplicates_are_visited_with_their_last_parts(void **state)
{
    (void)state;
    struct visited visited = {.stop_after = 0};
    assert_int_equal(
        body_visit_nodes(
            bytes_of_text("{\"A\":{\"status\":\"FAILED\",\"value\":{},\"value\":2,"
                          "\"is_output_node\":true,\"is_output_node\":{\"a\":true}},"
                          "\"A\":{\"value\":[3],\"status\":\"SUCCESS\"}}"),
            visit, &visited),
        0);
    assert_string_equal(visited.text, "<\"A\"|\"FAILED\"|2||0><\"A\"|\"SUCCESS\"|[3]||0>");
}

static void what_is_no_node_map_is_not_visited(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}", "[]", "1", "", "{\"A\":1}", "{\"A\":" GOOD, "{\"A\":" GOOD ",\"B\":{}}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct visited visited = {.stop_after = 0};
        assert_int_equal(body_visit_nodes(bytes_of_text(texts[i]), visit, &visited), 0);
        assert_string_equal(visited.text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_status_and_a_value_make_a_node),
        cmocka_unit_test(all_five_keys_make_a_node_of_any_status_text),
        cmocka_unit_test(every_member_must_be_a_node),
        cmocka_unit_test(the_keys_of_one_node_do_not_serve_the_next),
        cmocka_unit_test(of_duplicate_keys_in_a_node_the_last_counts),
        cmocka_unit_test(nodes_are_visited_in_order_with_their_parts),
        cmocka_unit_test(a_visit_can_stop_the_others),
        cmocka_unit_test(duplicates_are_visited_with_their_last_parts),
        cmocka_unit_test(what_is_no_node_map_is_not_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
