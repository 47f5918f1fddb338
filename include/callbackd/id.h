/* SPDX-License-Identifier: MIT */
/*
 * Ids of runs, results and jobs: UUID version 7 (RFC 9562 section 5.7), so that
 * they sort by time and new rows go to the end of an index. The 12 bits after
 * the milliseconds are the fraction of the millisecond (section 6.2, method 3).
 * Threads: any; no state is kept.
 */
#ifndef CALLBACKD_ID_H
#define CALLBACKD_ID_H

#include <stdbool.h>

#include "callbackd/buffer.h"

enum { ID_BYTES = 16, ID_TEXT_BYTES = 37 /* 36 and the NUL */ };

struct id {
    unsigned char bytes[ID_BYTES];
};

/* A new id. Ends the process if the kernel has no randomness to give. */
struct id id_new(void);
void id_format(const struct id *id, char out[static ID_TEXT_BYTES]);
/* Lower case, 8-4-4-4-12; any version. false: not such a text. */
bool id_parse(struct bytes text, struct id *id_out);
bool id_equal(const struct id *a, const struct id *b);

#endif
