/* SPDX-License-Identifier: MIT */
/* Writing an answer. */
#include <string.h>
#include <strings.h>
#include <time.h>

#include "callbackd/clock.h"
#include "callbackd/json_writer.h"
#include "callbackd/log.h"
#include "callbackd/os.h"
#include "response.h"
#include "server_private.h"

enum {
    ONE_WRITE_MAX_BYTES = 64 * 1024, /* larger bodies are not copied behind their head */
    SLOWEST_BYTES_PER_MS = 64,       /* the least that a peer has to take, beside its time */
    RETRY_AFTER_S = 5
};

static const char *status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } table[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {429, "Too Many Requests"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == status)
            return table[i].text;
    }
    for (int code = ERROR_INVALID; code < ERROR_CODES; code++) {
        const struct error_info *info = error_info((enum error_code)code);
        if (info->http_status == status)
            return info->title;
    }
    return "Unknown";
}

/* ---- keep or close ---- */

/* Whether a comma-separated list has the word, in any case. */
static bool list_has(const char *list, const char *word)
{
    size_t word_length = strlen(word);
    while (*list) {
        list += strspn(list, " \t,");
        size_t length = strcspn(list, " \t,");
        if (length == word_length && strncasecmp(list, word, length) == 0)
            return true;
        list += length;
    }
    return false;
}

/* civetweb decides by the first Connection header; what is said here has to agree with it. */
static bool client_keeps(const struct http_request *request)
{
    const char *connection = http_request_header(request, "Connection");
    if (http_request_header(request, "Upgrade") || (connection && list_has(connection, "close")))
        return false;
    if (connection)
        return list_has(connection, "keep-alive");
    return strcmp(request->info->http_version, "1.1") == 0;
}

bool response_keeps_connection(const struct http_request *request)
{
    return !request->framing_is_bad && !request->is_last && request->body_is_read &&
           !atomic_load(&request->server->draining) && !connection_gives_way() &&
           client_keeps(request);
}

static void close_connection(const struct http_request *request)
{
    mg_disable_connection_keep_alive(request->connection);
    if (!request->body_is_read)
        connection_linger_on_close();
}

/* ---- composing ---- */

/* Each answer has a dozen of these; printf would be half of what it costs to compose one. */
static void append_number(struct buffer *out, const char *before, int64_t number, int digits_min)
{
    char digits[20];
    size_t at = sizeof(digits);
    buffer_append_text(out, before);
    while (at > 0 && (number > 0 || digits_min > 0)) {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
        digits_min--;
    }
    buffer_append(out, digits + at, sizeof(digits) - at);
}

static void append_date(struct buffer *out)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = (time_t)(clock_wall_ms() / 1000);
    struct tm t;
    if (!gmtime_r(&now, &t))
        return;
    buffer_append_text(out, "Date: ");
    buffer_append_text(out, days[t.tm_wday]);
    append_number(out, ", ", t.tm_mday, 2);
    buffer_append_char(out, ' ');
    buffer_append_text(out, months[t.tm_mon]);
    append_number(out, " ", t.tm_year + 1900, 4);
    append_number(out, " ", t.tm_hour, 2);
    append_number(out, ":", t.tm_min, 2);
    append_number(out, ":", t.tm_sec, 2);
    buffer_append_text(out, " GMT\r\n");
}

/* A value may come from data; a line break in it would start a header, or an answer, and other
 * control bytes are no part of a header either. */
static bool is_header_text(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static void append_header(struct buffer *out, const char *name, const char *value)
{
    if (!is_header_text(name) || !is_header_text(value)) {
        log_error("a header with a control byte was not sent", LOG_TEXT("name", name));
        return;
    }
    buffer_append_text(out, name);
    buffer_append_text(out, ": ");
    buffer_append_text(out, value);
    buffer_append_text(out, "\r\n");
}

static bool has_header(const struct http_header *headers, const char *name)
{
    for (; headers && headers->name; headers++)
        if (strcasecmp(headers->name, name) == 0)
            return true;
    return false;
}

static bool status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

void response_append_head(
    struct buffer *out, const struct response_form *form, int status, const char *content_type,
    const struct http_header *headers, size_t body_length)
{
    append_number(out, "HTTP/1.1 ", status, 3);
    buffer_append_char(out, ' ');
    buffer_append_text(out, status_text(status));
    buffer_append_text(out, "\r\n");
    append_date(out);
    if (status_has_body(status)) {
        append_number(out, "Content-Length: ", (int64_t)body_length, 1);
        buffer_append_text(out, "\r\n");
        if (content_type)
            append_header(out, "Content-Type", content_type);
    }
    append_header(out, "Cache-Control", "no-store");
    for (const struct http_header *own = headers; own && own->name; own++)
        append_header(out, own->name, own->value);
    for (const struct http_header *header = form->standing; header && header->name; header++)
        if (!has_header(headers, header->name))
            append_header(out, header->name, header->value);
    if (!form->keep)
        append_header(out, "Connection", "close");
    else if (form->is_1_0)
        append_header(out, "Connection", "keep-alive");
    buffer_append_text(out, "\r\n");
}

/* ---- writing ---- */

static bool write_all(const struct http_request *request, struct bytes data)
{
    const unsigned char *at = data.data;
    size_t left = data.length;
    while (left > 0) {
        size_t piece = left < (1u << 30) ? left : (1u << 30);
        int wrote = mg_write(request->connection, at, piece);
        if (wrote <= 0 || (size_t)wrote != piece)
            return false;
        at += piece;
        left -= piece;
    }
    return true;
}

static bool write_answer(struct http_request *request, struct buffer *head, struct bytes body)
{
    int64_t extra_ms = (int64_t)(body.length / SLOWEST_BYTES_PER_MS);
    bool one_write = body.length <= ONE_WRITE_MAX_BYTES;
    if (one_write)
        buffer_append_bytes(head, body);
    if (buffer_failed(head))
        return false;
    connection_set_deadline(request->server->request_timeout_ms + extra_ms);
    bool written =
        write_all(request, buffer_bytes(head)) && (one_write || write_all(request, body));
    connection_clear_deadline();
    return written;
}

static bool is_head(const struct http_request *request)
{
    return request->info && request->info->request_method &&
           strcmp(request->info->request_method, "HEAD") == 0;
}

void http_respond(
    struct http_request *request, int status, const char *content_type,
    const struct http_header *headers, struct bytes body)
{
    if (request->answered) {
        log_error(
            "a request was answered twice", LOG_TEXT("server", request->server->name),
            LOG_INT("status", status));
        return;
    }
    request->answered = true;
    bool keep = response_keeps_connection(request);
    const struct response_form form = {
        .keep = keep,
        .is_1_0 = keep && strcmp(request->info->http_version, "1.0") == 0,
        .standing = request->server->standing_headers,
    };
    if (!keep)
        close_connection(request);
    CLEANUP_BUFFER struct buffer head;
    buffer_init(&head, RESPONSE_HEAD_MAX_BYTES + ONE_WRITE_MAX_BYTES);
    (void)buffer_reserve(&head, RESPONSE_HEAD_USUAL_BYTES); /* one allocation instead of four */
    response_append_head(&head, &form, status, content_type, headers, body.length);
    if (!status_has_body(status) || is_head(request))
        body = bytes_of(NULL, 0);
    if (!write_answer(request, &head, body))
        close_connection(request);
}

void http_respond_json(struct http_request *request, int status, const struct buffer *json)
{
    if (buffer_failed(json))
        http_respond_problem(request, ERROR_MEMORY, NULL, NULL);
    else
        http_respond(request, status, "application/json", NULL, buffer_bytes(json));
}

static void problem_init(struct problem *problem, int status, const char *title, const char *detail)
{
    problem->status = status;
    problem->headers[0] = problem->headers[1] = (struct http_header){NULL, NULL};
    buffer_init(&problem->json, 4 * ERROR_MESSAGE_BYTES + 1024);
    struct json_writer json;
    json_writer_init(&json, &problem->json);
    json_object_begin(&json);
    json_member_text(&json, "title", title);
    json_member_int(&json, "status", status);
    if (detail)
        json_member_text(&json, "detail", detail);
    json_object_end(&json);
}

void problem_init_error(
    struct problem *problem, enum error_code code, const char *detail, const char *allow)
{
    const struct error_info *info = error_info(code);
    problem_init(problem, info->http_status, info->title, detail);
    if (info->http_status == 429 || info->http_status == 503) {
        (void)snprintf(problem->retry_after, sizeof(problem->retry_after), "%d", RETRY_AFTER_S);
        problem->headers[0] = (struct http_header){"Retry-After", problem->retry_after};
    } else if (info->http_status == 405 && allow) {
        problem->headers[0] = (struct http_header){"Allow", allow};
    }
}

void problem_fini(struct problem *problem)
{
    buffer_fini(&problem->json);
}

/* Too long a detail, or no memory: the status says the most important thing. */
struct bytes problem_body(const struct problem *problem)
{
    return buffer_failed(&problem->json) ? bytes_of_text("{}") : buffer_bytes(&problem->json);
}

static void respond_problem(struct http_request *request, struct problem *problem)
{
    http_respond(request, problem->status, PROBLEM_TYPE, problem->headers, problem_body(problem));
    problem_fini(problem);
}

void response_problem(
    struct http_request *request, int status, const char *title, const char *detail)
{
    struct problem problem;
    problem_init(&problem, status, title, detail);
    respond_problem(request, &problem);
}

void http_respond_problem(
    struct http_request *request, enum error_code code, const char *detail, const char *allow)
{
    struct problem problem;
    problem_init_error(&problem, code, detail, allow);
    respond_problem(request, &problem);
}

void http_respond_slow_down(struct http_request *request, const char *detail, int retry_after_s)
{
    struct problem problem;
    request->is_last = true;
    problem_init(&problem, 429, "Too Many Requests", detail);
    (void)snprintf(problem.retry_after, sizeof(problem.retry_after), "%d", retry_after_s);
    problem.headers[0] = (struct http_header){"Retry-After", problem.retry_after};
    respond_problem(request, &problem);
}
