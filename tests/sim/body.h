/* SPDX-License-Identifier: MIT */
/*
 * The bodies that a run puts out: of its callback and of the answer to a poll.
 * Both tell the same result; a callback's spelling (order, blanks, escapes) varies
 * from run to run, so that "byte for byte" means something. A body depends on
 * nothing but the seed, the run's id and its faults: the same again gives the
 * same bytes. Threads: no state.
 */
#ifndef CALLBACKD_SIM_BODY_H
#define CALLBACKD_SIM_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "faults.h"

struct sim_subject {
    int64_t seed;
    int64_t id;
    bool all_outputs; /* return_all_outputs of the launch */
    const struct sim_faults *faults;
};

enum sim_variant { SIM_FIRST, SIM_REVISION };

/* Appends the body of a callback. -1: the buffer is full. */
int sim_body_callback(
    const struct sim_subject *subject, enum sim_variant variant, struct buffer *out);
/* Appends the answer to a poll of a finished run: nodes, or the bare value. */
int sim_body_poll(const struct sim_subject *subject, bool all_outputs, struct buffer *out);
/* Appends the answer where no output node succeeded. */
int sim_body_no_output(const struct sim_subject *subject, struct buffer *out);
/* Appends the nodes of a run that is still under way. */
int sim_body_running(const struct sim_subject *subject, struct buffer *out);
/* Did no output node succeed? */
bool sim_body_has_failed(const struct sim_subject *subject);

#endif
