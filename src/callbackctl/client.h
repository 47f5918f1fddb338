/* SPDX-License-Identifier: MIT */
/*
 * The admin API's client: one call is one request with the bearer token. What the
 * daemon refuses becomes an error with the daemon's own words.
 *
 * Threads: a client belongs to one.
 */
#ifndef CALLBACKCTL_CLIENT_H
#define CALLBACKCTL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/http_client.h"
#include "callbackd/json.h"

/* All owned. */
struct admin_target {
    char *url;       /* "http://host:port", no trailing slash */
    char *unix_path; /* NULL: TCP */
    char *ca_file;   /* PEM; NULL: the system's */
    char *token;
    int ca_fd; /* holds what ca_file names, when that is a memfd; else -1 */
};

void admin_target_fini(struct admin_target *target);

struct admin_client;

/* Takes what `target` owns, also on failure; borrows `http` until admin_client_free. NULL on
 * failure. */
struct admin_client *admin_client_new(
    struct http_client *http, struct admin_target *target, struct error *error);
void admin_client_free(struct admin_client *client); /* NULL is allowed */
/* For messages: "http://127.0.0.1:8081" or "unix:/run/…". Borrowed. */
const char *admin_client_where(const struct admin_client *client);

struct admin_answer {
    int status;                     /* 200 to 299 */
    struct buffer body;             /* exact */
    struct json_document *document; /* NULL when there is no body, or it was asked for as bytes */
};

void admin_answer_fini(struct admin_answer *answer);

struct admin_call {
    const char *method; /* NULL: GET */
    const char *path;   /* with its query: "/api/v1/runs?limit=5" */
    struct bytes body;  /* JSON; empty: none */
    int64_t timeout_ms; /* 0: ADMIN_TIMEOUT_MS */
    bool bytes;         /* the answer need not be JSON */
};

enum { ADMIN_TIMEOUT_MS = 30000 };

/*
 * The caller ends the answer with admin_answer_fini. -1: ERROR_UNREACHABLE (no answer),
 * ERROR_UNAUTHORIZED, ERROR_FORBIDDEN, ERROR_NOT_FOUND, ERROR_CONFLICT, ERROR_BUSY (429 and
 * 5xx: may work later) or ERROR_REFUSED (the rest).
 */
int admin_call(
    struct admin_client *client, const struct admin_call *call, struct admin_answer *answer_out,
    struct error *error);
/* GET of a JSON document: there is one in the answer. */
int admin_get(
    struct admin_client *client, const char *path, struct admin_answer *answer_out,
    struct error *error);

/* Could the same call work a little later? */
bool admin_error_is_passing(const struct error *error);

/* Appends "?name=value" or "&name=value", percent-encoded. */
void admin_add_query(struct buffer *path, const char *name, const char *value);
/* Appends "/value", percent-encoded. */
void admin_add_segment(struct buffer *path, const char *value);

/*
 * Parses an answer for showing it. A NUL inside of a text, which our JSON reader refuses and a
 * hook may well print, becomes U+FFFD. NULL: ERROR_INVALID.
 */
struct json_document *admin_parse(struct bytes text, struct error *error);

#endif
