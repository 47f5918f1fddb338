/* SPDX-License-Identifier: MIT */
/*
 * One connection: connect, handshake, send, receive. Edge-triggered: whatever
 * happens to the descriptor, all that can be done is done, so that a request
 * costs the generator two calls and its share of an epoll_pwait.
 */
#include "load_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "callbackd/text.h"

enum outcome {
    DONE,
    WAIT, /* for the other side */
    GONE
};

void connection_close(struct connection *connection)
{
    SSL_free(connection->ssl);
    connection->ssl = NULL;
    if (connection->fd >= 0)
        (void)close(connection->fd);
    connection->fd = -1;
    connection->state = CONNECTION_CLOSED;
}

static int start_tls(struct connection *connection)
{
    connection->ssl = SSL_new(connection->worker->tls);
    if (!connection->ssl || SSL_set_fd(connection->ssl, connection->fd) != 1)
        return -1;
    SSL_set_connect_state(connection->ssl);
    return 0;
}

static int connection_open(struct connection *connection)
{
    const struct load_options *options = connection->worker->options;
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)options->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = connection};
    const int one = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        return -1;
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
        errno != EINPROGRESS)
        return -1;
    if (options->tls && start_tls(connection) != 0)
        return -1;
    if (epoll_ctl(connection->worker->epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        return -1;
    connection->state = CONNECTION_CONNECTING;
    return 0;
}

static enum outcome tls_outcome(const struct connection *connection, int result)
{
    int code = SSL_get_error(connection->ssl, result);
    return code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE ? WAIT : GONE;
}

static enum outcome handshake(struct connection *connection)
{
    if (!connection->ssl)
        return DONE; /* a send tells whether it is connected */
    int result = SSL_do_handshake(connection->ssl);
    return result == 1 ? DONE : tls_outcome(connection, result);
}

static enum outcome send_some(
    struct connection *connection, struct iovec *pieces, int count, size_t *sent_out)
{
    if (connection->ssl) {
        int sent = SSL_write_ex(connection->ssl, pieces[0].iov_base, pieces[0].iov_len, sent_out);
        return sent == 1 ? DONE : tls_outcome(connection, sent);
    }
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == ENOTCONN ? WAIT : GONE;
    *sent_out = (size_t)sent;
    return DONE;
}

static enum outcome send_all(struct connection *connection)
{
    struct iovec pieces[2];
    int count;
    while ((count = request_pieces(&connection->request, connection->sent, pieces)) > 0) {
        size_t sent = 0;
        enum outcome outcome = send_some(connection, pieces, count, &sent);
        if (outcome != DONE)
            return outcome;
        connection->sent += sent;
    }
    return DONE;
}

/* What is beyond the head is counted, not kept. */
static enum outcome receive_some(struct connection *connection)
{
    char dropped[16384];
    bool keep = connection->answer_bytes == 0;
    size_t room = sizeof(connection->answer) - 1 - connection->received;
    char *to = keep ? connection->answer + connection->received : dropped;
    size_t got = 0;
    if (keep && room == 0)
        return GONE;
    if (connection->ssl) {
        int read = SSL_read_ex(connection->ssl, to, keep ? room : sizeof(dropped), &got);
        if (read != 1)
            return tls_outcome(connection, read);
    } else {
        ssize_t read = recv(connection->fd, to, keep ? room : sizeof(dropped), 0);
        if (read <= 0)
            return read < 0 && errno == EAGAIN ? WAIT : GONE;
        got = (size_t)read;
    }
    connection->received += got;
    return DONE;
}

/* Fills answer_bytes and status as soon as the head is there. -1: not an answer. */
static int parse_head(struct connection *connection)
{
    static const char length_name[] = "\r\nContent-Length:";
    connection->answer[connection->received] = '\0';
    const char *end = strstr(connection->answer, "\r\n\r\n");
    if (!end)
        return 0;
    const char *length = strcasestr(connection->answer, length_name);
    if (strncmp(connection->answer, "HTTP/1.1 ", 9) != 0 || !length || length > end)
        return -1;
    length += sizeof(length_name) - 1;
    connection->status = (int)strtol(connection->answer + 9, NULL, 10);
    connection->answer_bytes =
        (size_t)(end + 4 - connection->answer) + (size_t)strtoul(length, NULL, 10);
    return connection->status < STATUS_MAX ? 0 : -1;
}

static enum outcome receive_all(struct connection *connection)
{
    while (connection->answer_bytes == 0 || connection->received < connection->answer_bytes) {
        enum outcome outcome = receive_some(connection);
        if (outcome != DONE)
            return outcome;
        if (connection->answer_bytes == 0 && parse_head(connection) != 0)
            return GONE;
    }
    return DONE;
}

/* The server ends a connection that is used once, so that it is the one with the TIME_WAIT. */
static void await_end(struct connection *connection)
{
    char nothing[256];
    size_t got = 0;
    bool waits;
    if (connection->ssl)
        waits = tls_outcome(connection, SSL_read_ex(connection->ssl, nothing, 256, &got)) == WAIT;
    else
        waits = recv(connection->fd, nothing, sizeof(nothing), 0) < 0 && errno == EAGAIN;
    if (waits)
        return;
    connection_close(connection);
    worker_connection_free(connection);
}

static void answered(struct connection *connection)
{
    worker_request_over(connection, connection->status);
    if (connection->worker->options->new_connections) {
        connection->state = CONNECTION_ENDING;
        await_end(connection);
        return;
    }
    connection->state = CONNECTION_IDLE;
    worker_connection_free(connection);
}

static void request_failed(struct connection *connection)
{
    worker_request_over(connection, 0);
    connection_close(connection);
    worker_connection_free(connection);
}

/* An answer may come before the request was sent to its end; both have to be through. */
static void exchange(struct connection *connection)
{
    enum outcome sending = send_all(connection);
    if (sending == GONE) {
        request_failed(connection);
        return;
    }
    enum outcome receiving = connection->sent > 0 ? receive_all(connection) : WAIT;
    if (receiving == GONE)
        request_failed(connection);
    else if (sending == DONE && receiving == DONE)
        answered(connection);
}

static void connect_on(struct connection *connection)
{
    enum outcome outcome = handshake(connection);
    if (outcome == GONE) {
        request_failed(connection);
    } else if (outcome == DONE) {
        connection->state = CONNECTION_BUSY;
        exchange(connection);
    }
}

void connection_begin(struct connection *connection, int64_t intended_ns)
{
    connection->intended_ns = intended_ns;
    connection->sent = 0;
    connection->received = 0;
    connection->answer_bytes = 0;
    connection->status = 0;
    request_renew(&connection->request, &connection->worker->requests);
    if (connection->state == CONNECTION_CLOSED) {
        if (connection_open(connection) != 0)
            request_failed(connection);
        return; /* epoll reports it, connected or not */
    }
    connection->state = CONNECTION_BUSY;
    if (send_all(connection) == GONE)
        request_failed(connection);
}

/* By the server, between requests; the next request opens it again. */
static void close_if_ended(struct connection *connection)
{
    char nothing;
    if (recv(connection->fd, &nothing, 1, MSG_PEEK) == 0)
        connection_close(connection);
}

void connection_advance(struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_CONNECTING:
        connect_on(connection);
        break;
    case CONNECTION_BUSY:
        exchange(connection);
        break;
    case CONNECTION_ENDING:
        await_end(connection);
        break;
    case CONNECTION_IDLE:
        close_if_ended(connection);
        break;
    case CONNECTION_CLOSED:
        break;
    }
}
