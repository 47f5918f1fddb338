/* SPDX-License-Identifier: MIT */
/* A NULL-terminated list of strings in the making: argument vectors and environments. */
#ifndef CALLBACKD_HOOKS_STRING_LIST_H
#define CALLBACKD_HOOKS_STRING_LIST_H

#include <stddef.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

enum {
    /* The kernel's limit for one argument or variable, the NUL included (MAX_ARG_STRLEN). */
    STRING_BYTES_MAX = 128 * 1024,
};

struct string_list {
    char **items; /* terminated by NULL once something was added */
    size_t count;
    size_t capacity;
};

/* Adds a copy of the buffer's content. ERROR_INVALID when it holds a NUL or did not fit into
 * STRING_BYTES_MAX; `what` names it in the message. */
int string_list_add(
    struct string_list *list, const struct buffer *content, const char *what, struct error *error);
void string_list_fini(struct string_list *list);

#endif
