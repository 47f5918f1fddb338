/* SPDX-License-Identifier: MIT */
/*
 * The containers that the pointer leads through are a chain from the root down, so it is enough
 * to know how many of them are open (`followed`). A member met again replaces what was found in
 * its earlier namesake, even when it leads nowhere.
 */
#include "json_pointer.h"

#include "json_string.h"

bool json_pointer_is_valid(const char *pointer)
{
    if (*pointer != '\0' && *pointer != '/')
        return false;
    for (const char *c = pointer; *c; c++)
        if (*c == '~' && c[1] != '0' && c[1] != '1')
            return false;
    return true;
}

void json_pointer_init(struct json_pointer *pointer, const char *text)
{
    memset(pointer, 0, sizeof *pointer);
    pointer->text = text;
    pointer->token = text;
}

static const char *token_end(const char *token)
{
    const char *slash = strchr(token + 1, '/');
    return slash ? slash : token + strlen(token);
}

/* Takes one byte of the token at *at, unescaped. */
static unsigned char unescape(const char **at)
{
    const char *c = *at;
    if (*c != '~') {
        *at = c + 1;
        return (unsigned char)*c;
    }
    *at = c + 2;
    return c[1] == '1' ? '/' : '~';
}

static bool key_is_token(struct bytes key, const char *token)
{
    const char *at = token + 1;
    const char *end = token_end(token);
    struct json_string string;
    json_string_open(&string, key);
    for (;;) {
        struct bytes piece = json_string_next(&string);
        if (piece.length == 0)
            return at == end;
        for (size_t i = 0; i < piece.length; i++)
            if (at == end || unescape(&at) != piece.data[i])
                return false;
    }
}

static bool index_is_token(uint64_t index, const char *token)
{
    uint64_t wanted = 0;
    const char *at = token + 1;
    const char *end = token_end(token);
    if (at == end || (*at == '0' && end - at > 1) || end - at > 18)
        return false;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        wanted = wanted * 10 + (uint64_t)(*at - '0');
    }
    return wanted == index;
}

/* The value that begins is the one the pointer names: the next token, or the end of it. */
static void arrive(
    struct json_pointer *pointer, enum json_event event, int depth, size_t start, size_t end)
{
    bool container = event == JSON_OBJECT_BEGIN || event == JSON_ARRAY_BEGIN;
    pointer->found = false;
    if (depth > 0)
        pointer->token = token_end(pointer->token);
    if (*pointer->token == '\0') {
        pointer->found = true;
        pointer->kind = event;
        pointer->start = start;
        pointer->end = end;
    }
    if (container) {
        pointer->followed = depth + 1;
        pointer->counting = event == JSON_ARRAY_BEGIN;
        pointer->index = 0;
    } else if (depth > 0) {
        do
            pointer->token--;
        while (*pointer->token != '/');
    }
    pointer->key_matches = false;
}

/* The innermost container followed ends: back to looking for the token that led into it. */
static void leave(struct json_pointer *pointer, int depth, size_t end)
{
    if (*pointer->token == '\0')
        pointer->end = end;
    pointer->followed = depth;
    if (depth > 0) {
        do
            pointer->token--;
        while (*pointer->token != '/');
    }
    /* If this is an array, no other of its elements has that index. */
    pointer->counting = false;
    pointer->key_matches = false;
}

void json_pointer_event(
    struct json_pointer *pointer, struct bytes text, enum json_event event, int depth, size_t start,
    size_t end)
{
    if (event == JSON_OBJECT_END || event == JSON_ARRAY_END) {
        if (depth == pointer->followed - 1)
            leave(pointer, depth, end);
        return;
    }
    if (depth != pointer->followed || (depth > 0 && *pointer->token == '\0'))
        return;
    if (event == JSON_KEY) {
        pointer->key_matches =
            key_is_token(bytes_of(text.data + start, end - start), pointer->token);
        return;
    }
    bool here = depth == 0 || pointer->key_matches ||
                (pointer->counting && index_is_token(pointer->index++, pointer->token));
    if (here)
        arrive(pointer, event, depth, start, end);
}

struct look_up {
    struct json_pointer pointer;
    struct bytes text;
};

static int look(
    void *context, enum json_event event, int depth, size_t start, size_t end, struct error *error)
{
    struct look_up *look_up = context;
    (void)error;
    json_pointer_event(&look_up->pointer, look_up->text, event, depth, start, end);
    return 0;
}

bool json_pointer_find(
    struct bytes text, const char *pointer, struct bytes *value_out, enum json_event *kind_out)
{
    struct look_up look_up = {.text = text};
    if (!json_pointer_is_valid(pointer))
        return false;
    json_pointer_init(&look_up.pointer, pointer);
    if (json_scan_text(text, JSON_DEPTH_MAX, look, &look_up, NULL) != 0 || !look_up.pointer.found)
        return false;
    *value_out =
        bytes_of(text.data + look_up.pointer.start, look_up.pointer.end - look_up.pointer.start);
    *kind_out = look_up.pointer.kind;
    return true;
}
