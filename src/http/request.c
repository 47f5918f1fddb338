/* SPDX-License-Identifier: MIT */
/* Reading a request: its parts, and its body. */
#include <string.h>
#include <strings.h>

#include "callbackd/text.h"
#include "chunked.h"
#include "civetweb/inside.h"
#include "framing.h"
#include "server_private.h"
#include "tls.h"

const char *http_request_method(const struct http_request *request)
{
    return request->info->request_method;
}

const char *http_request_path(const struct http_request *request)
{
    return request->info->request_uri;
}

const char *http_request_query(const struct http_request *request)
{
    return request->info->query_string ? request->info->query_string : "";
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    for (int i = 0; i < request->info->num_headers; i++) {
        if (strcasecmp(request->info->http_headers[i].name, name) == 0)
            return request->info->http_headers[i].value;
    }
    return NULL;
}

size_t http_request_header_count(const struct http_request *request)
{
    return (size_t)request->info->num_headers;
}

void http_request_header_at(
    const struct http_request *request, size_t index, const char **name_out, const char **value_out)
{
    *name_out = request->info->http_headers[index].name;
    *value_out = request->info->http_headers[index].value;
}

const char *http_request_peer(const struct http_request *request)
{
    static const char mapped[] = "::ffff:";
    const char *address = request->info->remote_addr;
    if (strcmp(address, "*") == 0) /* civetweb's name for the peer of a Unix socket */
        return "unix";
    /* A listener on [::] sees IPv4 clients so; everybody else knows them by their own name. */
    if (strncmp(address, mapped, strlen(mapped)) == 0 && strchr(address, '.'))
        return address + strlen(mapped);
    return address;
}

bool http_request_is_tls(const struct http_request *request)
{
    return request->info->is_ssl != 0;
}

bool http_request_client_certificate(
    const struct http_request *request, struct buffer *subject,
    char fingerprint_out[static HTTP_FINGERPRINT_BYTES])
{
    const struct mg_client_cert *client = request->info->client_cert;
    return client && client->peer_cert &&
           tls_describe_certificate(client->peer_cert, subject, fingerprint_out);
}

int64_t http_request_body_length(const struct http_request *request)
{
    return request->body_length;
}

/* ---- the query ---- */

static bool name_is(struct bytes raw, const char *name)
{
    struct buffer decoded;
    buffer_init(&decoded, raw.length);
    bool same =
        text_percent_decode(raw, true, &decoded) && bytes_equal_text(buffer_bytes(&decoded), name);
    buffer_fini(&decoded);
    return same;
}

int http_request_parameter(const struct http_request *request, const char *name, struct buffer *out)
{
    const char *at = http_request_query(request);
    while (*at) {
        size_t length = strcspn(at, "&");
        const char *equals = memchr(at, '=', length);
        size_t name_length = equals ? (size_t)(equals - at) : length;
        if (name_is(bytes_of(at, name_length), name)) {
            size_t skip = equals ? name_length + 1 : length;
            return text_percent_decode(bytes_of(at + skip, length - skip), true, out) ? 1 : -1;
        }
        at += length;
        at += *at == '&';
    }
    return 0;
}

/* ---- the body ---- */

static int send_continue(struct http_request *request, struct error *error)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const char *expect = http_request_header(request, "Expect");
    if (!expect || strcasecmp(expect, "100-continue") != 0 ||
        strcmp(request->info->http_version, "1.0") == 0)
        return 0;
    if (mg_write(request->connection, go_on, sizeof(go_on) - 1) == (int)sizeof(go_on) - 1)
        return 0;
    return error_set(error, ERROR_INVALID, "the peer has gone");
}

static int read_failed(const struct http_request *request, struct error *error)
{
    if (connection_timed_out())
        return error_set(error, ERROR_TIMEOUT, "the body took too long");
    /* No fault of the sender, who must not take it for one. */
    if (connection_was_asked_to_end())
        return error_set(error, ERROR_BUSY, "the connection had to end before the body did");
    if (request->body_length == FRAMING_CHUNKED)
        return error_set(error, ERROR_INVALID, "the body ended early");
    return error_set(error, ERROR_INVALID, "the body is shorter than its Content-Length");
}

/* A body being read. */
struct reading {
    struct http_request *request;
    struct buffer *out;
    const struct http_body_watcher *watcher; /* may be NULL */
    struct chunked chunked;
    int64_t left; /* of one whose length is known */
    bool is_chunked;
};

/* Room for the next piece: it grows with what has come, for a length is declared for free. */
static int make_room(
    const struct reading *reading, size_t wanted, size_t *room_out, struct error *error)
{
    struct buffer *out = reading->out;
    const struct http_body_watcher *watcher = reading->watcher;
    size_t room = out->length > HTTP_BODY_PIECE_BYTES ? out->length : HTTP_BODY_PIECE_BYTES;
    if (room > wanted)
        room = wanted;
    if (room > out->max - out->length)
        room = out->max - out->length;
    *room_out = room;
    if (room == 0)
        return error_set(error, ERROR_TOO_LARGE, "the body is larger than %zu bytes", out->max);
    if (watcher && out->length + room > HTTP_BODY_PIECE_BYTES &&
        watcher->grow(watcher->context, out->length + room, error) != 0)
        return -1;
    if (buffer_reserve(out, room) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for the body");
    return 0;
}

/* The next piece, straight to where it stays. 1: got some; -1: error. */
static int read_data(
    const struct reading *reading, int64_t wanted, size_t *got_out, struct error *error)
{
    struct buffer *out = reading->out;
    size_t room = 0;
    if (make_room(reading, (size_t)wanted, &room, error))
        return -1;
    int got = mg_read(reading->request->connection, out->data + out->length, room);
    /* 0 before the end: civetweb is stopping, or the peer is gone. */
    if (got <= 0)
        return read_failed(reading->request, error);
    out->length += (size_t)got;
    out->data[out->length] = '\0';
    *got_out = (size_t)got;
    return 1;
}

/* Up to the data of the next chunk, or the end of them all. */
static int read_chunk_lines(struct reading *reading, struct error *error)
{
    struct chunked *chunked = &reading->chunked;
    while (chunked_data_left(chunked) == 0 && !chunked_is_at_end(chunked)) {
        unsigned char byte = 0;
        if (mg_read(reading->request->connection, &byte, 1) != 1)
            return read_failed(reading->request, error);
        if (chunked_take(chunked, byte, error))
            return -1;
    }
    return 0;
}

/* As read_data; 0: the end. */
static int read_chunk_piece(struct reading *reading, struct error *error)
{
    struct chunked *chunked = &reading->chunked;
    const struct buffer *out = reading->out;
    size_t got = 0;
    if (read_chunk_lines(reading, error))
        return -1;
    if (chunked_is_at_end(chunked)) {
        civetweb_end_body(reading->request->connection);
        return 0;
    }
    int64_t left = chunked_data_left(chunked);
    /* What is declared and can never be taken need not come. */
    if ((uint64_t)left > out->max - out->length)
        return error_set(error, ERROR_TOO_LARGE, "the body is larger than %zu bytes", out->max);
    int result = read_data(reading, left, &got, error);
    if (result > 0)
        chunked_skip(chunked, (int64_t)got);
    return result;
}

/* Of a body whose length is known. */
static int read_piece(struct reading *reading, struct error *error)
{
    size_t got = 0;
    if (reading->left == 0)
        return 0;
    int result = read_data(reading, reading->left, &got, error);
    reading->left -= (int64_t)got;
    return result;
}

static int read_pieces(struct reading *reading, struct error *error)
{
    const struct http_body_watcher *watcher = reading->watcher;
    int got = 0;
    chunked_init(&reading->chunked);
    if (reading->is_chunked)
        civetweb_read_undecoded(reading->request->connection);
    while ((got = reading->is_chunked ? read_chunk_piece(reading, error)
                                      : read_piece(reading, error)) > 0) {
        if (watcher && watcher->progress(watcher->context, buffer_bytes(reading->out), error) != 0)
            return -1;
    }
    return got;
}

int http_request_read_body(
    struct http_request *request, struct buffer *out, const struct http_body_watcher *watcher,
    struct error *error)
{
    struct reading reading = {
        .request = request,
        .out = out,
        .watcher = watcher,
        .left = request->body_length,
        .is_chunked = request->body_length == FRAMING_CHUNKED,
    };
    if (request->body_is_read)
        return 0;
    if (request->body_length > 0 && (uint64_t)request->body_length > out->max - out->length)
        return error_set(error, ERROR_TOO_LARGE, "the body is larger than %zu bytes", out->max);
    connection_resume_deadline();
    int result = send_continue(request, error);
    if (result == 0)
        result = read_pieces(&reading, error);
    connection_clear_deadline();
    request->body_is_read = result == 0;
    return result;
}
