/* SPDX-License-Identifier: MIT */
/*
 * Reading by the table: an object's members are its rows, in their order, whether
 * they stand in the file or not. A value that is absent is read from its row's
 * default, through the same function as one that is there.
 */
#include "config_private.h"

#include <assert.h>

static void read_key(
    struct config_reader *, const struct config_key *, const struct config_place *, void *);

bool config_is_type(
    struct config_reader *reader, const struct config_place *place, enum json_type type)
{
    enum json_type found = json_type_of(place->value);
    if (place->value && found == type)
        return true;
    config_problem(
        reader, place, "is %s, and must be %s", place->value ? json_type_name(found) : "absent",
        json_type_name(type));
    return false;
}

const char *config_text_at(struct config_reader *reader, const struct config_place *place)
{
    if (!config_is_type(reader, place, JSON_TYPE_STRING))
        return NULL;
    const char *text = json_get_text(place->value);
    if (text[0] != '\0')
        return text;
    config_problem(reader, place, "is empty (remove it, or give it a value)");
    return NULL;
}

bool config_is_given(const struct config_place *place, const char *name)
{
    const struct json *value = json_get(place->value, name);
    const char *text = json_get_text(value);
    return value && !(text && *text == '\0');
}

void config_refuse_unknown(
    struct config_reader *reader, const struct config_key *parent, const struct config_place *place)
{
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const char *name = json_key_of(value);
        if (config_key_member(parent, name))
            continue;
        const struct config_place member = {.parent = place, .name = name, .value = value};
        config_problem(
            reader, &member, "is not a known key (did you mean \"%s\"?)",
            config_key_nearest(parent, name));
    }
}

/* `place->value` NULL: the object is absent and its members have their defaults. */
static void read_members(
    struct config_reader *reader, const struct config_key *parent, const struct config_place *place,
    void *base)
{
    if (place->value && !config_is_type(reader, place, JSON_TYPE_OBJECT))
        return;
    config_refuse_unknown(reader, parent, place);
    for (const struct config_key *key = config_key_next(parent, NULL); key;
         key = config_key_next(parent, key)) {
        const struct config_place member = config_member(place, config_key_name(key));
        read_key(reader, key, &member, base);
    }
    if (parent && parent->finish)
        parent->finish(reader, place, base);
}

/* The only text that may stand in the place of a list. */
static bool is_none(const struct config_key *key, const struct json *value)
{
    const char *text = json_get_text(value);
    return (key->flags & KEY_OR_NONE) && text && strcmp(text, "none") == 0;
}

static void read_list(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    if (is_none(key, place->value))
        return;
    const char *text = json_get_text(place->value);
    if (text && (key->flags & KEY_OR_NONE)) {
        config_problem(
            reader, place,
            "is \"%s\", and must be an array (name a scheme, or write \"none\" to believe "
            "everybody)",
            text);
        return;
    }
    if (!config_is_type(reader, place, JSON_TYPE_ARRAY))
        return;
    size_t count = json_count(place->value);
    if (count == 0 && (key->flags & KEY_REQUIRED))
        config_problem(
            reader, place, "is empty (%s)",
            key->flags & KEY_OR_NONE ? "name a scheme, or write \"none\" to believe everybody"
                                     : "it needs at least one element");
    if (count == 0)
        return;
    char *elements = calloc(count, key->element_size);
    if (!config_have(reader, elements))
        return;
    memcpy((char *)base + key->offset, &elements, sizeof elements);
    memcpy((char *)base + key->count_offset, &count, sizeof count);
    size_t index = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const struct config_place element = config_element(place, index, value);
        read_members(reader, key, &element, elements + index * key->element_size);
        index++;
    }
}

/* The text of a scalar. Numbers have it in the document, copied into `number`. */
static const char *scalar_text(
    const struct config_reader *reader, const struct json *value, char *number, size_t number_bytes)
{
    bool flag;
    if (json_get_bool(value, &flag))
        return flag ? "true" : "false";
    if (json_type_of(value) != JSON_TYPE_NUMBER)
        return json_get_text(value);
    struct bytes source = json_source(reader->document, value);
    size_t length = source.length < number_bytes ? source.length : number_bytes - 1;
    memcpy(number, source.data, length);
    number[length] = '\0';
    return number;
}

static void read_scalar(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    const struct config_type *type = config_type(key->type);
    void *target = (char *)base + key->offset;
    if (!place->value) {
        if (key->fallback)
            type->read_text(reader, key, place, key->fallback, target);
        return;
    }
    if (json_type_of(place->value) != type->json) {
        config_problem(
            reader, place, "is %s, and must be a %s (such as %s)",
            json_type_name(json_type_of(place->value)), key->shape ? key->shape : type->shape,
            type->example);
        return;
    }
    char number[64];
    const char *text = scalar_text(reader, place->value, number, sizeof number);
    bool optional = !(key->flags & KEY_REQUIRED) && !key->fallback;
    if (text[0] == '\0' && optional)
        return; /* an empty text is the same as none */
    if (text[0] == '\0')
        config_problem(reader, place, "is empty (give it a value)");
    else
        type->read_text(reader, key, place, text, target);
}

static void read_key(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    if (!place->value && (key->flags & KEY_REQUIRED)) {
        config_problem(
            reader, place, "is missing (%s)",
            key->flags & KEY_OR_NONE ? "name a scheme, or write \"none\" to believe everybody"
                                     : "it is required");
        return;
    }
    if (key->type == KEY_OBJECT) {
        if (place->value || !(key->flags & KEY_OPTIONAL))
            read_members(reader, key, place, (char *)base + key->offset);
    } else if (config_type(key->type)->read_text) {
        read_scalar(reader, key, place, base);
    } else if (place->value) {
        if (key->type == KEY_LIST)
            read_list(reader, key, place, base);
        else
            config_type(key->type)->read_value(reader, key, place, base);
    }
}

void config_read_file(struct config_reader *reader)
{
    const struct config_place file = {.value = json_root(reader->document)};
    read_members(reader, NULL, &file, reader->config);
}

/* ---- visiting what was read ---- */

struct visit {
    enum key_type type;
    config_visitor *visitor;
    void *context;
};

static int visit_members(
    const struct visit *visit, const struct config_key *parent, const struct config_place *place,
    void *base);

static int visit_list(
    const struct visit *visit, const struct config_key *key, const struct config_place *place,
    void *base)
{
    char *elements;
    size_t count;
    memcpy(&elements, (char *)base + key->offset, sizeof elements);
    memcpy(&count, (char *)base + key->count_offset, sizeof count);
    for (size_t i = 0; i < count; i++) {
        const struct config_place element = config_element(place, i, NULL);
        int stop = visit_members(visit, key, &element, elements + i * key->element_size);
        if (stop != 0)
            return stop;
    }
    return 0;
}

static int visit_members(
    const struct visit *visit, const struct config_key *parent, const struct config_place *place,
    void *base)
{
    int stop = 0;
    for (const struct config_key *key = config_key_next(parent, NULL); key && stop == 0;
         key = config_key_next(parent, key)) {
        const struct config_place member = {.parent = place, .name = config_key_name(key)};
        if (key->type == KEY_OBJECT)
            stop = visit_members(visit, key, &member, (char *)base + key->offset);
        else if (key->type == KEY_LIST)
            stop = visit_list(visit, key, &member, base);
        /* After its elements, so that a list can be freed from its own visit. */
        if (stop == 0 && (key->type == visit->type || visit->type == KEY_TYPES))
            stop = visit->visitor(visit->context, key, &member, base);
    }
    return stop;
}

int config_visit(struct config *config, enum key_type type, config_visitor *visitor, void *context)
{
    const struct visit visit = {.type = type, .visitor = visitor, .context = context};
    const struct config_place file = {0};
    return visit_members(&visit, NULL, &file, config);
}

static int fini_key(
    void *context, const struct config_key *key, const struct config_place *place, void *base)
{
    (void)context;
    (void)place;
    const struct config_type *type = config_type(key->type);
    if (type->fini)
        type->fini(key, base);
    return 0;
}

void config_fini(struct config *config)
{
    config_visit(config, KEY_TYPES, fini_key, NULL);
}
