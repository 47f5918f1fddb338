/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/log.h"
#include "callbackd/os.h"
#include "civetweb/inside.h"
#include "civetweb_threads.h"
#include "framing.h"
#include "server_private.h"

/* More than connection_poll_listeners lets wait, and one of each listener: nothing blocks there. */
#define CONNECTION_QUEUE "128"

enum {
    CONNECTIONS_MAX = 1024,
    HEADERS_MIN_BYTES = 1024,        /* civetweb takes no less */
    HEADERS_MAX_BYTES = 1024 * 1024, /* of memory for each thread */
    STOP_PATIENCE_MS = 1000,
    HELLO_PIECES_MAX = 20000,
    PIECE_MS = 50, /* what civetweb counts for each */
    THREAD_NAME_BYTES = 16
};

/* ---- civetweb's callbacks ---- */

static void *on_thread(const struct mg_context *civetweb, int type)
{
    struct http_server *server = mg_get_user_data(civetweb);
    connection_thread_enter(&server->watch, type == 1);
    idle_threads_enter(&server->idle, type == 1);
    if (type != 1)
        civetweb_threads_join_here(server->fibers);
    char name[THREAD_NAME_BYTES];
    (void)snprintf(name, sizeof(name), "%.10s-%s", server->name, type == 1 ? "http" : "acc");
    (void)pthread_setname_np(pthread_self(), name);
    return NULL;
}

static int on_connection(const struct mg_connection *connection, void **data)
{
    (void)connection;
    *data = NULL;
    connection_begin();
    return 0;
}

static struct http_request request_of(struct mg_connection *connection)
{
    return (struct http_request){
        .server = mg_get_user_data(mg_get_context(connection)),
        .connection = connection,
        .info = mg_get_request_info(connection),
    };
}

static void refuse(struct http_request *request, const struct error *error)
{
    log_debug(
        "request refused", LOG_TEXT("server", request->server->name),
        LOG_TEXT("remote_address", http_request_peer(request)), LOG_ERROR(error));
    request->framing_is_bad = true;
    http_respond_problem(request, error->code, error->message, NULL);
}

static void serve(struct http_request *request)
{
    struct error error;
    struct bytes head = civetweb_head(request->connection);
    if (framing_check(request->info, head, &request->body_length, &error)) {
        refuse(request, &error);
        return;
    }
    request->body_is_read = request->body_length == 0;
    request->server->handler(request, request->server->context);
    if (request->answered)
        return;
    log_error(
        "a handler did not answer", LOG_TEXT("server", request->server->name),
        LOG_TEXT("path", http_request_path(request)));
    http_respond_problem(request, ERROR_INTERNAL, NULL, NULL);
}

/* Not 0: the request is dealt with. */
static int on_request(struct mg_connection *connection)
{
    struct http_request request = request_of(connection);
    /* Answers go out in the order of their requests. */
    if (!connection_settle()) {
        mg_disable_connection_keep_alive(connection);
        connection_linger_on_close();
        connection_finish();
        return 200;
    }
    connection_handler_begin();
    serve(&request);
    connection_handler_end();
    return 200;
}

/* civetweb could not parse what came, or not all of it came. */
static int on_http_error(struct mg_connection *connection, int status, const char *message)
{
    struct http_request request = request_of(connection);
    if (!connection_settle()) {
        connection_finish();
        return 0;
    }
    request.framing_is_bad = true;
    bool parsed = request.info && request.info->request_method;
    if (connection_timed_out())
        http_respond_problem(&request, ERROR_TIMEOUT, "the headers took too long", NULL);
    else if (!parsed && connection_was_asked_to_end())
        http_respond_problem(
            &request, ERROR_BUSY, "the connection had to end before the headers did", NULL);
    else if (status == 413 || (!parsed && connection_headers_fill_buffer()))
        http_respond_problem(&request, ERROR_HEADERS_TOO_LARGE, NULL, NULL);
    else if (status == 505)
        response_problem(&request, 505, "HTTP Version Not Supported", NULL);
    else if (status < 500)
        http_respond_problem(&request, ERROR_INVALID, message, NULL);
    else
        http_respond_problem(&request, ERROR_INTERNAL, NULL, NULL);
    connection_finish();
    return 0;
}

/* A target that is not a path ("*", or a whole URI) ends a connection without an answer;
 * this is the last chance for one. */
static void on_close(const struct mg_connection *connection)
{
    if (!connection_settle() || !connection_is_open())
        return;
    /* It is const for handlers of other kinds; the pointer is the one that may be written to. */
    struct http_request request = request_of((struct mg_connection *)connection);
    if (!request.info || !request.info->request_uri || request.info->local_uri)
        return;
    request.framing_is_bad = true;
    http_respond_problem(&request, ERROR_INVALID, "the target must be a path", NULL);
}

static int on_log(const struct mg_connection *connection, const char *message)
{
    struct http_server *server = mg_get_user_data(mg_get_context(connection));
    /* While it starts this is about us (too few threads); later, mostly about handshakes that
     * strangers do badly. */
    bool started = server && atomic_load(&server->started);
    LOG_WRITE(
        started ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, "civetweb",
        LOG_TEXT("server", server ? server->name : NULL), LOG_TEXT("message", message));
    return 1;
}

/* Asked for the context when starting, and at the end whether it is civetweb's to free. */
static int give_tls(void **context, void *data)
{
    struct http_server *server = data;
    *context = server->tls.front;
    return 1;
}

static const struct mg_callbacks callbacks = {
    .begin_request = on_request,
    .http_error = on_http_error,
    .log_message = on_log,
    .external_ssl_ctx = give_tls,
    .init_thread = on_thread,
    .init_connection = on_connection,
    .connection_close = on_close,
};

/* ---- start ---- */

static int check_options(const struct http_server_options *options, struct error *error)
{
    if (options->connections < 1 || options->connections > CONNECTIONS_MAX)
        return error_set(error, ERROR_CONFIG, "connections must be 1 to %d", CONNECTIONS_MAX);
    if (options->socket_count > LISTENERS_MAX)
        return error_set(error, ERROR_CONFIG, "at most %d sockets to listen on", LISTENERS_MAX);
    if (options->headers_max_bytes < HEADERS_MIN_BYTES ||
        options->headers_max_bytes > HEADERS_MAX_BYTES)
        return error_set(
            error, ERROR_CONFIG, "the limit for headers must be %d to %d bytes", HEADERS_MIN_BYTES,
            HEADERS_MAX_BYTES);
    if (options->request_timeout_ms < 1 || options->idle_timeout_ms < 1 ||
        options->request_timeout_ms > INT_MAX / 4 || options->idle_timeout_ms > INT_MAX / 4)
        return error_set(error, ERROR_CONFIG, "a timeout is out of range");
    for (size_t i = 0; i < options->socket_count; i++) {
        if (options->sockets[i].tls && options->tls.certificate.length == 0)
            return error_set(error, ERROR_CONFIG, "a TLS listener needs a certificate");
    }
    return 0;
}

struct civetweb_numbers {
    char threads[16];
    char headers[24];
    char request_timeout[24];
    char idle_timeout[24];
};

static struct civetweb_numbers numbers_of(const struct http_server_options *options)
{
    struct civetweb_numbers n;
    /* Its timeouts must not fire before the deadlines of connection_watch, which know why. Of a
     * handshake it counts the pieces: as many as a hello may have bytes. */
    int64_t request_ms = 2 * options->request_timeout_ms + (int64_t)HELLO_PIECES_MAX * PIECE_MS;
    int64_t idle_ms = options->idle_timeout_ms + request_ms;
    (void)snprintf(n.threads, sizeof(n.threads), "%d", options->connections);
    (void)snprintf(n.headers, sizeof(n.headers), "%zu", options->headers_max_bytes);
    (void)snprintf(n.request_timeout, sizeof(n.request_timeout), "%lld", (long long)request_ms);
    (void)snprintf(n.idle_timeout, sizeof(n.idle_timeout), "%lld", (long long)idle_ms);
    return n;
}

/* Its threads inherit the mask: signals are for the process's own threads. */
static struct mg_context *start_without_signals(
    struct mg_init_data *init, struct mg_error_data *error)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct mg_context *civetweb = mg_start2(init, error);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return civetweb;
}

static int start_civetweb(
    struct http_server *server, const struct http_server_options *options, const char *ports,
    struct error *error)
{
    struct civetweb_numbers numbers = numbers_of(options);
    const char *settings[] = {
        "listening_ports",
        ports,
        "num_threads",
        numbers.threads,
        "max_request_size",
        numbers.headers,
        "request_timeout_ms",
        numbers.request_timeout,
        "keep_alive_timeout_ms",
        numbers.idle_timeout,
        "connection_queue",
        CONNECTION_QUEUE,
        "enable_keep_alive",
        "yes",
        "tcp_nodelay",
        "1",
        "decode_url",
        "no",
        "decode_query_string",
        "no",
        "enable_auth_domain_check",
        "no",
        "enable_directory_listing",
        "no",
        "allow_sendfile_call",
        "no",
        NULL,
    };
    char text[256] = "";
    struct mg_init_data init = {
        .callbacks = &callbacks, .user_data = server, .configuration_options = settings};
    struct mg_error_data failure = {.text = text, .text_buffer_size = sizeof(text)};
    listener_takeover_begin(&server->listeners);
    civetweb_threads_begin(server->fibers);
    server->civetweb = start_without_signals(&init, &failure);
    civetweb_threads_end();
    listener_takeover_end(&server->listeners);
    if (!server->civetweb)
        return error_set(error, ERROR_IO, "cannot start the HTTP server: %s", text);
    atomic_store(&server->started, true);
    return 0;
}

static void watch_configure(struct http_server *server, const struct http_server_options *options)
{
    server->watch_ready = true;
    server->watch.listeners = &server->listeners;
    server->watch.clients = options->clients;
    server->watch.metrics = options->metrics;
    server->watch.request_timeout_ms = options->request_timeout_ms;
    server->watch.idle_timeout_ms = options->idle_timeout_ms;
    server->watch.stop_patience_ms =
        options->stop_patience_ms > 0 ? options->stop_patience_ms : STOP_PATIENCE_MS;
    server->watch.on_connections = options->on_connections;
    server->watch.context = options->context;
}

static int start_threads(
    struct http_server *server, const struct http_server_options *options, struct error *error)
{
    size_t loops = 1;
    if (options->on_fibers) {
        server->fibers = fibers_start(options->name, (size_t)options->connections, error);
        if (!server->fibers)
            return -1;
        loops = fibers_loops(server->fibers);
    }
    return idle_threads_init(&server->idle, options->connections, loops, error);
}

static int start(
    struct http_server *server, const struct http_server_options *options, struct error *error)
{
    if (listener_takeover_init(
            &server->listeners, options->sockets, options->socket_count, error) ||
        connection_watch_init(&server->watch, options->connections, error))
        return -1;
    watch_configure(server, options);
    if (start_threads(server, options, error))
        return -1;
    if (options->tls.certificate.length > 0 &&
        server_tls_init(&server->tls, &options->tls, error) != 0)
        return -1;
    server->library_ready = mg_init_library(MG_FEATURES_TLS) != 0;
    if (!server->library_ready)
        return error_set(error, ERROR_INTERNAL, "civetweb was built without TLS");
    CLEANUP_BUFFER struct buffer ports;
    buffer_init(&ports, 16 * (options->socket_count + 1));
    if (listener_takeover_ports(&server->listeners, &ports))
        return error_set(error, ERROR_MEMORY, "out of memory");
    return start_civetweb(server, options, buffer_text(&ports), error);
}

struct http_server *http_server_start(
    const struct http_server_options *options, struct error *error)
{
    if (check_options(options, error))
        return NULL;
    struct http_server *server = calloc(1, sizeof(*server));
    if (!server) {
        error_set(error, ERROR_MEMORY, "out of memory");
        return NULL;
    }
    server->name = options->name;
    server->handler = options->handler;
    server->context = options->context;
    server->request_timeout_ms = options->request_timeout_ms;
    server->standing_headers = options->standing_headers;
    server->listeners.inert_fd = -1;
    if (start(server, options, error)) {
        http_server_stop(server);
        return NULL;
    }
    return server;
}

/* ---- end ---- */

int http_server_set_tls(struct http_server *server, const struct http_tls *tls, struct error *error)
{
    return server_tls_exchange(&server->tls, tls, error);
}

void http_server_drain(struct http_server *server)
{
    if (!atomic_exchange(&server->draining, true))
        listener_takeover_drain(&server->listeners);
}

int64_t http_server_connections(const struct http_server *server)
{
    /* The lock is no part of what the caller sees as the server's state. */
    return connection_watch_count((struct connection_watch *)&server->watch);
}

static void stop_civetweb(struct http_server *server)
{
    http_server_drain(server);
    connection_watch_stop(&server->watch);
    listener_takeover_wake(&server->listeners);
    mg_stop(server->civetweb);
}

void http_server_stop(struct http_server *server)
{
    if (!server)
        return;
    if (server->civetweb)
        stop_civetweb(server);
    fibers_stop(server->fibers);
    idle_threads_fini(&server->idle);
    if (server->library_ready)
        (void)mg_exit_library();
    server_tls_fini(&server->tls);
    if (server->watch_ready)
        connection_watch_fini(&server->watch);
    listener_takeover_fini(&server->listeners);
    free(server);
}
