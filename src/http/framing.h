/* SPDX-License-Identifier: MIT */
/*
 * The framing guard: refuses requests whose end another server could see elsewhere, before
 * any handler does. civetweb's parser is lenient where a proxy in front may not be: it takes
 * lines that end without CR, stops silently at a folded line or at the 64th header, reads
 * the first of two Content-Length headers and of its value what looks like a number, and takes a
 * request behind empty lines without counting these. What it let pass can still be told from the
 * pointers that it left in its buffer, which is what some of the checks here do.
 *
 * Threads: no state, callable from any.
 */
#ifndef CALLBACKD_HTTP_FRAMING_H
#define CALLBACKD_HTTP_FRAMING_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

struct mg_request_info;

enum { FRAMING_CHUNKED = -1 };

/*
 * `info` points into `head`, which civetweb has parsed (civetweb_head). Gives the body's length, or
 * FRAMING_CHUNKED. Fails with ERROR_INVALID or ERROR_HEADERS_TOO_LARGE; the message is fit for the
 * sender.
 */
int framing_check(
    const struct mg_request_info *info, struct bytes head, int64_t *body_length_out,
    struct error *error);

/* Of a name (RFC 9110, `tchar`), and of a value: visible, white space, or beyond ASCII. */
bool framing_is_token_byte(unsigned char byte);
bool framing_is_value_byte(unsigned char byte);

#endif
