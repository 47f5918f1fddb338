/* SPDX-License-Identifier: MIT */
/* Making jobs. */
#ifndef CALLBACKD_HOOKS_TRIGGER_H
#define CALLBACKD_HOOKS_TRIGGER_H

#include "callbackd/hooks.h"

/* `death` (NULL: none) is what the job tells of; borrowed. */
int trigger_insert(
    struct state_tx *tx, const struct config_hook *hook, const struct result_record *result,
    const struct job_death *death, bool replay, struct id *job_out, struct error *error);

#endif
