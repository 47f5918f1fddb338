/* SPDX-License-Identifier: MIT */
/*
 * Which requests come from pages of other sites. Tokens are not sent by a browser of itself, as
 * cookies are, so such a page can do nothing with one; but it could guess tokens from within, or
 * ask for what is open. Threads: any.
 */
#ifndef CALLBACKD_HTTP_ADMIN_SITE_H
#define CALLBACKD_HTTP_ADMIN_SITE_H

#include <stdbool.h>

#include "server.h"

/* What a browser says of a request; NULL where it says nothing, as other programs do. */
struct site_headers {
    const char *method;
    const char *path;
    const char *host;
    const char *origin;
    const char *fetch_site;
    const char *fetch_mode;
    const char *fetch_dest;
};

/* Does another site's page make the request? Somebody who follows its link to one of our own pages
 * is welcome: what is opened in a window of its own tells that page nothing. */
bool site_is_foreign(const struct site_headers *headers);
bool admin_request_is_foreign(const struct http_request *request);

#endif
