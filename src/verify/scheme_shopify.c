/* SPDX-License-Identifier: MIT */
/* "shopify": X-Shopify-Hmac-SHA256: base64 of HMAC-SHA256 over the body. */
#include "scheme_keys.h"

#include <stdio.h>

/* Subscriptions to several topics share the id of an event: each is a post of its own. */
int scheme_shopify_check_head(
    const void *state, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    (void)state;
    if (!signing_header(request, "X-Shopify-Hmac-SHA256", error))
        return -1;
    const char *event = request->header(request->context, "X-Shopify-Event-Id");
    const char *topic = request->header(request->context, "X-Shopify-Topic");
    char id[VERIFY_TEXT_MAX + 2]; /* one that is too long shows */
    if (!event)
        return signing_take_id(request, "X-Shopify-Webhook-Id", outcome, error);
    snprintf(id, sizeof id, "%s%s%s", event, topic ? ":" : "", topic ? topic : "");
    return signing_keep_id(bytes_of_text(id), outcome, error);
}

int scheme_shopify_check_body(
    const void *state, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error)
{
    (void)outcome;
    const char *value = signing_header(request, "X-Shopify-Hmac-SHA256", error);
    if (!value)
        return -1;
    return scheme_keys_check(state, bytes_of_text(value), ENCODING_BASE64, &body, 1, error);
}
