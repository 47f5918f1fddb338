/* SPDX-License-Identifier: MIT */
/*
 * UTF-8 one byte at a time (RFC 3629), for readers that may be cut anywhere.
 * What a lead byte promises is a count of further bytes and the range of the
 * first of them; all later ones are 0x80 to 0xBF. Threads: no state.
 */
#ifndef CALLBACKD_RESULT_UTF8_H
#define CALLBACKD_RESULT_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_LOW = 0x80, UTF8_HIGH = 0xBF };

/* How many bytes follow `lead` (0x80 and above): 1 to 3, and the range of the first; 0 when no
 * character starts so. */
static inline int utf8_lead(unsigned char lead, unsigned char *low_out, unsigned char *high_out)
{
    /* The narrow ranges keep out overlong forms, surrogates and what is above U+10FFFF. */
    *low_out = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : UTF8_LOW;
    *high_out = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : UTF8_HIGH;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    return lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
}

/* Length of the character (0x80 and above) that starts at `data`: 2 to 4; 0 when it is wrong or
 * cut short. */
static inline size_t utf8_whole(const unsigned char *data, size_t length)
{
    unsigned char low, high;
    size_t more = (size_t)utf8_lead(data[0], &low, &high);
    if (more == 0 || more >= length || data[1] < low || data[1] > high)
        return 0;
    for (size_t i = 2; i <= more; i++)
        if ((data[i] & 0xC0) != 0x80)
            return 0;
    return more + 1;
}

/* Writes up to 4 bytes, returns how many. `code` is a scalar value. */
size_t utf8_encode(uint32_t code, unsigned char *out);

#endif
