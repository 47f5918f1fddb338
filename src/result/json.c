/* SPDX-License-Identifier: MIT */
/*
 * cJSON builds the values; where they stand in the text comes from our own scan. Both meet every
 * value in the same order, so one array of nodes in that order holds the two together, and the
 * children of a container follow it directly.
 */
#include "callbackd/json.h"

#include <cjson/cJSON.h>
#include <math.h>

#include "callbackd/text.h"
#include "json_comments.h"
#include "json_scan_private.h"
#include "json_string.h"

enum {
    DEPTH_MAX = 64,
    NUMBER_MAX = 63 /* cJSON reads no more characters of one */
};

struct json {
    const cJSON *item;
    size_t start;
    size_t end;
    size_t place; /* of its key, for a member; otherwise start */
    size_t span;  /* nodes of this subtree, itself included */
};

struct json_document {
    char *text;
    size_t length;
    cJSON *tree;
    struct json *nodes;
    size_t count;
    size_t capacity;
};

/* ---- messages ---- */

/* `text` as it was given: a column counts the characters of a comment as they are. */
static int fail_at(struct bytes text, size_t at, struct error *error, const char *what)
{
    int line = 1;
    int column = 1;
    for (size_t i = 0; i < at && i < text.length; i++) {
        if (text.data[i] == '\n') {
            line++;
            column = 1;
        } else if ((text.data[i] & 0xC0) != 0x80) {
            column++;
        }
    }
    return error_set(error, ERROR_INVALID, "line %d, column %d: %s", line, column, what);
}

/* ---- the scan ---- */

struct builder {
    struct json_document *document;
    struct bytes text; /* as it was given */
    size_t key;        /* place of the key that waits for its value */
    bool has_key;
    size_t open[DEPTH_MAX]; /* nodes of the open containers */
};

static int check_token(
    const struct builder *builder, enum json_event event, size_t start, size_t end,
    struct error *error)
{
    bool nul, lone;
    if (event == JSON_NUMBER && end - start > NUMBER_MAX)
        return fail_at(builder->text, start, error, "a number of more than 63 characters");
    if (event != JSON_KEY && event != JSON_STRING)
        return 0;
    json_string_oddities(bytes_of(builder->document->text + start, end - start), &nul, &lone);
    if (nul)
        return fail_at(builder->text, start, error, "a string with a NUL in it");
    if (lone)
        return fail_at(builder->text, start, error, "a string with half a surrogate pair");
    return 0;
}

static int add_node(struct builder *builder, size_t start, size_t end, struct error *error)
{
    struct json_document *document = builder->document;
    if (document->count == document->capacity) {
        size_t capacity = document->capacity ? document->capacity * 2 : 64;
        struct json *nodes = reallocarray(document->nodes, capacity, sizeof *nodes);
        if (!nodes)
            return error_set(error, ERROR_MEMORY, "no memory for a JSON document");
        document->nodes = nodes;
        document->capacity = capacity;
    }
    document->nodes[document->count++] = (struct json){
        .start = start, .end = end, .place = builder->has_key ? builder->key : start, .span = 1};
    builder->has_key = false;
    return 0;
}

static int build(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct builder *builder = context;
    struct json_document *document = builder->document;
    if (check_token(builder, event, start, end, error) != 0)
        return -1;
    switch (event) {
    case JSON_KEY:
        builder->key = start;
        builder->has_key = true;
        return 0;
    case JSON_OBJECT_END:
    case JSON_ARRAY_END: {
        size_t index = builder->open[depth];
        document->nodes[index].end = end;
        document->nodes[index].span = document->count - index;
        return 0;
    }
    case JSON_OBJECT_BEGIN:
    case JSON_ARRAY_BEGIN:
        builder->open[depth] = document->count;
        return add_node(builder, start, end, error);
    default:
        return add_node(builder, start, end, error);
    }
}

static int scan(struct json_document *document, struct bytes text, struct error *error)
{
    struct builder builder = {.document = document, .text = text};
    struct json_scan scan;
    char what[64];
    json_scan_init(&scan, DEPTH_MAX, build, &builder);
    if (json_scan_finish(&scan, bytes_of(document->text, document->length), error) == 0)
        return 0;
    if (json_scan_was_stopped(&scan))
        return -1;
    json_scan_describe(&scan, what, sizeof what);
    return fail_at(text, scan.position, error, what);
}

/* ---- the tree ---- */

/* Gives each node its item; returns the index after this subtree. Depth: DEPTH_MAX. */
static size_t bind_items(struct json *nodes, size_t index, const cJSON *item)
{
    nodes[index++].item = item;
    for (const cJSON *child = item->child; child; child = child->next)
        index = bind_items(nodes, index, child);
    return index;
}

static int compare_keys(const void *a, const void *b)
{
    const struct json *const *first = a;
    const struct json *const *second = b;
    int order = strcmp((*first)->item->string, (*second)->item->string);
    if (order != 0)
        return order;
    return (*first)->place < (*second)->place ? -1 : 1;
}

/* `members` has room for all of them. */
static const struct json *first_duplicate(const struct json *object, const struct json **members)
{
    const struct json *found = NULL;
    size_t count = 0;
    for (const struct json *member = json_first(object); member; member = json_next(member))
        members[count++] = member;
    qsort(members, count, sizeof(const struct json *), compare_keys);
    for (size_t i = 1; i < count; i++)
        if (strcmp(members[i - 1]->item->string, members[i]->item->string) == 0 &&
            (!found || members[i]->place < found->place))
            found = members[i];
    return found;
}

static int fail_duplicate(struct bytes text, const struct json *member, struct error *error)
{
    struct buffer what;
    buffer_init(&what, 256);
    buffer_append_text(&what, "the key \"");
    text_append_printable(&what, bytes_of_text(member->item->string));
    buffer_append_text(&what, "\" is there twice");
    fail_at(
        text, member->place, error,
        buffer_failed(&what) ? "a key is there twice" : buffer_text(&what));
    buffer_fini(&what);
    return -1;
}

static int refuse_duplicates(
    const struct json_document *document, struct bytes text, struct error *error)
{
    const struct json **members = calloc(document->count, sizeof(const struct json *));
    const struct json *duplicate = NULL;
    if (!members)
        return error_set(error, ERROR_MEMORY, "no memory for a JSON document");
    for (size_t i = 0; i < document->count && !duplicate; i++)
        if (cJSON_IsObject(document->nodes[i].item))
            duplicate = first_duplicate(&document->nodes[i], members);
    free(members);
    return duplicate ? fail_duplicate(text, duplicate, error) : 0;
}

static int fill(
    struct json_document *document, struct bytes text, bool commented, struct error *error)
{
    size_t open;
    document->text = malloc(text.length + 1);
    if (!document->text)
        return error_set(error, ERROR_MEMORY, "no memory for a JSON document");
    if (text.length > 0)
        memcpy(document->text, text.data, text.length);
    document->text[text.length] = '\0';
    document->length = text.length;
    if (commented && !json_blank_comments(document->text, document->length, &open))
        return fail_at(text, open, error, "a comment that does not end");
    if (scan(document, text, error) != 0)
        return -1;
    document->tree = cJSON_ParseWithLength(document->text, document->length);
    /* The text is right and within what cJSON takes, so only memory can have failed. */
    if (!document->tree)
        return error_set(error, ERROR_MEMORY, "no memory for a JSON document");
    bind_items(document->nodes, 0, document->tree);
    return refuse_duplicates(document, text, error);
}

static struct json_document *parse(struct bytes text, bool commented, struct error *error)
{
    struct json_document *document = calloc(1, sizeof *document);
    if (!document) {
        error_set(error, ERROR_MEMORY, "no memory for a JSON document");
        return NULL;
    }
    if (fill(document, text, commented, error) == 0)
        return document;
    json_document_free(document);
    return NULL;
}

struct json_document *json_parse(struct bytes text, struct error *error)
{
    return parse(text, false, error);
}

struct json_document *json_parse_commented(struct bytes text, struct error *error)
{
    return parse(text, true, error);
}

void json_document_free(struct json_document *document)
{
    if (!document)
        return;
    cJSON_Delete(document->tree);
    free(document->nodes);
    free(document->text);
    free(document);
}

/* ---- reading it ---- */

const struct json *json_root(const struct json_document *document)
{
    return document ? document->nodes : NULL;
}

enum json_type json_type_of(const struct json *value)
{
    switch (value ? value->item->type & 0xFF : cJSON_NULL) {
    case cJSON_False:
    case cJSON_True:
        return JSON_TYPE_BOOL;
    case cJSON_Number:
        return JSON_TYPE_NUMBER;
    case cJSON_String:
        return JSON_TYPE_STRING;
    case cJSON_Array:
        return JSON_TYPE_ARRAY;
    case cJSON_Object:
        return JSON_TYPE_OBJECT;
    default:
        return JSON_TYPE_NULL;
    }
}

const char *json_type_name(enum json_type type)
{
    static const char *const names[] = {
        [JSON_TYPE_NULL] = "null",       [JSON_TYPE_BOOL] = "true or false",
        [JSON_TYPE_NUMBER] = "a number", [JSON_TYPE_STRING] = "a string",
        [JSON_TYPE_ARRAY] = "an array",  [JSON_TYPE_OBJECT] = "an object",
    };
    return names[type];
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (json_type_of(object) != JSON_TYPE_OBJECT)
        return NULL;
    for (const struct json *member = json_first(object); member; member = json_next(member))
        if (strcmp(member->item->string, key) == 0)
            return member;
    return NULL;
}

const char *json_get_text(const struct json *value)
{
    return json_type_of(value) == JSON_TYPE_STRING ? value->item->valuestring : NULL;
}

bool json_get_int64(const struct json_document *document, const struct json *value, int64_t *out)
{
    return json_type_of(value) == JSON_TYPE_NUMBER &&
           json_number_to_int64(json_source(document, value), out);
}

bool json_get_double(const struct json *value, double *out)
{
    if (json_type_of(value) != JSON_TYPE_NUMBER || !isfinite(value->item->valuedouble))
        return false;
    *out = value->item->valuedouble;
    return true;
}

bool json_get_bool(const struct json *value, bool *out)
{
    if (json_type_of(value) != JSON_TYPE_BOOL)
        return false;
    *out = cJSON_IsTrue(value->item);
    return true;
}

size_t json_count(const struct json *container)
{
    size_t count = 0;
    for (const struct json *element = json_first(container); element; element = json_next(element))
        count++;
    return count;
}

const struct json *json_first(const struct json *container)
{
    return container && container->item->child ? container + 1 : NULL;
}

const struct json *json_next(const struct json *element)
{
    return element && element->item->next ? element + element->span : NULL;
}

const char *json_key_of(const struct json *member)
{
    return member ? member->item->string : NULL;
}

struct bytes json_source(const struct json_document *document, const struct json *value)
{
    if (!value)
        return bytes_of(NULL, 0);
    return bytes_of(document->text + value->start, value->end - value->start);
}

int json_line(const struct json_document *document, const struct json *value)
{
    int line = 1;
    for (size_t i = 0; value && i < value->place; i++)
        line += document->text[i] == '\n';
    return value ? line : 0;
}
