/* SPDX-License-Identifier: MIT */
/*
 * The text is scanned into a list of its values in the order in which they stand,
 * which is written again with the members of each object sorted.
 */
#include "callbackd/canonical.h"

#include <stdint.h>
#include <stdlib.h>

#include "callbackd/json_scan.h"
#include "callbackd/os.h"
#include "canonical_private.h"

enum {
    FIRST_NODES = 64,
    EXPANSION_MAX = 8, /* the worst is a byte that becomes \u007f, or 1e20 with all its zeros */
    EXPANSION_SLACK = 64
};

/* A value, or a key, whose value is the node after it. */
struct node {
    enum json_event event;
    uint32_t start; /* in the text */
    uint32_t end;
    uint32_t next; /* the node after all that is in this one */
};

struct rebuilding {
    enum canonical_form form;
    struct bytes text;
    struct buffer *out;
    struct error *error;
    struct node *nodes;
    size_t count;
    size_t capacity;
    size_t key_count;
    uint32_t open[CANONICAL_DEPTH_MAX]; /* the nodes of the open containers */
    uint32_t *keys;                     /* those of the objects that are being written */
    size_t keys_used;
};

size_t canonical_bytes_max(size_t text_bytes)
{
    return EXPANSION_MAX * text_bytes + EXPANSION_SLACK;
}

/* ---- reading ---- */

static int add_node(
    struct rebuilding *rebuilding, enum json_event event, size_t start, size_t end,
    struct error *error)
{
    if (rebuilding->count == rebuilding->capacity) {
        size_t capacity = rebuilding->capacity > 0 ? 2 * rebuilding->capacity : FIRST_NODES;
        struct node *nodes = reallocarray(rebuilding->nodes, capacity, sizeof *nodes);
        if (!nodes)
            return error_set(error, ERROR_MEMORY, "no memory to rebuild JSON");
        rebuilding->nodes = nodes;
        rebuilding->capacity = capacity;
    }
    rebuilding->nodes[rebuilding->count] = (struct node){
        .event = event,
        .start = (uint32_t)start,
        .end = (uint32_t)end,
        .next = (uint32_t)rebuilding->count + 1,
    };
    rebuilding->count++;
    return 0;
}

static int on_event(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct rebuilding *rebuilding = context;
    if (event == JSON_OBJECT_END || event == JSON_ARRAY_END) {
        rebuilding->nodes[rebuilding->open[depth]].next = (uint32_t)rebuilding->count;
        return 0;
    }
    if (event == JSON_OBJECT_BEGIN || event == JSON_ARRAY_BEGIN)
        rebuilding->open[depth] = (uint32_t)rebuilding->count;
    if (event == JSON_KEY)
        rebuilding->key_count++;
    return add_node(rebuilding, event, start, end, error);
}

/* ---- writing ---- */

static struct bytes token_of(const struct rebuilding *rebuilding, uint32_t node)
{
    const struct node *found = &rebuilding->nodes[node];
    return bytes_of(rebuilding->text.data + found->start, found->end - found->start);
}

/* Of the same key the later one comes after the earlier one. */
static int compare(const void *left, const void *right, void *context)
{
    const struct rebuilding *rebuilding = context;
    uint32_t a;
    uint32_t b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    int order =
        canonical_compare_keys(rebuilding->form, token_of(rebuilding, a), token_of(rebuilding, b));
    return order != 0 ? order : (a > b) - (a < b);
}

static bool is_same_key(const struct rebuilding *rebuilding, uint32_t a, uint32_t b)
{
    return canonical_compare_keys(
               rebuilding->form, token_of(rebuilding, a), token_of(rebuilding, b)) == 0;
}

static int write_value(struct rebuilding *rebuilding, uint32_t node);

static void write_separator(const struct rebuilding *rebuilding, bool first, char separator)
{
    if (first)
        return;
    buffer_append_char(rebuilding->out, separator);
    if (rebuilding->form == CANONICAL_PYTHON)
        buffer_append_char(rebuilding->out, ' ');
}

static int write_member(struct rebuilding *rebuilding, uint32_t key)
{
    canonical_append_string(rebuilding->form, token_of(rebuilding, key), rebuilding->out);
    write_separator(rebuilding, false, ':');
    return write_value(rebuilding, key + 1);
}

static int write_object(struct rebuilding *rebuilding, uint32_t node)
{
    uint32_t *keys = rebuilding->keys + rebuilding->keys_used;
    size_t count = 0;
    for (uint32_t key = node + 1; key < rebuilding->nodes[node].next;
         key = rebuilding->nodes[key + 1].next)
        keys[count++] = key;
    rebuilding->keys_used += count;
    if (count > 1)
        qsort_r(keys, count, sizeof *keys, compare, rebuilding);
    bool first = true;
    int result = 0;
    buffer_append_char(rebuilding->out, '{');
    for (size_t i = 0; result == 0 && i < count; i++) {
        if (i + 1 < count && is_same_key(rebuilding, keys[i], keys[i + 1]))
            continue;
        write_separator(rebuilding, first, ',');
        first = false;
        result = write_member(rebuilding, keys[i]);
    }
    buffer_append_char(rebuilding->out, '}');
    rebuilding->keys_used -= count;
    return result;
}

static int write_array(struct rebuilding *rebuilding, uint32_t node)
{
    int result = 0;
    buffer_append_char(rebuilding->out, '[');
    for (uint32_t value = node + 1; result == 0 && value < rebuilding->nodes[node].next;
         value = rebuilding->nodes[value].next) {
        write_separator(rebuilding, value == node + 1, ',');
        result = write_value(rebuilding, value);
    }
    buffer_append_char(rebuilding->out, ']');
    return result;
}

/* As deep as the text, which is at most CANONICAL_DEPTH_MAX. NOLINTNEXTLINE(misc-no-recursion) */
static int write_value(struct rebuilding *rebuilding, uint32_t node)
{
    struct bytes token = token_of(rebuilding, node);
    switch (rebuilding->nodes[node].event) {
    case JSON_OBJECT_BEGIN:
        return write_object(rebuilding, node);
    case JSON_ARRAY_BEGIN:
        return write_array(rebuilding, node);
    case JSON_STRING:
        return canonical_append_string(rebuilding->form, token, rebuilding->out);
    case JSON_NUMBER:
        return canonical_append_number(rebuilding->form, token, rebuilding->out, rebuilding->error);
    default:
        return buffer_append_bytes(rebuilding->out, token);
    }
}

static int rebuild(struct rebuilding *rebuilding, struct error *error)
{
    if (json_scan_text(rebuilding->text, CANONICAL_DEPTH_MAX, on_event, rebuilding, error) != 0)
        return -1;
    rebuilding->keys = calloc(rebuilding->key_count + 1, sizeof *rebuilding->keys);
    if (!rebuilding->keys)
        return error_set(error, ERROR_MEMORY, "no memory to rebuild JSON");
    error_set(error, ERROR_MEMORY, "no memory to rebuild JSON"); /* unless another reason is said */
    return write_value(rebuilding, 0);
}

int canonical_json(
    struct bytes text, enum canonical_form form, struct buffer *out, struct error *error)
{
    if (text.length > CANONICAL_BYTES_MAX)
        return error_set(
            error, ERROR_TOO_LARGE, "more than %d bytes are not rebuilt", CANONICAL_BYTES_MAX);
    struct rebuilding *rebuilding = calloc(1, sizeof *rebuilding);
    if (!rebuilding)
        return error_set(error, ERROR_MEMORY, "no memory to rebuild JSON");
    CLEANUP_BUFFER struct buffer compact;
    buffer_init(&compact, canonical_bytes_max(text.length));
    bool python = form == CANONICAL_PYTHON;
    struct error reason = {.code = ERROR_NONE};
    rebuilding->form = form;
    rebuilding->text = text;
    rebuilding->out = python ? out : &compact;
    rebuilding->error = &reason;
    int result = rebuild(rebuilding, &reason);
    if (result == 0 && buffer_failed(rebuilding->out))
        result = -1;
    if (result == 0 && !python)
        result = canonical_append_blanks(buffer_bytes(&compact), out);
    free(rebuilding->nodes);
    free(rebuilding->keys);
    free(rebuilding);
    if (result != 0)
        return error_set(error, reason.code, "%s", reason.message);
    return 0;
}
