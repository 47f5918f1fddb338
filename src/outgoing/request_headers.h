/* SPDX-License-Identifier: MIT */
/* Headers of a request as libcurl takes them. They may hold keys. */
#ifndef CALLBACKD_OUTGOING_REQUEST_HEADERS_H
#define CALLBACKD_OUTGOING_REQUEST_HEADERS_H

#include <curl/curl.h>

#include "callbackd/error.h"

#ifndef CALLBACKD_VERSION
#define CALLBACKD_VERSION "0"
#endif
#define REQUEST_USER_AGENT "callbackd/" CALLBACKD_VERSION

/* Appends "Name: value". ERROR_INVALID: a control character stands in it. */
int request_header_add(struct curl_slist **headers, const char *header, struct error *error);
/* Wipes and frees them. NULL is allowed. */
void request_headers_free(struct curl_slist *headers);

#endif
