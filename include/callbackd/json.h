/* SPDX-License-Identifier: MIT */
/*
 * JSON as a tree, for what is small and ours: configuration, API requests and
 * answers. Text is checked by the strict scanner first; duplicate keys are
 * refused too. cJSON is behind this door; numbers beyond 2^53 keep their spelling
 * through json_get_int64, which reads the text and not a double.
 *
 * Ownership: a struct json_document owns all its values; values and texts are
 * borrowed until json_document_free. Threads: read-only after parsing.
 */
#ifndef CALLBACKD_JSON_H
#define CALLBACKD_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/buffer.h"
#include "callbackd/error.h"

struct json_document;
struct json; /* one value */

enum json_type {
    JSON_TYPE_NULL,
    JSON_TYPE_BOOL,
    JSON_TYPE_NUMBER,
    JSON_TYPE_STRING,
    JSON_TYPE_ARRAY,
    JSON_TYPE_OBJECT
};

/* Strict JSON, nesting up to 64. NULL on failure: ERROR_INVALID, the message beginning with
 * "line <n>, column <n>: " (from 1; a column is a character), or ERROR_MEMORY. Refused as well,
 * because the tree could not tell them truly: duplicate keys, \u0000, half a surrogate pair, and
 * numbers of more than 63 characters. */
struct json_document *json_parse(struct bytes text, struct error *error);
/* The same with // and slash-star comments allowed between tokens, for configuration. */
struct json_document *json_parse_commented(struct bytes text, struct error *error);
void json_document_free(struct json_document *document); /* NULL is allowed */
const struct json *json_root(const struct json_document *document);

/* All of these take a NULL value, which behaves as an absent one: null, NULL, false, 0, empty. */
enum json_type json_type_of(const struct json *value);
const char *json_type_name(enum json_type type); /* "a string", "an object", … */
/* NULL unless it is an object with that key (exact case). */
const struct json *json_get(const struct json *object, const char *key);
/* The decoded string; NULL unless it is one. Contains no NUL: such a document is refused. */
const char *json_get_text(const struct json *value);
/* false unless it is an integer that fits. */
bool json_get_int64(const struct json_document *document, const struct json *value, int64_t *out);
/* false unless it is a finite number. */
bool json_get_double(const struct json *value, double *out);
bool json_get_bool(const struct json *value, bool *out);

/* Elements of an array or members of an object, in order. */
size_t json_count(const struct json *container);
const struct json *json_first(const struct json *container);
const struct json *json_next(const struct json *element);
/* The key of an object's member; NULL for an array's element. */
const char *json_key_of(const struct json *member);

/* The exact text of a value as it stood in the document (comments become blanks). */
struct bytes json_source(const struct json_document *document, const struct json *value);
/* 1-based line of the value (of its key, for a member). Counts from the start each time. */
int json_line(const struct json_document *document, const struct json *value);

#endif
