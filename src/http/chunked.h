/* SPDX-License-Identifier: MIT */
/*
 * Where a chunked body has its data, its lines and its end (RFC 9112, section 7.1), by the letter:
 * lines end with CR LF, a size is hexadecimal digits and nothing else, sizes that nobody can mean
 * are refused. Whatever another server could take for another end is an error here.
 *
 * Extensions of chunks and fields behind the last one are allowed, bounded, and of no consequence.
 *
 * Usage: while chunked_data_left() is 0 and the end is not there, the next byte goes to
 * chunked_take(); otherwise at most so many bytes of data are read, and chunked_skip() is told.
 *
 * Threads: no state but the caller's.
 */
#ifndef CALLBACKD_HTTP_CHUNKED_H
#define CALLBACKD_HTTP_CHUNKED_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/error.h"

enum {
    CHUNKED_LINE_MAX_BYTES = 256,     /* of a size with its extensions */
    CHUNKED_TRAILER_MAX_BYTES = 4096, /* of all fields behind the last chunk */
};

enum chunked_state {
    CHUNKED_SIZE, /* first: a chunk begins */
    CHUNKED_DIGITS,
    CHUNKED_EXTENSION,
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER, /* a field begins, or the empty line */
    CHUNKED_FIELD_NAME,
    CHUNKED_FIELD_VALUE,
    CHUNKED_FIELD_LF,
    CHUNKED_LAST_LF,
    CHUNKED_END,
};

struct chunked {
    enum chunked_state state;
    int64_t left; /* the size, while its line is read; then what is to come of the data */
    int line_bytes;
    int trailer_bytes;
};

void chunked_init(struct chunked *chunked);
/* Bytes of data that come next. */
int64_t chunked_data_left(const struct chunked *chunked);
bool chunked_is_at_end(const struct chunked *chunked);
/* So many bytes of data have been read. */
void chunked_skip(struct chunked *chunked, int64_t bytes);
/* A byte that is no data. -1: ERROR_INVALID, and nothing behind it means anything. */
int chunked_take(struct chunked *chunked, unsigned char byte, struct error *error);

#endif
