/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "callbackd/hooks.h"
#include "callbackd/os.h"
#include "field.h"
#include "string_list.h"

/* What is passed on from our own environment, else with these values. */
static const struct {
    const char *name;
    const char *otherwise;
} inherited[] = {
    {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    {"HOME", "/"},
    {"LANG", "C.UTF-8"},
};

static bool hook_sets(const struct config_hook *hook, const char *name)
{
    for (size_t i = 0; i < hook->env_count; i++) {
        if (strcmp(hook->env[i].name, name) == 0)
            return true;
    }
    return false;
}

/* The names of the table are ours: a hook's own variable of that name is left out, so that no
 * name comes twice. */
static bool is_ours(const char *name)
{
    size_t count;
    const struct field *fields = field_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].variable && strcmp(fields[i].variable, name) == 0)
            return true;
    }
    return false;
}

static int add_variable(
    struct string_list *environment, const char *name, const char *value, struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, STRING_BYTES_MAX - 1);
    buffer_appendf(&text, "%s=", name);
    buffer_append_text(&text, value);
    return string_list_add(environment, &text, name, error);
}

static int add_inherited(
    struct string_list *environment, const struct config_hook *hook, struct error *error)
{
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++) {
        if (hook_sets(hook, inherited[i].name))
            continue;
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing of ours changes the environment */
        const char *value = getenv(inherited[i].name);
        if (!value || value[0] == '\0')
            value = inherited[i].otherwise;
        if (add_variable(environment, inherited[i].name, value, error) != 0)
            return -1;
    }
    return 0;
}

static int add_configured(
    struct string_list *environment, const struct config_hook *hook, struct error *error)
{
    for (size_t i = 0; i < hook->env_count; i++) {
        const struct config_variable *variable = &hook->env[i];
        if (!is_ours(variable->name) &&
            add_variable(environment, variable->name, variable->value, error) != 0)
            return -1;
    }
    return 0;
}

static int add_fields(
    struct string_list *environment, const struct hook_values *values, struct error *error)
{
    size_t count;
    const struct field *fields = field_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (!fields[i].variable || (fields[i].dead_only && values->hook->takes != TAKES_DEAD))
            continue;
        CLEANUP_BUFFER struct buffer text;
        buffer_init(&text, STRING_BYTES_MAX - 1);
        buffer_appendf(&text, "%s=", fields[i].variable);
        fields[i].append(values, &text);
        if (string_list_add(environment, &text, fields[i].variable, error) != 0)
            return -1;
    }
    return 0;
}

int hook_environment(const struct hook_values *values, char ***environment_out, struct error *error)
{
    struct string_list environment = {0};
    if (add_inherited(&environment, values->hook, error) != 0 ||
        add_configured(&environment, values->hook, error) != 0 ||
        add_fields(&environment, values, error) != 0) {
        string_list_fini(&environment);
        return -1;
    }
    *environment_out = environment.items;
    return 0;
}
