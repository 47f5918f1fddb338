/* SPDX-License-Identifier: MIT */
#include "http_message.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "callbackd/os.h"
#include "field.h"
#include "template.h"
#include "webhook_signature.h"

enum { NAME_BYTES_MAX = 1024 };

static bool has_control(struct bytes value)
{
    for (size_t i = 0; i < value.length; i++)
        if (value.data[i] < ' ' || value.data[i] == 0x7f)
            return true;
    return false;
}

/* A header without a value is left out. */
static int add_header(
    struct string_list *headers, struct bytes name, const struct buffer *value, struct error *error)
{
    int shown = name.length < 64 ? (int)name.length : 64;
    if (value->starved)
        return error_set(error, ERROR_MEMORY, "no memory for headers");
    if (buffer_failed(value))
        return error_set(
            error, ERROR_INVALID, "the header %.*s would be longer than 8 KiB", shown, name.data);
    if (value->length == 0)
        return 0;
    if (has_control(buffer_bytes(value)))
        return error_set(
            error, ERROR_INVALID, "the header %.*s would have a control character in it", shown,
            name.data);
    CLEANUP_BUFFER struct buffer line;
    buffer_init_secret(&line, NAME_BYTES_MAX + HTTP_HEADER_BYTES_MAX);
    buffer_append_bytes(&line, name);
    buffer_append_text(&line, ": ");
    buffer_append_bytes(&line, buffer_bytes(value));
    return string_list_add(headers, &line, "a header", error);
}

static int add_text(
    struct string_list *headers, const char *name, const char *text, struct error *error)
{
    CLEANUP_BUFFER struct buffer value;
    buffer_init(&value, HTTP_HEADER_BYTES_MAX);
    buffer_append_text(&value, text);
    return add_header(headers, bytes_of_text(name), &value, error);
}

/* ---- the hook's own ---- */

static bool is_content_type(struct bytes name)
{
    static const char wanted[] = "Content-Type";
    return name.length == strlen(wanted) &&
           strncasecmp((const char *)name.data, wanted, name.length) == 0;
}

/* It belongs to the body, so it goes wherever that goes. */
static struct string_list *list_for(struct http_message *message, struct bytes name)
{
    return is_content_type(name) ? &message->headers : &message->own_headers;
}

static int add_configured(
    struct http_message *message, const struct hook_values *values, struct error *error)
{
    const struct config_http *http = &values->hook->http;
    for (size_t i = 0; i < http->header_count; i++) {
        const struct config_variable *header = &http->headers[i];
        CLEANUP_BUFFER struct buffer value;
        buffer_init(&value, HTTP_HEADER_BYTES_MAX);
        if (template_expand(header->value, values, &value, error) != 0)
            return -1;
        struct bytes name = bytes_of_text(header->name);
        if (add_header(list_for(message, name), name, &value, error) != 0)
            return -1;
    }
    return 0;
}

static int add_from_file(
    struct http_message *message, const struct config_http *http, struct error *error)
{
    struct bytes file =
        http->headers_file.count > 0
            ? bytes_of(http->headers_file.items[0].data, http->headers_file.items[0].length)
            : bytes_of(NULL, 0);
    size_t at = 0;
    struct bytes name;
    struct bytes text;
    while (config_header_next(file, &at, &name, &text)) {
        CLEANUP_BUFFER struct buffer value;
        buffer_init_secret(&value, HTTP_HEADER_BYTES_MAX);
        buffer_append_bytes(&value, text);
        if (add_header(list_for(message, name), name, &value, error) != 0)
            return -1;
    }
    return 0;
}

/* ---- ours ---- */

static bool holds_content_type(const struct string_list *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        if (is_content_type(bytes_of(headers->items[i], strcspn(headers->items[i], ":"))))
            return true;
    return false;
}

/* As it was received; a stranger wrote it. */
static int add_content_type(
    struct http_message *message, const struct hook_values *values, struct error *error)
{
    const char *type = values->result->content_type;
    const char *usual = values->result->kind == BODY_FORM ? "application/x-www-form-urlencoded"
                                                          : "application/json";
    if (holds_content_type(&message->headers))
        return 0;
    bool fits =
        type && *type && strlen(type) < HTTP_HEADER_BYTES_MAX && !has_control(bytes_of_text(type));
    return add_text(&message->headers, "Content-Type", fits ? type : usual, error);
}

/* "CALLBACK_JOB_ID" as "Callback-Job-Id". */
static void append_name(const char *variable, struct buffer *out)
{
    bool first = true;
    for (const char *c = variable; *c; c++) {
        buffer_append_char(out, *c == '_' ? '-' : first ? *c : (char)tolower((unsigned char)*c));
        first = *c == '_';
    }
}

/* What is not printable ASCII becomes %XX, as does the per cent sign itself. */
static void append_encoded(struct bytes text, struct buffer *out)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = text.data[i];
        if (c < ' ' || c > '~' || c == '%')
            buffer_appendf(out, "%%%02X", c);
        else
            buffer_append_char(out, (char)c);
    }
}

static int add_fields(
    struct string_list *headers, const struct hook_values *values, struct error *error)
{
    size_t count;
    const struct field *fields = field_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (!fields[i].variable || (fields[i].dead_only && values->hook->takes != TAKES_DEAD))
            continue;
        CLEANUP_BUFFER struct buffer name;
        CLEANUP_BUFFER struct buffer text;
        CLEANUP_BUFFER struct buffer value;
        buffer_init(&name, NAME_BYTES_MAX);
        buffer_init(&text, HTTP_HEADER_BYTES_MAX);
        buffer_init(&value, HTTP_HEADER_BYTES_MAX);
        append_name(fields[i].variable, &name);
        fields[i].append(values, &text);
        append_encoded(buffer_bytes(&text), &value);
        if (add_header(headers, buffer_bytes(&name), &value, error) != 0)
            return -1;
    }
    return 0;
}

/* The id is there without a secret too: the receiver can know a repeated post by it. */
static int add_signature(
    struct string_list *headers, const struct hook_values *values, int64_t now_s,
    struct error *error)
{
    char timestamp[24];
    CLEANUP_BUFFER struct buffer signatures;
    buffer_init(&signatures, HTTP_HEADER_BYTES_MAX);
    snprintf(timestamp, sizeof timestamp, "%lld", (long long)now_s);
    if (webhook_sign(
            &values->hook->http.secret, values->job_id, timestamp, values->body, &signatures,
            error) != 0 ||
        add_text(headers, "webhook-id", values->job_id, error) != 0 ||
        add_text(headers, "webhook-timestamp", timestamp, error) != 0)
        return -1;
    return add_header(headers, bytes_of_text("webhook-signature"), &signatures, error);
}

int http_message_make(
    const struct hook_values *values, int64_t now_s, struct http_message *out, struct error *error)
{
    const struct config_http *http = &values->hook->http;
    *out = (struct http_message){
        .method = http->method == HTTP_METHOD_PUT ? "PUT" : "POST",
        .url = http->url ? http->url : (const char *)http->url_file.items[0].data,
    };
    if (add_configured(out, values, error) != 0)
        return -1;
    out->secret_from = out->own_headers.count;
    if (add_from_file(out, http, error) != 0 || add_content_type(out, values, error) != 0 ||
        add_signature(&out->headers, values, now_s, error) != 0)
        return -1;
    return add_fields(&out->headers, values, error);
}

static int add_line(
    struct string_list *lines, const char *a, const char *b, const char *c, struct error *error)
{
    CLEANUP_BUFFER struct buffer line;
    buffer_init(&line, STRING_BYTES_MAX - 1);
    buffer_appendf(&line, "%s%s%s", a, b, c);
    return string_list_add(lines, &line, "a line", error);
}

static int add_hidden(struct string_list *lines, const char *header, struct error *error)
{
    CLEANUP_BUFFER struct buffer line;
    buffer_init(&line, STRING_BYTES_MAX - 1);
    buffer_append(&line, header, strcspn(header, ":"));
    buffer_append_text(&line, ": [from headers_file]");
    return string_list_add(lines, &line, "a line", error);
}

static int show(
    const struct http_message *message, const struct config_http *http, struct string_list *lines,
    struct error *error)
{
    const struct string_list *own = &message->own_headers;
    const char *url = http->url ? http->url : "[from url_file]";
    if (add_line(lines, message->method, " ", url, error) != 0)
        return -1;
    for (size_t i = 0; i < message->headers.count; i++)
        if (add_line(lines, message->headers.items[i], "", "", error) != 0)
            return -1;
    for (size_t i = 0; i < own->count; i++)
        if ((i < message->secret_from ? add_line(lines, own->items[i], "", "", error)
                                      : add_hidden(lines, own->items[i], error)) != 0)
            return -1;
    return 0;
}

int http_message_show(
    const struct http_message *message, const struct config_http *http, char ***lines_out,
    struct error *error)
{
    struct string_list lines = {0};
    if (show(message, http, &lines, error) != 0) {
        string_list_fini(&lines);
        return -1;
    }
    *lines_out = lines.items;
    return 0;
}

void http_message_fini(struct http_message *message)
{
    for (size_t i = 0; i < message->own_headers.count; i++)
        explicit_bzero(message->own_headers.items[i], strlen(message->own_headers.items[i]));
    string_list_fini(&message->headers);
    string_list_fini(&message->own_headers);
}
