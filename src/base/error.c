/* SPDX-License-Identifier: MIT */
#include "callbackd/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Exit status of callbackctl: 2 usage, 3 refused, 4 unreachable, 5 timed out, 6 local. */
static const struct error_info error_table[ERROR_CODES] = {
    [ERROR_NONE] = {ERROR_NONE, "none", 200, "OK", 0},
    [ERROR_INVALID] = {ERROR_INVALID, "invalid", 400, "Bad Request", 3},
    [ERROR_UNAUTHORIZED] = {ERROR_UNAUTHORIZED, "unauthorized", 401, "Unauthorized", 3},
    [ERROR_FORBIDDEN] = {ERROR_FORBIDDEN, "forbidden", 403, "Forbidden", 3},
    [ERROR_NOT_FOUND] = {ERROR_NOT_FOUND, "not_found", 404, "Not Found", 3},
    [ERROR_METHOD] = {ERROR_METHOD, "method", 405, "Method Not Allowed", 6},
    [ERROR_CONFLICT] = {ERROR_CONFLICT, "conflict", 409, "Conflict", 3},
    [ERROR_TIMEOUT] = {ERROR_TIMEOUT, "timeout", 408, "Request Timeout", 5},
    [ERROR_TOO_LARGE] = {ERROR_TOO_LARGE, "too_large", 413, "Content Too Large", 6},
    [ERROR_HEADERS_TOO_LARGE] =
        {ERROR_HEADERS_TOO_LARGE, "headers_too_large", 431, "Request Header Fields Too Large", 6},
    [ERROR_TOO_MANY] = {ERROR_TOO_MANY, "too_many", 429, "Too Many Requests", 6},
    [ERROR_BUSY] = {ERROR_BUSY, "busy", 503, "Service Unavailable", 6},
    [ERROR_STORE] = {ERROR_STORE, "store", 503, "Service Unavailable", 6},
    [ERROR_CORRUPT] = {ERROR_CORRUPT, "corrupt", 503, "Service Unavailable", 6},
    [ERROR_IO] = {ERROR_IO, "io", 503, "Service Unavailable", 6},
    [ERROR_MEMORY] = {ERROR_MEMORY, "memory", 503, "Service Unavailable", 6},
    [ERROR_CONFIG] = {ERROR_CONFIG, "config", 500, "Internal Server Error", 6},
    [ERROR_USAGE] = {ERROR_USAGE, "usage", 500, "Internal Server Error", 2},
    [ERROR_REFUSED] = {ERROR_REFUSED, "refused", 502, "Bad Gateway", 3},
    [ERROR_UNREACHABLE] = {ERROR_UNREACHABLE, "unreachable", 502, "Bad Gateway", 4},
    [ERROR_INTERNAL] = {ERROR_INTERNAL, "internal", 500, "Internal Server Error", 6},
};

const struct error_info *error_info(enum error_code code)
{
    size_t row = (size_t)code;
    return &error_table[row < ERROR_CODES ? row : ERROR_INTERNAL];
}

/* Composed apart and copied, for an argument may be the message that is replaced. */
static void error_fill(struct error *error, enum error_code code, const char *message)
{
    if (!error)
        return;
    size_t length = strnlen(message, ERROR_MESSAGE_BYTES - 1);
    error->code = code;
    memcpy(error->message, message, length);
    error->message[length] = '\0';
}

__attribute__((format(printf, 2, 0))) static size_t message_compose(
    char message[static ERROR_MESSAGE_BYTES], const char *format, va_list arguments)
{
    int written = vsnprintf(message, ERROR_MESSAGE_BYTES, format, arguments);
    if (written < 0) {
        message[0] = '\0';
        return 0;
    }
    return strlen(message);
}

static void message_add(char message[static ERROR_MESSAGE_BYTES], size_t length, const char *text)
{
    size_t room = ERROR_MESSAGE_BYTES - 1 - length;
    size_t more = strnlen(text, room);
    memcpy(message + length, text, more);
    message[length + more] = '\0';
}

int error_set(struct error *error, enum error_code code, const char *format, ...)
{
    char message[ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    message_compose(message, format, arguments);
    va_end(arguments);
    error_fill(error, code, message);
    return -1;
}

int error_set_errno(struct error *error, enum error_code code, int errnum, const char *format, ...)
{
    char message[ERROR_MESSAGE_BYTES];
    char reason[128];
    va_list arguments;
    va_start(arguments, format);
    size_t length = message_compose(message, format, arguments);
    va_end(arguments);
    message_add(message, length, ": ");
    message_add(message, strlen(message), strerror_r(errnum, reason, sizeof(reason)));
    error_fill(error, code, message);
    return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
    if (!error)
        return -1;
    char message[ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    size_t length = message_compose(message, format, arguments);
    va_end(arguments);
    message_add(message, length, ": ");
    message_add(message, strlen(message), error->message);
    error_fill(error, error->code, message);
    return -1;
}
