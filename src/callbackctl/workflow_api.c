/* SPDX-License-Identifier: MIT */
#include "workflow_api.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/buffer.h"
#include "callbackd/text.h"

#define DEFAULT_BASE_URL "https://api.promptlayer.com"

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

void workflow_api_fini(struct workflow_api *api)
{
    free(api->base_url);
    if (api->api_key)
        secret_free(api->api_key, strlen(api->api_key));
    *api = (struct workflow_api){0};
}

static char *without_trailing_slashes(const char *url)
{
    size_t length = strlen(url);
    while (length > 0 && url[length - 1] == '/')
        length--;
    return strndup(url, length);
}

static char *copy_secret(const struct config_secrets *secrets)
{
    if (secrets->count == 0 || secrets->items[0].length == 0)
        return NULL;
    return strndup((const char *)secrets->items[0].data, secrets->items[0].length);
}

int workflow_api_open(
    struct workflow_api *api, struct session *session, bool needs_key, int64_t timeout_ms,
    struct error *error)
{
    *api = (struct workflow_api){0};
    const char *key = environment("PROMPTLAYER_API_KEY");
    const char *base_url = environment("PROMPTLAYER_BASE_URL");
    const struct config *config = NULL;
    /* With both given, a client far from the daemon needs no configuration at all. */
    if ((!base_url || (needs_key && !key)) && session_has_config(session)) {
        config = session_config(session, needs_key && !key ? NEED_API_KEY : NEED_NO_SECRET, error);
        if (!config)
            return -1;
    }
    if (!base_url)
        base_url = config ? config->promptlayer.base_url : DEFAULT_BASE_URL;
    api->base_url = without_trailing_slashes(base_url);
    api->api_key = key ? text_copy(key) : NULL;
    if (!key && config)
        api->api_key = copy_secret(&config->promptlayer.api_key);
    api->has_key = api->api_key || (config && config->promptlayer.api_key.count > 0);
    if (needs_key && !api->api_key)
        return error_set(
            error, ERROR_USAGE,
            "the workflow API's key is missing: set PROMPTLAYER_API_KEY, or api_key_file of "
            "\"promptlayer\" in the configuration");
    if (!api->base_url)
        return error_set(error, ERROR_MEMORY, "no memory for a URL");
    api->api = (struct promptlayer_api){
        .base_url = api->base_url, .api_key = api->api_key, .timeout_ms = timeout_ms};
    return 0;
}
