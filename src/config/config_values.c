/* SPDX-License-Identifier: MIT */
/* Single values: texts, names, paths, numbers, durations, sizes, choices. */
#include "config_private.h"

#include <ctype.h>

#include "callbackd/os.h"
#include "callbackd/text.h"

enum { NAME_MAX_BYTES = 64, BOUND_BYTES = 32 };

static void keep(struct config_reader *reader, void *target, char *owned)
{
    if (config_have(reader, owned))
        memcpy(target, &owned, sizeof owned);
}

void config_read_plain(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    (void)key;
    (void)place;
    keep(reader, target, text_copy(text));
}

void config_read_name(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    (void)key;
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (text[strspn(text, allowed)] != '\0' || !isalnum((unsigned char)text[0]))
        config_problem(
            reader, place,
            "\"%s\" is not a name (use letters, digits, '.', '_' and '-', a letter or digit first)",
            text);
    else if (strlen(text) > NAME_MAX_BYTES)
        config_problem(reader, place, "is longer than %d bytes (shorten it)", (int)NAME_MAX_BYTES);
    else
        keep(reader, target, text_copy(text));
}

void config_read_path(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    (void)key;
    (void)place;
    bool here = strcmp(text, ".") == 0;
    const char *directory = reader->config->directory;
    keep(reader, target, here ? text_copy(directory) : os_path_join(directory, text));
}

void config_read_integer(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    int64_t number;
    if (!text_parse_int64(bytes_of_text(text), &number)) {
        config_problem(reader, place, "%s is not a whole number (write one such as 4)", text);
        return;
    }
    if (number < key->minimum || number > key->maximum) {
        config_problem(
            reader, place, "%s is out of bounds (it may be from %lld to %lld)", text,
            (long long)key->minimum, (long long)key->maximum);
        return;
    }
    int value = (int)number;
    memcpy(target, &value, sizeof value);
}

void config_read_bool(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    (void)reader;
    (void)key;
    (void)place;
    bool value = strcmp(text, "true") == 0;
    memcpy(target, &value, sizeof value);
}

void config_read_duration(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    int64_t ms;
    if (!text_parse_duration_ms(text, &ms)) {
        config_problem(
            reader, place,
            "\"%s\" is not a duration (write a whole number and ms, s, m, h or d: \"30s\")", text);
        return;
    }
    if (ms < key->minimum || ms > key->maximum) {
        char from[BOUND_BYTES];
        char to[BOUND_BYTES];
        text_format_duration(key->minimum, from, sizeof from);
        text_format_duration(key->maximum, to, sizeof to);
        config_problem(
            reader, place, "\"%s\" is out of bounds (it may be from %s to %s)", text, from, to);
        return;
    }
    memcpy(target, &ms, sizeof ms);
}

void config_format_size(int64_t bytes, char *out, size_t out_bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    size_t unit = 0;
    while (unit + 1 < sizeof units / sizeof units[0] && bytes > 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    snprintf(out, out_bytes, "%lld%s", (long long)bytes, units[unit]);
}

void config_read_size(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    int64_t bytes;
    if (!text_parse_size(text, &bytes)) {
        config_problem(
            reader, place,
            "\"%s\" is not a size (write a whole number and B, KiB, MiB or GiB: \"16MiB\")", text);
        return;
    }
    if (bytes < key->minimum || bytes > key->maximum) {
        char from[BOUND_BYTES];
        char to[BOUND_BYTES];
        config_format_size(key->minimum, from, sizeof from);
        config_format_size(key->maximum, to, sizeof to);
        config_problem(
            reader, place, "\"%s\" is out of bounds (it may be from %s to %s)", text, from, to);
        return;
    }
    memcpy(target, &bytes, sizeof bytes);
}

/* A whole number and the time that it is for: "10/s". */
static bool parse_rate(const char *text, int64_t *limit_out, int64_t *period_ms_out)
{
    static const struct {
        const char *name;
        int64_t ms;
    } periods[] = {{"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    const char *slash = strchr(text, '/');
    if (!slash || !text_parse_int64(bytes_of(text, (size_t)(slash - text)), limit_out))
        return false;
    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        if (strcmp(slash + 1, periods[i].name) == 0) {
            *period_ms_out = periods[i].ms;
            return true;
        }
    }
    return false;
}

void config_read_rate(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    int64_t limit;
    int64_t period_ms;
    if (!parse_rate(text, &limit, &period_ms)) {
        config_problem(
            reader, place,
            "\"%s\" is not a rate (write a whole number and /s, /m, /h or /d: "
            "\"10/s\")",
            text);
        return;
    }
    if (limit < key->minimum || limit > key->maximum) {
        config_problem(
            reader, place, "\"%s\" is out of bounds (its number may be from %lld to %lld)", text,
            (long long)key->minimum, (long long)key->maximum);
        return;
    }
    const struct config_rate rate = {.limit = (int)limit, .period_ms = period_ms};
    memcpy(target, &rate, sizeof rate);
}

void config_read_mode(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    (void)key;
    size_t length = strlen(text);
    mode_t mode = 0;
    for (size_t i = 0; i < length && i < 4; i++)
        mode = mode << 3 | (mode_t)(text[i] & 7);
    if (length < 3 || length > 4 || text[strspn(text, "01234567")] != '\0' || mode > 0777)
        config_problem(
            reader, place, "\"%s\" is not a set of permissions (write it in octal: \"0660\")",
            text);
    else
        memcpy(target, &mode, sizeof mode);
}

void config_read_choice(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    const char *text, void *target)
{
    struct buffer all;
    buffer_init(&all, 1024);
    for (int i = 0; key->choices[i]; i++) {
        if (strcmp(key->choices[i], text) == 0) {
            memcpy(target, &i, sizeof i);
            buffer_fini(&all);
            return;
        }
        buffer_appendf(&all, "%s\"%s\"", i > 0 ? ", " : "", key->choices[i]);
    }
    config_problem(
        reader, place, "\"%s\" is not one of the choices (choose one of %s)", text,
        buffer_text(&all));
    buffer_fini(&all);
}

void config_read_texts(
    struct config_reader *reader, const struct config_key *key, const struct config_place *place,
    void *base)
{
    if (!config_is_type(reader, place, JSON_TYPE_ARRAY) || json_count(place->value) == 0)
        return;
    char **texts = calloc(json_count(place->value) + 1, sizeof *texts);
    if (!config_have(reader, texts))
        return;
    memcpy((char *)base + key->offset, &texts, sizeof texts);
    size_t index = 0;
    size_t count = 0;
    for (const struct json *value = json_first(place->value); value; value = json_next(value)) {
        const struct config_place element = config_element(place, index++, value);
        const char *text = config_text_at(reader, &element);
        if (text && config_have(reader, texts[count] = text_copy(text)))
            count++;
    }
}
