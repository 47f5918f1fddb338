/* SPDX-License-Identifier: MIT */
/* URLs, and the paths of endpoints. */
#include "config_private.h"

#include "callbackd/text.h"

static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "0123456789-._~";

static bool is_port(struct bytes text)
{
    int64_t port;
    return text_parse_int64(text, &port) && port >= 1 && port <= 65535;
}

/* A host, "[v6]" or a name or IPv4, with or without ":port". */
static bool is_authority(const char *text, size_t length)
{
    char copy[300];
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *after;
    if (copy[0] == '[') {
        after = strchr(copy, ']');
        unsigned char address[16];
        if (!after)
            return false;
        *after++ = '\0';
        if (!strchr(copy + 1, ':') || !config_parse_address(copy + 1, address))
            return false;
    } else {
        size_t host = strspn(copy, unreserved);
        if (host == 0)
            return false;
        after = copy + host;
    }
    return *after == '\0' || (*after == ':' && is_port(bytes_of_text(after + 1)));
}

/* What is wrong with it, as the first half of a message; NULL: nothing. */
static const char *url_fault(const char *text, bool may_have_query)
{
    const char *authority = NULL;
    if (strncmp(text, "https://", 8) == 0)
        authority = text + 8;
    else if (strncmp(text, "http://", 7) == 0)
        authority = text + 7;
    if (!authority)
        return "does not begin with https:// or http://";
    if (strpbrk(text, may_have_query ? "#" : "?#"))
        return may_have_query ? "has a fragment" : "has a query or a fragment";
    size_t length = strcspn(authority, "/?");
    if (memchr(authority, '@', length))
        return "has a user name in it";
    if (!is_authority(authority, length))
        return "has no host and port that could be called";
    for (const char *c = authority; *c; c++)
        if (*c <= ' ' || *c > '~' || strchr("\"<>\\^`{|}", *c))
            return "has a character that must be escaped";
    return NULL;
}

const char *config_call_url_fault(const char *text)
{
    return url_fault(text, true);
}

void config_read_url(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    bool called = (key->flags & KEY_QUERY) != 0;
    const char *fault = url_fault(text, called);
    if (fault) {
        config_problem(
            reader, place, "\"%s\" %s (write it like \"https://hooks.example.com\")", text, fault);
        return;
    }
    size_t length = strlen(text);
    while (!called && text[length - 1] == '/')
        length--;
    char *url = strndup(text, length);
    if (config_have(reader, url))
        memcpy(target, &url, sizeof url);
}

static bool is_dots(const char *segment, size_t length)
{
    return (length == 1 && segment[0] == '.') ||
           (length == 2 && segment[0] == '.' && segment[1] == '.');
}

static const char *path_fault(const char *path)
{
    if (path[0] != '/')
        return "does not begin with '/'";
    for (const char *segment = path; *segment == '/';) {
        segment++;
        size_t length = strspn(segment, unreserved);
        if (length == 0 && (*segment == '\0' || *segment == '/'))
            return segment[0] == '\0' ? "ends with '/'" : "has an empty part";
        if (is_dots(segment, length))
            return "has a part that is only dots";
        if (segment[length] != '\0' && segment[length] != '/')
            return "has a character other than letters, digits and -._~";
        segment += length;
    }
    return NULL;
}

void config_read_url_path(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    (void)key;
    const char *fault = path_fault(text);
    if (fault) {
        config_problem(reader, place, "\"%s\" %s (write it like \"/callback\")", text, fault);
        return;
    }
    char *path = text_copy(text);
    if (config_have(reader, path))
        memcpy(target, &path, sizeof path);
}
