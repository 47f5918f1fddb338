/* SPDX-License-Identifier: MIT */
/* What to do after init: steps that work as they are printed, and what they cannot do. */
#ifndef CALLBACKCTL_INIT_NEXT_STEPS_H
#define CALLBACKCTL_INIT_NEXT_STEPS_H

#include "callbackd/buffer.h"

/* `directory` and `config` are absolute; `public_url` NULL: none was given. */
void init_append_next_steps(
    const char *directory, const char *config, const char *public_url, struct buffer *out);

#endif
