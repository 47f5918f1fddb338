/* SPDX-License-Identifier: MIT */
/* The states that most schemes have: HMAC keys with their options, or the options alone. */
#ifndef CALLBACKD_VERIFY_SCHEME_KEYS_H
#define CALLBACKD_VERIFY_SCHEME_KEYS_H

#include "schemes.h"
#include "signing.h"

struct scheme_keys {
    struct hmac_keys *keys;
    const struct config_verify *options; /* borrowed, as is the URL */
    const char *public_url;              /* "" when there is none */
};

/* HMAC-SHA256, HMAC-SHA1, or what the options say. */
int scheme_keys_open(const struct scheme_setup *setup, void **state_out, struct error *error);
int scheme_keys_open_sha1(const struct scheme_setup *setup, void **state_out, struct error *error);
int scheme_keys_open_any(const struct scheme_setup *setup, void **state_out, struct error *error);
void scheme_keys_close(void *opaque);
/* Is the text one signature over the parts? */
int scheme_keys_check(
    const struct scheme_keys *state, struct bytes signature_text, enum config_encoding encoding,
    const struct bytes *parts, size_t part_count, struct error *error);

struct scheme_options {
    const struct config_verify *config; /* borrowed */
};
int scheme_options_open(const struct scheme_setup *setup, void **state_out, struct error *error);
void scheme_options_close(void *state);

#endif
