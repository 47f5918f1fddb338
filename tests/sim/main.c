/* SPDX-License-Identifier: MIT */
/*
 * promptlayer-sim: a simulator of the PromptLayer workflow API for demonstrations
 * and tests. README.md says what it can be asked to do. It ends on SIGTERM or
 * SIGINT, which are waited for, so that no handler and no flag is needed.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "api.h"
#include "callbackd/http_client.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "options.h"

enum {
    REQUEST_TIMEOUT_MS = 60000,
    IDLE_TIMEOUT_MS = 60000,
    HEADERS_MAX_BYTES = 16 * 1024,
    BACKLOG = 1024,
    EXIT_USAGE = 64
};

/* ---- the listener ---- */

/* "127.0.0.1:80" or "[::1]:80", numeric. */
static struct addrinfo *resolve(const char *listen_text, struct error *error)
{
    char host[64];
    const char *colon = strrchr(listen_text, ':');
    size_t length = colon ? (size_t)(colon - listen_text) : 0;
    const struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    bool bracketed = length > 2 && listen_text[0] == '[' && listen_text[length - 1] == ']';
    if (colon && length < sizeof host) {
        snprintf(
            host, sizeof host, "%.*s", (int)(bracketed ? length - 2 : length),
            listen_text + (bracketed ? 1 : 0));
        if (getaddrinfo(host, colon + 1, &hints, &found) == 0)
            return found;
    }
    error_set(error, ERROR_USAGE, "--listen: '%s' is not a numeric HOST:PORT", listen_text);
    return NULL;
}

static int open_listener(const char *listen_text, struct error *error)
{
    struct addrinfo *address = resolve(listen_text, error);
    if (!address)
        return -1;
    const int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, address->ai_addr, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        error_set_errno(error, ERROR_IO, errno, "cannot listen on %s", listen_text);
        os_close(fd);
        fd = -1;
    }
    freeaddrinfo(address);
    return fd;
}

/* "127.0.0.1:38291"; the port alone is what follows its last colon. */
static int name_listener(int fd, char *name, size_t name_bytes, struct error *error)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    char host[64];
    char port[16];
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0 ||
        getnameinfo(
            (struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
            NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return error_set(error, ERROR_IO, "cannot tell where the listener is");
    bool ipv6 = address.ss_family == AF_INET6;
    snprintf(name, name_bytes, "%s%s%s:%s", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
    return 0;
}

static int write_port(const char *path, const char *name, struct error *error)
{
    char line[16];
    int length = snprintf(line, sizeof line, "%s\n", strrchr(name, ':') + 1);
    return os_write_file_atomic(path, bytes_of(line, (size_t)length), 0644, error);
}

/* ---- running ---- */

static struct http_server *start_server(
    const struct sim_options *options, int fd, struct sim *sim, struct error *error)
{
    const struct http_socket listener = {.fd = fd};
    const struct http_server_options server = {
        .name = "sim",
        .sockets = &listener,
        .socket_count = 1,
        .connections = (int)options->connections,
        .request_timeout_ms = REQUEST_TIMEOUT_MS,
        .idle_timeout_ms = IDLE_TIMEOUT_MS,
        .headers_max_bytes = HEADERS_MAX_BYTES,
        .handler = api_handle,
        .context = sim,
    };
    return http_server_start(&server, error);
}

static int announce(const struct sim_options *options, int fd, struct error *error)
{
    char name[96];
    if (name_listener(fd, name, sizeof name, error) != 0)
        return -1;
    if (options->port_file && write_port(options->port_file, name, error) != 0)
        return -1;
    printf("listening on http://%s\n", name);
    fflush(stdout);
    return 0;
}

/* The threads inherit that the signals are blocked, so they arrive here and nowhere else. */
static void wait_for_the_end(const sigset_t *ends)
{
    int signal_number = 0;
    while (sigwait(ends, &signal_number) != 0)
        ;
}

static int serve(const struct sim_options *options, struct error *error)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    signal(SIGPIPE, SIG_IGN);
    CLEANUP_FD int fd = open_listener(options->listen, error);
    struct sim *sim = fd >= 0 ? sim_start(options, error) : NULL;
    if (!sim)
        return -1;
    struct http_server *server = start_server(options, fd, sim, error);
    int result = server ? announce(options, fd, error) : -1;
    if (result == 0)
        wait_for_the_end(&ends);
    sim_stop(sim);
    http_server_stop(server);
    sim_free(sim);
    return result;
}

static int fail(const struct error *error)
{
    fprintf(stderr, "promptlayer-sim: %s\n", error->message);
    return error->code == ERROR_USAGE ? EXIT_USAGE : 1;
}

int main(int argument_count, char **arguments)
{
    struct sim_options options;
    struct error error = {0};
    if (sim_options_parse(argument_count, arguments, &options, &error) != 0)
        return fail(&error);
    if (options.help || options.version) {
        if (options.help)
            sim_options_print_help();
        else
            printf("promptlayer-sim %s\n", CALLBACKD_VERSION);
        return 0;
    }
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_WARNING, "promptlayer-sim");
    int result = http_client_init(&error);
    if (result == 0) {
        result = serve(&options, &error);
        http_client_cleanup();
    }
    return result == 0 ? 0 : fail(&error);
}
