/* SPDX-License-Identifier: MIT */
/* Two questions about JSON that is passed on as it is. Threads: no state. */
#ifndef CALLBACKD_LAUNCH_JSON_CHECK_H
#define CALLBACKD_LAUNCH_JSON_CHECK_H

#include "callbackd/buffer.h"
#include "callbackd/error.h"

/* Strict JSON, and an object? -1 with ERROR_INVALID; `name` says in the message what it is. */
int json_check_object(struct bytes json, const char *name, struct error *error);
/* The same, and every member of it a string. */
int json_check_object_of_strings(struct bytes json, const char *name, struct error *error);

#endif
