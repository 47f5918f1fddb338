/* SPDX-License-Identifier: MIT */
/* An answer that is given later, by another thread (connection_watch.h says how). */
#include <string.h>

#include "callbackd/os.h"
#include "response.h"
#include "server_private.h"

bool http_reply_later(struct http_request *request, struct http_reply *reply)
{
    /* Whose connection ends with the answer is answered by its own thread, which ends it. */
    if (request->answered || !response_keeps_connection(request) ||
        strcmp(request->info->request_method, "HEAD") == 0)
        return false;
    reply->thread = connection_answer_later();
    if (!reply->thread)
        return false;
    reply->server = request->server;
    reply->is_1_0 = strcmp(request->info->http_version, "1.0") == 0;
    request->answered = true;
    return true;
}

static void give(
    struct http_reply *reply, int status, const char *content_type,
    const struct http_header *headers, struct bytes body)
{
    /* Meanwhile the server may have been told to drain, or may have too many connections. */
    bool is_last = atomic_load(&reply->server->draining) || connection_has_to_end(reply->thread);
    const struct response_form form = {
        .keep = !is_last,
        .is_1_0 = reply->is_1_0,
        .standing = reply->server->standing_headers,
    };
    CLEANUP_BUFFER struct buffer answer;
    buffer_init(&answer, RESPONSE_HEAD_MAX_BYTES);
    (void)buffer_reserve(&answer, RESPONSE_HEAD_USUAL_BYTES);
    response_append_head(&answer, &form, status, content_type, headers, body.length);
    buffer_append_bytes(&answer, body);
    /* Nothing is an answer that says so: the connection ends. */
    connection_answer(
        reply->thread, buffer_failed(&answer) ? bytes_of(NULL, 0) : buffer_bytes(&answer), is_last);
}

void http_reply_json(struct http_reply *reply, int status, const struct buffer *json)
{
    if (buffer_failed(json))
        http_reply_problem(reply, ERROR_MEMORY, NULL);
    else
        give(reply, status, "application/json", NULL, buffer_bytes(json));
}

void http_reply_problem(struct http_reply *reply, enum error_code code, const char *detail)
{
    struct problem problem;
    problem_init_error(&problem, code, detail, NULL);
    give(reply, problem.status, PROBLEM_TYPE, problem.headers, problem_body(&problem));
    problem_fini(&problem);
}
