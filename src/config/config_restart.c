/* SPDX-License-Identifier: MIT */
/* Which changes a reload cannot take over, by the table of keys. */
#include "config_private.h"

static bool same_text(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static const char *text_at(const void *target)
{
    const char *text;
    memcpy(&text, target, sizeof text);
    return text;
}

/* Of the types that stand in such rows; another one is a mistake in the table, and its test fails.
 */
static bool is_same(const struct config_key *key, const void *a, const void *b)
{
    const struct config_listener *left = a;
    const struct config_listener *right = b;
    switch (key->type) {
    case KEY_TEXT:
    case KEY_PATH:
        return same_text(text_at(a), text_at(b));
    case KEY_MODE:
        return *(const mode_t *)a == *(const mode_t *)b;
    case KEY_ADDRESS:
        return same_text(left->address, right->address);
    case KEY_SOCKET:
        return same_text(left->unix_path, right->unix_path);
    case KEY_OBJECT: /* TLS: there or not */
        return ((const struct config_tls *)a)->enabled == ((const struct config_tls *)b)->enabled;
    default:
        return false;
    }
}

void config_visit_restarts(
    const struct config *old_config, const struct config *new_config,
    void (*visit)(void *context, const char *key), void *context)
{
    const struct config_key *section = NULL;
    while ((section = config_key_next(NULL, section))) {
        const struct config_key *key = NULL;
        while (section->type == KEY_OBJECT && (key = config_key_next(section, key))) {
            size_t offset = section->offset + key->offset;
            if ((key->flags & KEY_RESTART) &&
                !is_same(key, (const char *)old_config + offset, (const char *)new_config + offset))
                visit(context, key->pattern);
        }
    }
}
