/* SPDX-License-Identifier: MIT */
#include "json_id.h"

#include "callbackd/json_scan.h"
#include "callbackd/os.h"
#include "signing.h"

void json_id_keep(struct bytes body, const char *pointer, struct verify_outcome *outcome)
{
    struct bytes token;
    enum json_event kind;
    if (!json_pointer_find(body, pointer, &token, &kind) || kind != JSON_STRING)
        return;
    CLEANUP_BUFFER struct buffer id;
    buffer_init(&id, VERIFY_TEXT_MAX);
    if (json_decode_string(token, &id) == 0)
        (void)signing_keep_id(buffer_bytes(&id), outcome, NULL);
}
