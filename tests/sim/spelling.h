/* SPDX-License-Identifier: MIT */
/*
 * JSON in various spellings: blanks or none, letters as they are or as \u
 * escapes, slashes escaped or not. All of them mean the same. Threads: as the
 * buffer that is written to.
 */
#ifndef CALLBACKD_SIM_SPELLING_H
#define CALLBACKD_SIM_SPELLING_H

#include <stdbool.h>

#include "callbackd/buffer.h"
#include "random.h"

struct spelling {
    struct buffer *out; /* borrowed */
    bool spaced;        /* a blank after ':' and ',' */
    bool ascii;         /* \u escapes for what is beyond ASCII */
    bool upper;         /* \u00E9 instead of \u00e9 */
    bool slashes;       /* \/ for / */
    bool comma;         /* the next key needs one before it */
};

void spelling_init(struct spelling *spelling, struct buffer *out, struct sim_random *random);
/* As the API spells its answers: compact, ASCII. */
void spelling_init_compact(struct spelling *spelling, struct buffer *out);

void spelling_open(struct spelling *spelling, char bracket);
void spelling_close(struct spelling *spelling, char bracket);
/* A key with the comma before it and the colon after it. */
void spelling_key(struct spelling *spelling, const char *key);
/* A whole string; `text` is UTF-8. */
void spelling_text(struct spelling *spelling, const char *text);
/* The same without its quotes. */
void spelling_characters(struct spelling *spelling, const char *text);

#endif
