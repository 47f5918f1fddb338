/* SPDX-License-Identifier: MIT */
/*
 * What a hook is told beside the body: one table, whose rows are at once the fields of
 * argument templates ("{name}") and the variables of the environment ("CALLBACK_NAME").
 */
#ifndef CALLBACKD_HOOKS_FIELD_H
#define CALLBACKD_HOOKS_FIELD_H

#include <stddef.h>

#include "callbackd/buffer.h"
#include "callbackd/hooks.h"

struct field {
    const char *name;     /* NULL: not in templates */
    const char *variable; /* NULL: not in the environment */
    bool dead_only;       /* in that of hooks that take dead jobs only */
    /* Appends the value, nothing when it is absent. */
    void (*append)(const struct hook_values *values, struct buffer *out);
};

/* The rows, in the order of the documentation. */
const struct field *field_table(size_t *count_out);
/* NULL: there is no such field. */
const struct field *field_find(struct bytes name);

#endif
