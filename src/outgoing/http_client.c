/* SPDX-License-Identifier: MIT */
/*
 * Every option is set anew for each request, so
 * that nothing of one request (a method, a socket, an authority) reaches the next.
 *
 * What could send a request twice is off: redirects, and connections taken from the
 * pool for anything but GET, because libcurl sends a request again when a connection
 * that it took from there turns out to be dead, whether or not the server has acted.
 */
#include "callbackd/http_client.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/text.h"
#include "request_headers.h"

enum { CONNECT_TIMEOUT_MAX_MS = 10000, RESPONSE_HEADERS_MAX_BYTES = 64 * 1024 };

struct http_client {
    CURL *curl;
    char curl_error[CURL_ERROR_SIZE];
    atomic_bool cancelled;
};

/* One request under way. */
struct exchange {
    struct curl_slist *headers;
    struct buffer body;
    size_t header_bytes;
    bool head_ended;
    bool too_large;
    bool memory_short;
};

int http_client_init(struct error *error)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (code != CURLE_OK)
        return error_set(error, ERROR_INTERNAL, "libcurl: %s", curl_easy_strerror(code));
    return 0;
}

void http_client_cleanup(void)
{
    curl_global_cleanup();
}

struct http_client *http_client_new(struct error *error)
{
    struct http_client *client = calloc(1, sizeof *client);
    if (client)
        client->curl = curl_easy_init();
    if (!client || !client->curl) {
        free(client);
        error_set(error, ERROR_MEMORY, "memory is short for an HTTP client");
        return NULL;
    }
    return client;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    free(client);
}

/* ---- what comes back ---- */

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    size_t length = size * count;
    if (length > exchange->body.max - exchange->body.length) {
        exchange->too_large = true;
        return 0;
    }
    if (buffer_append(&exchange->body, data, length) != 0) {
        exchange->memory_short = true;
        return 0;
    }
    return length;
}

/* Headers are read by libcurl itself. This keeps a server from sending them for ever, and looks
 * for their end: libcurl takes a connection that ends among them for an answer without a body. */
static size_t take_header(char *data, size_t size, size_t count, void *context)
{
    struct exchange *exchange = context;
    exchange->header_bytes += size * count;
    if (size * count >= 5 && memcmp(data, "HTTP/", 5) == 0)
        exchange->head_ended = false; /* the one before was "100 Continue" or its like */
    else if (data[0] == '\r' || data[0] == '\n')
        exchange->head_ended = true;
    if (exchange->header_bytes > RESPONSE_HEADERS_MAX_BYTES) {
        exchange->too_large = true;
        return 0;
    }
    return size * count;
}

static int64_t retry_after_s(CURL *curl)
{
    struct curl_header *header = NULL;
    int64_t seconds = 0;
    if (curl_easy_header(curl, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
        !text_parse_int64(bytes_of_text(header->value), &seconds) || seconds < 0)
        return -1;
    return seconds;
}

/* ---- what is sent ---- */

static int add_content_type(
    struct exchange *exchange, const char *content_type, struct error *error)
{
    /* A name without a value takes out the header that libcurl would make up. */
    char *header =
        text_format("Content-Type:%s%s", content_type ? " " : "", content_type ? content_type : "");
    if (!header)
        return error_set(error, ERROR_MEMORY, "memory is short for request headers");
    int result = request_header_add(&exchange->headers, header, error);
    free(header);
    return result;
}

static int add_headers(
    struct exchange *exchange, const struct http_client_request *request, struct error *error)
{
    for (size_t i = 0; request->headers && request->headers[i]; i++)
        if (request_header_add(&exchange->headers, request->headers[i], error) != 0)
            return -1;
    /* libcurl would wait a second for "100 Continue" before it sends a large body. */
    if (request_header_add(&exchange->headers, "Expect:", error) != 0)
        return -1;
    return add_content_type(exchange, request->content_type, error);
}

/* http or https with a host; *loopback_out: it is this machine. */
static int check_url(const char *url, bool *loopback_out, struct error *error)
{
    char *scheme = NULL;
    char *host = NULL;
    CURLU *parsed = curl_url();
    if (!parsed)
        return error_set(error, ERROR_MEMORY, "memory is short for a URL");
    bool good = curl_url_set(parsed, CURLUPART_URL, url, CURLU_PATH_AS_IS) == CURLUE_OK &&
                curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                curl_url_get(parsed, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    if (good)
        *loopback_out = strcasecmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
                        strcmp(host, "[::1]") == 0;
    curl_free(scheme);
    curl_free(host);
    curl_url_cleanup(parsed);
    /* The URL itself is not repeated: it may hold a run token. */
    return good ? 0 : error_set(error, ERROR_INVALID, "not an http or https URL");
}

static void set_target(CURL *curl, const struct http_client_request *request, bool loopback)
{
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, REQUEST_USER_AGENT);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, request->unix_path);
    /* A proxy named by the environment is used, but never towards this machine. */
    if (loopback || request->unix_path)
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (!request->ca_file)
        return;
    /* This authority, and not the system's beside it. */
    curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
    curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
}

static void set_limits(CURL *curl, const struct http_client_request *request)
{
    int64_t timeout_ms = request->timeout_ms < LONG_MAX ? request->timeout_ms : LONG_MAX;
    int64_t connect_ms = timeout_ms < CONNECT_TIMEOUT_MAX_MS ? timeout_ms : CONNECT_TIMEOUT_MAX_MS;
    /* Without this libcurl would time out with SIGALRM, in whichever thread that lands. */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    if (request->response_max_bytes > 0 && request->response_max_bytes <= INT64_MAX)
        curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)request->response_max_bytes);
}

/* libcurl calls this at least once a second while it waits. Not 0 ends the exchange. */
static int look_for_cancel(
    void *context, curl_off_t to_get, curl_off_t got, curl_off_t to_send, curl_off_t sent)
{
    const struct http_client *client = context;
    (void)to_get;
    (void)got;
    (void)to_send;
    (void)sent;
    return atomic_load(&client->cancelled);
}

static void set_cancel(struct http_client *client)
{
    curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, look_for_cancel);
    curl_easy_setopt(client->curl, CURLOPT_XFERINFODATA, client);
}

void http_client_cancel(struct http_client *client)
{
    if (client)
        atomic_store(&client->cancelled, true);
}

static void set_method(CURL *curl, const struct http_client_request *request)
{
    if (strcmp(request->method, "GET") == 0) {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
        return;
    }
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
    curl_easy_setopt(
        curl, CURLOPT_POSTFIELDS, request->body.length > 0 ? (const char *)request->body.data : "");
    curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    if (strcmp(request->method, "POST") != 0)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_receivers(
    struct http_client *client, struct exchange *exchange, size_t response_max_bytes)
{
    buffer_init(&exchange->body, response_max_bytes);
    client->curl_error[0] = '\0';
    curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, client->curl_error);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, exchange->headers);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(client->curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(client->curl, CURLOPT_HEADERDATA, exchange);
}

/* ---- how it went ---- */

/* Was a connection there, secured and all, so that the request may have been sent? */
static bool may_have_been_sent(CURL *curl)
{
    curl_off_t ready_us = 0;
    curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    return ready_us > 0;
}

static enum error_code error_code_of(CURLcode code, const struct exchange *exchange, CURL *curl)
{
    if (exchange->too_large || code == CURLE_FILESIZE_EXCEEDED)
        return ERROR_TOO_LARGE;
    if (exchange->memory_short || code == CURLE_OUT_OF_MEMORY)
        return ERROR_MEMORY;
    if (!may_have_been_sent(curl))
        return ERROR_UNREACHABLE;
    return code == CURLE_OPERATION_TIMEDOUT ? ERROR_TIMEOUT : ERROR_IO;
}

static int fail(
    const struct http_client *client, CURLcode code, const struct exchange *exchange,
    struct error *error)
{
    enum error_code mapped = error_code_of(code, exchange, client->curl);
    if (mapped == ERROR_TOO_LARGE)
        return error_set(
            error, mapped, "the answer is larger than %zu bytes, or its headers than %d",
            exchange->body.max, RESPONSE_HEADERS_MAX_BYTES);
    if (mapped == ERROR_MEMORY)
        return error_set(error, mapped, "memory is short for an HTTP request");
    return error_set(
        error, mapped, "%s", client->curl_error[0] ? client->curl_error : curl_easy_strerror(code));
}

static int exchange_run(
    struct http_client *client, struct exchange *exchange,
    const struct http_client_request *request, struct http_client_response *response_out,
    struct error *error)
{
    bool loopback = false;
    if (check_url(request->url, &loopback, error) != 0 ||
        add_headers(exchange, request, error) != 0)
        return -1;
    curl_easy_reset(client->curl);
    set_target(client->curl, request, loopback);
    set_limits(client->curl, request);
    set_cancel(client);
    set_method(client->curl, request);
    set_receivers(client, exchange, request->response_max_bytes);
    CURLcode code = curl_easy_perform(client->curl);
    if (code != CURLE_OK)
        return fail(client, code, exchange, error);
    if (!exchange->head_ended)
        return error_set(error, ERROR_IO, "the answer ended among its headers");
    long status = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    response_out->status = (int)status;
    response_out->retry_after_s = retry_after_s(client->curl);
    response_out->body = exchange->body;
    buffer_init(&exchange->body, 0);
    return 0;
}

int http_client_perform(
    struct http_client *client, const struct http_client_request *request,
    struct http_client_response *response_out, struct error *error)
{
    if (request->timeout_ms <= 0)
        return error_set(error, ERROR_INTERNAL, "an HTTP request without a time limit");
    struct exchange exchange = {0};
    int result = exchange_run(client, &exchange, request, response_out, error);
    /* The handle must not keep what ends here. */
    curl_easy_reset(client->curl);
    request_headers_free(exchange.headers);
    buffer_fini(&exchange.body);
    return result;
}

void http_client_response_fini(struct http_client_response *response)
{
    buffer_fini(&response->body);
}
