/* SPDX-License-Identifier: MIT */
/* From a due job in the database to an attempt that is recorded as running. */
#ifndef CALLBACKD_HOOKS_CLAIM_H
#define CALLBACKD_HOOKS_CLAIM_H

#include "engine_private.h"

/* What is needed of a due job; copied, for nothing may be changed while the list is read. */
struct claim {
    struct id job;
    int64_t job_seq;
    int64_t result_seq;
    int attempts_made;
    int64_t queued_at_ms;
    bool replay;
    bool tells; /* of a dead job */
};

struct claim_list {
    struct claim *items;
    size_t count;
    size_t capacity;
};

/* A job_visitor; the context is a struct claim_list. */
int claim_visit(void *context, const struct job_record *job);
/* Adds the job to round->picked or, when it cannot run, to round->dropped, and records that. */
int claim_take(
    struct state_tx *tx, struct queue_round *round, struct hook_slot *slot,
    const struct claim *claim, struct error *error);

#endif
