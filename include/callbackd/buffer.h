/* SPDX-License-Identifier: MIT */
/*
 * Bytes: a borrowed view (struct bytes) and the one growable buffer
 * (struct buffer), bounded by a maximum that its owner chooses.
 *
 * A buffer keeps a NUL after its content, which is not counted, so that
 * buffer_text() is a C string. Appending past the maximum, or when memory is
 * short, fails and marks the buffer `failed`; further appends fail too, so a
 * builder may append many times and test once with buffer_failed().
 *
 * Threads: none of this locks; a buffer belongs to one thread at a time.
 */
#ifndef CALLBACKD_BUFFER_H
#define CALLBACKD_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* A view of memory that somebody else owns. `data` may be NULL when length is 0. */
struct bytes {
    const unsigned char *data;
    size_t length;
};

struct bytes bytes_of(const void *data, size_t length);
/* The bytes of a C string, without its NUL. NULL gives an empty view. */
struct bytes bytes_of_text(const char *text);
bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_text(struct bytes a, const char *text);

struct buffer {
    unsigned char *data; /* NULL until something is appended */
    size_t length;
    size_t capacity;
    size_t max; /* content bytes, the NUL not counted */
    bool failed;
    bool starved; /* it failed for want of memory, not because `max` was reached */
    bool secret;  /* wiped before memory is given back */
};

/* Caller's storage; allocates nothing. `max` is in bytes. */
void buffer_init(struct buffer *buffer, size_t max);
/* As buffer_init, for secrets: memory is wiped before it is given back or moved. */
void buffer_init_secret(struct buffer *buffer, size_t max);
/* Frees the content. The buffer may be used again. NULL is allowed. */
void buffer_fini(struct buffer *buffer);
/* Empties it, keeps the memory, clears `failed`. */
void buffer_clear(struct buffer *buffer);
/* Cuts the content to `length` bytes; keeps `failed`. A larger length changes nothing. */
void buffer_truncate(struct buffer *buffer, size_t length);

/* All return 0, or -1 with the buffer marked failed and its content unchanged. */
int buffer_reserve(struct buffer *buffer, size_t more);
int buffer_append(struct buffer *buffer, const void *data, size_t length);
int buffer_append_bytes(struct buffer *buffer, struct bytes bytes);
int buffer_append_text(struct buffer *buffer, const char *text);
int buffer_append_char(struct buffer *buffer, char c);
int buffer_appendf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int buffer_vappendf(struct buffer *buffer, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

bool buffer_failed(const struct buffer *buffer);
struct bytes buffer_bytes(const struct buffer *buffer);
/* The content as a C string, "" when empty. Borrowed: valid until the next change. */
const char *buffer_text(const struct buffer *buffer);
/* The content as a C string that the caller frees; the buffer is empty then. NULL on failure. */
char *buffer_take(struct buffer *buffer);

/* free() that wipes first. NULL is allowed. */
void secret_free(void *data, size_t length);

#endif
