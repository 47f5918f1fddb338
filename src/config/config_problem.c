/* SPDX-License-Identifier: MIT */
/* Places in the file, and the list of what is wrong with it. */
#include "config_private.h"

#include "callbackd/text.h"

enum { PROBLEM_TEXT_MAX = 4096 };

struct config_place config_member(const struct config_place *parent, const char *name)
{
    return (struct config_place){
        .parent = parent, .name = name, .value = json_get(parent->value, name)};
}

struct config_place config_element(
    const struct config_place *parent, size_t index, const struct json *value)
{
    return (struct config_place){.parent = parent, .index = index, .value = value};
}

void config_place_print(const struct config_place *place, struct buffer *out)
{
    if (!place->parent)
        return;
    config_place_print(place->parent, out);
    if (!place->name) {
        buffer_appendf(out, "[%zu]", place->index);
        return;
    }
    if (out->length > 0)
        buffer_append_char(out, '.');
    text_append_printable(out, bytes_of_text(place->name));
}

/* The line of what is there; for an absent value that of the object it is missing in. */
static int place_line(const struct config_reader *reader, const struct config_place *place)
{
    while (place && !place->value)
        place = place->parent;
    return place ? json_line(reader->document, place->value) : 0;
}

bool config_have(struct config_reader *reader, const void *pointer)
{
    if (!pointer)
        reader->memory_short = true;
    return pointer != NULL;
}

int config_problem_add(struct config_problems *problems, int line, const char *key, char *text)
{
    char *key_copy = text_copy(key);
    struct config_problem *items = NULL;
    if (key_copy && text)
        items = reallocarray(problems->items, problems->count + 1, sizeof *items);
    if (!items) {
        free(key_copy);
        free(text);
        return -1;
    }
    items[problems->count] = (struct config_problem){.line = line, .key = key_copy, .text = text};
    problems->items = items;
    problems->count++;
    return 0;
}

/* What the file says is quoted in messages: it may hold anything. A cut text is still a text. */
static char *printable(const char *raw)
{
    struct buffer text;
    buffer_init(&text, (size_t)PROBLEM_TEXT_MAX * 4);
    text_append_printable(&text, bytes_of_text(raw));
    return buffer_take(&text);
}

void config_problem(
    struct config_reader *reader, const struct config_place *place, const char *format, ...)
{
    char raw[PROBLEM_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    struct buffer key;
    buffer_init(&key, CONFIG_PLACE_MAX);
    config_place_print(place, &key);
    if (config_problem_add(
            reader->problems, place_line(reader, place), buffer_text(&key), printable(raw)) != 0)
        reader->memory_short = true;
    buffer_fini(&key);
}

/* In the order of the file; what stands in one line keeps the order in which it was found. */
void config_problems_sort(struct config_problems *problems)
{
    for (size_t i = 1; i < problems->count; i++) {
        struct config_problem moved = problems->items[i];
        size_t at = i;
        for (; at > 0 && problems->items[at - 1].line > moved.line; at--)
            problems->items[at] = problems->items[at - 1];
        problems->items[at] = moved;
    }
}

void config_problems_free(struct config_problems *problems)
{
    if (!problems)
        return;
    for (size_t i = 0; i < problems->count; i++) {
        free(problems->items[i].key);
        free(problems->items[i].text);
    }
    free(problems->items);
    *problems = (struct config_problems){0};
}
