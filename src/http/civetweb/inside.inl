/* SPDX-License-Identifier: MIT */
/* Compiled behind civetweb.c, in the same unit (CMakeLists.txt here). */
#include "inside.h"

bool civetweb_serves(void *(*run)(void *))
{
    return run == worker_thread;
}

struct bytes civetweb_head(const struct mg_connection *connection)
{
    return (struct bytes){
        .data = (const unsigned char *)connection->buf, .length = (size_t)connection->request_len};
}

/* Of unknown length, as an answer may be: mg_read reads on for as long as it is asked to. */
void civetweb_read_undecoded(struct mg_connection *connection)
{
    connection->is_chunked = 0;
    connection->content_len = -1;
}

void civetweb_end_body(struct mg_connection *connection)
{
    connection->content_len = connection->consumed_content;
}

int civetweb_parse_head(char *buffer, int size, int used, struct mg_request_info *info)
{
    int length = get_http_header_len(buffer, used);
    if (length <= 0)
        return length;
    if (parse_http_request(buffer, size, info) <= 0)
        return -1;
    char *query = strchr(info->request_uri, '?');
    info->query_string = NULL;
    if (query) {
        *query = '\0';
        info->query_string = query + 1;
    }
    return length;
}
