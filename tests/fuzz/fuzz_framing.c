/* SPDX-License-Identifier: MIT */
/*
 * Input: what a client sends. civetweb parses it, with an old request behind it in its buffer, as
 * there may be; what the guard then lets pass must be a request by the letter of RFC 9112, as read
 * here once more from the bytes themselves, and end where civetweb says that its head ends.
 */
#include "fuzz.h"

#include <civetweb.h>
#include <stdbool.h>
#include <strings.h>

#include "civetweb/inside.h"
#include "framing.h"

enum { RECEIVED_MAX = 16384 };

static const char old[] = "POST /old HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nold";

struct head {
    const char *at;
    const char *end;
    int hosts;
    int lengths;
    int encodings;
    bool is_1_0;
    int64_t length;
    bool chunked;
};

static bool is_token(char c)
{
    return c > 0x20 && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

/* Takes `text` off the head. */
static bool take(struct head *head, const char *text)
{
    size_t length = strlen(text);
    if ((size_t)(head->end - head->at) < length || memcmp(head->at, text, length) != 0)
        return false;
    head->at += length;
    return true;
}

static bool take_token(struct head *head)
{
    const char *start = head->at;
    while (head->at < head->end && is_token(*head->at))
        head->at++;
    return head->at > start;
}

static bool take_request_line(struct head *head)
{
    if (!take_token(head) || !take(head, " /"))
        return false;
    while (head->at<head->end && * head->at> 0x20 && *head->at < 0x7f && *head->at != '#')
        head->at++;
    if (!take(head, " HTTP/1."))
        return false;
    head->is_1_0 = take(head, "0");
    return (head->is_1_0 || take(head, "1")) && take(head, "\r\n");
}

static bool read_length(const char *value, size_t length, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9' || *out > (INT64_MAX - (value[i] - '0')) / 10)
            return false;
        *out = *out * 10 + (value[i] - '0');
    }
    return length > 0;
}

static bool is_name(const char *name, size_t length, const char *wanted)
{
    return length == strlen(wanted) && strncasecmp(name, wanted, length) == 0;
}

static bool take_field(struct head *head)
{
    const char *name = head->at;
    if (!take_token(head))
        return false;
    size_t name_length = (size_t)(head->at - name);
    if (!take(head, ":"))
        return false;
    while (head->at < head->end && (*head->at == ' ' || *head->at == '\t'))
        head->at++;
    const char *value = head->at;
    while (head->at < head->end && *head->at != 0x7f &&
           ((unsigned char)*head->at >= 0x20 || *head->at == '\t'))
        head->at++;
    size_t length = (size_t)(head->at - value);
    if (is_name(name, name_length, "Host"))
        head->hosts++;
    if (is_name(name, name_length, "Content-Length")) {
        head->lengths++;
        if (!read_length(value, length, &head->length))
            return false;
    }
    if (is_name(name, name_length, "Transfer-Encoding")) {
        head->encodings++;
        head->chunked = is_name(value, length, "chunked");
    }
    return take(head, "\r\n");
}

static void check_taken(const char *received, size_t length, int64_t body_length)
{
    struct head head = {.at = received, .end = received + length};
    int fields = 0;
    HOLDS(take_request_line(&head));
    while (!take(&head, "\r\n")) {
        HOLDS(take_field(&head));
        fields++;
    }
    HOLDS(head.at == head.end);
    HOLDS(fields < 64);
    HOLDS(head.hosts == 1 || (head.is_1_0 && head.hosts == 0));
    HOLDS(head.lengths + head.encodings <= 1);
    HOLDS(head.encodings == 0 || (head.chunked && !head.is_1_0));
    HOLDS(body_length == (head.encodings > 0 ? FRAMING_CHUNKED : head.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mg_request_info info;
    struct error error = {0};
    int64_t body_length = 0;
    if (size == 0 || size > RECEIVED_MAX)
        return 0;
    size_t room = size + sizeof old;
    char *buffer = (char *)fuzz_copy(data, size);
    buffer = realloc(buffer, room);
    HOLDS(buffer != NULL);
    memcpy(buffer + size, old, sizeof old);
    memset(&info, 0, sizeof info);
    int length = civetweb_parse_head(buffer, (int)room, (int)size, &info);
    HOLDS(length <= (int)size);
    /* Any other version is answered before it comes to the guard. */
    if (length > 0 && strcmp(info.http_version, "1.0") != 0 &&
        strcmp(info.http_version, "1.1") != 0)
        length = 0;
    if (length > 0 &&
        framing_check(&info, bytes_of(buffer, (size_t)length), &body_length, &error) == 0)
        check_taken((const char *)data, (size_t)length, body_length);
    else
        HOLDS(length <= 0 || error.code == ERROR_INVALID || error.code == ERROR_HEADERS_TOO_LARGE);
    free(buffer);
    return 0;
}
