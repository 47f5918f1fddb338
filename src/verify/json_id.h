/* SPDX-License-Identifier: MIT */
/* Ids that senders put into their bodies. */
#ifndef CALLBACKD_VERIFY_JSON_ID_H
#define CALLBACKD_VERIFY_JSON_ID_H

#include "callbackd/verify.h"

/* Keeps the string at the pointer as the delivery id. What is no id is none: the body, which is
 * genuine, has its own verdict. */
void json_id_keep(struct bytes body, const char *pointer, struct verify_outcome *outcome);

#endif
