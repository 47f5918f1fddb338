/* SPDX-License-Identifier: MIT */
/*
 * What schemes share: headers as strangers send them, secrets made ready for HMAC,
 * comparisons in constant time. Everything that a sender got wrong is
 * ERROR_UNAUTHORIZED, with the reason for the log.
 *
 * Threads: keys are read-only once made; the rest has no state.
 */
#ifndef CALLBACKD_VERIFY_SIGNING_H
#define CALLBACKD_VERIFY_SIGNING_H

#include "callbackd/verify.h"

enum { SIGNATURE_BYTES_MAX = 64, SIGNATURES_MAX = 16, SIGNING_PARTS_MAX = 64 };

/* ---- headers ---- */

/* The header's value, not empty. NULL: there is none. */
const char *signing_header(
    const struct verify_request *request, const char *name, struct error *error);
/* The sender's id of the post, from a header that may be absent: printable ASCII without blanks,
 * 255 bytes at most. The first one that a scheme finds is the post's. */
int signing_take_id(
    const struct verify_request *request, const char *header, struct verify_outcome *outcome,
    struct error *error);
/* Keeps an id that was found elsewhere, by the same rules. */
int signing_keep_id(struct bytes id, struct verify_outcome *outcome, struct error *error);
/* Decimal seconds since 1970 within the tolerance of now. */
int signing_check_time(
    struct bytes text, int64_t now_ms, int64_t tolerance_ms, struct error *error);
int signing_check_time_ms(int64_t at_ms, int64_t now_ms, int64_t tolerance_ms, struct error *error);
/* After `prefix`, in any case: the rest of the value. NULL: it begins otherwise. */
const char *signing_after(const char *value, const char *prefix);

/* ---- signatures ---- */

struct signature {
    unsigned char data[SIGNATURE_BYTES_MAX];
    size_t length;
};

/* Exactly `length` bytes in that spelling. */
bool signing_decode(
    struct bytes text, enum config_encoding encoding, size_t length, struct signature *out);

struct hmac_keys;

/* Keys that were not handed to this process are empty, and left out. NULL: no memory. */
struct hmac_keys *hmac_keys_new(
    const struct config_secrets *secrets, enum config_digest digest, struct error *error);
/* For keys that are not the secrets themselves: room for `capacity`. */
struct hmac_keys *hmac_keys_empty(size_t capacity, enum config_digest digest, struct error *error);
int hmac_keys_add(struct hmac_keys *keys, struct bytes key, struct error *error);
void hmac_keys_free(struct hmac_keys *keys); /* NULL is allowed */
/* The bytes of a MAC. */
size_t hmac_keys_size(const struct hmac_keys *keys);
/* Is one of the signatures the MAC of the parts, one after the other, with one of the keys? All
 * are tried even after one fitted. -1: ERROR_UNAUTHORIZED, or ERROR_MEMORY. */
int hmac_keys_check(
    const struct hmac_keys *keys, const struct bytes *parts, size_t part_count,
    const struct signature *signatures, size_t signature_count, struct error *error);

/* Is it one of the secrets? The time taken says nothing about how much of it is right. */
int signing_check_secret(
    const struct config_secrets *secrets, struct bytes given, struct error *error);

#endif
