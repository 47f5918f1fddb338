/* SPDX-License-Identifier: MIT */
#include "spelling.h"

#include <string.h>

#include "callbackd/text.h"

void spelling_init(struct spelling *spelling, struct buffer *out, struct sim_random *random)
{
    uint64_t bits = sim_random_next(random);
    *spelling = (struct spelling){
        .out = out,
        .spaced = (bits & 1) != 0,
        .ascii = (bits & 2) != 0,
        .upper = (bits & 4) != 0,
        .slashes = (bits & 8) != 0,
    };
}

void spelling_init_compact(struct spelling *spelling, struct buffer *out)
{
    *spelling = (struct spelling){.out = out, .ascii = true};
}

void spelling_open(struct spelling *spelling, char bracket)
{
    buffer_append_char(spelling->out, bracket);
    spelling->comma = false;
}

void spelling_close(struct spelling *spelling, char bracket)
{
    buffer_append_char(spelling->out, bracket);
    spelling->comma = true;
}

void spelling_key(struct spelling *spelling, const char *key)
{
    if (spelling->comma)
        buffer_append_text(spelling->out, spelling->spaced ? ", " : ",");
    spelling_text(spelling, key);
    buffer_append_text(spelling->out, spelling->spaced ? ": " : ":");
    spelling->comma = true;
}

static void write_escape(struct spelling *spelling, uint32_t unit)
{
    buffer_appendf(spelling->out, spelling->upper ? "\\u%04X" : "\\u%04x", unit);
}

/* Beyond 16 bits it takes a pair of surrogates. */
static void write_code(struct spelling *spelling, uint32_t code)
{
    if (code < 0x10000) {
        write_escape(spelling, code);
        return;
    }
    write_escape(spelling, 0xD800 + ((code - 0x10000) >> 10));
    write_escape(spelling, 0xDC00 + ((code - 0x10000) & 0x3FF));
}

static uint32_t decode(const char *sequence, size_t length)
{
    static const unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = (unsigned char)sequence[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++)
        code = code << 6 | ((unsigned char)sequence[i] & 0x3fU);
    return code;
}

static void write_ascii(struct spelling *spelling, char c)
{
    static const char short_escapes[] = "\"\"\\\\\nn\rr\tt\bb\ff";
    const char *found = NULL;
    for (size_t i = 0; short_escapes[i] && !found; i += 2)
        if (short_escapes[i] == c)
            found = &short_escapes[i];
    if (found)
        buffer_appendf(spelling->out, "\\%c", found[1]);
    else if (c == '/' && spelling->slashes)
        buffer_append_text(spelling->out, "\\/");
    else if ((unsigned char)c < 0x20)
        write_code(spelling, (unsigned char)c);
    else
        buffer_append_char(spelling->out, c);
}

void spelling_characters(struct spelling *spelling, const char *text)
{
    while (*text) {
        size_t length = text_utf8_sequence(bytes_of_text(text));
        if (length == 0)
            length = 1; /* only the texts of body.c come here, and they are UTF-8 */
        if (length == 1)
            write_ascii(spelling, *text);
        else if (spelling->ascii)
            write_code(spelling, decode(text, length));
        else
            buffer_append(spelling->out, text, length);
        text += length;
    }
}

void spelling_text(struct spelling *spelling, const char *text)
{
    buffer_append_char(spelling->out, '"');
    spelling_characters(spelling, text);
    buffer_append_char(spelling->out, '"');
}
