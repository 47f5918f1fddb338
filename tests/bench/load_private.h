/* SPDX-License-Identifier: MIT */
/*
 * The parts of the load generator. Each worker thread owns its connections, its
 * requests and its counts; nothing is shared while it runs but the options.
 */
#ifndef CALLBACKD_BENCH_LOAD_PRIVATE_H
#define CALLBACKD_BENCH_LOAD_PRIVATE_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "callbackd/verify.h"
#include "histogram.h"

enum {
    HEAD_BYTES_MAX = 512,
    OWN_BODY_BYTES_MAX = 32 * 1024, /* a larger one is sent from a copy that all share */
    ANSWER_HEAD_BYTES_MAX = 4096,
    STATUS_MAX = 600,
    WORKERS_MAX = 16,
    CONNECTIONS_MAX = 10000
};

struct load_options {
    int port;
    bool tls;
    const char *path;
    const char *endpoint;      /* of the tokens */
    struct config_secrets key; /* count 0: no tokens, the path is posted to as it is */
    int64_t tokens;            /* minted before it begins, for all workers together */
    int connections;
    int workers;
    bool new_connections; /* one for each request */
    size_t body_bytes;
    double warm_up_s;
    double seconds;
    double rate; /* requests a second; 0: as many as the server takes */
};

/* ---- requests (load_request.c) ---- */

/* What a worker's requests are made from. */
struct requests {
    const struct load_options *options;
    char (*tokens)[RUN_TOKEN_TEXT_BYTES];
    int64_t token_count;
    int64_t token_next;
    int64_t execution_id;
    struct bytes filler; /* the end of every body, which all share */
};

/* A request ready to be sent: patched in place for each post. */
struct request {
    char *data; /* head, and the body or its beginning */
    size_t length;
    struct bytes rest; /* of the body */
    size_t token_at;   /* 0: none */
    size_t execution_at;
};

int requests_init(
    struct requests *requests, const struct load_options *options, int worker, struct error *error);
void requests_fini(struct requests *requests);
int request_init(struct request *request, const struct requests *requests, struct error *error);
void request_fini(struct request *request);
/* Makes it one that was never sent before. */
void request_renew(struct request *request, struct requests *requests);
/* What is still to be sent after `sent` bytes; returns how many pieces. */
int request_pieces(const struct request *request, size_t sent, struct iovec pieces[static 2]);

/* ---- connections (load_connection.c) ---- */

enum connection_state {
    CONNECTION_CLOSED,
    CONNECTION_IDLE,
    CONNECTION_CONNECTING, /* the TLS handshake is part of it */
    CONNECTION_BUSY,
    CONNECTION_ENDING /* answered; the server closes */
};

struct load_worker;

struct connection {
    struct load_worker *worker;
    struct connection *next_free;
    SSL *ssl;
    int fd;
    enum connection_state state;
    int64_t intended_ns; /* when the request should have begun */
    struct request request;
    size_t sent;
    size_t received;
    size_t answer_bytes; /* head and body; 0: not known yet */
    int status;
    char answer[ANSWER_HEAD_BYTES_MAX];
};

/* Begins a request; connects first where needed. Ends in worker_request_over. */
void connection_begin(struct connection *connection, int64_t intended_ns);
/* Something happened to its descriptor. */
void connection_advance(struct connection *connection);
void connection_close(struct connection *connection);

/* ---- workers (load_worker.c) ---- */

struct load_result {
    struct histogram latencies; /* of the requests that count */
    int64_t answers;            /* all of them */
    int64_t errors;             /* no answer */
    int64_t statuses[STATUS_MAX];
    int64_t late; /* due while no connection was free */
};

struct load_worker {
    const struct load_options *options;
    SSL_CTX *tls;
    pthread_barrier_t *start;
    pthread_t thread;
    int index;
    int epoll_fd;
    struct requests requests;
    struct connection *connections;
    int connection_count;
    struct connection *free; /* without a request */
    int in_flight;
    int64_t begin_ns; /* set once all are ready: the warm-up begins */
    int64_t count_ns; /* from here on requests count */
    int64_t end_ns;
    int64_t due_ns; /* of the next request, with a rate */
    double interval_ns;
    double due_fraction_ns;
    bool failed;
    struct error error;
    struct load_result result;
};

int load_worker_start(struct load_worker *worker, struct error *error);
/* -1 when it could not do its work. */
int load_worker_join(struct load_worker *worker, struct error *error);
/* The request is over: status 0 means that there was no answer. */
void worker_request_over(struct connection *connection, int status);
/* The connection may take the next request. */
void worker_connection_free(struct connection *connection);

#endif
