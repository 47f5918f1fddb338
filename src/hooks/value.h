/* SPDX-License-Identifier: MIT */
/*
 * Looking up a value inside a stored body, for conditions and templates alike, so that both
 * mean the same by a pointer. In a form, "/name" is the field of that name.
 */
#ifndef CALLBACKD_HOOKS_VALUE_H
#define CALLBACKD_HOOKS_VALUE_H

#include <stdbool.h>

#include "callbackd/body.h"
#include "callbackd/buffer.h"

/*
 * Appends the value: a string decoded, anything else as its JSON spelling. false: there is no
 * such value, `out` is as it was. A value that does not fit leaves `out` marked failed.
 */
bool value_find(enum body_kind kind, struct bytes body, const char *pointer, struct buffer *out);

#endif
