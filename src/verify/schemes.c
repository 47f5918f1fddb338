/* SPDX-License-Identifier: MIT */
/* The table of signature schemes. Their names, summaries and options for people stand in the
 * config room, which checks them before this room is asked. */
#include "schemes.h"

#include "scheme_keys.h"

static const struct scheme schemes[] = {
    {
        .name = "run-token",
        .uses_path = true,
        .open = scheme_run_token_open,
        .close = scheme_run_token_close,
        .check_head = scheme_run_token_check_head,
    },
    {
        .name = "promptlayer",
        .open = scheme_promptlayer_open,
        .close = scheme_promptlayer_close,
        .check_head = scheme_promptlayer_check_head,
        .check_body = scheme_promptlayer_check_body,
    },
    {
        .name = "standard-webhooks",
        .open = scheme_standard_webhooks_open,
        .close = scheme_standard_webhooks_close,
        .check_head = scheme_standard_webhooks_check_head,
        .check_body = scheme_standard_webhooks_check_body,
    },
    {
        .name = "github",
        .open = scheme_keys_open,
        .close = scheme_keys_close,
        .check_head = scheme_github_check_head,
        .check_body = scheme_github_check_body,
    },
    {
        .name = "stripe",
        .open = scheme_keys_open,
        .close = scheme_keys_close,
        .check_head = scheme_stripe_check_head,
        .check_body = scheme_stripe_check_body,
    },
    {
        .name = "slack",
        .open = scheme_keys_open,
        .close = scheme_keys_close,
        .check_head = scheme_slack_check_head,
        .check_body = scheme_slack_check_body,
    },
    {
        .name = "shopify",
        .open = scheme_keys_open,
        .close = scheme_keys_close,
        .check_head = scheme_shopify_check_head,
        .check_body = scheme_shopify_check_body,
    },
    {
        .name = "gitlab",
        .open = scheme_options_open,
        .close = scheme_options_close,
        .check_head = scheme_gitlab_check_head,
    },
    {
        .name = "twilio",
        .open = scheme_keys_open_sha1,
        .close = scheme_keys_close,
        .check_head = scheme_twilio_check_head,
        .check_body = scheme_twilio_check_body,
    },
    {
        .name = "hmac",
        .open = scheme_keys_open_any,
        .close = scheme_keys_close,
        .check_head = scheme_hmac_check_head,
        .check_body = scheme_hmac_check_body,
    },
    {
        .name = "bearer",
        .header_is_secret = true,
        .open = scheme_options_open,
        .close = scheme_options_close,
        .check_head = scheme_bearer_check_head,
    },
    {
        .name = "basic",
        .open = scheme_options_open,
        .close = scheme_options_close,
        .check_head = scheme_basic_check_head,
    },
    {
        .name = "client-certificate",
        .open = scheme_options_open,
        .close = scheme_options_close,
        .check_head = scheme_client_certificate_check_head,
    },
    {
        .name = "ip-allow",
        .open = scheme_options_open,
        .close = scheme_options_close,
        .check_head = scheme_ip_allow_check_head,
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
