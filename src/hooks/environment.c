/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "callbackd/hooks.h"
#include "callbackd/os.h"
#include "field.h"
#include "stream_recipe.h"
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

static bool env_sets(const struct config_hook *hook, struct bytes name)
{
    for (size_t i = 0; i < hook->env_count; i++) {
        if (bytes_equal_text(name, hook->env[i].name))
            return true;
    }
    return false;
}

static struct bytes env_file_of(const struct config_hook *hook)
{
    if (hook->env_file.count == 0)
        return bytes_of(NULL, 0);
    return bytes_of(hook->env_file.items[0].data, hook->env_file.items[0].length);
}

static bool hook_sets(const struct config_hook *hook, const char *name)
{
    size_t at = 0;
    struct bytes key;
    struct bytes value;
    while (config_env_file_next(env_file_of(hook), &at, &key, &value)) {
        if (bytes_equal_text(key, name))
            return true;
    }
    return env_sets(hook, bytes_of_text(name));
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
    struct string_list *environment, const struct hook_values *values, struct error *error)
{
    const struct config_hook *hook = values->hook;
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++) {
        if (hook_sets(hook, inherited[i].name))
            continue;
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing of ours changes the environment */
        const char *value = getenv(inherited[i].name);
        if (values->home && strcmp(inherited[i].name, "HOME") == 0)
            value = values->home;
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

static bool comes_again(struct bytes file, size_t at, struct bytes name)
{
    struct bytes key;
    struct bytes value;
    while (config_env_file_next(file, &at, &key, &value)) {
        if (bytes_equal(key, name))
            return true;
    }
    return false;
}

/* Of a name that comes twice, the last one counts. */
static int add_from_file(
    struct string_list *environment, const struct config_hook *hook, struct error *error)
{
    struct bytes file = env_file_of(hook);
    size_t at = 0;
    struct bytes name;
    struct bytes value;
    while (config_env_file_next(file, &at, &name, &value)) {
        if (env_sets(hook, name) || comes_again(file, at, name))
            continue;
        CLEANUP_BUFFER struct buffer text;
        buffer_init_secret(&text, STRING_BYTES_MAX - 1);
        buffer_append_bytes(&text, name);
        buffer_append_char(&text, '=');
        buffer_append_bytes(&text, value);
        if (string_list_add(environment, &text, "a variable of env_file", error) != 0)
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
    if (add_inherited(&environment, values, error) != 0 ||
        add_configured(&environment, values->hook, error) != 0 ||
        add_from_file(&environment, values->hook, error) != 0 ||
        add_fields(&environment, values, error) != 0) {
        string_list_fini(&environment);
        return -1;
    }
    *environment_out = environment.items;
    return 0;
}

/* ---- of a stream ---- */

static int add_stream_fields(
    struct string_list *environment, const struct hook_values *values, const char *copy,
    struct error *error)
{
    if (add_variable(environment, "CALLBACK_HOOK", values->hook->name, error) != 0)
        return -1;
    return add_variable(environment, "CALLBACK_WORKER_ID", copy, error);
}

int stream_environment(
    const struct hook_values *values, const char *copy, char ***environment_out,
    struct error *error)
{
    struct string_list environment = {0};
    if (add_inherited(&environment, values, error) != 0 ||
        add_configured(&environment, values->hook, error) != 0 ||
        add_from_file(&environment, values->hook, error) != 0 ||
        add_stream_fields(&environment, values, copy, error) != 0) {
        string_list_fini(&environment);
        return -1;
    }
    *environment_out = environment.items;
    return 0;
}
