/* SPDX-License-Identifier: MIT */
/* One post of a callback as JSON, and the file that they are appended to. */
#ifndef CALLBACKD_SIM_RECORD_H
#define CALLBACKD_SIM_RECORD_H

#include <pthread.h>

#include "callbackd/json_writer.h"
#include "sim.h"

enum sim_kind { SIM_KIND_FIRST, SIM_KIND_AGAIN, SIM_KIND_REVISION };

struct sim_sent {
    enum sim_kind kind;
    int attempt;        /* 1.. of its kind */
    int status;         /* HTTP; 0: no answer */
    char error[160];    /* "" when there was an answer */
    int64_t started_ms; /* wall */
    int64_t ended_ms;
    size_t length; /* bytes of the body that were sent */
    bool cut;      /* the connection was broken off there */
};

struct sim_record {
    int fd; /* -1: none */
    pthread_mutex_t lock;
};

/* `path` NULL: nothing is recorded. A directory: its sent.jsonl. */
int sim_record_open(struct sim_record *record, const char *path, struct error *error);
void sim_record_close(struct sim_record *record);
/* Appends one line, in one write. */
void sim_record_append(
    struct sim_record *record, int64_t id, const char *url, const struct sim_sent *sent,
    struct bytes body);

/* One object. `body` is what was sent of it. */
void sim_sent_write(
    struct json_writer *writer, int64_t id, const char *url, const struct sim_sent *sent,
    struct bytes body);

#endif
