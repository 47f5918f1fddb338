/* SPDX-License-Identifier: MIT */
#include "request_headers.h"

#include <string.h>

int request_header_add(struct curl_slist **headers, const char *header, struct error *error)
{
    for (const char *c = header; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return error_set(
                error, ERROR_INVALID, "the header '%.*s' has a control character in its value",
                (int)strcspn(header, ":"), header);
    struct curl_slist *longer = curl_slist_append(*headers, header);
    if (!longer)
        return error_set(error, ERROR_MEMORY, "memory is short for request headers");
    *headers = longer;
    return 0;
}

void request_headers_free(struct curl_slist *headers)
{
    for (struct curl_slist *item = headers; item; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    curl_slist_free_all(headers);
}
