/* SPDX-License-Identifier: MIT */
#include "locate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

#define DEFAULT_CONFIG "/etc/callbackd/callbackd.json"

enum { TOKEN_BYTES_MAX = 4096, LISTENERS_BYTES_MAX = 64 * 1024 };

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

const char *locate_url(const struct arguments *arguments)
{
    const char *given = arguments_value(arguments, OPTION_URL);
    if (given || arguments_have(arguments, OPTION_CONFIG))
        return given;
    return environment("CALLBACKD_URL");
}

const char *locate_config_path(const struct arguments *arguments)
{
    const char *given = arguments_value(arguments, OPTION_CONFIG);
    if (!given)
        given = environment("CALLBACKD_CONFIG");
    return given ? given : DEFAULT_CONFIG;
}

/* NULL: --token-file or the configuration has it. */
static const char *environment_token(const struct arguments *arguments)
{
    bool elsewhere =
        arguments_have(arguments, OPTION_TOKEN_FILE) ||
        (arguments_have(arguments, OPTION_CONFIG) && !arguments_have(arguments, OPTION_URL));
    return elsewhere ? NULL : environment("CALLBACKD_TOKEN");
}

bool locate_has_token(const struct arguments *arguments)
{
    return arguments_have(arguments, OPTION_TOKEN_FILE) || environment_token(arguments) != NULL;
}

static int read_token_file(const char *path, char **token_out, struct error *error)
{
    CLEANUP_BUFFER struct buffer text;
    buffer_init_secret(&text, TOKEN_BYTES_MAX);
    if (os_read_file(path, &text, error) != 0) {
        if (error->code == ERROR_NOT_FOUND)
            error->code = ERROR_IO; /* not something that the API refused */
        return error_prefix(error, "--token-file");
    }
    size_t length = strcspn(buffer_text(&text), "\r\n");
    if (length == 0)
        return error_set(error, ERROR_USAGE, "--token-file: %s is empty", path);
    *token_out = strndup(buffer_text(&text), length);
    return *token_out ? 0 : error_set(error, ERROR_MEMORY, "no memory for a token");
}

static int config_token(const struct config *config, char **token_out, struct error *error)
{
    const struct config_secrets *token = &config->admin.token;
    if (token->count == 0)
        return error_set(error, ERROR_CONFIG, "%s names no admin token", config->path);
    *token_out = strndup((const char *)token->items[0].data, token->items[0].length);
    return *token_out ? 0 : error_set(error, ERROR_MEMORY, "no memory for a token");
}

static int find_token(
    const struct arguments *arguments, const struct config *config, char **token_out,
    struct error *error)
{
    const char *file = arguments_value(arguments, OPTION_TOKEN_FILE);
    const char *token = environment_token(arguments);
    if (file)
        return read_token_file(file, token_out, error);
    if (token) {
        *token_out = text_copy(token);
        return *token_out ? 0 : error_set(error, ERROR_MEMORY, "no memory for a token");
    }
    if (config)
        return config_token(config, token_out, error);
    return error_set(
        error, ERROR_USAGE, "the admin token is missing: give --token-file or CALLBACKD_TOKEN");
}

static int copy_ca_file(
    const struct arguments *arguments, struct admin_target *target, struct error *error)
{
    const char *ca_file = arguments_value(arguments, OPTION_CA_FILE);
    target->ca_file = text_copy(ca_file);
    return ca_file && !target->ca_file ? error_set(error, ERROR_MEMORY, "no memory for a path") : 0;
}

int locate_by_url(
    const struct arguments *arguments, const struct config *config, struct admin_target *target_out,
    struct error *error)
{
    struct admin_target target = {.ca_fd = -1};
    const char *url = locate_url(arguments);
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return error_set(
            error, ERROR_USAGE, "\"%s\" is not an admin URL such as http://127.0.0.1:8081", url);
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/')
        length--;
    target.url = strndup(url, length);
    if (!target.url)
        return error_set(error, ERROR_MEMORY, "no memory for a URL");
    if (find_token(arguments, config, &target.token, error) != 0 ||
        copy_ca_file(arguments, &target, error) != 0) {
        admin_target_fini(&target);
        return -1;
    }
    *target_out = target;
    return 0;
}

char *locate_url_of_address(const char *address, bool tls)
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || colon[1] == '\0')
        return NULL;
    CLEANUP_FREE char *host = strndup(address, (size_t)(colon - address));
    if (!host)
        return NULL;
    const char *reach = host;
    if (strcmp(host, "0.0.0.0") == 0)
        reach = "127.0.0.1";
    else if (strcmp(host, "[::]") == 0)
        reach = "[::1]";
    return text_format("%s://%s%s", tls ? "https" : "http", reach, colon);
}

/* What a running daemon wrote about the addresses that the kernel chose. */
static struct json_document *read_listeners(const struct config *config, struct error *error)
{
    CLEANUP_FREE char *path = os_path_join(config->store.directory, "listeners.json");
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, LISTENERS_BYTES_MAX);
    if (!path || os_read_file(path, &text, error) != 0) {
        if (error->code == ERROR_NOT_FOUND)
            error_set(
                error, ERROR_UNREACHABLE,
                "the daemon is not running: its port is chosen at its start, and there is no %s",
                path);
        return NULL;
    }
    struct json_document *document = json_parse(buffer_bytes(&text), error);
    if (!document) {
        error_prefix(error, "%s", path);
        error->code = ERROR_IO;
    }
    return document;
}

/* A daemon's own certificate is what its clients on the same machine are to trust. */
static int trust_certificate(
    const struct config *config, struct admin_target *target, struct error *error)
{
    const struct config_secrets *certificate = &config->admin.listener.tls.certificate;
    if (target->ca_file || certificate->count == 0 || certificate->items[0].length == 0)
        return 0;
    struct bytes pem = bytes_of(certificate->items[0].data, certificate->items[0].length);
    target->ca_fd = os_memfd("callbackctl-ca", pem, false, error);
    if (target->ca_fd < 0)
        return -1;
    target->ca_file = text_format("/proc/self/fd/%d", target->ca_fd);
    return target->ca_file ? 0 : error_set(error, ERROR_MEMORY, "no memory for a path");
}

static char *admin_url(const struct config *config, struct error *error)
{
    const struct config_listener *listener = &config->admin.listener;
    if (listener->unix_path)
        return text_copy("http://localhost");
    if (listener->port != 0)
        return locate_url_of_address(listener->address, listener->tls.enabled);
    struct json_document *document = read_listeners(config, error);
    if (!document)
        return NULL;
    const struct json *admin = json_get(json_root(document), "admin");
    const char *address = json_get_text(json_get(admin, "address"));
    char *url = address ? locate_url_of_address(address, listener->tls.enabled) : NULL;
    json_document_free(document);
    if (!url)
        error_set(
            error, ERROR_UNREACHABLE, "the daemon's listeners.json in %s names no admin address",
            config->store.directory);
    return url;
}

int locate_by_config(
    const struct arguments *arguments, const struct config *config, struct admin_target *target_out,
    struct error *error)
{
    struct admin_target target = {.ca_fd = -1};
    error_set(error, ERROR_MEMORY, "no memory for the daemon's address");
    target.url = admin_url(config, error);
    if (config->admin.listener.unix_path)
        target.unix_path = text_copy(config->admin.listener.unix_path);
    if (!target.url || (config->admin.listener.unix_path && !target.unix_path) ||
        find_token(arguments, config, &target.token, error) != 0 ||
        copy_ca_file(arguments, &target, error) != 0 ||
        (config->admin.listener.tls.enabled && trust_certificate(config, &target, error) != 0)) {
        admin_target_fini(&target);
        return -1;
    }
    *target_out = target;
    return 0;
}

char *locate_public_url(const struct config *config, struct error *error)
{
    if (config->public_url)
        return text_copy(config->public_url);
    struct json_document *document = read_listeners(config, error);
    if (!document)
        return NULL;
    char *url = text_copy(json_get_text(json_get(json_root(document), "public_url")));
    json_document_free(document);
    if (!url || url[0] == '\0') {
        free(url);
        error_set(
            error, ERROR_UNREACHABLE, "neither %s nor the running daemon has a public_url",
            config->path);
        return NULL;
    }
    return url;
}
