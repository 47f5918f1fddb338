/* SPDX-License-Identifier: MIT */
/* What the files of the log share. */
#ifndef CALLBACKD_STORE_RESULT_LOG_PRIVATE_H
#define CALLBACKD_STORE_RESULT_LOG_PRIVATE_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "callbackd/spare.h"
#include "callbackd/store.h"
#include "group_commit.h"
#include "reader_pool.h"
#include "writer.h"

struct result_log {
    char *path;
    struct metrics *metrics;
    int wake_fd;
    int keep_rejected;
    EVP_MD *sha256; /* fetched once: each look-up takes OpenSSL's lock */
    struct writer writer;
    struct group_commit *group;
    struct reader_pool readers;
    struct spare_stack spare_appends;

    int64_t appended_seq;          /* committer only: newest of the running batch; 0: none */
    _Atomic int64_t retention_seq; /* where the last slice of retention stopped */
    _Atomic int64_t dropped_count; /* rejected posts that were not kept */
};

/* For spare_fini of spare_appends. */
void result_log_end_spare(struct spare *spare);

#endif
