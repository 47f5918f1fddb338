/* SPDX-License-Identifier: MIT */
/*
 * One way to fail. A function that can fail returns 0 or -1 (or a pointer or
 * NULL), takes a struct error * last, and fills it on failure; its outputs are
 * untouched then. The code says what kind of failure it is for HTTP and for the
 * shell; the message is for people. Low layers fill it, the top logs it once.
 *
 * Threads: a struct error belongs to its caller. Nothing here allocates.
 */
#ifndef CALLBACKD_ERROR_H
#define CALLBACKD_ERROR_H

enum error_code {
    ERROR_NONE = 0,
    ERROR_INVALID,      /* the input is wrong: no retry mends it */
    ERROR_UNAUTHORIZED, /* missing, wrong or stale signature or token */
    ERROR_FORBIDDEN,    /* known, and not allowed */
    ERROR_NOT_FOUND,
    ERROR_METHOD,   /* exists, but not for this HTTP method */
    ERROR_CONFLICT, /* contradicts what is already there */
    ERROR_TIMEOUT,  /* took longer than it may */
    ERROR_TOO_LARGE,
    ERROR_HEADERS_TOO_LARGE,
    ERROR_TOO_MANY,    /* one client has too much under way */
    ERROR_BUSY,        /* over a limit now: the same request may work later */
    ERROR_STORE,       /* the store cannot take it now */
    ERROR_CORRUPT,     /* stored data is not what we wrote */
    ERROR_IO,          /* a system call failed */
    ERROR_MEMORY,      /* allocation failed, or a bounded buffer is full */
    ERROR_CONFIG,      /* the configuration is wrong */
    ERROR_USAGE,       /* the command line is wrong */
    ERROR_REFUSED,     /* the API said no: its message is in ours */
    ERROR_UNREACHABLE, /* the other side cannot be reached */
    ERROR_INTERNAL,    /* a bug of ours */
    ERROR_CODES
};

enum { ERROR_MESSAGE_BYTES = 512 };

struct error {
    enum error_code code;
    char message[ERROR_MESSAGE_BYTES]; /* always terminated; cut when too long */
};

struct error_info {
    enum error_code code;
    const char *name;  /* stable, lower case: for logs and metrics */
    int http_status;   /* the answer to a sender or an admin client */
    const char *title; /* RFC 9457 title for that status */
    int exit_status;   /* callbackctl's exit status (contract, "Exit status") */
};

/* The row for a code; an unknown code gives ERROR_INTERNAL's. Never NULL. */
const struct error_info *error_info(enum error_code code);

/* Fill `error` (NULL is allowed) and return -1, so that `return error_set(…)` reads well. */
int error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with ": <strerror(errnum)>" after the text. */
int error_set_errno(struct error *error, enum error_code code, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Put "<text>: " before the message that is there. Returns -1. */
int error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
