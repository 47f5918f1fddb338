/* SPDX-License-Identifier: MIT */
/*
 * Input: a pointer, a NUL, a text. Where the tree takes the text, a walk through the tree must
 * find what the look-up in the text finds.
 */
#include "fuzz.h"

#include "callbackd/json.h"
#include "callbackd/json_scan.h"

/* One unescaped token; returns where the next begins, or NULL at the end. */
static const char *take_token(const char *at, char *out)
{
    size_t length = 0;
    for (at++; *at && *at != '/'; at++) {
        if (*at == '~')
            out[length++] = *++at == '1' ? '/' : '~';
        else
            out[length++] = *at;
    }
    out[length] = '\0';
    return *at ? at : NULL;
}

static const struct json *element_at(const struct json *array, const char *token)
{
    size_t length = strlen(token);
    if (length == 0 || length > 9 || strspn(token, "0123456789") != length ||
        (token[0] == '0' && length > 1))
        return NULL;
    unsigned long index = strtoul(token, NULL, 10);
    const struct json *element = json_first(array);
    while (element && index-- > 0)
        element = json_next(element);
    return element;
}

static const struct json *walk(const struct json *value, const char *pointer)
{
    char *token = malloc(strlen(pointer) + 1);
    HOLDS(token != NULL);
    for (const char *at = *pointer ? pointer : NULL; at && value;) {
        at = take_token(at, token);
        value = json_type_of(value) == JSON_TYPE_ARRAY ? element_at(value, token)
                                                       : json_get(value, token);
    }
    free(token);
    return value;
}

static bool kind_fits(enum json_event kind, enum json_type type)
{
    static const enum json_type types[] = {
        [JSON_OBJECT_BEGIN] = JSON_TYPE_OBJECT, [JSON_ARRAY_BEGIN] = JSON_TYPE_ARRAY,
        [JSON_STRING] = JSON_TYPE_STRING,       [JSON_NUMBER] = JSON_TYPE_NUMBER,
        [JSON_TRUE] = JSON_TYPE_BOOL,           [JSON_FALSE] = JSON_TYPE_BOOL,
        [JSON_NULL] = JSON_TYPE_NULL,
    };
    return types[kind] == type;
}

static void check(const char *pointer, struct bytes text)
{
    struct bytes found = bytes_of(NULL, 0);
    enum json_event kind = JSON_KEY;
    bool is_found = json_pointer_find(text, pointer, &found, &kind);
    HOLDS(!is_found || json_pointer_is_valid(pointer));
    if (is_found)
        HOLDS(json_scan_text(found, JSON_DEPTH_MAX, NULL, NULL, NULL) == 0);
    struct json_document *document = json_parse(text, NULL);
    if (!document || !json_pointer_is_valid(pointer)) {
        json_document_free(document);
        return;
    }
    const struct json *value = walk(json_root(document), pointer);
    HOLDS(is_found == (value != NULL));
    if (value) {
        struct bytes source = json_source(document, value);
        HOLDS(bytes_equal(source, found));
        HOLDS(kind_fits(kind, json_type_of(value)));
    }
    json_document_free(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, 0, size);
    if (!nul)
        return 0;
    size_t length = size - (size_t)(nul + 1 - data);
    uint8_t *text = fuzz_copy(nul + 1, length);
    check((const char *)data, bytes_of(text, length));
    free(text);
    return 0;
}
