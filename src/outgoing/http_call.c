/* SPDX-License-Identifier: MIT */
/*
 * One call of a pool: a request, the redirects that it follows, and the answer.
 *
 * Redirects are followed here and not by libcurl, because what may be sent, and where to, changes
 * with them. Where one leads is looked at when a connection is made, or taken from those that were
 * kept: by then the name has its address, so no name can stand for a harmless one at first and for
 * another later.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "callbackd/text.h"
#include "http_pool_private.h"
#include "public_address.h"
#include "request_headers.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    KEPT_IDLE_S = 60,
    HEAD_MAX_BYTES = 64 * 1024,
    TEMPORARY_REDIRECT = 307,
    PERMANENT_REDIRECT = 308,
};

/* ---- what comes back ---- */

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    struct buffer *body = &call->answer.body;
    size_t length = size * count;
    size_t room = body->max - body->length;
    size_t kept = length < room ? length : room;
    call->body_failed = kept > 0 && buffer_append(body, data, kept) != 0;
    call->answer.body_cut = kept < length;
    return call->body_failed || kept < length ? 0 : length;
}

static void take_status_line(struct http_call *call, const char *data, size_t length)
{
    char *line = call->answer.status_line;
    size_t kept = 0;
    while (kept < length && kept < HTTP_CALL_LINE_BYTES - 1 && data[kept] != '\r' &&
           data[kept] != '\n')
        kept++;
    memcpy(line, data, kept);
    line[kept] = '\0';
}

/* The headers are read by libcurl itself. This bounds them, keeps the first line, and looks for
 * their end: libcurl takes a connection that ends among them for an answer without a body. */
static size_t take_head(char *data, size_t size, size_t count, void *context)
{
    struct http_call *call = context;
    size_t length = size * count;
    call->head_bytes += length;
    if (length >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        call->head_ended = false;
        take_status_line(call, data, length);
    } else if (length > 0 && (data[0] == '\r' || data[0] == '\n')) {
        call->head_ended = true;
    }
    call->head_too_large = call->head_bytes > HEAD_MAX_BYTES;
    return call->head_too_large ? 0 : length;
}

/* ---- where a redirect may lead ---- */

static bool is_bound(const struct http_call *call)
{
    return call->answer.redirects > 0 && !call->private_networks;
}

static void note_refused(struct http_call *call, const struct sockaddr *address)
{
    const void *bytes = address->sa_family == AF_INET
                            ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
                            : (const void *)&((const struct sockaddr_in6 *)address)->sin6_addr;
    if (!inet_ntop(address->sa_family, bytes, call->refused, sizeof call->refused))
        snprintf(call->refused, sizeof call->refused, "no address");
}

/* A connection is to be made to that address. */
static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct http_call *call = context;
    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (is_bound(call) && !address_is_public(&to->addr)) {
        note_refused(call, &to->addr);
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* A connection, new or kept from another call, is about to be used. */
static int look_at_connection(
    /* NOLINTNEXTLINE(readability-non-const-parameter): the type is libcurl's */
    void *context, char *remote, char *local, int remote_port, int local_port)
{
    struct http_call *call = context;
    (void)local;
    (void)remote_port;
    (void)local_port;
    if (!is_bound(call) || address_text_is_public(remote))
        return CURL_PREREQFUNC_OK;
    snprintf(call->refused, sizeof call->refused, "%s", remote);
    return CURL_PREREQFUNC_ABORT;
}

/* ---- starting ---- */

static void set_blob(CURL *curl, CURLoption option, struct bytes data)
{
    struct curl_blob blob = {(void *)data.data, data.length, CURL_BLOB_COPY};
    if (data.length > 0)
        curl_easy_setopt(curl, option, &blob);
}

static void set_tls(struct http_call *call, const struct http_call_request *request)
{
    set_blob(call->curl, CURLOPT_CAINFO_BLOB, request->ca);
    if (request->ca.length > 0) {
        /* These authorities, and not the system's beside them. */
        curl_easy_setopt(call->curl, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(call->curl, CURLOPT_CAPATH, NULL);
    }
    set_blob(call->curl, CURLOPT_SSLCERT_BLOB, request->certificate);
    set_blob(call->curl, CURLOPT_SSLKEY_BLOB, request->private_key);
}

static void set_conduct(struct http_call *call)
{
    CURL *curl = call->curl;
    curl_easy_setopt(curl, CURLOPT_PRIVATE, call);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, call->curl_error);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* Breaking off a call must not wait for the thread that resolves its name. */
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, (long)KEPT_IDLE_S);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, REQUEST_USER_AGENT);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, call);
    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, look_at_connection);
    curl_easy_setopt(curl, CURLOPT_PREREQDATA, call);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, call);
}

static void set_request(struct http_call *call, const struct http_call_request *request)
{
    CURL *curl = call->curl;
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.length);
    curl_easy_setopt(
        curl, CURLOPT_POSTFIELDS, request->body.length > 0 ? (const char *)request->body.data : "");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_URL, request->url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, call->all_headers);
}

static int add_all(struct curl_slist **headers, const char *const *added, struct error *error)
{
    for (; added && *added; added++)
        if (request_header_add(headers, *added, error) != 0)
            return -1;
    return 0;
}

static int add_headers(
    struct http_call *call, const struct http_call_request *request, struct error *error)
{
    /* libcurl would wait a second for "100 Continue" before it sends a large body. */
    if (request_header_add(&call->headers, "Expect:", error) != 0 ||
        request_header_add(&call->all_headers, "Expect:", error) != 0 ||
        add_all(&call->headers, request->headers, error) != 0 ||
        add_all(&call->all_headers, request->headers, error) != 0)
        return -1;
    return add_all(&call->all_headers, request->own_headers, error);
}

static int call_open(
    struct http_call *call, const struct http_call_request *request, struct error *error)
{
    call->url = text_copy(request->url);
    call->curl = curl_easy_init();
    if (!call->url || !call->curl)
        return error_set(error, ERROR_MEMORY, "memory is short for an HTTP request");
    if (add_headers(call, request, error) != 0)
        return -1;
    set_conduct(call);
    set_tls(call, request);
    set_request(call, request);
    if (curl_multi_add_handle(call->pool->multi, call->curl) != CURLM_OK)
        return error_set(error, ERROR_MEMORY, "memory is short for an HTTP request");
    call->under_way = true;
    return 0;
}

struct http_call *http_call_start(
    struct http_pool *pool, const struct http_call_request *request, void *context,
    struct error *error)
{
    struct http_call *call = calloc(1, sizeof *call);
    if (!call) {
        error_set(error, ERROR_MEMORY, "memory is short for an HTTP request");
        return NULL;
    }
    call->pool = pool;
    call->context = context;
    call->redirects_left = request->redirects;
    call->private_networks = request->private_networks;
    call->shows_certificate = request->certificate.length > 0;
    buffer_init(&call->answer.body, request->body_max_bytes);
    if (call_open(call, request, error) == 0)
        return call;
    http_call_free(call);
    return NULL;
}

static void leave(struct http_call *call)
{
    if (call->under_way)
        curl_multi_remove_handle(call->pool->multi, call->curl);
    call->under_way = false;
}

void http_call_free(struct http_call *call)
{
    if (!call)
        return;
    struct http_call **link = &call->pool->ended;
    while (*link && *link != call)
        link = &(*link)->next;
    if (*link)
        *link = call->next;
    leave(call);
    curl_easy_cleanup(call->curl);
    request_headers_free(call->headers);
    request_headers_free(call->all_headers);
    buffer_fini(&call->answer.body);
    free(call->url);
    free(call);
}

void *http_call_context(const struct http_call *call)
{
    return call->context;
}

const struct http_call_answer *http_call_answer(const struct http_call *call)
{
    return &call->answer;
}

/* ---- redirects ---- */

static char *url_part(const char *url, CURLUPart part)
{
    char *text = NULL;
    CURLU *parsed = curl_url();
    if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK)
        curl_url_get(parsed, part, &text, CURLU_DEFAULT_PORT);
    curl_url_cleanup(parsed);
    return text;
}

static bool is_same_part(const char *a, const char *b, CURLUPart part)
{
    char *of_a = url_part(a, part);
    char *of_b = url_part(b, part);
    bool same = of_a && of_b && strcasecmp(of_a, of_b) == 0;
    curl_free(of_a);
    curl_free(of_b);
    return same;
}

static bool is_same_origin(const char *a, const char *b)
{
    return is_same_part(a, b, CURLUPART_SCHEME) && is_same_part(a, b, CURLUPART_HOST) &&
           is_same_part(a, b, CURLUPART_PORT);
}

static bool is_https(const char *url)
{
    return strncasecmp(url, "https:", strlen("https:")) == 0;
}

/* Why it is not followed; NULL: it is. */
static const char *redirect_fault(const struct http_call *call, const char *from, const char *to)
{
    if (!is_https(to) && strncasecmp(to, "http:", strlen("http:")) != 0)
        return "it leads to what is not HTTP";
    if (is_https(from) && !is_https(to))
        return "it leads from https to http";
    if (call->redirects_left == 0)
        return call->answer.redirects > 0 ? "too many have been followed" : "none is to be";
    return NULL;
}

/* Both are to be followed with the same method and body, which no other redirect promises. */
static bool is_redirect(int status)
{
    return status == TEMPORARY_REDIRECT || status == PERMANENT_REDIRECT;
}

static void forget_exchange(struct http_call *call)
{
    call->head_bytes = 0;
    call->head_ended = false;
    call->curl_error[0] = '\0';
    call->answer.status = 0;
    call->answer.body_cut = false;
    call->answer.retry_after[0] = '\0';
    buffer_clear(&call->answer.body);
}

/* What is for the first origin alone is not sent to another one. */
static void set_origin(struct http_call *call, const char *url)
{
    bool same = is_same_origin(call->url, url);
    curl_easy_setopt(call->curl, CURLOPT_URL, url);
    curl_easy_setopt(call->curl, CURLOPT_HTTPHEADER, same ? call->all_headers : call->headers);
    if (same || !call->shows_certificate)
        return;
    curl_easy_setopt(call->curl, CURLOPT_SSLCERT_BLOB, NULL);
    curl_easy_setopt(call->curl, CURLOPT_SSLKEY_BLOB, NULL);
    call->shows_certificate = false;
}

/* true: it goes on. The handle is not in the multi at that moment. */
static bool follow(struct http_call *call)
{
    const char *from = NULL;
    const char *target = NULL;
    curl_easy_getinfo(call->curl, CURLINFO_EFFECTIVE_URL, &from);
    curl_easy_getinfo(call->curl, CURLINFO_REDIRECT_URL, &target);
    if (!is_redirect(call->answer.status) || !from || !target)
        return false;
    const char *fault = redirect_fault(call, from, target);
    char *to = fault ? NULL : text_copy(target);
    if (fault)
        snprintf(
            call->answer.message, sizeof call->answer.message, "this redirect is not followed: %s",
            fault);
    if (!to)
        return false;
    forget_exchange(call);
    call->redirects_left--;
    call->answer.redirects++;
    set_origin(call, to);
    call->under_way = curl_multi_add_handle(call->pool->multi, call->curl) == CURLM_OK;
    free(to);
    return call->under_way;
}

/* ---- its end ---- */

/* Was a connection there, secured and all, so that the request may have been sent? */
static bool may_have_been_sent(CURL *curl)
{
    curl_off_t ready_us = 0;
    curl_easy_getinfo(curl, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    return ready_us > 0;
}

static void explain(struct http_call *call, CURLcode code)
{
    char *message = call->answer.message;
    size_t size = sizeof call->answer.message;
    if (call->refused[0] != '\0')
        snprintf(
            message, size, "a redirect leads into a private network (%s), which is not allowed",
            call->refused);
    else if (call->head_too_large)
        snprintf(message, size, "the answer's headers are larger than %d bytes", HEAD_MAX_BYTES);
    else if (call->body_failed || code == CURLE_OUT_OF_MEMORY)
        snprintf(message, size, "memory is short for an HTTP request");
    else if (code == CURLE_OK)
        snprintf(message, size, "the answer ended among its headers");
    else
        snprintf(
            message, size, "%s", call->curl_error[0] ? call->curl_error : curl_easy_strerror(code));
}

static void take_answer(struct http_call *call)
{
    long status = 0;
    struct curl_header *header = NULL;
    curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    call->answer.status = (int)status;
    if (curl_easy_header(call->curl, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        text_copy_cut(header->value, call->answer.retry_after, sizeof call->answer.retry_after);
}

bool http_call_done(struct http_call *call, CURLcode code)
{
    /* A body that is over its bound was broken off by us. */
    bool whole = call->head_ended &&
                 (code == CURLE_OK || (code == CURLE_WRITE_ERROR && call->answer.body_cut &&
                                       !call->body_failed && !call->head_too_large));
    bool sent = may_have_been_sent(call->curl) && call->refused[0] == '\0';
    take_answer(call);
    leave(call);
    if (whole && follow(call))
        return false;
    whole = whole && call->answer.status != 0; /* no memory to follow with */
    call->answer.end = whole ? HTTP_CALL_ANSWERED : sent ? HTTP_CALL_BROKEN : HTTP_CALL_NOT_SENT;
    if (!whole)
        explain(call, code);
    return true;
}
