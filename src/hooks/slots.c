/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "engine_private.h"
#include "template.h"

static int check_command(const struct config_hook *hook, struct error *error)
{
    for (size_t i = 0; hook->command && hook->command[i]; i++) {
        if (template_check(hook->command[i], error) != 0)
            return error_prefix(error, "hook %s: argument %zu", hook->name, i);
    }
    return 0;
}

int slots_make(const struct config *config, struct hook_slot **slots_out, struct error *error)
{
    /* One more than needed, for calloc(0) may give NULL. */
    struct hook_slot *slots = calloc(config->hook_count + 1, sizeof(*slots));
    if (!slots)
        return error_set(error, ERROR_MEMORY, "no memory for the hooks");
    for (size_t i = 0; i < config->hook_count; i++) {
        slots[i].hook = &config->hooks[i];
        if (check_command(&config->hooks[i], error) == 0)
            slots[i].matcher = hook_matcher_new(&config->hooks[i], error);
        if (!slots[i].matcher) {
            slots_free(slots, i);
            if (error)
                error->code = ERROR_CONFIG;
            return -1;
        }
    }
    *slots_out = slots;
    return 0;
}

void slots_free(struct hook_slot *slots, size_t count)
{
    for (size_t i = 0; slots && i < count; i++)
        hook_matcher_free(slots[i].matcher);
    free(slots);
}

struct hook_slot *slots_find(struct hook_slot *slots, size_t count, const char *hook)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(slots[i].hook->name, hook) == 0)
            return &slots[i];
    }
    return NULL;
}
