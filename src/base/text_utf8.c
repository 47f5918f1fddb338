/* SPDX-License-Identifier: MIT */
/* The parts of text.h that know UTF-8. */
#include "callbackd/text.h"
#include "escape_private.h"

/* RFC 3629 section 4: which second bytes may follow a first byte, and the length of all. */
static const struct utf8_lead {
    unsigned char first_low, first_high;
    unsigned char second_low, second_high;
    unsigned char length;
} utf8_leads[] = {
    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

static const struct utf8_lead *utf8_lead(unsigned char first)
{
    for (size_t i = 0; i < sizeof(utf8_leads) / sizeof(utf8_leads[0]); i++) {
        if (first >= utf8_leads[i].first_low && first <= utf8_leads[i].first_high)
            return &utf8_leads[i];
    }
    return NULL;
}

size_t text_utf8_sequence(struct bytes text)
{
    if (text.length == 0)
        return 0;
    if (text.data[0] < 0x80)
        return 1;
    const struct utf8_lead *lead = utf8_lead(text.data[0]);
    if (!lead || text.length < lead->length || text.data[1] < lead->second_low ||
        text.data[1] > lead->second_high)
        return 0;
    for (size_t i = 2; i < lead->length; i++) {
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
    }
    return lead->length;
}

bool text_is_utf8(struct bytes text)
{
    for (size_t at = 0; at < text.length;) {
        size_t length = text_utf8_sequence(bytes_of(text.data + at, text.length - at));
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

int text_append_printable(struct buffer *out, struct bytes text)
{
    size_t start = out->length;
    for (size_t at = 0; at < text.length;) {
        struct escaped unit;
        at += escape_printable(bytes_of(text.data + at, text.length - at), &unit);
        if (buffer_append(out, unit.data, unit.length) != 0) {
            buffer_truncate(out, start);
            return -1;
        }
    }
    return buffer_failed(out) ? -1 : 0;
}
