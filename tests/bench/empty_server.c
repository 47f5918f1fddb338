/* SPDX-License-Identifier: MIT */
/*
 * What civetweb can do by itself, as a measure: the same source and flags as the
 * library in callbackd (but for the renamed system calls), the same settings, and
 * a handler that reads the body and answers what never changes.
 *
 *     empty_server THREADS [CERTIFICATE_AND_KEY.pem]
 *
 * Prints its port, and ends with its standard input.
 */
#include <civetweb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char body[] = "{\"accepted\":true,\"result_id\":\"00000000-0000-7000-8000-"
                           "000000000000\",\"duplicate\":false}";
static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
                             "Content-Length: %zu\r\n"
                             "Content-Type: application/json\r\n"
                             "Cache-Control: no-store\r\n"
                             "%s"
                             "\r\n"
                             "%s";

static int on_request(struct mg_connection *connection)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    const char *wish = mg_get_header(connection, "Connection");
    bool closes = wish && strcmp(wish, "close") == 0;
    char piece[16384];
    char text[512];
    for (long long left = info->content_length; left > 0;) {
        int got = mg_read(
            connection, piece, left < (long long)sizeof(piece) ? (size_t)left : sizeof(piece));
        if (got <= 0)
            return 400;
        left -= got;
    }
    int length = snprintf(
        text, sizeof(text), answer, strlen(body), closes ? "Connection: close\r\n" : "", body);
    (void)mg_write(connection, text, (size_t)length);
    return 200;
}

static int on_log(const struct mg_connection *connection, const char *message)
{
    (void)connection;
    (void)message;
    return 1;
}

int main(int argc, char **argv)
{
    const char *settings[] = {
        "listening_ports",
        argc > 2 ? "127.0.0.1:0s" : "127.0.0.1:0",
        "num_threads",
        argc > 1 ? argv[1] : "64",
        "max_request_size",
        "16384",
        "request_timeout_ms",
        "21000",
        "keep_alive_timeout_ms",
        "96000",
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
        argc > 2 ? "ssl_certificate" : NULL,
        argc > 2 ? argv[2] : NULL,
        NULL,
    };
    static const struct mg_callbacks callbacks = {
        .begin_request = on_request, .log_message = on_log};
    struct mg_server_port port;
    char nothing;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)mg_init_library(MG_FEATURES_TLS);
    struct mg_context *server = mg_start(&callbacks, NULL, settings);
    if (!server || mg_get_server_ports(server, 1, &port) != 1) {
        fprintf(stderr, "empty_server: it does not start\n");
        return 1;
    }
    printf("%d\n", port.port);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &nothing, 1) > 0)
        continue;
    return 0; /* not mg_stop: it would wait for connections */
}
