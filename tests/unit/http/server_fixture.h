/* SPDX-License-Identifier: MIT */
/*
 * A real server on real sockets, and a client that sends raw bytes. The client's reads give
 * up after ten seconds, so a test that waits in vain fails and does not hang.
 */
#ifndef CALLBACKD_TESTS_SERVER_FIXTURE_H
#define CALLBACKD_TESTS_SERVER_FIXTURE_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "callbackd/clock.h"
#include "callbackd/completion.h"
#include "callbackd/os.h"
#include "client_limit.h"
#include "server.h"

#define UNUSED __attribute__((unused))

enum { BODY_MAX = 65536, SEEN_MAX = 8192, CLIENT_PATIENCE_S = 10, BLOCKED_MAX = 16 };

/* ---- the server's side ---- */

struct fixture {
    int64_t stop_patience_ms;
    int tcp_fd;
    int unix_fd;
    uint16_t port;
    char unix_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char directory[64];
    struct http_server *server;
    struct client_limit *clients; /* what the server is to count by; NULL: nothing */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char seen[SEEN_MAX]; /* the paths that reached the handler, one a line; lock */
    bool released;       /* lock */
    int blocked;         /* handlers that wait, or waited, to be released; lock */
    struct completion waiting[BLOCKED_MAX];
    atomic_llong open_now;
    atomic_llong open_most;
};

UNUSED static void fixture_see(struct fixture *f, const char *path)
{
    (void)pthread_mutex_lock(&f->lock);
    size_t length = strlen(f->seen);
    (void)snprintf(f->seen + length, sizeof(f->seen) - length, "%s\n", path);
    (void)pthread_mutex_unlock(&f->lock);
}

UNUSED static bool fixture_saw(struct fixture *f, const char *path)
{
    (void)pthread_mutex_lock(&f->lock);
    bool saw = strstr(f->seen, path) != NULL;
    (void)pthread_mutex_unlock(&f->lock);
    return saw;
}

UNUSED static void fixture_block(struct fixture *f)
{
    (void)pthread_mutex_lock(&f->lock);
    struct completion *waiting = f->released ? NULL : &f->waiting[f->blocked];
    if (waiting) {
        assert_in_range(++f->blocked, 1, BLOCKED_MAX);
        completion_begin(waiting);
        (void)pthread_cond_broadcast(&f->changed);
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (waiting)
        completion_wait(waiting);
}

UNUSED static void fixture_wait_blocked(struct fixture *f, int count)
{
    (void)pthread_mutex_lock(&f->lock);
    while (f->blocked < count)
        (void)pthread_cond_wait(&f->changed, &f->lock);
    (void)pthread_mutex_unlock(&f->lock);
}

UNUSED static void fixture_release(struct fixture *f)
{
    (void)pthread_mutex_lock(&f->lock);
    for (int i = 0; i < f->blocked && !f->released; i++)
        completion_end(&f->waiting[i]);
    f->released = true;
    (void)pthread_mutex_unlock(&f->lock);
}

/* Answers with what it understood: "METHOD path query peer tls body". */
UNUSED static void fixture_echo(struct http_request *request)
{
    struct error error;
    CLEANUP_BUFFER struct buffer body;
    CLEANUP_BUFFER struct buffer answer;
    buffer_init(&body, BODY_MAX);
    buffer_init(&answer, (size_t)2 * BODY_MAX);
    if (http_request_read_body(request, &body, NULL, &error)) {
        http_respond_problem(request, error.code, error.message, NULL);
        return;
    }
    buffer_appendf(
        &answer, "%s %s [%s] %s %s ", http_request_method(request), http_request_path(request),
        http_request_query(request), http_request_peer(request),
        http_request_is_tls(request) ? "tls" : "plain");
    buffer_append_bytes(&answer, buffer_bytes(&body));
    http_respond(request, 200, "text/plain", NULL, buffer_bytes(&answer));
}

UNUSED static void fixture_respond_text(struct http_request *request, const char *text)
{
    http_respond(request, 200, "text/plain", NULL, bytes_of_text(text));
}

/* "/large?bytes": so many of them. */
UNUSED static void fixture_large(struct http_request *request)
{
    struct buffer body;
    size_t length = strtoul(http_request_query(request), NULL, 10);
    buffer_init(&body, length);
    assert_int_equal(buffer_reserve(&body, length), 0);
    memset(body.data, 'x', length);
    http_respond(request, 200, "text/plain", NULL, bytes_of(body.data, length));
    buffer_fini(&body);
}

UNUSED static void fixture_handler(struct http_request *request, void *context)
{
    struct fixture *f = context;
    const char *path = http_request_path(request);
    fixture_see(f, path);
    if (strcmp(path, "/block") == 0)
        fixture_block(f);
    if (strcmp(path, "/silent") == 0)
        return;
    if (strcmp(path, "/large") == 0)
        fixture_large(request);
    else if (strcmp(path, "/unread") == 0)
        fixture_respond_text(request, "not read");
    else
        fixture_echo(request);
    if (strcmp(path, "/twice") == 0)
        fixture_respond_text(request, "again");
}

UNUSED static void fixture_count(void *context, int64_t open)
{
    struct fixture *f = context;
    atomic_store(&f->open_now, open);
    if (open > atomic_load(&f->open_most))
        atomic_store(&f->open_most, open);
}

UNUSED static int listen_tcp(uint16_t *port_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 128), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port_out = ntohs(address.sin_port);
    return fd;
}

UNUSED static int listen_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 128), 0);
    return fd;
}

UNUSED static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->changed, NULL);
    (void)snprintf(f->directory, sizeof(f->directory), "/tmp/callbackd-http-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    (void)snprintf(f->unix_path, sizeof(f->unix_path), "%s/socket", f->directory);
    f->stop_patience_ms = 120000; /* what ends by itself has all the time that it needs */
    f->tcp_fd = listen_tcp(&f->port);
    f->unix_fd = listen_unix(f->unix_path);
    return f;
}

UNUSED static struct http_server_options fixture_options(
    struct fixture *f, const struct http_socket *sockets, size_t count)
{
    return (struct http_server_options){
        .name = "test",
        .sockets = sockets,
        .socket_count = count,
        .connections = 8,
        .on_fibers = getenv("CALLBACKD_TEST_ON_FIBERS") != NULL,
        .request_timeout_ms = 5000,
        .idle_timeout_ms = 5000,
        .stop_patience_ms = f->stop_patience_ms,
        .clients = f->clients,
        .headers_max_bytes = 8192,
        .handler = fixture_handler,
        .context = f,
        .on_connections = fixture_count,
    };
}

/* Until the server has accepted, or closed, as many as it takes. One that is just being accepted
 * may count before it is there, or twice, for a moment. */
UNUSED static void fixture_wait_for_connections(const struct fixture *f, int64_t count)
{
    int64_t started_ms = clock_monotonic_ms();
    bool seen = false;
    while (!seen && clock_monotonic_ms() - started_ms < 10000) {
        seen = atomic_load(&f->open_now) == count && http_server_connections(f->server) == count;
        if (!seen)
            (void)poll(NULL, 0, 1);
    }
    assert_true(seen);
}

/* Both sockets, no TLS. 0: the usual timeouts. */
UNUSED static void fixture_start(struct fixture *f, int64_t request_ms, int64_t idle_ms)
{
    struct error error;
    struct http_socket sockets[] = {{f->tcp_fd, false}, {f->unix_fd, false}};
    struct http_server_options options = fixture_options(f, sockets, 2);
    if (request_ms)
        options.request_timeout_ms = request_ms;
    if (idle_ms)
        options.idle_timeout_ms = idle_ms;
    f->server = http_server_start(&options, &error);
    if (!f->server)
        fail_msg("%s", error.message);
}

UNUSED static void fixture_free(struct fixture *f)
{
    fixture_release(f);
    http_server_stop(f->server);
    client_limit_free(f->clients);
    os_close(f->tcp_fd);
    os_close(f->unix_fd);
    (void)unlink(f->unix_path);
    (void)rmdir(f->directory);
    (void)pthread_mutex_destroy(&f->lock);
    (void)pthread_cond_destroy(&f->changed);
    free(f);
}

UNUSED static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    int count = 0;
    while (readdir(directory)) /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        count++;
    (void)closedir(directory);
    return count;
}

/* ---- the client's side ---- */

struct client {
    int fd;
    SSL *ssl; /* NULL: plain */
};

struct answer {
    int status;
    char head[16384];
    char body[3 * BODY_MAX];
    size_t body_length;
};

UNUSED static struct client client_of(int fd)
{
    struct timeval patience = {.tv_sec = CLIENT_PATIENCE_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    return (struct client){.fd = fd};
}

UNUSED static struct client connect_tcp(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return client_of(fd);
}

UNUSED static struct client connect_unix(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return client_of(fd);
}

UNUSED static void client_close(struct client *c)
{
    SSL_free(c->ssl);
    os_close(c->fd);
    *c = (struct client){.fd = -1};
}

/* false when the other side has closed. */
UNUSED static bool client_try_send(const struct client *c, const void *data, size_t length)
{
    const char *at = data;
    while (length > 0) {
        ssize_t sent =
            c->ssl ? SSL_write(c->ssl, at, (int)length) : send(c->fd, at, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

UNUSED static void client_send(const struct client *c, const char *text)
{
    assert_true(client_try_send(c, text, strlen(text)));
}

/* Bytes read; 0 at the end, orderly or not. Waiting in vain fails the test. */
UNUSED static size_t client_receive(const struct client *c, void *data, size_t length)
{
    ssize_t got = c->ssl ? SSL_read(c->ssl, data, (int)length) : recv(c->fd, data, length, 0);
    if (got < 0 && !c->ssl && (errno == EAGAIN || errno == EWOULDBLOCK))
        fail_msg("the server neither answered nor closed");
    return got > 0 ? (size_t)got : 0;
}

UNUSED static bool client_at_end(const struct client *c)
{
    char byte;
    return client_receive(c, &byte, 1) == 0;
}

UNUSED static bool receive_head(const struct client *c, struct answer *answer)
{
    size_t length = 0;
    while (length + 1 < sizeof(answer->head)) {
        if (client_receive(c, &answer->head[length], 1) == 0)
            return false;
        answer->head[++length] = '\0';
        if (length >= 4 && strcmp(&answer->head[length - 4], "\r\n\r\n") == 0)
            return true;
    }
    return false;
}

/* The value of a header of an answer as a new line-free text; "" when it is absent. */
UNUSED static const char *answer_header(const struct answer *answer, const char *name)
{
    static _Thread_local char value[1024];
    char wanted[128];
    value[0] = '\0';
    (void)snprintf(wanted, sizeof(wanted), "\r\n%s: ", name);
    const char *at = strcasestr(answer->head, wanted);
    if (at) {
        at += strlen(wanted);
        (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(at, "\r"), at);
    }
    return value;
}

/* false when the connection ended first. */
UNUSED static bool client_try_answer(const struct client *c, struct answer *answer, bool has_body)
{
    memset(answer, 0, sizeof(*answer));
    if (!receive_head(c, answer))
        return false;
    assert_int_equal(strncmp(answer->head, "HTTP/1.1 ", 9), 0);
    answer->status = (int)strtol(answer->head + 9, NULL, 10);
    size_t length = has_body ? strtoul(answer_header(answer, "Content-Length"), NULL, 10) : 0;
    assert_true(length < sizeof(answer->body));
    while (answer->body_length < length) {
        size_t got =
            client_receive(c, answer->body + answer->body_length, length - answer->body_length);
        if (got == 0)
            return false;
        answer->body_length += got;
    }
    return true;
}

UNUSED static void client_answer(const struct client *c, struct answer *answer)
{
    assert_true(client_try_answer(c, answer, true));
}

UNUSED static void expect_answer(const struct client *c, int status, const char *in_body)
{
    struct answer answer;
    client_answer(c, &answer);
    if (answer.status != status)
        fail_msg("status %d instead of %d: %s", answer.status, status, answer.body);
    if (in_body && !strstr(answer.body, in_body))
        fail_msg("no \"%s\" in: %s", in_body, answer.body);
}

#endif
