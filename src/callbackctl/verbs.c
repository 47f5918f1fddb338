/* SPDX-License-Identifier: MIT */
#include "verbs.h"

#include <string.h>

#include "callbackd/text.h"

static const struct verb *const verbs[] = {
    &verb_init,  &verb_run,   &verb_wait,   &verb_runs,     &verb_results, &verb_show,
    &verb_jobs,  &verb_job,   &verb_retry,  &verb_cancel,   &verb_replay,  &verb_hooks,
    &verb_hook,  &verb_pause, &verb_resume, &verb_rejected, &verb_status,  &verb_backup,
    &verb_check, &verb_url,   &verb_verify, &verb_help,
};

const struct verb *verb_at(size_t index)
{
    return index < sizeof(verbs) / sizeof(verbs[0]) ? verbs[index] : NULL;
}

const struct verb *verb_find(const char *name)
{
    const struct verb *verb;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}

const struct verb *verb_nearest(const char *name)
{
    const struct verb *best = NULL;
    /* A third of a word mistyped is a mistake; more is another word. */
    size_t best_distance = strlen(name) / 3 + 1;
    const struct verb *verb;
    for (size_t i = 0; (verb = verb_at(i)) != NULL; i++) {
        size_t distance = text_distance(name, verb->name);
        if (distance < best_distance) {
            best_distance = distance;
            best = verb;
        }
    }
    return best;
}
