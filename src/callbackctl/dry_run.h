/* SPDX-License-Identifier: MIT */
/* What --dry-run prints: the launch request, without its secrets. */
#ifndef CALLBACKCTL_DRY_RUN_H
#define CALLBACKCTL_DRY_RUN_H

#include "callbackd/error.h"
#include "launch_plan.h"
#include "session.h"

/* Sends nothing. The exit status, or -1. */
int dry_run_print(struct session *session, const struct launch_plan *plan, struct error *error);

#endif
