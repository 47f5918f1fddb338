/* SPDX-License-Identifier: MIT */
/*
 * A server for tests: answers each request with the next of a list of raw
 * replies, and keeps what it was sent. It listens on 127.0.0.1 with a port of the
 * kernel's choice, or on a Unix socket. One thread; loopback_stop ends it.
 */
#ifndef CALLBACKD_TESTS_OUTGOING_LOOPBACK_H
#define CALLBACKD_TESTS_OUTGOING_LOOPBACK_H

#include <arpa/inet.h>
#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "callbackd/buffer.h"

enum { LOOPBACK_CONNECTIONS_MAX = 16, LOOPBACK_REQUESTS_MAX = 64 };

enum loopback_after {
    LOOPBACK_CLOSE, /* the connection, after the reply */
    LOOPBACK_KEEP,  /* the connection for another request */
    LOOPBACK_HOLD   /* say no more until the server is stopped */
};

struct loopback_reply {
    const char *text; /* raw, status line and all */
    enum loopback_after after;
};

struct loopback_connection {
    int fd; /* -1: free */
    bool held;
    struct buffer input;
};

struct loopback {
    int listener;
    int stop_fd;
    int port;
    char url[64]; /* "http://127.0.0.1:PORT" */
    pthread_t thread;
    struct loopback_connection connections[LOOPBACK_CONNECTIONS_MAX];
    const struct loopback_reply *replies; /* the last one goes on for ever */
    int reply_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int connection_count;                  /* under lock: accepted so far */
    int request_count;                     /* under lock */
    char *requests[LOOPBACK_REQUESTS_MAX]; /* under lock: head and body */
};

/* The length of the whole request once it is there, else 0. */
static inline size_t loopback_request_length(struct buffer *input)
{
    const char *text = buffer_text(input);
    const char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return 0;
    size_t length = (size_t)(end - text) + 4;
    const char *declared = strcasestr(text, "\r\nContent-Length:");
    if (declared && declared < end)
        length += strtoul(declared + strlen("\r\nContent-Length:"), NULL, 10);
    return input->length >= length ? length : 0;
}

static inline void loopback_drop(struct loopback_connection *connection)
{
    close(connection->fd);
    connection->fd = -1;
    connection->held = false;
    buffer_fini(&connection->input);
}

static inline const struct loopback_reply *loopback_note(
    struct loopback *server, struct buffer *input, size_t length)
{
    pthread_mutex_lock(&server->lock);
    int index = server->request_count++;
    assert(index < LOOPBACK_REQUESTS_MAX);
    server->requests[index] = strndup(buffer_text(input), length);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    return &server->replies[index < server->reply_count ? index : server->reply_count - 1];
}

static inline void loopback_answer(struct loopback *server, struct loopback_connection *connection)
{
    size_t length = loopback_request_length(&connection->input);
    if (length == 0)
        return;
    const struct loopback_reply *reply = loopback_note(server, &connection->input, length);
    buffer_clear(&connection->input);
    size_t left = strlen(reply->text);
    for (const char *text = reply->text; left > 0;) {
        ssize_t sent = send(connection->fd, text, left, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        text += sent;
        left -= (size_t)sent;
    }
    connection->held = reply->after == LOOPBACK_HOLD;
    if (reply->after == LOOPBACK_CLOSE)
        loopback_drop(connection);
}

static inline void loopback_read(struct loopback *server, struct loopback_connection *connection)
{
    char piece[65536];
    ssize_t count = recv(connection->fd, piece, sizeof piece, 0);
    if (count <= 0) {
        loopback_drop(connection);
        return;
    }
    buffer_append(&connection->input, piece, (size_t)count);
    loopback_answer(server, connection);
}

static inline void loopback_accept(struct loopback *server)
{
    int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < LOOPBACK_CONNECTIONS_MAX; i++) {
        struct loopback_connection *connection = &server->connections[i];
        if (connection->fd >= 0)
            continue;
        connection->fd = fd;
        buffer_init(&connection->input, (size_t)64 * 1024 * 1024);
        pthread_mutex_lock(&server->lock);
        server->connection_count++;
        pthread_mutex_unlock(&server->lock);
        return;
    }
    if (fd >= 0)
        close(fd);
}

static inline void *loopback_run(void *context)
{
    struct loopback *server = context;
    struct pollfd polled[LOOPBACK_CONNECTIONS_MAX + 2];
    for (;;) {
        polled[0] = (struct pollfd){.fd = server->stop_fd, .events = POLLIN};
        polled[1] = (struct pollfd){.fd = server->listener, .events = POLLIN};
        for (int i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++) {
            const struct loopback_connection *connection = &server->connections[i];
            polled[i + 2] =
                (struct pollfd){.fd = connection->held ? -1 : connection->fd, .events = POLLIN};
        }
        if (poll(polled, LOOPBACK_CONNECTIONS_MAX + 2, -1) < 0 || polled[0].revents)
            return NULL;
        for (int i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++)
            if (polled[i + 2].revents && server->connections[i].fd >= 0)
                loopback_read(server, &server->connections[i]);
        if (polled[1].revents)
            loopback_accept(server);
    }
}

static inline void loopback_listen(struct loopback *server, const char *unix_path)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in inet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof inet;
    server->listener =
        socket(unix_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert(server->listener >= 0);
    int bound;
    if (unix_path) {
        snprintf(local.sun_path, sizeof local.sun_path, "%s", unix_path);
        bound = bind(server->listener, (struct sockaddr *)&local, sizeof local);
    } else {
        bound = bind(server->listener, (struct sockaddr *)&inet, sizeof inet);
        getsockname(server->listener, (struct sockaddr *)&inet, &length);
        server->port = ntohs(inet.sin_port);
        snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", server->port);
    }
    assert(bound == 0);
    (void)bound;
    listen(server->listener, 16);
}

/* `replies` are borrowed until loopback_stop. */
static inline struct loopback *loopback_start(
    const char *unix_path, const struct loopback_reply *replies, int reply_count)
{
    struct loopback *server = calloc(1, sizeof *server);
    server->replies = replies;
    server->reply_count = reply_count;
    server->stop_fd = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    for (int i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++)
        server->connections[i].fd = -1;
    loopback_listen(server, unix_path);
    pthread_create(&server->thread, NULL, loopback_run, server);
    return server;
}

static inline struct loopback *loopback_one(const struct loopback_reply *reply)
{
    return loopback_start(NULL, reply, 1);
}

/* The i-th request, once it has come. Borrowed until loopback_stop. */
static inline const char *loopback_request(struct loopback *server, int index)
{
    pthread_mutex_lock(&server->lock);
    while (server->request_count <= index)
        pthread_cond_wait(&server->changed, &server->lock);
    const char *request = server->requests[index];
    pthread_mutex_unlock(&server->lock);
    return request;
}

static inline int loopback_connections(struct loopback *server)
{
    pthread_mutex_lock(&server->lock);
    int count = server->connection_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static inline int loopback_requests(struct loopback *server)
{
    pthread_mutex_lock(&server->lock);
    int count = server->request_count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static inline void loopback_stop(struct loopback *server)
{
    eventfd_write(server->stop_fd, 1);
    pthread_join(server->thread, NULL);
    for (int i = 0; i < LOOPBACK_CONNECTIONS_MAX; i++)
        if (server->connections[i].fd >= 0)
            loopback_drop(&server->connections[i]);
    for (int i = 0; i < server->request_count; i++)
        free(server->requests[i]);
    close(server->listener);
    close(server->stop_fd);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

#endif
