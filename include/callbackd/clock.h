/* SPDX-License-Identifier: MIT */
/*
 * Time. Wall time (milliseconds since 1970 UTC) is what is stored and shown and
 * may jump; monotonic time (milliseconds since boot, counting suspend) is what
 * timers use. Threads: any.
 */
#ifndef CALLBACKD_CLOCK_H
#define CALLBACKD_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLOCK_RFC3339_BYTES = 32 };

int64_t clock_wall_ms(void);
int64_t clock_wall_ns(void);
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_ns(void);

/* RFC 3339, UTC, milliseconds: "2026-11-23T18:04:05.678Z". Times outside the years 0000 to
 * 9999 give the first or last that can be spelled. */
void clock_format_rfc3339(int64_t wall_ms, char out[static CLOCK_RFC3339_BYTES]);
/* Takes any offset and 0 to 9 fractional digits (cut to milliseconds). */
bool clock_parse_rfc3339(const char *text, int64_t *wall_ms_out);

#endif
