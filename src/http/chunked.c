/* SPDX-License-Identifier: MIT */
#include "chunked.h"

#include <assert.h>

#include "framing.h"

void chunked_init(struct chunked *chunked)
{
    *chunked = (struct chunked){.state = CHUNKED_SIZE};
}

int64_t chunked_data_left(const struct chunked *chunked)
{
    return chunked->state == CHUNKED_DATA ? chunked->left : 0;
}

bool chunked_is_at_end(const struct chunked *chunked)
{
    return chunked->state == CHUNKED_END;
}

void chunked_skip(struct chunked *chunked, int64_t bytes)
{
    assert(bytes >= 0 && bytes <= chunked_data_left(chunked));
    chunked->left -= bytes;
    if (chunked->left == 0)
        chunked->state = CHUNKED_DATA_CR;
}

static int refuse(struct error *error, const char *why)
{
    return error_set(error, ERROR_INVALID, "%s", why);
}

static int digit_of(unsigned char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    if (byte >= 'a' && byte <= 'f')
        return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F')
        return byte - 'A' + 10;
    return -1;
}

/* The rest of the first line of a chunk. */
static int take_size(struct chunked *chunked, unsigned char byte, struct error *error)
{
    int digit = digit_of(byte);
    if (digit >= 0) {
        if (chunked->left > INT64_MAX >> 4)
            return refuse(error, "the size of a chunk is beyond all limits");
        chunked->left = chunked->left * 16 + digit;
        chunked->state = CHUNKED_DIGITS;
        return 0;
    }
    if (chunked->state != CHUNKED_DIGITS)
        return refuse(error, "a chunk must begin with its size in hexadecimal digits");
    if (byte != '\r' && byte != ';')
        return refuse(error, "only an extension or CR LF may follow the size of a chunk");
    chunked->state = byte == '\r' ? CHUNKED_SIZE_LF : CHUNKED_EXTENSION;
    return 0;
}

static int take_size_line(struct chunked *chunked, unsigned char byte, struct error *error)
{
    if (++chunked->line_bytes > CHUNKED_LINE_MAX_BYTES)
        return refuse(error, "the first line of a chunk is too long");
    switch (chunked->state) {
    case CHUNKED_EXTENSION:
        if (byte == '\r')
            chunked->state = CHUNKED_SIZE_LF;
        else if (byte >= 0x80 || !framing_is_value_byte(byte))
            return refuse(error, "bad extension of a chunk");
        return 0;
    case CHUNKED_SIZE_LF:
        if (byte != '\n')
            return refuse(error, "the first line of a chunk must end with CR LF");
        chunked->line_bytes = 0;
        chunked->state = chunked->left > 0 ? CHUNKED_DATA : CHUNKED_TRAILER;
        return 0;
    default:
        return take_size(chunked, byte, error);
    }
}

static int take_data_end(struct chunked *chunked, unsigned char byte, struct error *error)
{
    bool is_cr = chunked->state == CHUNKED_DATA_CR;
    if (byte != (is_cr ? '\r' : '\n'))
        return refuse(error, "the data of a chunk must have its size, and end with CR LF");
    chunked->state = is_cr ? CHUNKED_DATA_LF : CHUNKED_SIZE;
    return 0;
}

/* A field is a header: a name, a colon, a value. */
static int take_field(struct chunked *chunked, unsigned char byte, struct error *error)
{
    bool is_name = chunked->state == CHUNKED_FIELD_NAME;
    if (is_name && byte == ':')
        chunked->state = CHUNKED_FIELD_VALUE;
    else if (!is_name && byte == '\r')
        chunked->state = CHUNKED_FIELD_LF;
    else if (!(is_name ? framing_is_token_byte(byte) : framing_is_value_byte(byte)))
        return refuse(error, "bad field behind the last chunk");
    return 0;
}

static int take_trailer(struct chunked *chunked, unsigned char byte, struct error *error)
{
    if (++chunked->trailer_bytes > CHUNKED_TRAILER_MAX_BYTES)
        return refuse(error, "too much behind the last chunk");
    switch (chunked->state) {
    case CHUNKED_TRAILER:
        if (byte != '\r' && !framing_is_token_byte(byte))
            return refuse(error, "bad field behind the last chunk");
        chunked->state = byte == '\r' ? CHUNKED_LAST_LF : CHUNKED_FIELD_NAME;
        return 0;
    case CHUNKED_FIELD_LF:
    case CHUNKED_LAST_LF:
        if (byte != '\n')
            return refuse(error, "lines behind the last chunk must end with CR LF");
        chunked->state = chunked->state == CHUNKED_LAST_LF ? CHUNKED_END : CHUNKED_TRAILER;
        return 0;
    default:
        return take_field(chunked, byte, error);
    }
}

int chunked_take(struct chunked *chunked, unsigned char byte, struct error *error)
{
    assert(chunked->state != CHUNKED_DATA && chunked->state != CHUNKED_END);
    if (chunked->state < CHUNKED_DATA)
        return take_size_line(chunked, byte, error);
    if (chunked->state < CHUNKED_TRAILER)
        return take_data_end(chunked, byte, error);
    return take_trailer(chunked, byte, error);
}
