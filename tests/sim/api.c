/* SPDX-License-Identifier: MIT */
/* Which route a request takes, and whether its key is right. */
#include "api.h"

#include <string.h>

#include "api_private.h"
#include "callbackd/text.h"

enum { NAME_MAX_BYTES = 4096 };

/* The API knows its keys; without --api-key any will do. */
static bool has_key(const struct sim *sim, const struct http_request *request)
{
    const char *right = sim_options(sim)->api_key;
    const char *given = http_request_header(request, "X-API-KEY");
    if (!given || given[0] == '\0')
        return false;
    return !right || strcmp(given, right) == 0;
}

bool api_read_body(struct http_request *request, struct buffer *body)
{
    struct error error = {0};
    if (http_request_read_body(request, body, NULL, &error) == 0)
        return true;
    answer_detail(request, error_info(error.code)->http_status, error.message);
    return false;
}

/* The segment between "/workflows/" and "/run"; empty when the path has another shape. */
static struct bytes name_segment(const char *path)
{
    static const char prefix[] = "/workflows/";
    size_t prefix_length = sizeof prefix - 1;
    if (strncmp(path, prefix, prefix_length) != 0)
        return bytes_of(NULL, 0);
    const char *name = path + prefix_length;
    size_t length = strcspn(name, "/");
    return strcmp(name + length, "/run") == 0 ? bytes_of(name, length) : bytes_of(NULL, 0);
}

static void run_route(struct sim *sim, struct http_request *request, struct bytes segment)
{
    struct buffer name;
    buffer_init(&name, NAME_MAX_BYTES);
    if (strcmp(http_request_method(request), "POST") != 0)
        answer_detail(request, 405, "Method Not Allowed");
    else if (!text_percent_decode(segment, false, &name) || memchr(name.data, 0, name.length))
        answer_detail(request, 404, "Not Found");
    else if (!has_key(sim, request))
        answer_message(request, 401, "Invalid API key");
    else
        api_run(sim, request, buffer_text(&name));
    buffer_fini(&name);
}

static void results_route(struct sim *sim, struct http_request *request)
{
    if (strcmp(http_request_method(request), "GET") != 0)
        answer_detail(request, 405, "Method Not Allowed");
    else if (!has_key(sim, request))
        answer_message(request, 401, "Invalid API key");
    else
        api_results(sim, request);
}

void api_handle(struct http_request *request, void *context)
{
    struct sim *sim = context;
    const char *path = http_request_path(request);
    struct bytes segment = name_segment(path);
    if (segment.length > 0)
        run_route(sim, request, segment);
    else if (strcmp(path, "/workflow-version-execution-results") == 0)
        results_route(sim, request);
    else if (strncmp(path, "/_sim/", strlen("/_sim/")) == 0)
        api_control(sim, request);
    else
        answer_detail(request, 404, "Not Found");
}
