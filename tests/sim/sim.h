/* SPDX-License-Identifier: MIT */
/*
 * The simulator: the runs that were launched, the threads that post their
 * callbacks, and the record of what was posted.
 *
 * Threads: any may call; everything that changes is behind one lock, which is not
 * held while anything is sent. A run lives as long as the simulator.
 */
#ifndef CALLBACKD_SIM_SIM_H
#define CALLBACKD_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "body.h"
#include "callbackd/error.h"
#include "callbackd/json_writer.h"
#include "faults.h"
#include "options.h"

struct sim;

/* NULL on failure. `options` are borrowed. */
struct sim *sim_start(const struct sim_options *options, struct error *error);
/* Ends senders and whoever waits in sim_wait or sim_await_callback; callbacks that are not due
 * are not posted. The server may still call. */
void sim_stop(struct sim *sim);
void sim_free(struct sim *sim); /* after the server has stopped; NULL is allowed */

const struct sim_options *sim_options(const struct sim *sim);

/* ---- defaults ---- */

/* A copy of what runs do unless they say otherwise. */
int sim_defaults_get(struct sim *sim, struct sim_faults *faults_out);
/* Takes `faults`. */
void sim_defaults_set(struct sim *sim, struct sim_faults *faults);
/* What they are without POST /_sim/defaults. */
struct sim_faults sim_faults_initial(const struct sim_options *options);

/* ---- runs ---- */

struct sim_launch {
    const char *workflow;
    const char *callback_url; /* NULL: none */
    bool all_outputs;
    struct sim_faults *faults; /* taken */
};

/* Starts a run: its result will be there after its delay, and its callback is posted then. */
int sim_launch(struct sim *sim, const struct sim_launch *launch, int64_t *id_out);
/* Until the first callback of the run was answered, or there is none, or the end. */
void sim_await_callback(struct sim *sim, int64_t id);
/* Until the time has passed, or the end. */
void sim_wait(struct sim *sim, int64_t ms);

struct sim_look {
    bool ready;                 /* its result is there */
    enum sim_poll poll;         /* what this poll meets */
    struct sim_subject subject; /* lives as long as the simulator */
};
/* One poll of a run; false: there is none of that id. */
bool sim_poll_run(struct sim *sim, int64_t id, struct sim_look *look_out);

/* ---- what was done, as JSON ---- */

void sim_write_runs(struct sim *sim, struct json_writer *writer);
/* `id` 0: of all runs. Bodies included. */
void sim_write_sent(struct sim *sim, int64_t id, struct json_writer *writer);

#endif
