/* SPDX-License-Identifier: MIT */
/*
 * The tree takes what the scanner takes, but for what json.h names; each value's source is JSON
 * that says the same; and comments change nothing where there are none.
 */
#include "fuzz.h"

#include "callbackd/json.h"
#include "callbackd/json_scan.h"

enum { TREE_DEPTH = 64 };

static void check_scalar(const struct json_document *document, const struct json *value)
{
    struct bytes source = json_source(document, value);
    int64_t integer = 0;
    int64_t from_text = 0;
    double number;
    bool truth;
    bool is_integer = json_get_int64(document, value, &integer);
    json_get_double(value, &number);
    json_get_bool(value, &truth);
    HOLDS(
        is_integer ==
        (json_type_of(value) == JSON_TYPE_NUMBER && json_number_to_int64(source, &from_text)));
    HOLDS(integer == from_text);
    if (json_type_of(value) != JSON_TYPE_STRING) {
        HOLDS(json_get_text(value) == NULL);
        return;
    }
    struct buffer decoded;
    buffer_init(&decoded, source.length);
    HOLDS(json_decode_string(source, &decoded) == 0);
    HOLDS(strcmp(buffer_text(&decoded), json_get_text(value)) == 0);
    HOLDS(strlen(json_get_text(value)) == decoded.length);
    buffer_fini(&decoded);
}

static enum json_type type_by_source(struct bytes source)
{
    switch (source.data[0]) {
    case '{':
        return JSON_TYPE_OBJECT;
    case '[':
        return JSON_TYPE_ARRAY;
    case '"':
        return JSON_TYPE_STRING;
    case 't':
    case 'f':
        return JSON_TYPE_BOOL;
    case 'n':
        return JSON_TYPE_NULL;
    default:
        return JSON_TYPE_NUMBER;
    }
}

static size_t check_value(const struct json_document *document, const struct json *value)
{
    struct bytes source = json_source(document, value);
    size_t values = 1;
    size_t children = 0;
    HOLDS(source.length > 0 && json_type_of(value) == type_by_source(source));
    check_scalar(document, value);
    for (const struct json *child = json_first(value); child; child = json_next(child)) {
        struct bytes inner = json_source(document, child);
        HOLDS(inner.data > source.data && inner.data + inner.length < source.data + source.length);
        HOLDS((json_key_of(child) != NULL) == (json_type_of(value) == JSON_TYPE_OBJECT));
        if (json_key_of(child))
            HOLDS(json_get(value, json_key_of(child)) == child);
        values += check_value(document, child);
        children++;
    }
    HOLDS(children == json_count(value));
    return values;
}

static int count_value(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    size_t *values = context;
    (void)depth;
    (void)start;
    (void)end;
    (void)error;
    *values += event != JSON_KEY && event != JSON_OBJECT_END && event != JSON_ARRAY_END;
    return 0;
}

static bool is_named_exception(const char *message)
{
    return strncmp(message, "line ", 5) == 0 &&
           (strstr(message, " is there twice") || strstr(message, "a string with ") ||
            strstr(message, "a number of more than 63 characters"));
}

static void check_commented(struct bytes text, bool plain)
{
    struct error error = {.code = ERROR_NONE};
    struct json_document *document = json_parse_commented(text, &error);
    HOLDS(document || (error.code == ERROR_INVALID && strncmp(error.message, "line ", 5) == 0));
    HOLDS(document || !plain);
    if (document) {
        check_value(document, json_root(document));
        HOLDS(json_line(document, json_root(document)) >= 1);
    }
    json_document_free(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy(data, size);
    struct bytes text = bytes_of(copy, size);
    struct error error = {.code = ERROR_NONE};
    size_t values = 0;
    bool scanned = json_scan_text(text, TREE_DEPTH, count_value, &values, NULL) == 0;
    struct json_document *document = json_parse(text, &error);
    if (document) {
        HOLDS(scanned);
        HOLDS(check_value(document, json_root(document)) == values);
    } else {
        HOLDS(error.code == ERROR_INVALID);
        HOLDS(!scanned || is_named_exception(error.message));
    }
    check_commented(text, document != NULL);
    json_document_free(document);
    free(copy);
    return 0;
}
