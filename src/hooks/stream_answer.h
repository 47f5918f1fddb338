/* SPDX-License-Identifier: MIT */
/* What a stream's worker says of a job: one line of docs/STREAM_HOOKS.md. Pure. */
#ifndef CALLBACKD_HOOKS_STREAM_ANSWER_H
#define CALLBACKD_HOOKS_STREAM_ANSWER_H

#include "callbackd/buffer.h"
#include "callbackd/error.h"
#include "callbackd/id.h"

enum { STREAM_ANSWER_BYTES_MAX = 64 * 1024 };

enum stream_status { STREAM_OK, STREAM_RETRY, STREAM_FAIL, STREAM_OTHER };

struct stream_answer {
    struct id job;
    enum stream_status status;
    struct buffer message;     /* decoded; empty: none */
    struct buffer retry_after; /* as in a Retry-After line; empty: none */
};

/* The caller's storage, ended with stream_answer_fini; used again for each line. */
void stream_answer_init(struct stream_answer *answer);
void stream_answer_fini(struct stream_answer *answer);
/* The line without its end. -1: it is no answer, ERROR_INVALID says why. */
int stream_answer_parse(struct stream_answer *answer, struct bytes line, struct error *error);

#endif
