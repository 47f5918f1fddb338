/* SPDX-License-Identifier: MIT */
#include "string_list.h"

#include <stdlib.h>
#include <string.h>

#include "callbackd/hooks.h"
#include "callbackd/text.h"

static int make_room(struct string_list *list, struct error *error)
{
    if (list->count + 1 < list->capacity)
        return 0;
    size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
    char **items = reallocarray(list->items, capacity, sizeof(*items));
    if (!items)
        return error_set(error, ERROR_MEMORY, "no memory for a list of strings");
    list->items = items;
    list->items[list->count] = NULL; /* whatever fails next, the list has its end */
    list->capacity = capacity;
    return 0;
}

int string_list_add(
    struct string_list *list, const struct buffer *content, const char *what, struct error *error)
{
    struct bytes text = buffer_bytes(content);
    if (content->starved)
        return error_set(error, ERROR_MEMORY, "no memory for %s", what);
    if (buffer_failed(content) || text.length >= STRING_BYTES_MAX)
        return error_set(error, ERROR_INVALID, "%s is longer than 128 KiB", what);
    if (text.length > 0 && memchr(text.data, '\0', text.length))
        return error_set(error, ERROR_INVALID, "%s contains a NUL character", what);
    if (make_room(list, error) != 0)
        return -1;
    char *copy = text_copy(buffer_text(content));
    if (!copy)
        return error_set(error, ERROR_MEMORY, "no memory for %s", what);
    list->items[list->count++] = copy;
    list->items[list->count] = NULL;
    return 0;
}

void string_list_fini(struct string_list *list)
{
    hook_strings_free(list->items);
    *list = (struct string_list){0};
}

void hook_strings_free(char **strings)
{
    /* Some are secrets: what an env_file holds. */
    for (size_t i = 0; strings && strings[i]; i++)
        secret_free(strings[i], strlen(strings[i]));
    free(strings);
}
