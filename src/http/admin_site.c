/* SPDX-License-Identifier: MIT */
#include "admin_site.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool says(const char *header, const char *word)
{
    return header != NULL && strcmp(header, word) == 0;
}

static bool begins_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* A link, or an address that was typed: GET, in a window, and no part of the API. */
static bool opens_a_page(const struct site_headers *headers)
{
    return says(headers->method, "GET") && says(headers->fetch_mode, "navigate") &&
           says(headers->fetch_dest, "document") && headers->origin == NULL &&
           !begins_with(headers->path, "/api/") && strcmp(headers->path, "/metrics") != 0;
}

/* Scheme and host of the page against the host that was asked for. The scheme may differ: a proxy
 * may have ended TLS. "null" is the origin of pages that have none, and is not ours. */
static bool origin_is_ours(const char *origin, const char *host)
{
    const char *authority = NULL;
    if (begins_with(origin, "https://"))
        authority = origin + strlen("https://");
    else if (begins_with(origin, "http://"))
        authority = origin + strlen("http://");
    return authority != NULL && host != NULL && strcasecmp(authority, host) == 0;
}

bool site_is_foreign(const struct site_headers *headers)
{
    /* The browser's own word counts first: it knows the host that it asked, whatever a proxy makes
     * of that on the way. Not every one says it, nor to every address. */
    if (headers->fetch_site == NULL)
        return headers->origin != NULL && !origin_is_ours(headers->origin, headers->host);
    if (says(headers->fetch_site, "same-origin") || says(headers->fetch_site, "none"))
        return false;
    return !opens_a_page(headers);
}

bool admin_request_is_foreign(const struct http_request *request)
{
    const struct site_headers headers = {
        .method = http_request_method(request),
        .path = http_request_path(request),
        .host = http_request_header(request, "Host"),
        .origin = http_request_header(request, "Origin"),
        .fetch_site = http_request_header(request, "Sec-Fetch-Site"),
        .fetch_mode = http_request_header(request, "Sec-Fetch-Mode"),
        .fetch_dest = http_request_header(request, "Sec-Fetch-Dest"),
    };
    return site_is_foreign(&headers);
}
