/* SPDX-License-Identifier: MIT */
/* Shared by sim.c (runs) and callback.c (posting what they put out). */
#ifndef CALLBACKD_SIM_SIM_PRIVATE_H
#define CALLBACKD_SIM_SIM_PRIVATE_H

#include <pthread.h>

#include "record.h"
#include "sender.h"
#include "sim.h"

struct sim_run {
    /* Set at the launch, never changed. */
    int64_t id;
    char *workflow;
    char *callback_url; /* NULL: none */
    bool all_outputs;
    struct sim_faults faults;
    int64_t launched_at_ms; /* wall */
    int64_t ready_at_ms;    /* monotonic */

    int64_t polls;      /* under the simulator's lock, as all below */
    bool callback_done; /* the first post was answered, or there is none to wait for */
    struct sim_sent *sent;
    size_t sent_count;
    size_t sent_capacity;
};

struct sim {
    const struct sim_options *options;
    struct sim_record record;
    struct sender *sender;

    pthread_mutex_t lock;
    pthread_cond_t changed;     /* callback_done of a run, or stopping */
    struct sim_faults defaults; /* under lock, as all below */
    struct sim_run **runs;      /* by id, from options->first_id on */
    size_t run_count;
    size_t run_capacity;
    bool stopping;
};

struct sim_subject sim_subject_of(const struct sim *sim, const struct sim_run *run);

/* Puts the run's callbacks on the clock. */
void callback_schedule(struct sim *sim, struct sim_run *run, int64_t now_ms);
/* The bytes of a post, made again: the whole body, of which sent->length were sent. */
int callback_body(
    const struct sim *sim, const struct sim_run *run, enum sim_kind kind, struct buffer *out);
sender_work callback_work;
sender_drop callback_drop;

#endif
