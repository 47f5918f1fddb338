/* SPDX-License-Identifier: MIT */
#include "callbackd/buffer.h"

#include <openssl/crypto.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_FIRST_BYTES = 64 };

struct bytes bytes_of(const void *data, size_t length)
{
    return (struct bytes){.data = data, .length = length};
}

struct bytes bytes_of_text(const char *text)
{
    return bytes_of(text, text ? strlen(text) : 0);
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    if (a.length != b.length)
        return false;
    return a.length == 0 || memcmp(a.data, b.data, a.length) == 0;
}

bool bytes_equal_text(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of_text(text));
}

void buffer_init(struct buffer *buffer, size_t max)
{
    /* No object is larger than PTRDIFF_MAX; sums below cannot overflow then. */
    size_t limit = PTRDIFF_MAX - 1;
    *buffer = (struct buffer){.max = max < limit ? max : limit};
}

void buffer_init_secret(struct buffer *buffer, size_t max)
{
    buffer_init(buffer, max);
    buffer->secret = true;
}

static void storage_free(struct buffer *buffer)
{
    if (buffer->secret)
        secret_free(buffer->data, buffer->capacity);
    else
        free(buffer->data);
    buffer->data = NULL;
    buffer->capacity = 0;
}

void buffer_fini(struct buffer *buffer)
{
    if (!buffer)
        return;
    storage_free(buffer);
    buffer->length = 0;
    buffer->failed = false;
    buffer->starved = false;
}

void buffer_clear(struct buffer *buffer)
{
    buffer_truncate(buffer, 0);
    buffer->failed = false;
    buffer->starved = false;
}

void buffer_truncate(struct buffer *buffer, size_t length)
{
    if (length > buffer->length)
        return;
    if (buffer->secret && buffer->data)
        OPENSSL_cleanse(buffer->data + length, buffer->length - length);
    buffer->length = length;
    if (buffer->data)
        buffer->data[length] = '\0';
}

/* realloc() may leave the old bytes behind, so secrets are moved by hand. */
static unsigned char *storage_grow(struct buffer *buffer, size_t capacity)
{
    if (!buffer->secret)
        return realloc(buffer->data, capacity);
    unsigned char *data = malloc(capacity);
    if (!data)
        return NULL;
    if (buffer->length > 0)
        memcpy(data, buffer->data, buffer->length);
    secret_free(buffer->data, buffer->capacity);
    return data;
}

static int buffer_fail(struct buffer *buffer)
{
    buffer->failed = true;
    return -1;
}

int buffer_reserve(struct buffer *buffer, size_t more)
{
    if (buffer->failed || more > buffer->max - buffer->length)
        return buffer_fail(buffer);
    size_t needed = buffer->length + more + 1;
    if (needed <= buffer->capacity)
        return 0;
    size_t limit = buffer->max + 1;
    size_t capacity = buffer->capacity < limit / 2 ? buffer->capacity * 2 : limit;
    if (capacity < BUFFER_FIRST_BYTES)
        capacity = limit < BUFFER_FIRST_BYTES ? limit : BUFFER_FIRST_BYTES;
    if (capacity < needed)
        capacity = needed;
    unsigned char *data = storage_grow(buffer, capacity);
    if (!data) {
        buffer->starved = true;
        return buffer_fail(buffer);
    }
    buffer->data = data;
    buffer->capacity = capacity;
    buffer->data[buffer->length] = '\0';
    return 0;
}

int buffer_append(struct buffer *buffer, const void *data, size_t length)
{
    if (buffer_reserve(buffer, length) != 0)
        return -1;
    if (length > 0)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
    return 0;
}

int buffer_append_bytes(struct buffer *buffer, struct bytes bytes)
{
    return buffer_append(buffer, bytes.data, bytes.length);
}

int buffer_append_text(struct buffer *buffer, const char *text)
{
    return buffer_append_bytes(buffer, bytes_of_text(text));
}

int buffer_append_char(struct buffer *buffer, char c)
{
    return buffer_append(buffer, &c, 1);
}

int buffer_appendf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int status = buffer_vappendf(buffer, format, arguments);
    va_end(arguments);
    return status;
}

int buffer_vappendf(struct buffer *buffer, const char *format, va_list arguments)
{
    va_list measured;
    va_copy(measured, arguments);
    int length = vsnprintf(NULL, 0, format, measured);
    va_end(measured);
    if (length < 0)
        return buffer_fail(buffer);
    if (buffer_reserve(buffer, (size_t)length) != 0)
        return -1;
    char *end = (char *)buffer->data + buffer->length;
    if (vsnprintf(end, (size_t)length + 1, format, arguments) != length) {
        *end = '\0';
        return buffer_fail(buffer);
    }
    buffer->length += (size_t)length;
    return 0;
}

bool buffer_failed(const struct buffer *buffer)
{
    return buffer->failed;
}

struct bytes buffer_bytes(const struct buffer *buffer)
{
    return bytes_of(buffer->data, buffer->length);
}

const char *buffer_text(const struct buffer *buffer)
{
    return buffer->data ? (const char *)buffer->data : "";
}

char *buffer_take(struct buffer *buffer)
{
    if (buffer_reserve(buffer, 0) != 0)
        return NULL;
    char *text = (char *)buffer->data;
    buffer->data = NULL;
    buffer->length = 0;
    buffer->capacity = 0;
    return text;
}

void secret_free(void *data, size_t length)
{
    if (!data)
        return;
    OPENSSL_cleanse(data, length);
    free(data);
}
