/* SPDX-License-Identifier: MIT */
#include "http_hook.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "callbackd/clock.h"
#include "callbackd/http_pool.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "engine_private.h"
#include "retry_after.h"

enum { MS_PER_S = 1000, STATUS_GOOD = 200, STATUS_REDIRECT = 300 };

struct http_hooks {
    struct event_source event; /* first */
    struct http_pool *pool;
    int epoll_fd; /* borrowed */
};

/* What an attempt of this kind has beside the rest. */
struct http_attempt {
    struct http_call *call;         /* NULL: it has ended, or was not begun */
    struct buffer body;             /* what is sent, when it was loaded for that */
    struct config_statuses fail_on; /* a copy: the configuration may change meanwhile */
};

/* ---- the pool ---- */

static void take_pool(struct event_source *event, struct hook_engine *engine)
{
    struct http_hooks *hooks = (struct http_hooks *)event;
    struct running *running;
    while ((running = http_hooks_next_ended(hooks)))
        engine_end(engine, running);
}

struct http_hooks *http_hooks_new(int epoll_fd, struct error *error)
{
    struct http_hooks *hooks = calloc(1, sizeof *hooks);
    if (!hooks) {
        error_set(error, ERROR_MEMORY, "no memory for HTTP connections");
        return NULL;
    }
    hooks->event.take = take_pool;
    hooks->epoll_fd = epoll_fd;
    hooks->pool = http_pool_new(error);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = hooks};
    if (hooks->pool && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, http_pool_fd(hooks->pool), &event) == 0)
        return hooks;
    if (hooks->pool)
        error_set_errno(error, ERROR_IO, errno, "cannot watch HTTP connections");
    http_hooks_free(hooks);
    return NULL;
}

void http_hooks_free(struct http_hooks *hooks)
{
    if (!hooks)
        return;
    if (hooks->pool)
        epoll_ctl(hooks->epoll_fd, EPOLL_CTL_DEL, http_pool_fd(hooks->pool), NULL);
    http_pool_free(hooks->pool);
    free(hooks);
}

/* ---- the start ---- */

static struct http_attempt *attempt_of(struct running *running, struct error *error)
{
    if (!running->http)
        running->http = calloc(1, sizeof *running->http);
    if (!running->http)
        error_set(error, ERROR_MEMORY, "no memory for an HTTP request");
    return running->http;
}

static struct bytes first_of(const struct config_secrets *secrets)
{
    return secrets->count > 0 ? bytes_of(secrets->items[0].data, secrets->items[0].length)
                              : bytes_of(NULL, 0);
}

int http_hook_send(
    struct http_hooks *hooks, struct running *running, const struct config_hook *hook,
    const struct http_message *message, struct bytes body, struct error *error)
{
    struct http_attempt *attempt = attempt_of(running, error);
    if (!attempt)
        return -1;
    const struct http_call_request request = {
        .method = message->method,
        .url = message->url,
        .headers = (const char *const *)message->headers.items,
        .own_headers = (const char *const *)message->own_headers.items,
        .body = body,
        .ca = first_of(&hook->http.ca),
        .certificate = first_of(&hook->http.certificate),
        .private_key = first_of(&hook->http.private_key),
        .redirects = hook->http.redirects,
        .private_networks = hook->http.private_networks,
        .body_max_bytes = TAIL_BYTES_MAX,
    };
    attempt->fail_on = hook->http.fail_on;
    attempt->call = http_call_start(hooks->pool, &request, running, error);
    if (!attempt->call)
        return -1;
    running_begin(running, hook->timeout_ms);
    return 0;
}

/* Made when it is first needed: few daemons have hooks of this kind. */
static struct http_hooks *hooks_of(struct hook_engine *engine, struct error *error)
{
    if (!engine->http)
        engine->http = http_hooks_new(engine->epoll_fd, error);
    return engine->http;
}

static int start_http(struct hook_engine *engine, struct running *running, struct error *error)
{
    struct http_attempt *attempt = attempt_of(running, error);
    struct http_hooks *hooks = hooks_of(engine, error);
    if (!attempt || !hooks || starter_load_body(engine, running, &attempt->body, error) != 0)
        return -1;
    struct bytes body = buffer_bytes(&attempt->body);
    const struct hook_values values = starter_values(running, NULL, body);
    struct http_message message;
    int result = http_message_make(&values, clock_wall_ms() / MS_PER_S, &message, error);
    if (result == 0)
        result = http_hook_send(hooks, running, running->slot->hook, &message, body, error);
    http_message_fini(&message);
    return result;
}

/* ---- its end ---- */

/* What is kept in place of a command's output: the answer's body, and what was said around it. */
static void keep_answer(struct running *running, const struct http_call_answer *answer)
{
    CLEANUP_BUFFER struct buffer head;
    buffer_init(&head, TAIL_BYTES_MAX);
    if (answer->status_line[0] != '\0')
        buffer_appendf(&head, "%s\n", answer->status_line);
    if (answer->retry_after[0] != '\0')
        buffer_appendf(&head, "Retry-After: %s\n", answer->retry_after);
    if (answer->redirects > 0)
        buffer_appendf(&head, "redirects followed: %d\n", answer->redirects);
    if (answer->message[0] != '\0')
        buffer_appendf(&head, "%s\n", answer->message);
    tail_append(&running->tails[SOURCE_OUTPUT], buffer_bytes(&answer->body));
    tail_append(&running->tails[SOURCE_ERROR], buffer_bytes(&head));
    running->tails[SOURCE_OUTPUT].cut |= answer->body_cut;
}

static void take_status(struct running *running, const struct http_call_answer *answer)
{
    bool redirect = answer->message[0] != '\0';
    if (answer->status >= STATUS_GOOD && answer->status < STATUS_REDIRECT) {
        running->succeeded = true;
        running->exit_code = 0;
        return;
    }
    running->message =
        text_format("answered %d%s%s", answer->status, redirect ? "; " : "", answer->message);
    running->fatal = answer->status >= CONFIG_STATUS_MIN && answer->status < CONFIG_STATUSES &&
                     running->http->fail_on.holds[answer->status];
}

/* Whoever is asked to come later is told when. */
static void take_asked_pause(struct running *running, const struct http_call_answer *answer)
{
    CLEANUP_BUFFER struct buffer line;
    buffer_init(&line, HTTP_CALL_LINE_BYTES);
    buffer_appendf(&line, "Retry-After: %s", answer->retry_after);
    if (!running->succeeded)
        running->asked_ms = retry_after_find(buffer_bytes(&line), clock_wall_ms());
}

static void take_answer(struct running *running, const struct http_call_answer *answer)
{
    keep_answer(running, answer);
    running->outcome = answer->end == HTTP_CALL_NOT_SENT ? ATTEMPT_SPAWN_ERROR : ATTEMPT_EXIT;
    if (answer->end != HTTP_CALL_ANSWERED) {
        running->message = text_copy(answer->message);
    } else {
        take_status(running, answer);
        take_asked_pause(running, answer);
    }
    running_note_end(running);
}

struct running *http_hooks_next_ended(struct http_hooks *hooks)
{
    http_pool_run(hooks->pool);
    struct http_call *call = http_pool_take_ended(hooks->pool);
    if (!call)
        return NULL;
    struct running *running = http_call_context(call);
    take_answer(running, http_call_answer(call));
    http_call_free(call);
    running->http->call = NULL;
    return running;
}

/* Broken off, whether or not the server goes on with what it has. */
static void stop_http(struct running *running, struct process_table *table)
{
    (void)table;
    http_call_free(running->http->call);
    running->http->call = NULL;
}

static int64_t http_due_ms(const struct running *running)
{
    (void)running;
    return 0;
}

static bool look_at_http(struct running *running, int epoll_fd, struct process_table *table)
{
    (void)epoll_fd;
    (void)table;
    running->outcome = running->stop_reason == STOP_TIMEOUT ? ATTEMPT_TIMEOUT : ATTEMPT_INTERRUPTED;
    running_note_end(running);
    return true;
}

static void fini_http(struct running *running)
{
    if (!running->http)
        return;
    http_call_free(running->http->call);
    buffer_fini(&running->http->body);
    free(running->http);
}

const struct running_kind running_http = {
    .has_processes = false,
    .has_body_file = false,
    .start = start_http,
    .stop = stop_http,
    .due_ms = http_due_ms,
    .look = look_at_http,
    .fini = fini_http,
};
