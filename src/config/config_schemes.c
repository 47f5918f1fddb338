/* SPDX-License-Identifier: MIT */
/*
 * The schemes of "verify" as people see them. What they do is in the verify room,
 * whose table has the same names: a test holds the two together.
 */
#include "config_private.h"

#include "callbackd/text.h"

static const struct config_scheme schemes[] = {
    {
        .name = "run-token",
        .summary = "The path's last part is a token that was signed for the run: "
                   "`POST <path>/<token>`. For callback URLs that we made.",
        .options = {NULL},
    },
};

enum { SCHEME_COUNT = sizeof schemes / sizeof schemes[0] };

const struct config_scheme *config_scheme_at(size_t index)
{
    return index < SCHEME_COUNT ? &schemes[index] : NULL;
}

const struct config_scheme *config_scheme_find(const char *name)
{
    for (size_t i = 0; i < SCHEME_COUNT; i++)
        if (strcmp(schemes[i].name, name) == 0)
            return &schemes[i];
    return NULL;
}

static const char *nearest_scheme(const char *name)
{
    const char *nearest = schemes[0].name;
    for (size_t i = 1; i < SCHEME_COUNT; i++)
        if (text_distance(schemes[i].name, name) < text_distance(nearest, name))
            nearest = schemes[i].name;
    return nearest;
}

bool config_scheme_takes(const struct config_scheme *scheme, const char *option)
{
    if (strcmp(option, "scheme") == 0)
        return true;
    for (const char *const *known = scheme->options; *known; known++)
        if (strcmp(*known, option) == 0)
            return true;
    return false;
}

/* Options of other schemes are keys of the table, but of no use to this one. */
static void refuse_options(
    struct config_reader *reader, const struct config_place *place,
    const struct config_scheme *scheme)
{
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const char *name = json_key_of(value);
        const struct config_place member = {.parent = place, .name = name, .value = value};
        if (config_key_member(config_key_find("endpoints[].verify"), name) &&
            !config_scheme_takes(scheme, name))
            config_problem(
                reader, &member, "is not an option of the scheme %s (remove it)", scheme->name);
    }
}

void config_finish_verify(
    struct config_reader *reader, const struct config_place *place, void *target)
{
    const struct config_verify *verify = target;
    if (!verify->scheme)
        return;
    const struct config_scheme *scheme = config_scheme_find(verify->scheme);
    if (scheme) {
        refuse_options(reader, place, scheme);
        return;
    }
    const struct config_place member = config_member(place, "scheme");
    config_problem(
        reader, &member, "there is no scheme \"%s\" (did you mean \"%s\"?)", verify->scheme,
        nearest_scheme(verify->scheme));
}
