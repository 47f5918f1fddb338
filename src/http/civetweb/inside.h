/* SPDX-License-Identifier: MIT */
/*
 * What civetweb knows of a request and civetweb.h does not show. The functions are compiled in
 * one unit with civetweb's own source (inside.inl), which stays as it is.
 *
 * Threads: each acts on a connection of the calling thread.
 */
#ifndef CALLBACKD_HTTP_CIVETWEB_INSIDE_H
#define CALLBACKD_HTTP_CIVETWEB_INSIDE_H

#include <stdbool.h>

#include "callbackd/buffer.h"

struct mg_connection;
struct mg_request_info;

/* A thread that runs this serves connections; others accept, say. */
bool civetweb_serves(void *(*run)(void *));

/* The head of the request, as civetweb has left it in its buffer: from the first byte after the
 * request before, to behind its end, where the body begins. */
struct bytes civetweb_head(const struct mg_connection *connection);

/*
 * civetweb's own decoder of chunked bodies takes what nobody should, and drops what it skips. After
 * this mg_read gives such a body as it is on the wire, exactly as many bytes as are asked for, and
 * whoever reads them has to know where the body ends. Before anything of it is read.
 */
void civetweb_read_undecoded(struct mg_connection *connection);
/* What was read so far was all of it: the next request begins here. */
void civetweb_end_body(struct mg_connection *connection);

/*
 * For the fuzz target: parses the head of what has come, as for a connection. The length of the
 * head; 0: not all of it has come; -1: malformed. `buffer` has `size` bytes, of which `used` came.
 */
int civetweb_parse_head(char *buffer, int size, int used, struct mg_request_info *info);

#endif
