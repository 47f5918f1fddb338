/* SPDX-License-Identifier: MIT */
/* The two halves of sandbox.c. Each fails with ERROR_INTERNAL or what the kernel said. */
#ifndef CALLBACKD_SANDBOX_PRIVATE_H
#define CALLBACKD_SANDBOX_PRIVATE_H

#include "sandbox.h"

/* Sanitizers read /proc, trace and fork to report what they find: in their builds that is let
 * through, and so is whatever is not refused by name. */
#ifdef CALLBACKD_SANITIZED
enum { SANDBOX_IS_LOOSE = 1 };
#else
enum { SANDBOX_IS_LOOSE = 0 };
#endif

/* ---- sandbox_calls.c ---- */

int sandbox_calls_probe(struct error *error);
int sandbox_calls_restrict(struct error *error);

/* ---- sandbox_files.c ---- */

int sandbox_files_probe(struct error *error);
/* `directory_fd` -1: no file at all can be opened. */
int sandbox_files_restrict(int directory_fd, struct error *error);

#endif
