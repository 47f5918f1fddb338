/* SPDX-License-Identifier: MIT */
#include "template.h"

#include <string.h>

#include "callbackd/json_scan.h"
#include "callbackd/os.h"
#include "callbackd/text.h"
#include "field.h"
#include "string_list.h"
#include "value.h"

/* One piece of a template: literal text, or what stands between two braces. */
struct piece {
    bool literal;
    struct bytes text;
};

/* Takes the next piece off `*cursor`. 1: got one, 0: the template is at its end. */
static int next_piece(const char **cursor, struct piece *piece, struct error *error)
{
    const char *start = *cursor;
    if (*start == '\0')
        return 0;
    bool doubled = (*start == '{' || *start == '}') && start[1] == *start;
    if (doubled || *start == '}') {
        *piece = (struct piece){true, bytes_of(start, 1)};
        *cursor = start + (doubled ? 2 : 1);
        return 1;
    }
    if (*start != '{') {
        size_t length = strcspn(start, "{}");
        *piece = (struct piece){true, bytes_of(start, length)};
        *cursor = start + length;
        return 1;
    }
    const char *end = strchr(start, '}');
    if (!end)
        return error_set(
            error, ERROR_INVALID, "\"%s\": a { is not closed (write {{ for a brace)", start);
    *piece = (struct piece){false, bytes_of(start + 1, (size_t)(end - start - 1))};
    *cursor = end + 1;
    return 1;
}

static int unknown_field(struct bytes name, struct error *error)
{
    return error_set(
        error, ERROR_INVALID, "{%.*s} is neither a field nor a JSON pointer", (int)name.length,
        (const char *)name.data);
}

static bool is_pointer(struct bytes name)
{
    return name.length > 0 && name.data[0] == '/';
}

static int expand_pointer(
    struct bytes name, const struct hook_values *values, struct buffer *out, struct error *error)
{
    CLEANUP_BUFFER struct buffer pointer;
    buffer_init(&pointer, name.length);
    if (buffer_append_bytes(&pointer, name) != 0)
        return error_set(error, ERROR_MEMORY, "no memory for a JSON pointer");
    if (!json_pointer_is_valid(buffer_text(&pointer)))
        return unknown_field(name, error);
    if (values)
        value_find(values->result->kind, values->body, buffer_text(&pointer), out);
    return 0;
}

/* `values` NULL: looks only whether it could be expanded. */
static int expand(
    const char *template, const struct hook_values *values, struct buffer *out, struct error *error)
{
    struct piece piece = {.literal = false};
    int got;
    while ((got = next_piece(&template, &piece, error)) > 0) {
        if (piece.literal) {
            buffer_append_bytes(out, piece.text);
        } else if (is_pointer(piece.text)) {
            if (expand_pointer(piece.text, values, out, error) != 0)
                return -1;
        } else {
            const struct field *field = field_find(piece.text);
            if (!field)
                return unknown_field(piece.text, error);
            if (values)
                field->append(values, out);
        }
    }
    return got;
}

int template_expand(
    const char *template, const struct hook_values *values, struct buffer *out, struct error *error)
{
    return expand(template, values, out, error);
}

int template_check(const char *template, struct error *error)
{
    CLEANUP_BUFFER struct buffer literals;
    buffer_init(&literals, strlen(template));
    return expand(template, NULL, &literals, error);
}

static int add_argument(
    struct string_list *arguments, const char *template, const struct hook_values *values,
    struct error *error)
{
    char what[32];
    snprintf(what, sizeof(what), "argument %zu", arguments->count);
    CLEANUP_BUFFER struct buffer text;
    buffer_init(&text, STRING_BYTES_MAX - 1);
    if (template_expand(template, values, &text, error) != 0)
        return error_prefix(error, "%s", what);
    return string_list_add(arguments, &text, what, error);
}

static int add_shell(struct string_list *arguments, const char *script, struct error *error)
{
    const char *const words[] = {"/bin/sh", "-c", script};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        CLEANUP_BUFFER struct buffer text;
        buffer_init(&text, STRING_BYTES_MAX - 1);
        buffer_append_text(&text, words[i]);
        if (string_list_add(arguments, &text, "the shell's text", error) != 0)
            return -1;
    }
    return 0;
}

int hook_arguments(const struct hook_values *values, char ***arguments_out, struct error *error)
{
    const struct config_hook *hook = values->hook;
    struct string_list arguments = {0};
    int result = hook->shell ? add_shell(&arguments, hook->shell, error) : 0;
    for (size_t i = 0; result == 0 && !hook->shell && hook->command && hook->command[i]; i++)
        result = add_argument(&arguments, hook->command[i], values, error);
    if (result == 0 && arguments.count == 0)
        result = error_set(error, ERROR_INVALID, "the hook has no command");
    if (result != 0) {
        string_list_fini(&arguments);
        return -1;
    }
    *arguments_out = arguments.items;
    return 0;
}
