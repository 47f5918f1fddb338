/* SPDX-License-Identifier: MIT */
#include "mint.h"

#include <stdbool.h>
#include <string.h>

#include "callbackd/os.h"
#include "callbackd/verify.h"
#include "locate.h"

static bool takes_run_token(const struct config_endpoint *endpoint)
{
    for (size_t i = 0; i < endpoint->verify_count; i++) {
        if (strcmp(endpoint->verify[i].scheme, "run-token") == 0)
            return true;
    }
    return false;
}

const struct config_endpoint *mint_endpoint(
    const struct config *config, const char *name, struct error *error)
{
    const struct config_endpoint *endpoint = name ? config_endpoint(config, name) : NULL;
    for (size_t i = 0; !name && !endpoint && i < config->endpoint_count; i++) {
        if (config->endpoints[i].kind == BODY_WORKFLOW_RESULT &&
            takes_run_token(&config->endpoints[i]))
            endpoint = &config->endpoints[i];
    }
    if (endpoint && takes_run_token(endpoint))
        return endpoint;
    if (!name)
        error_set(
            error, ERROR_USAGE, "%s has no endpoint for workflow results with run tokens",
            config->path);
    else if (!endpoint)
        error_set(error, ERROR_USAGE, "%s has no endpoint \"%s\"", config->path, name);
    else
        error_set(error, ERROR_USAGE, "the endpoint \"%s\" takes no run tokens", name);
    return NULL;
}

int mint_callback_url(
    const struct config *config, const char *endpoint_name, int64_t deadline_at_ms, int64_t now_ms,
    struct minted *minted_out, struct error *error)
{
    const struct config_endpoint *endpoint = mint_endpoint(config, endpoint_name, error);
    if (!endpoint)
        return -1;
    CLEANUP_FREE char *public_url = locate_public_url(config, error);
    if (!public_url)
        return -1;
    char token[RUN_TOKEN_TEXT_BYTES];
    struct id run = id_new();
    int64_t expires_s = run_token_expiry(now_ms, config->run_token.lifetime_ms, deadline_at_ms);
    if (run_token_mint(&config->run_token.key, endpoint->name, &run, expires_s, token, error) != 0)
        return -1;
    if (run_token_url(public_url, endpoint->path, token, &minted_out->url) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for a URL");
    minted_out->run = run;
    minted_out->expires_at_ms = expires_s * 1000;
    return 0;
}
