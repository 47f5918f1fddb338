/* SPDX-License-Identifier: MIT */
/* docs/API.md has a heading for every route of the admin API, and for nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin_private.h"
#include "callbackd/os.h"

enum { LINE_BYTES = 256 };

/* The document, beside this file in the source tree. */
static int read_document(void **state)
{
    struct buffer *document = malloc(sizeof(*document));
    CLEANUP_FREE char *path = strdup(__FILE__);
    struct error error = {0};
    assert_non_null(document);
    *strrchr(path, '/') = '\0';
    CLEANUP_FREE char *full = os_path_join(path, "../../../docs/API.md");
    buffer_init(document, 1024 * 1024);
    if (os_read_file(full, document, &error) != 0)
        fail_msg("%s", error.message);
    *state = document;
    return 0;
}

static int forget_document(void **state)
{
    buffer_fini(*state);
    free(*state);
    return 0;
}

/* "### `GET /x/{id}`" as the table of routes spells it, with a star for the braces; false
 * when the line is no such heading. */
static bool route_of(const char *line, char out[static LINE_BYTES])
{
    static const char mark[] = "### `";
    size_t length = 0;
    if (strncmp(line, mark, strlen(mark)) != 0)
        return false;
    for (const char *c = line + strlen(mark); *c && *c != '`' && *c != '\n'; c++) {
        if (*c == '{')
            c += strcspn(c, "}");
        if (length < LINE_BYTES - 1)
            out[length++] = *c == '}' ? '*' : *c;
    }
    out[length] = '\0';
    return true;
}

static int count_headings(const struct buffer *document, const char *route)
{
    char found[LINE_BYTES];
    int count = 0;
    for (const char *line = buffer_text(document); line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (route_of(line, found) && (!route || strcmp(found, route) == 0))
            count++;
    }
    return count;
}

static void every_route_has_a_heading_and_no_heading_is_of_none(void **state)
{
    const char *method;
    const char *path;
    int routes = 0;
    for (; admin_route_at((size_t)routes, &method, &path); routes++) {
        char route[LINE_BYTES];
        snprintf(route, sizeof(route), "%s %s", method, path);
        if (count_headings(*state, route) != 1)
            fail_msg("docs/API.md needs one heading for %s", route);
    }
    assert_true(routes > 10);
    assert_int_equal(count_headings(*state, NULL), routes);
}

static void a_heading_is_read_as_a_route(void **state)
{
    char route[LINE_BYTES];
    (void)state;
    assert_true(route_of("### `GET /api/v1/runs/{run_id}/result`\nmore", route));
    assert_string_equal(route, "GET /api/v1/runs/*/result");
    assert_false(route_of("## Runs", route));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            every_route_has_a_heading_and_no_heading_is_of_none, read_document, forget_document),
        cmocka_unit_test(a_heading_is_read_as_a_route),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
