/* SPDX-License-Identifier: MIT */
/* The kinds of value: what people write, how it is read, how it is freed. */
#include "config_private.h"

/* For all whose target is one pointer to memory of its own. */
static void free_pointer(const struct config_key *key, void *base)
{
    char *pointer;
    memcpy(&pointer, (char *)base + key->offset, sizeof pointer);
    free(pointer);
}

static void free_address(const struct config_key *key, void *base)
{
    struct config_listener *listener = (void *)((char *)base + key->offset);
    free(listener->address);
    free(listener->host);
}

static void free_socket(const struct config_key *key, void *base)
{
    const struct config_listener *listener = (const void *)((char *)base + key->offset);
    free(listener->unix_path);
}

static void free_secrets(const struct config_key *key, void *base)
{
    config_secrets_fini((void *)((char *)base + key->offset));
}

static void free_networks(const struct config_key *key, void *base)
{
    const struct config_proxies *proxies = (const void *)((char *)base + key->offset);
    free(proxies->networks);
}

static void free_texts(const struct config_key *key, void *base)
{
    char **texts;
    memcpy(&texts, (char *)base + key->offset, sizeof texts);
    for (char **text = texts; text && *text; text++)
        free(*text);
    free(texts);
}

static void free_variables(const struct config_key *key, void *base)
{
    struct config_variable *variables;
    size_t count;
    memcpy(&variables, (char *)base + key->offset, sizeof variables);
    memcpy(&count, (char *)base + key->count_offset, sizeof count);
    for (size_t i = 0; i < count; i++) {
        free(variables[i].name);
        free(variables[i].value);
    }
    free(variables);
}

static void free_when(const struct config_key *key, void *base)
{
    config_condition_fini((void *)((char *)base + key->offset));
}

/* clang-format off */
static const struct config_type types[KEY_TYPES] = {
    [KEY_OBJECT] = {"object", NULL, JSON_TYPE_OBJECT, NULL, NULL, NULL},
    [KEY_LIST] = {"list of objects", NULL, JSON_TYPE_ARRAY, NULL, NULL, free_pointer},
    [KEY_TEXT] = {"text", "\"text\"", JSON_TYPE_STRING, config_read_plain, NULL, free_pointer},
    [KEY_NAME] = {"name", "\"results\"", JSON_TYPE_STRING, config_read_name, NULL, free_pointer},
    [KEY_PATH] = {"path", "\"/var/lib/callbackd\"", JSON_TYPE_STRING, config_read_path, NULL,
                  free_pointer},
    [KEY_URL] = {"URL", "\"https://hooks.example.com\"", JSON_TYPE_STRING, config_read_url, NULL,
                 free_pointer},
    [KEY_URL_PATH] = {"path of a URL", "\"/callback\"", JSON_TYPE_STRING, config_read_url_path,
                      NULL, free_pointer},
    [KEY_INTEGER] = {"whole number", "4", JSON_TYPE_NUMBER, config_read_integer, NULL, NULL},
    [KEY_BOOL] = {"true or false", "true", JSON_TYPE_BOOL, config_read_bool, NULL, NULL},
    [KEY_DURATION] = {"duration", "\"30s\"", JSON_TYPE_STRING, config_read_duration, NULL, NULL},
    [KEY_SIZE] = {"size", "\"16MiB\"", JSON_TYPE_STRING, config_read_size, NULL, NULL},
    [KEY_MODE] = {"permissions", "\"0660\"", JSON_TYPE_STRING, config_read_mode, NULL, NULL},
    [KEY_RATE] = {"rate", "\"10/s\"", JSON_TYPE_STRING, config_read_rate, NULL, NULL},
    [KEY_CHOICE] = {"choice", "\"info\"", JSON_TYPE_STRING, config_read_choice, NULL, NULL},
    [KEY_ADDRESS] = {"address", "\"127.0.0.1:8080\"", JSON_TYPE_STRING, config_read_address, NULL,
                     free_address},
    [KEY_SOCKET] = {"path", "\"/run/callbackd/receiver.sock\"", JSON_TYPE_STRING,
                    config_read_socket, NULL, free_socket},
    [KEY_SECRET] = {"secret", NULL, JSON_TYPE_STRING, NULL, config_read_secrets, free_secrets},
    [KEY_NETWORKS] = {"list of networks", NULL, JSON_TYPE_ARRAY, NULL, config_read_networks,
                      free_networks},
    [KEY_TEXTS] = {"list of texts", NULL, JSON_TYPE_ARRAY, NULL, config_read_texts, free_texts},
    [KEY_COMMAND] = {"list of texts", NULL, JSON_TYPE_ARRAY, NULL, config_read_command,
                     free_texts},
    [KEY_VARIABLES] = {"object of texts", NULL, JSON_TYPE_OBJECT, NULL, config_read_variables,
                       free_variables},
    [KEY_HEADERS] = {"object of texts", NULL, JSON_TYPE_OBJECT, NULL, config_read_headers,
                     free_variables},
    [KEY_STATUSES] = {"list of statuses", NULL, JSON_TYPE_ARRAY, NULL, config_read_statuses, NULL},
    [KEY_EXITS] = {"list of exit codes", NULL, JSON_TYPE_ARRAY, NULL, config_read_exits, NULL},
    [KEY_WHEN] = {"object", NULL, JSON_TYPE_OBJECT, NULL, config_read_when, free_when},
    [KEY_CONDITION] = {"condition", NULL, JSON_TYPE_OBJECT, NULL, NULL, NULL},
};
/* clang-format on */

const struct config_type *config_type(enum key_type type)
{
    return &types[type];
}
