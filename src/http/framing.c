/* SPDX-License-Identifier: MIT */
#include "framing.h"

#include <civetweb.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "callbackd/text.h"

static int refuse(struct error *error, const char *why)
{
    return error_set(error, ERROR_INVALID, "%s", why);
}

/* ---- how the lines were laid out ---- */

/*
 * civetweb puts a NUL over each separator. Between two words of the request line there is
 * one, and between two lines there are two, for CR and LF; any other distance means that it
 * skipped what it should have refused.
 */
struct head {
    const char *start;
    const char *end; /* behind the empty line: where the body begins for civetweb */
};

static bool request_line_is_exact(const struct mg_request_info *info, const struct head *head)
{
    const char *target_end = info->request_uri + strlen(info->request_uri);
    if (info->query_string)
        target_end = info->query_string + strlen(info->query_string);
    const char *version_start = info->http_version - strlen("HTTP/");
    return info->request_method == head->start &&
           info->request_uri == info->request_method + strlen(info->request_method) + 1 &&
           version_start == target_end + 1;
}

static bool has_space_before_colon(const struct mg_header *header)
{
    const char *behind_name = header->name + strlen(header->name) + 1;
    return behind_name < header->value && *behind_name == '\0';
}

/* Where the next line starts, when this one ended with CR LF; else NULL. */
static const char *next_line(const char *line_end, const struct head *head)
{
    if (head->end - line_end < 2 || line_end[0] != '\0' || line_end[1] != '\0')
        return NULL;
    return line_end + 2;
}

/* The last line, which is empty: civetweb leaves its CR and puts a NUL over its LF. */
static bool is_last_line(const char *line, const struct head *head)
{
    return head->end - line == 2 && line[0] == '\r' && line[1] == '\0';
}

static int check_lines(
    const struct mg_request_info *info, const struct head *head, struct error *error)
{
    if (!request_line_is_exact(info, head))
        return refuse(error, "the request line is not method, target and version");
    const char *line = next_line(info->http_version + strlen(info->http_version), head);
    for (int i = 0; i < info->num_headers; i++) {
        const struct mg_header *header = &info->http_headers[i];
        if (!line || header->name != line)
            return refuse(error, "header lines must end with CR LF and must not be folded");
        if (has_space_before_colon(header))
            return refuse(error, "white space before the colon of a header");
        line = next_line(header->value + strlen(header->value), head);
    }
    if (!line || !is_last_line(line, head))
        return refuse(error, "bad header line");
    return 0;
}

/* ---- the characters ---- */

static bool is_alphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

bool framing_is_token_byte(unsigned char byte)
{
    return is_alphanumeric((char)byte) || is_one_of((char)byte, "!#$%&'*+-.^_`|~");
}

bool framing_is_value_byte(unsigned char byte)
{
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

static bool is_token(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        if (!framing_is_token_byte((unsigned char)*text))
            return false;
    }
    return true;
}

static bool is_field_value(const char *text)
{
    for (; *text; text++) {
        if (!framing_is_value_byte((unsigned char)*text))
            return false;
    }
    return true;
}

/* A fragment is never sent; whoever cuts it off sees another target than we do. */
static bool is_target_part(const char *text)
{
    for (; *text; text++) {
        if (*text <= 0x20 || *text >= 0x7f || *text == '#')
            return false;
    }
    return true;
}

static int check_target(const struct mg_request_info *info, struct error *error)
{
    if (info->request_uri[0] != '/')
        return refuse(error, "the target must be a path");
    if (!is_target_part(info->request_uri) ||
        (info->query_string && !is_target_part(info->query_string)))
        return refuse(error, "the target has characters that must be escaped");
    return 0;
}

static int check_headers(const struct mg_request_info *info, struct error *error)
{
    for (int i = 0; i < info->num_headers; i++) {
        if (!is_token(info->http_headers[i].name))
            return refuse(error, "bad header name");
        if (!is_field_value(info->http_headers[i].value))
            return refuse(error, "control characters in a header");
    }
    return 0;
}

/* ---- Host, Content-Length, Transfer-Encoding ---- */

/* The first value; the count of headers of that name goes to *count_out. */
static const char *find_header(const struct mg_request_info *info, const char *name, int *count_out)
{
    const char *value = NULL;
    *count_out = 0;
    for (int i = 0; i < info->num_headers; i++) {
        if (strcasecmp(info->http_headers[i].name, name) != 0)
            continue;
        if (!value)
            value = info->http_headers[i].value;
        (*count_out)++;
    }
    return value;
}

static const char *skip_host_name(const char *text)
{
    if (*text == '[') {
        text++;
        while (is_alphanumeric(*text) || is_one_of(*text, ":.%-_~"))
            text++;
        return *text == ']' ? text + 1 : NULL;
    }
    /* A comma is allowed there by the letter, but is what joined headers look like. */
    while (is_alphanumeric(*text) || is_one_of(*text, "-._~%!$&'()*+;="))
        text++;
    return text;
}

static bool is_host(const char *text)
{
    const char *end = skip_host_name(text);
    if (!end || end == text)
        return false;
    if (*end == ':') {
        end++;
        while (*end >= '0' && *end <= '9')
            end++;
    }
    return *end == '\0';
}

static int check_host(const struct mg_request_info *info, struct error *error)
{
    int count = 0;
    const char *host = find_header(info, "Host", &count);
    if (count > 1)
        return refuse(error, "more than one Host header");
    if (!host && strcmp(info->http_version, "1.0") == 0)
        return 0;
    if (!host)
        return refuse(error, "no Host header");
    if (!is_host(host))
        return refuse(error, "bad Host header");
    return 0;
}

static bool parse_length(const char *text, int64_t *length_out)
{
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9')
            return false;
    }
    return text_parse_int64(bytes_of_text(text), length_out);
}

static int check_length(
    const struct mg_request_info *info, int64_t *body_length_out, struct error *error)
{
    int lengths = 0;
    int encodings = 0;
    const char *length = find_header(info, "Content-Length", &lengths);
    const char *encoding = find_header(info, "Transfer-Encoding", &encodings);
    if (length && encoding)
        return refuse(error, "both Content-Length and Transfer-Encoding");
    if (lengths > 1)
        return refuse(error, "more than one Content-Length header");
    if (encodings > 1 || (encoding && strcasecmp(encoding, "chunked") != 0))
        return refuse(error, "Transfer-Encoding must be chunked and nothing else");
    if (encoding && strcmp(info->http_version, "1.0") == 0)
        return refuse(error, "HTTP/1.0 has no Transfer-Encoding");
    *body_length_out = encoding ? FRAMING_CHUNKED : 0;
    if (length && !parse_length(length, body_length_out))
        return refuse(error, "bad Content-Length header");
    return 0;
}

int framing_check(
    const struct mg_request_info *info, struct bytes head, int64_t *body_length_out,
    struct error *error)
{
    const char *start = (const char *)head.data;
    const struct head ends = {.start = start, .end = start + head.length};
    /* There may have been more, dropped by civetweb. */
    if (info->num_headers >= MG_MAX_HEADERS)
        return error_set(
            error, ERROR_HEADERS_TOO_LARGE, "at most %d headers are taken", MG_MAX_HEADERS - 1);
    if (check_lines(info, &ends, error) || check_target(info, error) ||
        check_headers(info, error) || check_host(info, error))
        return -1;
    return check_length(info, body_length_out, error);
}
