/* SPDX-License-Identifier: MIT */
/* The table of signature schemes. Their names, summaries and options for people stand in the
 * config room, which checks them before this room is asked. */
#include "schemes.h"

static const struct scheme schemes[] = {
    {
        .name = "run-token",
        .uses_path = true,
        .open = scheme_run_token_open,
        .close = scheme_run_token_close,
        .check_head = scheme_run_token_check_head,
    },
};

enum { SCHEME_COUNT = sizeof schemes / sizeof schemes[0] };

const struct scheme *scheme_find(const char *name)
{
    for (size_t i = 0; i < SCHEME_COUNT; i++)
        if (strcmp(schemes[i].name, name) == 0)
            return &schemes[i];
    return NULL;
}

bool verify_scheme_exists(const char *name)
{
    return scheme_find(name) != NULL;
}

const char *verify_scheme_name(size_t index, const char **summary_out)
{
    if (index >= SCHEME_COUNT)
        return NULL;
    const struct config_scheme *described = config_scheme_find(schemes[index].name);
    if (summary_out)
        *summary_out = described ? described->summary : "";
    return schemes[index].name;
}
