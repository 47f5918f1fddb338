/* SPDX-License-Identifier: MIT */
/* The parts of canonical.c: strings, numbers, and the two regular expressions. No state. */
#ifndef CALLBACKD_RESULT_CANONICAL_PRIVATE_H
#define CALLBACKD_RESULT_CANONICAL_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "callbackd/canonical.h"

/* ---- strings: tokens that the scanner accepted, with their quotes (canonical_string.c) ---- */

/* Reads code points; halves of surrogate pairs that stand alone are code points, too. */
struct code_reader {
    const unsigned char *at;
    const unsigned char *end;
};
void code_reader_open(struct code_reader *reader, struct bytes token);
bool code_reader_next(struct code_reader *reader, uint32_t *code_out);

/* The order of keys: of code points, or of UTF-16 units. 0: the same key. */
int canonical_compare_keys(enum canonical_form form, struct bytes a, struct bytes b);
int canonical_append_string(enum canonical_form form, struct bytes token, struct buffer *out);

/* ---- numbers: tokens that the scanner accepted (canonical_number.c) ---- */

int canonical_append_number(
    enum canonical_form form, struct bytes token, struct buffer *out, struct error *error);

/* ---- blanks after colons and commas (canonical_blanks.c) ---- */

int canonical_append_blanks(struct bytes text, struct buffer *out);

#endif
