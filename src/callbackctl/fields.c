/* SPDX-License-Identifier: MIT */
/* The part of listing.h that shows one object. */
#include <stdint.h>
#include <string.h>

#include "callbackd/os.h"
#include "callbackd/text.h"
#include "listing.h"
#include "table.h"

enum { NAME_BYTES = 1024, VALUE_BYTES = 64 * 1024 };

static const struct table_column columns[] = {{"", false, false}, {"", false, true}};

static bool is_skipped(const char *name, const char *const *skip)
{
    for (; skip && *skip; skip++) {
        if (strcmp(*skip, name) == 0)
            return true;
    }
    return false;
}

static bool ends_with(const char *name, const char *end)
{
    size_t name_length = strlen(name);
    size_t end_length = strlen(end);
    return name_length >= end_length && strcmp(name + name_length - end_length, end) == 0;
}

static void add_value(
    struct table *table, const struct json_document *document, const struct json *value,
    const char *name, const struct display *display)
{
    CLEANUP_BUFFER struct buffer cell;
    buffer_init(&cell, VALUE_BYTES);
    const char *text = json_get_text(value);
    int64_t size = 0;
    bool flag = false;
    if (text && ends_with(name, "_at")) {
        display_append_time(&cell, text, display->now_ms);
    } else if (text) {
        buffer_append_text(&cell, text);
    } else if (ends_with(name, "size") && json_get_int64(document, value, &size) && size >= 0) {
        char shown[32];
        display_size(size, shown, sizeof(shown));
        buffer_append_text(&cell, shown);
    } else if (json_get_bool(value, &flag)) {
        buffer_append_text(&cell, flag ? "yes" : "no");
    } else {
        buffer_append_bytes(&cell, json_source(document, value));
    }
    table_add_text(table, name);
    table_add(table, buffer_bytes(&cell));
}

/* `prefix` is "" or ends with a dot. */
static void add_members(
    struct table *table, const struct json_document *document, const struct json *container,
    const char *prefix, const char *const *skip, const struct display *display)
{
    size_t index = 0;
    for (const struct json *value = json_first(container); value; value = json_next(value)) {
        CLEANUP_BUFFER struct buffer name;
        buffer_init(&name, NAME_BYTES);
        const char *key = json_key_of(value);
        buffer_append_text(&name, prefix);
        if (key)
            buffer_append_text(&name, key);
        else
            buffer_appendf(&name, "%zu", index);
        index++;
        enum json_type type = json_type_of(value);
        const char *text = json_get_text(value);
        if (type == JSON_TYPE_NULL || (text && text[0] == '\0') ||
            is_skipped(buffer_text(&name), skip))
            continue;
        if (type == JSON_TYPE_OBJECT || type == JSON_TYPE_ARRAY) {
            buffer_append_char(&name, '.');
            /* Not deeper than the name has room for: answers are flat. */
            if (!buffer_failed(&name))
                add_members(table, document, value, buffer_text(&name), NULL, display);
        } else {
            add_value(table, document, value, buffer_text(&name), display);
        }
    }
}

int fields_append(
    const struct json_document *document, const struct json *object, const char *const *skip,
    const struct display *display, struct buffer *out, struct error *error)
{
    struct table table;
    table_init(&table, columns, COUNT_OF(columns));
    add_members(&table, document, object, "", skip, display);
    int rendered = table_render(&table, display->colour, out);
    table_fini(&table);
    return rendered == 0 ? 0 : error_set(error, ERROR_MEMORY, "no memory to show an answer");
}
