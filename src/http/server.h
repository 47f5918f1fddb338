/* SPDX-License-Identifier: MIT */
/*
 * An HTTP/1.1 server on sockets that somebody else bound: the only place that
 * knows civetweb. It adds to civetweb what a service on the internet needs:
 * listeners are taken over, not opened; TLS material comes from memory; bad
 * framing is refused before any handler sees the request; a body has a deadline
 * of its own; a server can be drained without refusing or cutting a connection.
 *
 * Threads: one per connection, made by civetweb (128 KiB stacks: keep frames
 * small). The handler runs on them, several at a time. On fibers (callbackd/fibers.h) there is one
 * per CPU, and the handler has to wait as fibers do. start, drain and stop are
 * for one owner: one thread of the process at a time, for all its servers. A struct
 * http_request lives for one call of the handler. SIGPIPE is ignored from the start of
 * the first server on.
 */
#ifndef CALLBACKD_HTTP_SERVER_H
#define CALLBACKD_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

struct client_limit;
struct http_server;
struct http_request;
struct http_header;
struct metrics;

/* A listening, non-blocking socket. Borrowed: the server works on its own duplicate, and
 * closing that does not stop the socket from listening elsewhere. */
struct http_socket {
    int fd;
    bool tls;
};

/* PEM texts, borrowed until http_server_start returns. Empty certificate: no TLS. */
struct http_tls {
    struct bytes certificate; /* with its chain */
    struct bytes private_key;
    struct bytes client_ca; /* not empty: only clients with a certificate from it get through
                               the handshake; handlers see its subject and fingerprint */
};

/* Must answer exactly once, by one of the http_respond* calls, or take a reply. A handler that
 * does not is a bug, and is answered 500. */
typedef void http_handler(struct http_request *request, void *context);

struct http_server_options {
    const char *name; /* for thread names and logs; a literal */
    const struct http_socket *sockets;
    size_t socket_count; /* 1 to 64 */
    struct http_tls tls;
    int connections;              /* that are served at the same time: 1 to 1024 */
    bool on_fibers;               /* else each has a thread; see "Threads" */
    int64_t request_timeout_ms;   /* for a whole request: handshake, headers and body */
    int64_t idle_timeout_ms;      /* between requests of a connection */
    int64_t stop_patience_ms;     /* for what does not end by itself at stop; 0: a second */
    struct client_limit *clients; /* borrowed; NULL: no client is limited */
    struct metrics *metrics;      /* may be NULL */
    size_t headers_max_bytes;     /* request line and headers; more is 431. 1 KiB to 1 MiB */
    /* Sent with each answer that does not set them itself; ends with a NULL name, and outlives
     * the server. NULL: none. */
    const struct http_header *standing_headers;
    http_handler *handler;
    void *context;
    /* Called when the count of open connections changes, under a lock; may be NULL. */
    void (*on_connections)(void *context, int64_t open);
};

/* NULL on failure. */
struct http_server *http_server_start(
    const struct http_server_options *options, struct error *error);
/* New connections to sockets with TLS meet this from now on. -1: it cannot be used, or there was
 * no TLS before; all stays as it was. */
int http_server_set_tls(
    struct http_server *server, const struct http_tls *tls, struct error *error);
/* Stop accepting; from now on each answer says `Connection: close`. Returns at once; the
 * sockets go on listening for whoever else holds them. */
void http_server_drain(struct http_server *server);
/* Open connections, idle ones included, and those that are just being accepted: with none after
 * http_server_drain there will be none. */
int64_t http_server_connections(const struct http_server *server);
/* Ends all connections, waits for handlers that run, frees. NULL is allowed. */
void http_server_stop(struct http_server *server);

/* ---- the request: borrowed views, valid during the handler ---- */

const char *http_request_method(const struct http_request *request);
/* The path as sent (not decoded), without query: starts with '/', no control bytes. */
const char *http_request_path(const struct http_request *request);
/* Without '?'; "" when there is none. */
const char *http_request_query(const struct http_request *request);
/* First header of that name, any case; NULL when absent. */
const char *http_request_header(const struct http_request *request, const char *name);
size_t http_request_header_count(const struct http_request *request);
void http_request_header_at(
    const struct http_request *request, size_t index, const char **name_out,
    const char **value_out);
/* The peer of the socket: an IP address without port (an IPv4 one as such on [::], too), or
 * "unix". */
const char *http_request_peer(const struct http_request *request);
bool http_request_is_tls(const struct http_request *request);
enum { HTTP_FINGERPRINT_BYTES = 65 };
/* The client certificate, which verified: its subject (RFC 2253) is appended, its SHA-256 in
 * lower-case hex goes to `fingerprint_out`. false when the client sent none. */
bool http_request_client_certificate(
    const struct http_request *request, struct buffer *subject,
    char fingerprint_out[static HTTP_FINGERPRINT_BYTES]);
/* Declared by Content-Length; -1 when chunked; 0 when there is no body. */
int64_t http_request_body_length(const struct http_request *request);

/* Appends the decoded query parameter, the first of that name. 1: it is there; 0: it is absent; -1:
 * it is badly escaped, or longer than the buffer may become. */
int http_request_parameter(
    const struct http_request *request, const char *name, struct buffer *out);

enum { HTTP_BODY_PIECE_BYTES = 16384 };

/* Who watches a body as it comes. What is not 0 ends the reading: it is -1, with `error` filled. */
struct http_body_watcher {
    /* Before it goes on until there are so many bytes in all; not asked for the first
     * HTTP_BODY_PIECE_BYTES. */
    int (*grow)(void *context, size_t bytes, struct error *error);
    /* After each piece: `body` is all of it so far. */
    int (*progress)(void *context, struct bytes body, struct error *error);
    void *context;
};

/*
 * Reads the whole body into `out` (appended, bounded by its maximum), telling `watcher` (may be
 * NULL) of it. Fails with ERROR_TOO_LARGE (at once where the length is
 * declared), ERROR_TIMEOUT (the deadline of the whole request), ERROR_INVALID (bad chunking,
 * or the peer ended early), ERROR_BUSY (the connection had been asked to give way before the
 * request came), or what the watcher said. After a failure the connection is
 * closed once the handler has answered.
 */
int http_request_read_body(
    struct http_request *request, struct buffer *out, const struct http_body_watcher *watcher,
    struct error *error);

/* ---- the answer ---- */

struct http_header {
    const char *name;
    const char *value;
};

/*
 * Writes status line, Content-Length, Content-Type, `headers` (ends with a NULL name; may
 * be NULL), Cache-Control: no-store, and the body, in as few writes as possible. If the
 * request's body was not read to its end, the connection is closed after it.
 */
void http_respond(
    struct http_request *request, int status, const char *content_type,
    const struct http_header *headers, struct bytes body);
/* 2xx with application/json. */
void http_respond_json(struct http_request *request, int status, const struct buffer *json);
/* application/problem+json (RFC 9457); status and title from the error's code. Sends
 * `Retry-After` with 429 and 503, `Allow` with 405 (allow may be NULL otherwise). */
void http_respond_problem(
    struct http_request *request, enum error_code code, const char *detail, const char *allow);

/* 429 with problem+json and `Retry-After: retry_after_s`; the connection ends with it, so that
 * going on costs a new one. */
void http_respond_slow_down(struct http_request *request, const char *detail, int retry_after_s);

/* ---- an answer that is given later ---- */

/* The caller's memory; what is in it is the server's. */
struct http_reply {
    struct connection_thread *thread;
    const struct http_server *server;
    bool is_1_0;
};

/*
 * For a handler whose answer depends on something that others do: it takes the reply, returns,
 * and somebody gives it, on any thread, exactly once. false: not for this request, answer it now
 * (its connection is to end with the answer). Nothing of the request may be used once the handler
 * has returned. The server's stop waits for the answer.
 */
bool http_reply_later(struct http_request *request, struct http_reply *reply);
/* Both end the reply, and wait for nobody: a peer that does not take a small answer at once
 * loses its connection, and so does one whose answer is over 63 KiB. */
void http_reply_json(struct http_reply *reply, int status, const struct buffer *json);
void http_reply_problem(struct http_reply *reply, enum error_code code, const char *detail);

#endif
