/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <string.h>

#include "callbackd/json_scan.h"
#include "callbackd/os.h"
#include "callbackd/text.h"

/* A form has one level: the pointer is one token, in which ~1 and ~0 stand for / and ~. */
static bool token_equals(const char *token, struct bytes name)
{
    size_t i = 0;
    for (; *token != '\0' && i < name.length; token++, i++) {
        char c = *token;
        if (c == '/')
            return false;
        if (c == '~') {
            token++;
            c = *token == '1' ? '/' : '~';
        }
        if ((char)name.data[i] != c)
            return false;
    }
    return *token == '\0' && i == name.length;
}

static struct bytes cut_at(struct bytes *rest, unsigned char separator)
{
    const unsigned char *end =
        rest->length > 0 ? memchr(rest->data, separator, rest->length) : NULL;
    size_t length = end ? (size_t)(end - rest->data) : rest->length;
    struct bytes part = {rest->data, length};
    size_t taken = end ? length + 1 : length;
    rest->data += taken;
    rest->length -= taken;
    return part;
}

static bool form_find(struct bytes body, const char *pointer, struct buffer *out)
{
    if (pointer[0] != '/')
        return false;
    CLEANUP_BUFFER struct buffer name;
    buffer_init(&name, body.length + 1);
    struct bytes rest = body;
    while (rest.length > 0) {
        struct bytes value = cut_at(&rest, '&');
        struct bytes spelled = cut_at(&value, '=');
        buffer_clear(&name);
        if (text_percent_decode(spelled, true, &name) &&
            token_equals(pointer + 1, buffer_bytes(&name)))
            return text_percent_decode(value, true, out) || buffer_failed(out);
        if (name.starved) {
            out->failed = out->starved = true;
            return true;
        }
    }
    return false;
}

bool value_find(enum body_kind kind, struct bytes body, const char *pointer, struct buffer *out)
{
    if (body.length == 0)
        return false;
    if (kind == BODY_FORM)
        return form_find(body, pointer, out);
    struct bytes value;
    enum json_event type;
    if (!json_pointer_find(body, pointer, &value, &type))
        return false;
    if (type == JSON_STRING)
        json_decode_string(value, out);
    else
        buffer_append_bytes(out, value);
    return true;
}
