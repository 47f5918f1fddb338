/* SPDX-License-Identifier: MIT */
/* What the copies of a stream are started with; by it a reload tells whether they are still what
 * the configuration asks for. */
#ifndef CALLBACKD_HOOKS_STREAM_RECIPE_H
#define CALLBACKD_HOOKS_STREAM_RECIPE_H

#include <stdbool.h>

#include "callbackd/hooks.h"
#include "spawn.h"

struct stream_recipe {
    char **arguments;   /* NULL-terminated */
    char **environment; /* NULL-terminated; the last one names the copy, see stream_recipe_name */
    char *directory;
    struct spawn_nature nature; /* its identity is the next; NULL: ours */
    struct os_identity identity;
};

/* `nature` and `identity` (of `nature`, or zeroed) are copied. */
int stream_recipe_make(
    struct stream_recipe *recipe_out, const struct config_hook *hook, const char *directory,
    const struct spawn_nature *nature, struct error *error);
void stream_recipe_fini(struct stream_recipe *recipe); /* a zeroed one is allowed */
bool stream_recipe_equal(const struct stream_recipe *a, const struct stream_recipe *b);
/* From now on the environment names that copy. */
void stream_recipe_name(struct stream_recipe *recipe, const struct id *copy);

/* The environment of a copy: PATH, HOME and LANG, the hook's own, and who it is, which comes last
 * (environment.c). */
int stream_environment(
    const struct hook_values *values, const char *copy, char ***environment_out,
    struct error *error);

#endif
