/* SPDX-License-Identifier: MIT */
#include "stream_recipe.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/text.h"

static int copy_identity(
    struct stream_recipe *recipe, const struct os_identity *identity, struct error *error)
{
    size_t bytes = identity->group_count * sizeof(*identity->groups);
    struct os_identity *copy = &recipe->identity;
    *copy = (struct os_identity){
        .uid = identity->uid,
        .gid = identity->gid,
        .groups = malloc(bytes > 0 ? bytes : 1),
        .group_count = identity->group_count,
        .name = text_copy(identity->name),
        .home = text_copy(identity->home),
    };
    recipe->nature.identity = copy;
    if (!copy->groups || !copy->name || !copy->home)
        return error_set(error, ERROR_MEMORY, "no memory for a hook");
    memcpy(copy->groups, identity->groups, bytes);
    return 0;
}

static int fill(
    struct stream_recipe *recipe, const struct config_hook *hook, const char *directory,
    struct error *error)
{
    struct id none = {{0}};
    char copy[ID_TEXT_BYTES];
    const struct os_identity *identity = recipe->nature.identity;
    const struct hook_values values = {.hook = hook, .home = identity ? identity->home : NULL};
    id_format(&none, copy);
    recipe->nature.identity = NULL;
    recipe->directory = text_copy(directory);
    if (!recipe->directory)
        return error_set(error, ERROR_MEMORY, "no memory for a hook");
    if (identity && copy_identity(recipe, identity, error) != 0)
        return -1;
    if (hook_arguments(&values, &recipe->arguments, error) != 0)
        return -1;
    return stream_environment(&values, copy, &recipe->environment, error);
}

int stream_recipe_make(
    struct stream_recipe *recipe_out, const struct config_hook *hook, const char *directory,
    const struct spawn_nature *nature, struct error *error)
{
    *recipe_out = (struct stream_recipe){.nature = *nature};
    if (fill(recipe_out, hook, directory, error) == 0)
        return 0;
    stream_recipe_fini(recipe_out);
    return -1;
}

void stream_recipe_fini(struct stream_recipe *recipe)
{
    hook_strings_free(recipe->arguments);
    hook_strings_free(recipe->environment);
    free(recipe->directory);
    os_identity_fini(&recipe->identity);
    *recipe = (struct stream_recipe){.arguments = NULL};
}

/* ---- the same? ---- */

static bool same_strings(char *const *a, char *const *b)
{
    for (; *a && *b; a++, b++) {
        if (strcmp(*a, *b) != 0)
            return false;
    }
    return !*a && !*b;
}

/* All but the last, which names the copy. */
static bool same_environment(char *const *a, char *const *b)
{
    for (; a[0] && b[0] && a[1] && b[1]; a++, b++) {
        if (strcmp(*a, *b) != 0)
            return false;
    }
    return (a[1] == NULL) == (b[1] == NULL);
}

static bool same_identity(const struct os_identity *a, const struct os_identity *b)
{
    if (!a || !b)
        return a == b;
    return a->uid == b->uid && a->gid == b->gid && a->group_count == b->group_count &&
           memcmp(a->groups, b->groups, a->group_count * sizeof(*a->groups)) == 0;
}

static bool same_nature(const struct spawn_nature *a, const struct spawn_nature *b)
{
    bool same = a->mode_mask == b->mode_mask && a->nice == b->nice &&
                a->limit_count == b->limit_count && same_identity(a->identity, b->identity);
    for (size_t i = 0; same && i < a->limit_count; i++)
        same = a->limits[i].resource == b->limits[i].resource &&
               a->limits[i].value == b->limits[i].value;
    return same;
}

bool stream_recipe_equal(const struct stream_recipe *a, const struct stream_recipe *b)
{
    return strcmp(a->directory, b->directory) == 0 && same_strings(a->arguments, b->arguments) &&
           same_environment(a->environment, b->environment) && same_nature(&a->nature, &b->nature);
}

void stream_recipe_name(struct stream_recipe *recipe, const struct id *copy)
{
    char **last = recipe->environment;
    while (last[1])
        last++;
    id_format(copy, strchr(*last, '=') + 1);
}
