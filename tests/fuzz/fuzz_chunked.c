/* SPDX-License-Identifier: MIT */
/*
 * Input: what is sent as a chunked body, and what follows it. The decoder, which sees a byte at a
 * time, and a reader of the whole text agree on whether it is one, on its data and on its end.
 */
#include "fuzz.h"

#include <stdbool.h>

#include "callbackd/buffer.h"
#include "chunked.h"

struct body {
    bool refused;
    bool ended;
    size_t end;
    struct buffer data;
};

static void decode(const uint8_t *text, size_t size, struct body *out)
{
    struct chunked chunked;
    struct error error = {0};
    size_t at = 0;
    chunked_init(&chunked);
    while (at < size && !chunked_is_at_end(&chunked) && !out->refused) {
        int64_t left = chunked_data_left(&chunked);
        HOLDS(left >= 0);
        if (left == 0) {
            out->refused = chunked_take(&chunked, text[at++], &error) != 0;
            HOLDS(!out->refused || (error.code == ERROR_INVALID && error.message[0] != '\0'));
            continue;
        }
        size_t piece = 1 + at % 7;
        if ((uint64_t)left < piece)
            piece = (size_t)left;
        if (size - at < piece)
            piece = size - at;
        HOLDS(buffer_append(&out->data, text + at, piece) == 0);
        chunked_skip(&chunked, (int64_t)piece);
        at += piece;
    }
    out->ended = chunked_is_at_end(&chunked);
    out->end = at;
}

/* ---- the other reader, which may look ahead ---- */

/* Where the line ends, without its CR LF; NULL: no such line, or none that is whole. */
static const uint8_t *line_end(const uint8_t *line, const uint8_t *end, size_t max)
{
    const uint8_t *found = memmem(line, (size_t)(end - line), "\r\n", 2);
    return found && (size_t)(found - line) + 2 <= max ? found : NULL;
}

static bool read_size(const uint8_t *line, const uint8_t *end, uint64_t *size_out)
{
    const uint8_t *at = line;
    *size_out = 0;
    for (; at < end && strchr("0123456789abcdefABCDEF", *at) && *at; at++) {
        if (*size_out >> 59)
            return false;
        *size_out = *size_out * 16 + (uint64_t)(*at <= '9' ? *at - '0' : (*at | 32) - 'a' + 10);
    }
    if (at == line || (at < end && *at != ';'))
        return false;
    for (; at < end; at++)
        if ((*at < 0x20 && *at != '\t') || *at >= 0x7f)
            return false;
    return true;
}

static bool is_field(const uint8_t *line, const uint8_t *end)
{
    const uint8_t *colon = memchr(line, ':', (size_t)(end - line));
    if (!colon || colon == line)
        return false;
    for (const uint8_t *at = line; at < colon; at++)
        if (*at <= 0x20 || *at >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", *at))
            return false;
    for (const uint8_t *at = colon; at < end; at++)
        if ((*at < 0x20 && *at != '\t') || *at == 0x7f)
            return false;
    return true;
}

static bool read_trailer(const uint8_t *at, const uint8_t *end, const uint8_t **end_out)
{
    size_t left = CHUNKED_TRAILER_MAX_BYTES;
    for (;;) {
        const uint8_t *line = at;
        const uint8_t *stop = line_end(line, end, left);
        if (!stop)
            return false;
        at = stop + 2;
        left -= (size_t)(at - line);
        if (stop == line) {
            *end_out = at;
            return true;
        }
        if (!is_field(line, stop))
            return false;
    }
}

/* false: it is none, or not all of it is there. */
static bool read_whole(const uint8_t *text, size_t size, struct buffer *data, size_t *end_out)
{
    const uint8_t *at = text;
    const uint8_t *end = text + size;
    for (;;) {
        uint64_t length = 0;
        const uint8_t *stop = line_end(at, end, CHUNKED_LINE_MAX_BYTES);
        if (!stop || !read_size(at, stop, &length))
            return false;
        at = stop + 2;
        if (length == 0)
            break;
        if (length > (uint64_t)(end - at) || end - at - (int64_t)length < 2 ||
            memcmp(at + length, "\r\n", 2) != 0)
            return false;
        HOLDS(buffer_append(data, at, (size_t)length) == 0);
        at += length + 2;
    }
    const uint8_t *behind = NULL;
    if (!read_trailer(at, end, &behind))
        return false;
    *end_out = (size_t)(behind - text);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct body body = {0};
    struct buffer whole;
    size_t end = 0;
    buffer_init(&body.data, size + 1);
    buffer_init(&whole, size + 1);
    uint8_t *copy = fuzz_copy(data, size);
    decode(copy, size, &body);
    bool is_whole = read_whole(copy, size, &whole, &end);
    HOLDS(body.ended == is_whole && !(body.ended && body.refused));
    if (is_whole)
        HOLDS(body.end == end && bytes_equal(buffer_bytes(&body.data), buffer_bytes(&whole)));
    free(copy);
    buffer_fini(&body.data);
    buffer_fini(&whole);
    return 0;
}
