/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "callbackd/text.h"

enum key_type { KEY_COUNT, KEY_BOOL, KEY_CHOICE, KEY_TEXT, KEY_JSON };

enum { CHOICES_MAX = 8 };

struct key {
    const char *name;
    enum key_type type;
    size_t offset;
    int64_t maximum;                  /* of a count */
    const char *choices[CHOICES_MAX]; /* in the order of the enumeration */
};

#define AT(member) offsetof(struct sim_faults, member)
#define DAY_MS ((int64_t)86400000)

static const struct key keys[] = {
    {"delay_ms", KEY_COUNT, AT(delay_ms), DAY_MS, {0}},
    {"callback",
     KEY_CHOICE,
     AT(callback),
     0,
     {"normal", "before_202", "twice", "twice_at_once", "never", "late"}},
    {"late_ms", KEY_COUNT, AT(late_ms), DAY_MS, {0}},
    {"order", KEY_COUNT, AT(order_ms), DAY_MS, {0}},
    {"node", KEY_CHOICE, AT(node), 0, {"success", "failed", "failure", "running"}},
    {"output", KEY_CHOICE, AT(output), 0, {"as_asked", "bare", "nodes", "none"}},
    {"value", KEY_JSON, AT(value), 0, {0}},
    {"size", KEY_COUNT, AT(size), (int64_t)256 * 1024 * 1024, {0}},
    {"truncated", KEY_BOOL, AT(truncated), 0, {0}},
    {"drop", KEY_BOOL, AT(drop), 0, {0}},
    {"slow_response_ms", KEY_COUNT, AT(slow_response_ms), DAY_MS, {0}},
    {"status", KEY_COUNT, AT(status), 599, {0}},
    {"revision", KEY_BOOL, AT(revision), 0, {0}},
    {"revision_ms", KEY_COUNT, AT(revision_ms), DAY_MS, {0}},
    {"wrong_id", KEY_BOOL, AT(wrong_id), 0, {0}},
    {"retries", KEY_COUNT, AT(retries), 1000000, {0}},
    {"retry_ms", KEY_COUNT, AT(retry_ms), DAY_MS, {0}},
    {"poll",
     KEY_CHOICE,
     AT(poll),
     0,
     {"normal", "running", "empty", "not_found", "rate_limited", "failed", "error"}},
    {"poll_times", KEY_COUNT, AT(poll_times), 1000000, {0}},
    {"warning", KEY_TEXT, AT(warning), 0, {0}},
};

static const struct key *find_key(const char *name)
{
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
    return NULL;
}

static int set_text(char **place, char *text, struct error *error)
{
    if (!text)
        return error_set(error, ERROR_MEMORY, "memory is short");
    free(*place);
    *place = text;
    return 0;
}

static int set_choice(
    const struct key *key, int *place, const struct json *value, struct error *error)
{
    const char *text = json_get_text(value);
    for (int i = 0; text && i < CHOICES_MAX && key->choices[i]; i++) {
        if (strcmp(key->choices[i], text) == 0) {
            *place = i;
            return 0;
        }
    }
    char list[256] = "";
    size_t length = 0;
    for (int i = 0; i < CHOICES_MAX && key->choices[i]; i++)
        length += (size_t)snprintf(
            list + length, sizeof list - length, "%s%s", i > 0 ? ", " : "", key->choices[i]);
    return error_set(error, ERROR_INVALID, "%s is one of: %s", key->name, list);
}

static int set_count(
    const struct key *key, int64_t *place, const struct json_document *document,
    const struct json *value, struct error *error)
{
    int64_t count = 0;
    if (!json_get_int64(document, value, &count) || count < 0 || count > key->maximum)
        return error_set(
            error, ERROR_INVALID, "%s is a whole number from 0 to %lld", key->name,
            (long long)key->maximum);
    *place = count;
    return 0;
}

static int set_bool(
    const struct key *key, bool *place, const struct json *value, struct error *error)
{
    if (!json_get_bool(value, place))
        return error_set(error, ERROR_INVALID, "%s is true or false", key->name);
    return 0;
}

static int set_key(
    struct sim_faults *faults, const struct key *key, const struct json_document *document,
    const struct json *value, struct error *error)
{
    void *place = (char *)faults + key->offset;
    struct bytes source = json_source(document, value);
    const char *text = json_get_text(value);
    switch (key->type) {
    case KEY_COUNT:
        return set_count(key, place, document, value, error);
    case KEY_BOOL:
        return set_bool(key, place, value, error);
    case KEY_CHOICE:
        return set_choice(key, place, value, error);
    case KEY_TEXT:
        if (!text)
            return error_set(error, ERROR_INVALID, "%s is a string", key->name);
        return set_text(place, text_copy(text), error);
    case KEY_JSON:
        return set_text(place, strndup((const char *)source.data, source.length), error);
    }
    return error_set(error, ERROR_INTERNAL, "a key of no type");
}

int sim_faults_read(
    struct sim_faults *faults, const struct json_document *document, const struct json *object,
    struct error *error)
{
    if (json_type_of(object) != JSON_TYPE_OBJECT)
        return error_set(error, ERROR_INVALID, "an object is needed");
    for (const struct json *value = json_first(object); value; value = json_next(value)) {
        const struct key *key = find_key(json_key_of(value));
        if (!key)
            return error_set(
                error, ERROR_INVALID, "'%s' is not a fault (tests/sim/README.md lists them)",
                json_key_of(value));
        if (set_key(faults, key, document, value, error) != 0)
            return -1;
    }
    if (faults->status != 0 && faults->status < 400)
        return error_set(error, ERROR_INVALID, "status is an error, 400 to 599, or 0");
    return 0;
}

int sim_faults_copy(const struct sim_faults *from, struct sim_faults *faults_out)
{
    struct sim_faults copy = *from;
    copy.value = text_copy(from->value);
    copy.warning = text_copy(from->warning);
    if ((from->value && !copy.value) || (from->warning && !copy.warning)) {
        sim_faults_fini(&copy);
        return -1;
    }
    *faults_out = copy;
    return 0;
}

void sim_faults_fini(struct sim_faults *faults)
{
    free(faults->value);
    free(faults->warning);
    faults->value = NULL;
    faults->warning = NULL;
}
