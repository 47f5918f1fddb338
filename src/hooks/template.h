/* SPDX-License-Identifier: MIT */
/*
 * Argument templates: "{name}" is a field (field.h), "{/json/pointer}" a value of the body, "{{"
 * and "}}" are braces; a "}" that closes nothing stands for itself.
 */
#ifndef CALLBACKD_HOOKS_TEMPLATE_H
#define CALLBACKD_HOOKS_TEMPLATE_H

#include "callbackd/buffer.h"
#include "callbackd/hooks.h"

/* Appends the template with its values. ERROR_INVALID: it is not a template. A value that does
 * not fit leaves `out` marked failed. */
int template_expand(
    const char *template, const struct hook_values *values, struct buffer *out,
    struct error *error);
/* Is it a template? ERROR_INVALID says why not. */
int template_check(const char *template, struct error *error);

#endif
