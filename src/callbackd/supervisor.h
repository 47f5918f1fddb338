/* SPDX-License-Identifier: MIT */
/*
 * The supervisor: owns configuration, listeners and locks; starts a receiver and a
 * worker, starts them again when they die, replaces them on SIGHUP, and ends both
 * in order. It parses nothing that a stranger sent. One thread.
 */
#ifndef CALLBACKD_SUPERVISOR_H
#define CALLBACKD_SUPERVISOR_H

#include "callbackd/config.h"
#include "callbackd/error.h"

/* Runs until told to stop. Takes `config`. `roles`: which children to run. 0, or -1 when it
 * could not start. */
int supervisor_run(struct config *config, enum config_role roles, struct error *error);

/* Prints problems as FILE:LINE: key: text, one a line, on standard error. */
void supervisor_print_problems(const char *path, const struct config_problems *problems);

#endif
