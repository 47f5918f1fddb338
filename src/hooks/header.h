/* SPDX-License-Identifier: MIT */
/* Looking up request headers as the log keeps them: an array of [name, value]. */
#ifndef CALLBACKD_HOOKS_HEADER_H
#define CALLBACKD_HOOKS_HEADER_H

#include <stdbool.h>

#include "callbackd/buffer.h"

/* Says whether a value is the one looked for. */
typedef bool header_test(void *context, struct bytes value);
/* Is there a header of this name (any case) whose value passes the test? *starved_out: memory was
 * short, it is not known. */
bool header_find(
    struct bytes headers_json, const char *name, header_test *test, void *context,
    bool *starved_out);

#endif
