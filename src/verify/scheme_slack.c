/* SPDX-License-Identifier: MIT */
/* "slack": X-Slack-Signature: v0=<hex> of HMAC-SHA256 over "v0:<timestamp>:<body>". Slack asks
 * once whether the URL is ours: its challenge is the answer. */
#include "scheme_keys.h"

#include "callbackd/json_scan.h"
#include "json_id.h"

int scheme_slack_check_head(
    const void *opaque, const struct verify_request *request, struct verify_outcome *outcome,
    struct error *error)
{
    (void)outcome;
    const struct scheme_keys *state = opaque;
    const char *time = signing_header(request, "X-Slack-Request-Timestamp", error);
    if (!time || !signing_header(request, "X-Slack-Signature", error))
        return -1;
    return signing_check_time(
        bytes_of_text(time), request->now_ms, state->options->tolerance_ms, error);
}

static void take_challenge(struct bytes body, struct verify_outcome *outcome)
{
    struct bytes type;
    struct bytes challenge;
    enum json_event kind;
    if (json_pointer_find(body, "/type", &type, &kind) && kind == JSON_STRING &&
        bytes_equal_text(type, "\"url_verification\"") &&
        json_pointer_find(body, "/challenge", &challenge, &kind) && kind == JSON_STRING)
        outcome->challenge = challenge;
}

int scheme_slack_check_body(
    const void *opaque, const struct verify_request *request, struct bytes body,
    struct verify_outcome *outcome, struct error *error)
{
    const struct scheme_keys *state = opaque;
    const char *time = signing_header(request, "X-Slack-Request-Timestamp", error);
    const char *value = time ? signing_header(request, "X-Slack-Signature", error) : NULL;
    if (!value)
        return -1;
    if (strncmp(value, "v0=", 3) != 0)
        return error_set(error, ERROR_UNAUTHORIZED, "X-Slack-Signature is not v0=…");
    const struct bytes parts[] = {
        bytes_of_text("v0:"), bytes_of_text(time), bytes_of_text(":"), body};
    if (scheme_keys_check(state, bytes_of_text(value + 3), ENCODING_HEX, parts, 4, error) != 0)
        return -1;
    take_challenge(body, outcome);
    json_id_keep(body, "/event_id", outcome);
    return 0;
}
