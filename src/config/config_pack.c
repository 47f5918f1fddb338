/* SPDX-License-Identifier: MIT */
/*
 * A configuration as bytes for a child process. Records after a first line that
 * names the format, each
 *
 *   4 bytes length of the name, the name, 4 bytes length of the value, the value
 *
 * (big-endian) with the names "role" "path" "text", and the places of secrets:
 * "admin.token_file[0]". The text is parsed again by the child, and means the same
 * to it; only what the text names is handed over.
 */
#include "config_private.h"

#include "callbackd/text.h"

enum { LENGTH_BYTES = 4, ROLE_NAME_BYTES = 4 };

static const char magic[] = "callbackd configuration 1\n";

/* ---- packing ---- */

static void append_length(struct buffer *out, size_t length)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buffer_append_char(out, (char)(length >> shift & 0xff));
}

static void append_record(struct buffer *out, struct bytes name, struct bytes value)
{
    append_length(out, name.length);
    buffer_append_bytes(out, name);
    append_length(out, value.length);
    buffer_append_bytes(out, value);
}

struct packing {
    struct buffer *out;
    enum config_role role;
};

static int pack_secret(
    void *context, const struct config_key *key, const struct config_place *place, void *base)
{
    const struct packing *packing = context;
    const struct config_secrets *secrets = (const void *)((const char *)base + key->offset);
    for (size_t i = 0; (key->role & packing->role) && i < secrets->count; i++) {
        struct buffer name;
        buffer_init(&name, CONFIG_PLACE_MAX);
        const struct config_place element = config_element(place, i, NULL);
        config_place_print(&element, &name);
        append_record(
            packing->out, buffer_bytes(&name),
            bytes_of(secrets->items[i].data, secrets->items[i].length));
        buffer_fini(&name);
    }
    return 0;
}

int config_pack(
    const struct config *config, enum config_role role, struct buffer *out, struct error *error)
{
    struct packing packing = {.out = out, .role = role};
    const unsigned char role_byte = (unsigned char)role;
    buffer_append(out, magic, strlen(magic));
    append_record(out, bytes_of_text("role"), bytes_of(&role_byte, 1));
    append_record(out, bytes_of_text("path"), bytes_of_text(config->path));
    append_record(out, bytes_of_text("text"), bytes_of_text(config->text));
    /* A visitor may change what it visits; this one only reads. */
    config_visit((struct config *)config, KEY_SECRET, pack_secret, &packing);
    if (buffer_failed(out))
        return error_set(error, ERROR_MEMORY, "the configuration is too large to be handed over");
    return 0;
}

/* ---- unpacking ---- */

struct record {
    struct bytes name;
    struct bytes value;
};

static bool take_bytes(struct bytes *rest, size_t length, struct bytes *out)
{
    if (rest->length < length)
        return false;
    *out = bytes_of(rest->data, length);
    *rest = bytes_of(rest->data + length, rest->length - length);
    return true;
}

static bool take_field(struct bytes *rest, struct bytes *out)
{
    struct bytes prefix;
    if (!take_bytes(rest, LENGTH_BYTES, &prefix))
        return false;
    size_t length = 0;
    for (int i = 0; i < LENGTH_BYTES; i++)
        length = length << 8 | prefix.data[i];
    return take_bytes(rest, length, out);
}

struct unpacked {
    struct bytes path;
    struct bytes text;
    struct packed_secrets secrets;
};

static int keep_record(struct unpacked *unpacked, const struct record *record, struct error *error)
{
    struct packed_secrets *secrets = &unpacked->secrets;
    if (bytes_equal_text(record->name, "role") && record->value.length == 1) {
        secrets->role = (enum config_role)(record->value.data[0] & CONFIG_ROLE_ALL);
    } else if (bytes_equal_text(record->name, "path")) {
        unpacked->path = record->value;
    } else if (bytes_equal_text(record->name, "text")) {
        unpacked->text = record->value;
    } else {
        struct packed_secret *items =
            reallocarray(secrets->items, secrets->count + 1, sizeof *items);
        if (!items)
            return error_set(error, ERROR_MEMORY, "memory is short");
        items[secrets->count++] = (struct packed_secret){record->name, record->value};
        secrets->items = items;
    }
    return 0;
}

static int read_records(struct bytes packed, struct unpacked *unpacked, struct error *error)
{
    struct bytes rest = packed;
    struct bytes first;
    if (!take_bytes(&rest, strlen(magic), &first) || !bytes_equal_text(first, magic))
        return error_set(error, ERROR_INVALID, "not a packed configuration");
    while (rest.length > 0) {
        struct record record;
        if (!take_field(&rest, &record.name) || !take_field(&rest, &record.value))
            return error_set(error, ERROR_INVALID, "the packed configuration was cut");
        if (keep_record(unpacked, &record, error) != 0)
            return -1;
    }
    if (unpacked->path.length == 0 || unpacked->path.data[0] != '/' || unpacked->secrets.role == 0)
        return error_set(error, ERROR_INVALID, "the packed configuration is not complete");
    return 0;
}

static struct config *parse_unpacked(const struct unpacked *unpacked, struct error *error)
{
    struct config_problems problems = {0};
    const char *from = (const char *)unpacked->path.data;
    char *path = from ? strndup(from, unpacked->path.length) : NULL;
    struct config *config = path ? config_new(path, unpacked->text) : NULL;
    free(path);
    if (!config) {
        error_set(error, ERROR_MEMORY, "memory is short");
        return NULL;
    }
    if (config_parse(config, &unpacked->secrets, NULL, &problems) != 0) {
        const struct config_problem *first = problems.count > 0 ? &problems.items[0] : NULL;
        error_set(
            error, ERROR_CONFIG, "%s:%d: %s: %s", config->path, first ? first->line : 0,
            first ? first->key : "", first ? first->text : "memory is short");
        config_free(config);
        config = NULL;
    }
    config_problems_free(&problems);
    return config;
}

struct config *config_unpack(struct bytes packed, struct error *error)
{
    struct unpacked unpacked = {0};
    struct config *config = NULL;
    if (read_records(packed, &unpacked, error) == 0)
        config = parse_unpacked(&unpacked, error);
    free(unpacked.secrets.items);
    return config;
}
