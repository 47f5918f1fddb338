/* SPDX-License-Identifier: MIT */
/*
 * Text in and out: numbers, durations, sizes, hex, base64url, UTF-8, globs.
 * Parsers take the whole text or fail; none depends on the locale.
 * Threads: no state, callable from any.
 */
#ifndef CALLBACKD_TEXT_H
#define CALLBACKD_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "callbackd/buffer.h"

/* Decimal, optional '-', no '+', no leading blanks, no overflow. false: not such a number. */
bool text_parse_int64(struct bytes text, int64_t *value_out);

/* "250ms" "30s" "10m" "2h" "7d": a whole number and one unit. "0" without a unit is refused. */
bool text_parse_duration_ms(const char *text, int64_t *ms_out);
/* "512" or "512B", "64KiB" "16MiB" "2GiB": whole, powers of 1024. */
bool text_parse_size(const char *text, int64_t *bytes_out);
/* The shortest spelling that text_parse_duration_ms takes back to the same value. */
void text_format_duration(int64_t ms, char *out, size_t out_bytes);

/* Lower-case hex; `out` gets 2 * length + 1 bytes. */
void text_hex_encode(struct bytes data, char *out);
/* Either case. false unless exactly `out_length` bytes result. */
bool text_hex_decode(struct bytes text, unsigned char *out, size_t out_length);

/* RFC 4648 section 5, no padding. Appends; -1 when the buffer is full. */
int text_base64url_encode(struct bytes data, struct buffer *out);
/* Refuses padding, other characters and non-zero slack bits, so that each value has one
 * spelling. Appends; false leaves `out` as it was. */
bool text_base64url_decode(struct bytes text, struct buffer *out);
/* RFC 4648 section 4, with padding. */
int text_base64_encode(struct bytes data, struct buffer *out);
bool text_base64_decode(struct bytes text, struct buffer *out);

/* RFC 3986: all but unreserved characters become %XX. */
int text_percent_encode(struct bytes data, struct buffer *out);
/* false on a bad escape; `plus_is_space` is the form encoding's rule. */
bool text_percent_decode(struct bytes text, bool plus_is_space, struct buffer *out);

/* Strict UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF. */
bool text_is_utf8(struct bytes text);
/* The length, 1 to 4, of the sequence that `text` begins with; 0: it begins with none. */
size_t text_utf8_sequence(struct bytes text);

/* `*` any run, `?` one byte, `[a-z]` a set, `[!a-z]` all but it, `\` quotes; `/` is not
 * special. */
bool text_glob_match(const char *pattern, const char *text);

/* Levenshtein distance, for "did you mean". Texts over 64 bytes count as far apart. */
size_t text_distance(const char *a, const char *b);

/* Appends `text` fit for a terminal or a log: as \xNN stand C0 and C1 controls, DEL, what turns the
 * direction of writing or ends a line, and bad UTF-8. */
int text_append_printable(struct buffer *out, struct bytes text);

/* strdup that takes NULL (gives NULL). The caller frees. */
char *text_copy(const char *text);
/* As much of it as fits, always terminated; `size` is at least 1. */
void text_copy_cut(const char *text, char *out, size_t size);
/* printf into memory that the caller frees; NULL when memory is short. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
