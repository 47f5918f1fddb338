/* SPDX-License-Identifier: MIT */
/* What each child process does from its start to its end. Returns its exit status. */
#ifndef CALLBACKD_ROLE_H
#define CALLBACKD_ROLE_H

#include "callbackd/metrics.h"
#include "child.h"

int role_run(enum child_role role);

/* Internal to the roles: with what the supervisor handed over. */
int receiver_role(struct handover *handover, struct metrics *metrics);
int worker_role(struct handover *handover, struct metrics *metrics);

#endif
