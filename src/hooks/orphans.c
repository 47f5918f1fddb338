/* SPDX-License-Identifier: MIT */
/* Jobs whose hook is not configured any more: they wait, and somebody should know. */
#include "orphans.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/hooks.h"
#include "callbackd/log.h"

int hook_visit_orphans(
    struct state_tx *tx, const struct config *config, hook_orphan_visitor *visit, void *context,
    struct error *error)
{
    char *name = NULL;
    int result = state_hook_after(tx, "", &name, error);
    while (result == 0 && name) {
        struct hook_counts counts = {0};
        char *next = NULL;
        if (!config_hook(config, name)) {
            result = state_hook_counts(tx, name, &counts, error);
            if (result == 0 && counts.waiting > 0)
                result = visit(context, name, &counts);
        }
        if (result == 0)
            result = state_hook_after(tx, name, &next, error);
        free(name);
        name = next;
    }
    free(name);
    return result;
}

static int warn(void *context, const char *hook, const struct hook_counts *counts)
{
    (void)context;
    log_warning(
        "jobs wait for a hook that is not configured", LOG_TEXT("hook", hook),
        LOG_INT("jobs", counts->waiting),
        LOG_TEXT("hint", "configure it again, or: callbackctl cancel --hook NAME"));
    return 0;
}

static int warn_of_all(struct state_tx *tx, void *context, struct error *error)
{
    return hook_visit_orphans(tx, context, warn, NULL, error);
}

void orphans_warn(struct state *state, const struct config *config)
{
    struct error error = {0};
    /* It is only read. */
    if (state_read(state, warn_of_all, (struct config *)config, &error) != 0)
        log_warning("not known whether jobs wait for hooks that are gone", LOG_ERROR(&error));
}
