/* SPDX-License-Identifier: MIT */
/*
 * Input: a query string as the admin API gets it. Each parameter is there as it was escaped, is
 * not there, or is refused; what lists are asked for lies in its bounds.
 */
#include "fuzz.h"

#include <civetweb.h>

#include "admin_private.h"
#include "callbackd/text.h"
#include "server_private.h"

enum { QUERY_BYTES_MAX = 8192, VALUE_BYTES = 256 };

static const char *const names[] = {"limit",        "cursor", "status", "endpoint", "workflow",
                                    "execution_id", "since",  "until",  "hook",     ""};

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The length of what is decoded to `out`; -1: badly escaped. */
static int decode(const char *text, size_t length, char *out)
{
    int used = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '%') {
            out[used++] = (char)(text[i] == '+' ? ' ' : text[i]);
            continue;
        }
        if (length - i < 3 || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0)
            return -1;
        out[used++] = (char)(digit(text[i + 1]) * 16 + digit(text[i + 2]));
        i += 2;
    }
    return used;
}

/* 1, with the raw value; 0: it is absent. */
static int find(const char *query, const char *name, const char **value_out, size_t *length_out)
{
    static char decoded[QUERY_BYTES_MAX];
    while (*query) {
        size_t length = strcspn(query, "&");
        size_t name_length = strcspn(query, "&=");
        int used = decode(query, name_length, decoded);
        if (used == (int)strlen(name) && memcmp(decoded, name, (size_t)used) == 0) {
            *value_out = query + name_length + (name_length < length);
            *length_out = length - name_length - (name_length < length);
            return 1;
        }
        query += length + (query[length] == '&');
    }
    return 0;
}

static void check_parameter(const struct admin_request *request, const char *name)
{
    static char expected[QUERY_BYTES_MAX];
    const char *query = http_request_query(request->http);
    const char *value = NULL;
    size_t length = 0;
    char text[VALUE_BYTES];
    struct error error = {0};
    int used = find(query, name, &value, &length) ? decode(value, length, expected) : 0;
    bool fits = used >= 0 && used < VALUE_BYTES && !memchr(expected, '\0', (size_t)used);
    int result = admin_query(request, name, text, sizeof text, &error);
    HOLDS((result == 0) == fits);
    HOLDS(result == 0 || (error.code == ERROR_INVALID && error.message[0] != '\0'));
    if (result == 0)
        HOLDS(strlen(text) == (size_t)used && memcmp(text, expected, (size_t)used) == 0);
}

static void check_list(const struct admin_request *request)
{
    struct admin_result_query query;
    struct error error = {0};
    memset(&query, 0, sizeof query);
    if (admin_query_results(request, &query, &error) != 0) {
        HOLDS(error.code == ERROR_INVALID && error.message[0] != '\0');
        return;
    }
    HOLDS(query.limit >= 1 && query.limit <= ADMIN_PAGE_MAX);
    HOLDS(query.filter.limit == query.limit + 1);
    HOLDS(!query.filter.endpoint || query.filter.endpoint[0] != '\0');
    HOLDS(!query.filter.before || query.filter.before == &query.cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mg_request_info info;
    struct http_request http = {.info = &info};
    struct admin_request request = {.http = &http};
    if (size >= QUERY_BYTES_MAX || memchr(data, '\0', size))
        return 0;
    char *query = malloc(size + 1);
    HOLDS(query != NULL);
    memcpy(query, data, size);
    query[size] = '\0';
    info.query_string = query;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        check_parameter(&request, names[i]);
    check_list(&request);
    free(query);
    return 0;
}
