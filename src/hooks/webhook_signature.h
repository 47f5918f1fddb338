/* SPDX-License-Identifier: MIT */
/* Signing as Standard Webhooks has it (standardwebhooks.com), version v1: HMAC-SHA256 over
 * "<id>.<timestamp>.<body>" with the bytes that follow "whsec_" in base64. */
#ifndef CALLBACKD_HOOKS_WEBHOOK_SIGNATURE_H
#define CALLBACKD_HOOKS_WEBHOOK_SIGNATURE_H

#include "callbackd/buffer.h"
#include "callbackd/config.h"
#include "callbackd/error.h"

/* Appends "v1,<signature>" of each secret, blanks between them. */
int webhook_sign(
    const struct config_secrets *secrets, const char *id, const char *timestamp, struct bytes body,
    struct buffer *out, struct error *error);

#endif
